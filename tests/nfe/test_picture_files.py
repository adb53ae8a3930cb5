import io
import os

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from nfe.errors import PictureError
from nfe.picture_files import (
    SUFFIXES,
    Picture,
    encode_frames,
    encode_picture,
    read_frames,
    read_picture,
    sniff_picture,
)

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


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_is_as_pillow_applies_it(turn):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    alpha = PIXELS[..., 0]
    data = saved(Image.fromarray(np.dstack([PIXELS, alpha])), "png", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    result = read(data)
    assert (result.pixels == expected[..., :3]).all()
    assert (result.alpha == expected[..., 3]).all()


def test_damaged_exif_does_not_spoil_a_picture():
    result = read(saved(Image.fromarray(PIXELS), "jpeg", exif=b"Exif\0\0II*\0\xff\xff\xff"))
    assert result.pixels.shape == PIXELS.shape


def test_a_picture_of_several_bands_comes_back_exactly():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1500, 1100, 3), dtype=np.uint8)
    alpha = rng.integers(0, 256, (1500, 1100), dtype=np.uint8)
    result = read_picture(encode_picture(Picture(pixels, alpha), ".tiff"), "a", 2_000_000)
    assert (result.pixels == pixels).all()
    assert (result.alpha == alpha).all()
    share = alpha[..., None] / 255
    assert (result.on_white == np.rint(pixels * share + 255 * (1 - share))).all()


def test_a_transparent_level_of_sixteen_bits_is_alpha():
    grey = np.array([[7, 65535]], dtype=np.uint16)
    result = read(saved(Image.fromarray(grey), "png", transparency=7))
    assert result.alpha.tolist() == [[0, 255]]
    assert result.pixels[0].tolist() == [[0] * 3, [255] * 3]


def test_numbers_of_32_bits_that_are_none_are_black():
    grey = np.array([[np.nan, 0, 128, 255]], dtype=np.float32)
    assert read(saved(Image.fromarray(grey), "tiff")).pixels[0, :, 0].tolist() == [0, 0, 128, 255]


def test_a_profile_of_other_colours_is_left_out():
    grey = Image.new("RGB", (4, 4), (128, 128, 128))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    assert (read(saved(grey, "png", icc_profile=profile)).pixels == 128).all()


def animation(kind, sizes=(4, 4, 4), **options):
    frames = [Image.new("RGB", (n, n), (80 * i, 0, 0)) for i, n in enumerate(sizes)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)


@pytest.mark.parametrize(("kind", "suffix"), [("gif", ".png"), ("png", ".png"), ("webp", ".webp")])
def test_frames_and_their_times_come_back(kind, suffix):
    options = {"lossless": True} if kind == "webp" else {}
    frames = read_frames(animation(kind, duration=[30, 50, 70], **options), "a", 48)
    for result in (frames, read_frames(encode_frames(frames, suffix), "a", 48)):
        assert [frame.pixels[0, 0].tolist() for frame in result] == [
            [80 * i, 0, 0] for i in range(3)
        ]
        assert [frame.milliseconds for frame in result] == [30, 50, 70]


def test_pages_of_a_tiff_keep_their_sizes():
    frames = read_frames(animation("tiff", (4, 6, 5)), "a", 200)
    again = read_frames(encode_frames(frames, ".tiff"), "a", 200)
    assert [frame.pixels.shape[0] for frame in again] == [4, 6, 5]
    with pytest.raises(PictureError, match="frames must be of one size for"):
        encode_frames(frames, ".webp")


def test_the_pixels_of_all_frames_count():
    with pytest.raises(PictureError, match="at most 15 pixels, got 4 x 4"):
        read_frames(animation("gif"), "a", 47)


def test_a_camera_s_second_picture_is_no_frame(tmp_path):
    (tmp_path / "a.jpg").write_bytes(animation("mpo", (8, 8)))
    assert sniff_picture(tmp_path / "a.jpg", MAX_PIXELS) == ("JPEG", (8, 8))
    assert len(read_frames((tmp_path / "a.jpg").read_bytes(), "a", MAX_PIXELS)) == 1


def test_a_pipe_is_no_picture_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(PictureError, match="got: no file but a folder, pipe"):
        sniff_picture(tmp_path / "a.png", MAX_PIXELS)
