"""A change of colours that follows the lines of the picture it is laid over, however large."""

import numpy as np
from scipy import ndimage

__all__ = ["change_of", "fit_lines", "fit_nothing"]

RADIUS = 2  # pixels of a face, as the generator draws it
CONTRAST = 10.0  # levels: parts of the picture that differ less than this are one surface
LUMA = (0.299, 0.587, 0.114)


def fit_lines(change: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Fit a change, around each pixel, by a linear function of the picture's brightness.

    The generator's strands of hair lie beside those of the picture. A change that is a function
    of the picture lets it keep its own strands, in other colours; and it ends at the lines of the
    picture, those too that only a larger one than the generator's shows.

    Args:
        change: In levels, float32, [H, W, 3].
        picture: What it is to be added to, uint8, [H, W, 3].

    Returns:
        Slopes and offsets for `change_of`, [H, W, 6]. Where nothing changes within four pixels
        they are 0.

    Source: He et al. 2010 (Guided Image Filtering), equations 5, 6 and 8; their use at another
        size, by resampling them, is that of He & Sun 2015 (Fast Guided Filter).
    """
    guide = _brightness(picture)
    mean, change_mean = _local_mean(guide), _local_mean(change.astype(np.float64))
    variance = _local_mean(guide * guide) - mean * mean
    slope = (_local_mean(guide * change) - mean * change_mean) / (variance + CONTRAST**2)
    offset = change_mean - slope * mean
    return np.concatenate([_local_mean(slope), _local_mean(offset)], axis=2)


def fit_nothing(change: np.ndarray) -> np.ndarray:
    """Return the slopes, all 0, and offsets of a change that is to stay as it is, [H, W, 6]."""
    return np.concatenate([np.zeros_like(change), change], axis=2)


def change_of(fit: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Return what to add to a picture, in levels, [H, W, 3].

    Args:
        fit: Of `fit_lines` or `fit_nothing`, resampled to the size of the picture, [H, W, 6].
        picture: uint8, [H, W, 3].
    """
    return fit[..., :3] * _brightness(picture) + fit[..., 3:]


def _brightness(picture: np.ndarray) -> np.ndarray:
    return (picture.astype(np.float64) @ LUMA)[..., None]


def _local_mean(values: np.ndarray) -> np.ndarray:
    size = (2 * RADIUS + 1, 2 * RADIUS + 1, 1)
    return ndimage.uniform_filter(values, size=size, mode="nearest")
