"""Pixels to images and back, decoding of every kind of picture."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nfe.errors import PictureError, SourceError
from nfe.files import write_stored_zip
from nfe.images import (
    decode_pixels,
    encode_png,
    images_from_pixels,
    make_grid,
    pixels_from_images,
    read_pixels_zip,
    resize_pixels,
)


def _encode(picture: Image.Image, kind: str = "png", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def test_every_level_survives_the_round_trip() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    images = images_from_pixels(pixels)
    assert images.shape == (1, 3, 16, 16)
    assert images.min() == -1
    assert images.max() == 1
    assert np.array_equal(pixels_from_images(images), pixels)


def test_out_of_range_is_clipped() -> None:
    assert pixels_from_images(torch.tensor([[[[-9.0]], [[0.0]], [[9.0]]]])).tolist() == [
        [[[0, 128, 255]]]
    ]


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    pixels = decode_pixels(_encode(Image.fromarray(values)), "x")
    assert pixels[0, :, 0].tolist() == [0, 1, 128, 255]


def test_alpha_is_laid_over_white() -> None:
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 255, 255))
    pixels = decode_pixels(_encode(picture), "x")
    assert pixels[0].tolist() == [[255, 255, 255], [0, 0, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    kind = "jpeg" if mode == "CMYK" else "png"
    pixels = decode_pixels(_encode(Image.new(mode, (5, 4)), kind), "x")
    assert pixels.shape == (4, 5, 3)
    assert pixels.dtype == np.uint8


def test_orientation_is_applied() -> None:
    picture = Image.new("RGB", (4, 2))
    exif = picture.getexif()
    exif[0x0112] = 6
    assert decode_pixels(_encode(picture, "jpeg", exif=exif), "x").shape == (4, 2, 3)


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_picture_is_named(data: bytes) -> None:
    with pytest.raises(PictureError, match=r"photo\.png"):
        decode_pixels(data, "photo.png")


def test_a_truncated_picture_is_refused() -> None:
    data = _encode(Image.effect_noise((64, 64), 50))
    with pytest.raises(PictureError):
        decode_pixels(data[: len(data) // 2], "x")


def test_size_is_limited_before_decoding() -> None:
    data = _encode(Image.new("L", (100, 101)))
    with pytest.raises(PictureError, match="100 x 101"):
        decode_pixels(data, "x", max_pixels=10_000)


def test_grid_places_pictures_row_by_row() -> None:
    pixels = np.stack([np.full((2, 2, 3), level, dtype=np.uint8) for level in (10, 20, 30)])
    grid = make_grid(pixels, columns=2, gap=1)
    assert grid.shape == (5, 5, 3)
    assert (grid[0, 0, 0], grid[0, 3, 0], grid[3, 0, 0], grid[3, 3, 0]) == (10, 20, 30, 255)


def test_resizing_keeps_a_constant_and_skips_equal_sizes() -> None:
    pixels = np.full((9, 7, 3), 77, dtype=np.uint8)
    assert (resize_pixels(pixels, 4) == 77).all()
    square = np.zeros((4, 4, 3), dtype=np.uint8)
    assert resize_pixels(square, 4) is square


def test_a_zip_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    pictures = {f"{i}.png": np.full((4, 4, 3), i, dtype=np.uint8) for i in (3, 1, 2)}
    members = [(name, encode_png(p)) for name, p in pictures.items()]
    write_stored_zip(tmp_path / "a.zip", [*members, ("dataset.json", b"{}")])
    names, pixels = read_pixels_zip(tmp_path / "a.zip")
    assert names == ["1.png", "2.png", "3.png"]
    assert pixels[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_pictures_of_several_sizes_are_refused(tmp_path: Path) -> None:
    members = [(f"{n}.png", encode_png(np.zeros((n, n, 3), dtype=np.uint8))) for n in (4, 5)]
    write_stored_zip(tmp_path / "a.zip", members)
    with pytest.raises(SourceError, match="one size"):
        read_pixels_zip(tmp_path / "a.zip")
    with pytest.raises(SourceError, match=r"missing\.zip"):
        read_pixels_zip(tmp_path / "missing.zip")
