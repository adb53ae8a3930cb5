import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from nfe.errors import PictureError
from nfe.picture_files import SUFFIXES, Picture, encode_picture, read_picture, sniff_picture

MAX_PIXELS = 10_000
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def saved(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def read(data):
    return read_picture(data, "a.png", MAX_PIXELS)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tiff"])
def test_lossless_formats_come_back_exactly(suffix):
    result = read(encode_picture(Picture(PIXELS, None), suffix))
    assert (result.pixels == PIXELS).all()
    assert result.alpha is None


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_alpha_and_the_colours_below_it_come_back_exactly(suffix):
    alpha = np.random.default_rng(1).integers(0, 256, (6, 9), dtype=np.uint8)
    alpha[0] = 0
    result = read(encode_picture(Picture(PIXELS, alpha), suffix))
    assert (result.pixels == PIXELS).all()
    assert (result.alpha == alpha).all()


@pytest.mark.parametrize("suffix", [".jpg", ".avif"])
def test_lossy_formats_come_back_closely(suffix):
    smooth = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    result = read(encode_picture(Picture(smooth, None), suffix))
    assert np.abs(result.pixels.astype(int) - smooth).mean() < 3


def test_transparent_pixels_are_seen_on_white():
    alpha = np.array([[0, 255, 51]], dtype=np.uint8)
    picture = Picture(np.full((1, 3, 3), 100, dtype=np.uint8), alpha)
    assert picture.on_white[0, :, 0].tolist() == [255, 100, 224]
    flat = read(encode_picture(picture, ".bmp"))
    assert (flat.pixels == picture.on_white).all()


def test_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter clockwise to be upright
    data = saved(Image.fromarray(PIXELS), "png", exif=exif)
    assert (read(data).pixels == np.rot90(PIXELS, -1)).all()


def test_sixteen_bit_grey_is_scaled_not_clipped():
    grey = np.array([[0, 257 * 10, 257 * 200, 65535]], dtype=np.uint16)
    result = read(saved(Image.fromarray(grey), "png"))
    assert result.pixels[0].tolist() == [[v] * 3 for v in (0, 10, 200, 255)]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb_of_the_same_size(mode):
    if mode == "I;16":
        picture = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(PIXELS).convert(mode)
    result = read(saved(picture, "tiff"))
    assert result.pixels.shape == PIXELS.shape
    assert result.pixels.dtype == np.uint8
    assert (result.alpha is None) == (mode not in ("LA", "RGBA"))


def test_transparent_palette_has_alpha():
    picture = Image.fromarray(PIXELS).convert("P")
    result = read(saved(picture, "png", transparency=int(np.asarray(picture)[0, 0])))
    assert result.alpha is not None
    assert result.alpha[0, 0] == 0


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    data = saved(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert read(data).pixels[0, 0].tolist() == [255, 0, 0]


def test_colour_profile_is_converted_and_a_broken_one_ignored():
    grey = Image.new("RGB", (4, 4), (120, 120, 120))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = read(saved(grey, "png", icc_profile=srgb))
    assert np.abs(same.pixels.astype(int) - 120).max() <= 1
    broken = read(saved(grey, "png", icc_profile=b"nonsense"))
    assert (broken.pixels == 120).all()


@pytest.mark.parametrize("kind", SUFFIXES)
def test_format_is_told_by_content(tmp_path, kind):
    path = tmp_path / "wrong.suffix"
    path.write_bytes(saved(Image.fromarray(PIXELS), kind))
    assert sniff_picture(path, MAX_PIXELS) == (kind, (9, 6))


@pytest.mark.parametrize(
    "data", [b"", b"text", b"<html></html>", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4"]
)
def test_what_is_no_picture_is_refused(tmp_path, data):
    with pytest.raises(PictureError, match=r"a\.png must be a readable picture"):
        read(data)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(PictureError, match=r"a\.png must be a readable picture"):
        sniff_picture(tmp_path / "a.png", MAX_PIXELS)


def test_truncated_picture_is_refused():
    data = encode_picture(Picture(np.repeat(PIXELS, 50, axis=0), None), ".png")
    with pytest.raises(PictureError, match="readable picture"):
        read(data[: len(data) // 2])


def test_too_many_pixels_are_refused_by_the_header(tmp_path):
    data = saved(Image.new("1", (13_000, 13_000)), "png")
    with pytest.raises(PictureError, match="at most 10000 pixels, got 13000 x 13000"):
        read(data)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(PictureError, match="at most 10000 pixels"):
        sniff_picture(tmp_path / "a.png", MAX_PIXELS)
