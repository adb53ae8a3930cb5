"""Picture files as people have them: every format and mode in, the same kind of file out."""

import io
import stat
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from nfe.errors import PictureError
from nfe.images import rgb_from_picture

__all__ = [
    "ANIMATED_SUFFIXES",
    "FORMATS",
    "SUFFIXES",
    "Picture",
    "encode_frames",
    "encode_picture",
    "read_frames",
    "read_picture",
    "sniff_picture",
]

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
ANIMATED_SUFFIXES = (".png", ".webp", ".avif", ".tiff")
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 6},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "lossless": True, "exact": True},
    ".avif": {"format": "AVIF", "quality": 95, "subsampling": "4:4:4"},
    ".bmp": {"format": "BMP"},
    ".tiff": {"format": "TIFF", "compression": "tiff_deflate"},
}
BAND_PIXELS = 1_000_000  # converted at once, so that a large picture is in memory but once
MAX_FRAMES = 10_000
DEFAULT_MILLISECONDS = 100  # as browsers show a frame that does not say


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    Attributes:
        pixels: uint8, [H, W, 3], sRGB, also where it is transparent.
        alpha: uint8, [H, W]; None when the picture is opaque.
        milliseconds: How long it is shown, as a frame of an animation.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    milliseconds: int = 0

    @property
    def on_white(self) -> np.ndarray:
        """The pixels as seen on white paper, uint8, [H, W, 3]."""
        if self.alpha is None:
            return self.pixels
        seen = np.empty_like(self.pixels)
        for rows in _bands(*self.alpha.shape):
            alpha = self.alpha[rows, :, None].astype(np.uint16)
            # Both terms together are at most 255 * 255, and half of 255 rounds.
            seen[rows] = (self.pixels[rows] * alpha + 255 * (255 - alpha) + 127) // 255
        return seen


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
        kind = str(picture.format)
        return "JPEG" if kind == "MPO" else kind, picture.size


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
        return _decode(opened)


def read_frames(data: bytes, name: str, max_pixels: int) -> list[Picture]:
    """Decode all frames of an animation or pages of a TIFF; of another picture the only one.

    Args:
        data, name: As `read_picture` takes them.
        max_pixels: Most pixels of all frames together.

    Raises:
        PictureError: As `read_picture`; also if the frames are too many.
    """
    frames = []
    with _opened(io.BytesIO(data), name) as opened:
        # The second picture that a camera puts into a JPEG is no frame.
        count = 1 if opened.format in ("JPEG", "MPO") else getattr(opened, "n_frames", 1)
        if count > MAX_FRAMES:
            raise PictureError(
                f"{name} must have at most {MAX_FRAMES} frames, got {count}; cut it into parts"
            )
        _check_size(opened, name, max_pixels // count)
        for index in range(count):
            opened.seek(index)
            _check_size(opened, name, max_pixels // count)  # pages of a TIFF differ
            frames.append(_decode(opened))
    return frames


def encode_picture(picture: Picture, suffix: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """Encode a picture for a file with this suffix; alpha is kept where the format has it.

    Lossless for PNG, WebP, BMP and TIFF. JPEG and BMP have no alpha: the picture is then laid
    on white.

    Args:
        picture: What to write. No metadata is written but what `extra` brings.
        suffix: One of the values of `SUFFIXES`.
        extra: More arguments of Pillow's `save`.
    """
    return encode_frames([picture], suffix, extra)


def encode_frames(
    frames: Sequence[Picture], suffix: str, extra: Mapping[str, Any] | None = None
) -> bytes:
    """Encode frames as one animation that runs for ever, or the pages of one TIFF.

    Args:
        frames: One at least; several only for `ANIMATED_SUFFIXES`.
        suffix, extra: As `encode_picture` takes them.

    Raises:
        PictureError: If frames of an animation differ in size.
    """
    options = {**SAVE_OPTIONS[suffix], **(extra or {})}
    if len(frames) > 1:
        sizes = {frame.pixels.shape for frame in frames}
        if suffix != ".tiff" and len(sizes) > 1:
            raise PictureError(
                f"frames must be of one size for {suffix}, got {len(sizes)} sizes; "
                "give --format keep or --frames first"
            )
        durations = [frame.milliseconds or DEFAULT_MILLISECONDS for frame in frames]
        options |= {"save_all": True, "append_images": [*map(_to_pillow(suffix), frames[1:])]}
        options |= {} if suffix == ".tiff" else {"duration": durations, "loop": 0}
    buffer = io.BytesIO()
    _to_pillow(suffix)(frames[0]).save(buffer, **options)
    return buffer.getvalue()


def _to_pillow(suffix: str) -> Any:
    def convert(picture: Picture) -> Image.Image:
        if picture.alpha is None or suffix in (".jpg", ".bmp"):
            return Image.fromarray(picture.on_white)
        return Image.fromarray(np.dstack([picture.pixels, picture.alpha]))

    return convert


@contextmanager
def _opened(file: Path | io.BytesIO, name: str) -> Iterator[Image.Image]:
    """Open a picture; whatever Pillow raises meanwhile becomes a PictureError of one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if isinstance(file, Path) and not stat.S_ISREG(file.stat().st_mode):
                raise OSError("no file but a folder, pipe, socket or device")
            with Image.open(file, formats=FORMATS) as picture:
                yield picture
        except PictureError:
            raise
        except MemoryError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, UnidentifiedImageError):
                reason = "something else"
            elif isinstance(error, OSError) and error.strerror:
                reason = error.strerror
            raise PictureError(f"{name} must be a readable picture, got: {reason}") from error


def _check_size(picture: Image.Image, name: str, max_pixels: int) -> None:
    if picture.width * picture.height > max_pixels:
        raise PictureError(
            f"{name} must have at most {max_pixels} pixels, got {picture.width} x "
            f"{picture.height}; make it smaller or raise --max-pixels"
        )


def _decode(picture: Image.Image) -> Picture:
    """Decode the present frame band by band: Pillow's own copy and ours are all there is."""
    picture.load()
    milliseconds = picture.info.get("duration", 0)
    convert = _converter(picture)
    pixels = np.empty((picture.height, picture.width, 3), dtype=np.uint8)
    has_alpha = picture.has_transparency_data
    alpha = np.empty(pixels.shape[:2], dtype=np.uint8) if has_alpha else None
    for rows in _bands(*pixels.shape[:2]):
        band = picture.crop((0, rows.start, picture.width, rows.stop))
        pixels[rows] = convert(band)
        if alpha is not None:
            alpha[rows] = _alpha_of(band)
    turn = _orientation(picture)
    return Picture(
        _turned(pixels, turn),
        None if alpha is None else _turned(alpha, turn),
        int(milliseconds) if isinstance(milliseconds, int | float) else 0,
    )


def _converter(picture: Image.Image) -> Any:
    """Return the function that makes sRGB pixels, [H, W, 3], of a band of this picture."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        top = _top_level(picture)
        return lambda band: _scaled_grey(band, top)
    own = "CMYK" if picture.mode == "CMYK" else "RGB"
    profile = _profile(picture)
    if profile is not None and profile.profile.xcolor_space.strip() == "GRAY":
        own = "L"
    transform = None if profile is None else _transform(profile, own)
    if transform is None:
        return lambda band: rgb_from_picture(_without_alpha(band))
    return lambda band: np.asarray(transform.apply(_without_alpha(band).convert(own)))


def _top_level(picture: Image.Image) -> float:
    """Return the level that is white, of a picture of one number per pixel."""
    if picture.mode.startswith("I;16"):
        return 65535.0
    _, most = picture.getextrema()
    return 65535.0 if float(most) > 255 else 255.0  # type: ignore[arg-type]


def _scaled_grey(band: Image.Image, top: float) -> np.ndarray:
    levels = np.nan_to_num(np.asarray(band).astype(np.float64), posinf=top, neginf=0.0)
    grey = np.clip(np.rint(levels * (255 / top)), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _without_alpha(band: Image.Image) -> Image.Image:
    """Drop transparency, however it is told; the colours below it stay."""
    if band.has_transparency_data:
        return band.convert("RGBA").convert("RGB")
    return band


def _alpha_of(band: Image.Image) -> np.ndarray:
    if band.mode in ("I", "F") or band.mode.startswith("I;16"):
        return np.where(np.asarray(band) == band.info["transparency"], 0, 255).astype(np.uint8)
    return np.asarray(band.convert("RGBA").getchannel("A"))


def _profile(picture: Image.Image) -> ImageCms.ImageCmsProfile | None:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
    except (KeyError, TypeError, OSError, ImageCms.PyCMSError):
        return None  # none, or none that can be read: the colours are taken as sRGB


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        return ImageCms.ImageCmsTransform(profile, target, mode, "RGB")
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF beside a good picture
        return 1


def _turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation to rows and columns."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _bands(height: int, width: int) -> Iterator[slice]:
    step = max(1, BAND_PIXELS // max(width, 1))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))
