"""What a tagger wants to be shown: size, order of colours, mean, scale."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from nfe.errors import ModelFileError, PictureError

__all__ = ["ILLUSTRATION2VEC", "InputFormat", "resize_bilinear", "rgb_pixels"]


@dataclass(frozen=True)
class InputFormat:
    """How pixels become the input of a tagger, float32 [N, 3, resolution, resolution].

    Attributes:
        resolution: Side in pixels.
        channels: RGB or BGR.
        mean: Subtracted from the levels 0 to 255, in the order of `channels`.
        scale: What the difference is multiplied by.
        resample: bilinear (four neighbours, at any factor) or lanczos.
    """

    resolution: int
    channels: str
    mean: tuple[float, float, float]
    scale: float
    resample: str

    def __post_init__(self) -> None:
        """Check the description."""
        valid = (
            self.resolution > 0
            and self.channels in ("RGB", "BGR")
            and self.resample in ("bilinear", "lanczos")
            and len(self.mean) == 3
        )
        if not valid:
            raise ModelFileError(
                "input of the tagger must be described by resolution, channels (RGB or BGR), "
                f"mean (3 numbers), scale, resample (bilinear or lanczos), got {asdict(self)}; "
                "correct its tagger.json"
            )

    @classmethod
    def from_json(cls, value: Any) -> "InputFormat":
        """Read the description from a tagger.json.

        Raises:
            ModelFileError: If it is not complete or not valid.
        """
        try:
            resolution, mean = int(value["resolution"]), tuple(map(float, value["mean"]))
            texts = str(value["channels"]), str(value["resample"])
            return cls(resolution, texts[0], mean, float(value["scale"]), texts[1])  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                "input of the tagger must have resolution, channels, mean, scale, resample, "
                f"got {value!r}; correct its tagger.json"
            ) from error

    def prepare(self, pixels: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the input for N pictures of any size, each uint8 [H, W, 3].

        Returns:
            float32, [N, 3, resolution, resolution].
        """
        same = isinstance(pixels, np.ndarray) and pixels.shape[1:3] == (self.resolution,) * 2
        levels = np.stack([self._resize(p) for p in pixels]) if not same else np.asarray(pixels)
        levels = levels[..., ::-1] if self.channels == "BGR" else levels
        levels = np.ascontiguousarray(levels.transpose(0, 3, 1, 2), dtype=np.float32)
        levels -= np.asarray(self.mean, dtype=np.float32)[:, None, None]
        levels *= np.float32(self.scale)
        return levels

    def _resize(self, pixels: np.ndarray) -> np.ndarray:
        size = (self.resolution, self.resolution)
        if self.resample == "bilinear":
            return resize_bilinear(pixels, *size)
        if pixels.shape[:2] == size:
            return pixels
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


ILLUSTRATION2VEC = InputFormat(
    resolution=224,
    channels="BGR",
    mean=(164.76139251, 167.47864617, 181.13838569),
    scale=1.0,
    resample="bilinear",
)


def resize_bilinear(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by interpolating four neighbours; centres of pixels lie at halves.

    No smoothing goes before a reduction: what Illustration2Vec was shown. Its first version
    let the picture fade to black within the outermost half pixel; here the edge is repeated.

    Args:
        pixels: [H, W, C].
        height: New height.
        width: New width.

    Returns:
        float32, [height, width, C].
    """
    top, bottom, y = _neighbours(pixels.shape[0], height)
    left, right, x = _neighbours(pixels.shape[1], width)
    rows = pixels[top] * (1 - y)[:, None, None] + pixels[bottom] * y[:, None, None]
    result: np.ndarray = rows[:, left] * (1 - x)[:, None] + rows[:, right] * x[:, None]
    return result


def _neighbours(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    centres = ((np.arange(new) + 0.5) * old / new - 0.5).clip(0, old - 1)
    lower = np.floor(centres).astype(int)
    return lower, np.minimum(lower + 1, old - 1), (centres - lower).astype(np.float32)


def rgb_pixels(picture: ArrayLike | Image.Image) -> np.ndarray:
    """Read a picture as Illustration2Vec does: alpha dropped, grey repeated.

    Args:
        picture: A Pillow picture, or levels 0 to 255: [H, W], [H, W, 1], [H, W, 3] or
            [H, W, 4].

    Returns:
        uint8, [H, W, 3].

    Raises:
        PictureError: If it is none of these.
    """
    if isinstance(picture, Image.Image) and picture.mode not in ("L", "RGB", "RGBA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    levels = np.asarray(picture)
    if levels.ndim == 2:
        levels = levels[..., None]
    if levels.ndim != 3 or levels.shape[2] not in (1, 3, 4) or 0 in levels.shape:
        raise PictureError(
            f"picture must be [H, W], [H, W, 3] or [H, W, 4], got shape {levels.shape}; convert it"
        )
    levels = np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels[..., :3]
    return levels if levels.dtype == np.uint8 else levels.round().clip(0, 255).astype(np.uint8)
