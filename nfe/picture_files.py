"""Picture files as people have them: every format and mode in, the same kind of file out."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from nfe.errors import PictureError
from nfe.images import rgb_from_picture

__all__ = ["FORMATS", "SUFFIXES", "Picture", "encode_picture", "read_picture", "sniff_picture"]

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")
# What each format is written as. A GIF has 256 colours, so an edited one becomes a PNG.
SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "WEBP": ".webp",
    "AVIF": ".avif",
    "BMP": ".bmp",
    "TIFF": ".tiff",
    "GIF": ".png",
}
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 6},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "lossless": True, "exact": True},
    ".avif": {"format": "AVIF", "quality": 95, "subsampling": "4:4:4"},
    ".bmp": {"format": "BMP"},
    ".tiff": {"format": "TIFF", "compression": "tiff_deflate"},
}


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    Attributes:
        pixels: uint8, [H, W, 3], sRGB, also where it is transparent.
        alpha: uint8, [H, W]; None when the picture is opaque.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None

    @property
    def on_white(self) -> np.ndarray:
        """The pixels as seen on white paper, uint8, [H, W, 3]."""
        if self.alpha is None:
            return self.pixels
        share = self.alpha[..., None].astype(np.float32) / 255
        return np.rint(self.pixels * share + 255 * (1 - share)).astype(np.uint8)


def sniff_picture(path: Path, max_pixels: int) -> tuple[str, tuple[int, int]]:
    """Tell a file's format and size by its header, without decoding it.

    Args:
        path: The file, whatever its suffix.
        max_pixels: Largest width times height.

    Returns:
        One of `FORMATS`, and (width, height).

    Raises:
        PictureError: If the file cannot be read, is no picture of these formats, or is larger.
    """
    with _opened(path, path.name) as picture:
        _check_size(picture, path.name, max_pixels)
        return str(picture.format), picture.size


def read_picture(data: bytes, name: str, max_pixels: int) -> Picture:
    """Decode a picture: first frame, orientation applied, 8 bits, sRGB, alpha apart.

    Args:
        data: The file's bytes.
        name: What to call it in errors.
        max_pixels: Largest width times height, checked in the header before decoding.

    Raises:
        PictureError: If the data is no picture of `FORMATS`, is damaged, or is larger.
    """
    with _opened(io.BytesIO(data), name) as opened:
        _check_size(opened, name, max_pixels)
        picture = _to_srgb(ImageOps.exif_transpose(opened))
        if picture.has_transparency_data:
            rgba = np.array(picture.convert("RGBA"))
            return Picture(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3].copy())
        return Picture(rgb_from_picture(picture), None)


def encode_picture(picture: Picture, suffix: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """Encode a picture for a file with this suffix; alpha is kept where the format has it.

    Lossless for PNG, WebP, BMP and TIFF. JPEG and BMP have no alpha: the picture is then laid
    on white.

    Args:
        picture: What to write. No metadata is written but what `extra` brings.
        suffix: One of the values of `SUFFIXES`.
        extra: More arguments of Pillow's `save`.
    """
    options = {**SAVE_OPTIONS[suffix], **(extra or {})}
    buffer = io.BytesIO()
    if picture.alpha is None or suffix in (".jpg", ".bmp"):
        Image.fromarray(picture.on_white).save(buffer, **options)
    else:
        rgba = np.dstack([picture.pixels, picture.alpha])
        Image.fromarray(rgba).save(buffer, **options)
    return buffer.getvalue()


@contextmanager
def _opened(file: Path | io.BytesIO, name: str) -> Iterator[Image.Image]:
    """Open a picture; whatever Pillow raises meanwhile becomes a PictureError of one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(file, formats=FORMATS) as picture:
                yield picture
        except PictureError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, UnidentifiedImageError):
                reason = "something else"
            raise PictureError(f"{name} must be a readable picture, got: {reason}") from error


def _check_size(picture: Image.Image, name: str, max_pixels: int) -> None:
    if picture.width * picture.height > max_pixels:
        raise PictureError(
            f"{name} must have at most {max_pixels} pixels, got {picture.width} x "
            f"{picture.height}; make it smaller or raise --max-pixels"
        )


def _to_srgb(picture: Image.Image) -> Image.Image:
    """Convert by the embedded colour profile, when there is a usable one."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, source, target, outputMode=mode)
    except (OSError, ImageCms.PyCMSError):
        return picture
    return converted or picture
