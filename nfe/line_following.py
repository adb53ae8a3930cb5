"""A change of colours that follows the lines of the picture it is laid over."""

import numpy as np
from scipy import ndimage

__all__ = ["follow_lines"]

RADIUS = 2  # pixels of a face, as the generator draws it
CONTRAST = 10.0  # levels: parts of the picture that differ less than this are one surface
LUMA = (0.299, 0.587, 0.114)


def follow_lines(change: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Smooth a change inside the picture's surfaces, not across the picture's lines.

    The generator's strands of hair lie beside those of the picture. What it changes is therefore
    fitted, around each pixel, by a linear function of the picture's brightness: the picture keeps
    its own strands, in other colours.

    Args:
        change: In levels, float32, [H, W, 3].
        picture: What it is to be added to, uint8, [H, W, 3].

    Returns:
        float32, [H, W, 3]. Where nothing changes within four pixels, nothing does.

    Source: He et al. 2010 (Guided Image Filtering), equations 5, 6 and 8.
    """
    guide = (picture.astype(np.float64) @ LUMA)[..., None]
    mean, change_mean = _local_mean(guide), _local_mean(change.astype(np.float64))
    variance = _local_mean(guide * guide) - mean * mean
    slope = (_local_mean(guide * change) - mean * change_mean) / (variance + CONTRAST**2)
    offset = change_mean - slope * mean
    return (_local_mean(slope) * guide + _local_mean(offset)).astype(np.float32)


def _local_mean(values: np.ndarray) -> np.ndarray:
    size = (2 * RADIUS + 1, 2 * RADIUS + 1, 1)
    return ndimage.uniform_filter(values, size=size, mode="nearest")
