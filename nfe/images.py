"""Pixels (uint8, RGB, at files) and images (float32, [-1, 1], everywhere else in nfe)."""

import io
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from nfe.errors import PictureError, SourceError

if TYPE_CHECKING:  # torch takes seconds to load; files alone do not need it
    import torch

__all__ = [
    "decode_pixels",
    "encode_png",
    "images_from_pixels",
    "make_grid",
    "pixels_from_images",
    "read_pixels_zip",
    "resize_pixels",
    "rgb_from_picture",
]

MAX_PIXELS = 64_000_000


def images_from_pixels(pixels: np.ndarray) -> "torch.Tensor":
    """Convert pixels to images.

    Args:
        pixels: uint8, [N, H, W, 3], RGB.

    Returns:
        float32, [N, 3, H, W], in [-1, 1].
    """
    import torch

    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def pixels_from_images(images: "torch.Tensor") -> np.ndarray:
    """Convert images to pixels, rounding to the nearest level and clipping to the range.

    Args:
        images: [N, 3, H, W], nominally in [-1, 1].

    Returns:
        uint8, [N, H, W, 3], RGB.
    """
    import torch

    levels = images.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def decode_pixels(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode one picture file to pixels: orientation applied, colours to RGB, alpha over white.

    Args:
        data: The file's bytes, in any format that Pillow reads.
        name: What to call it in errors.
        max_pixels: Largest width times height, checked in the header before decoding.

    Returns:
        uint8, [H, W, 3], RGB.

    Raises:
        PictureError: If the data is no picture, is damaged, or is larger than `max_pixels`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as picture:
                if picture.width * picture.height > max_pixels:
                    raise PictureError(
                        f"{name} must have at most {max_pixels} pixels, "
                        f"got {picture.width} x {picture.height}; make it smaller"
                    )
                return rgb_from_picture(ImageOps.exif_transpose(picture))
        except PictureError:
            raise
        except Exception as error:
            raise PictureError(
                f"{name} must be a readable picture, got: {type(error).__name__}: {error}"
            ) from error


def rgb_from_picture(picture: Image.Image) -> np.ndarray:
    """Convert a Pillow picture of any mode to pixels: 16 bits scaled, alpha laid over white.

    Returns:
        uint8, [H, W, 3], RGB.
    """
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode in ("I", "F"):
        values = np.asarray(picture).astype(np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        grey = np.clip(values / top * 255, 0, 255).round().astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, rgba).convert("RGB"))
    return np.array(picture.convert("RGB"))


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode pixels ([H, W, 3], uint8) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def resize_pixels(pixels: np.ndarray, resolution: int) -> np.ndarray:
    """Resize one picture to a square of side `resolution`, Lanczos.

    Args:
        pixels: uint8, [H, W, 3].
        resolution: Side in pixels.

    Returns:
        uint8, [resolution, resolution, 3].
    """
    if pixels.shape[:2] == (resolution, resolution):
        return pixels
    size = (resolution, resolution)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def read_pixels_zip(path: Path) -> tuple[list[str], np.ndarray]:
    """Read every picture of a data set zip, all of one size, in the order of their names.

    Returns:
        The member names and their pixels, uint8, [N, H, W, 3].

    Raises:
        SourceError: If the zip is missing, damaged or empty, or its pictures differ in size.
        PictureError: If a picture is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(n for n in archive.namelist() if not n.endswith((".json", "/")))
            pixels = [decode_pixels(archive.read(n), f"{path}:{n}") for n in names]
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} must be a readable zip of pictures, got: {error}") from error
    if not pixels:
        raise SourceError(f"{path} must hold at least one picture, it holds none")
    if len({p.shape for p in pixels}) > 1:
        raise SourceError(f"{path} must hold pictures of one size, got several; run curate again")
    return names, np.stack(pixels)


def make_grid(pixels: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Lay pictures out row by row on white.

    Args:
        pixels: uint8, [N, H, W, 3].
        columns: Pictures per row.
        gap: White pixels between pictures.

    Returns:
        uint8, [rows * (H + gap) - gap, columns * (W + gap) - gap, 3].
    """
    count, height, width, _ = pixels.shape
    rows = -(-count // columns)
    grid = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8
    )
    for index, picture in enumerate(pixels):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        grid[top : top + height, left : left + width] = picture
    return grid
