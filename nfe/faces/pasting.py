"""Put an aligned face, or what changes it, back into its picture."""

import numpy as np
from PIL import Image

from nfe.faces.alignment import Transform
from nfe.line_following import change_of

__all__ = ["add_back", "paste_back"]


def paste_back(
    original: np.ndarray, edited: np.ndarray, transform: Transform, feather: float
) -> np.ndarray:
    """Blend an aligned face back into its picture.

    Args:
        original: The picture, uint8, [H, W, 3].
        edited: The face as `align` gave it, edited: uint8, [R, R, 3].
        transform: The transform that `align` used.
        feather: Width of the soft border inside the square, as a share of its side, in (0, 0.5].

    Returns:
        uint8, [H, W, 3]. Outside the square not one value differs from `original`.

    Raises:
        ValueError: If `feather` is out of its range.
    """
    placed = _place(original, edited, transform, feather)
    if placed is None:
        return original.copy()
    region, face, mask = placed
    return _with_region(original, region, original[region] + mask * (face - original[region]))


def add_back(
    original: np.ndarray, fit: np.ndarray, transform: Transform, feather: float
) -> np.ndarray:
    """Add a change of an aligned face to its picture, whose own detail stays.

    Args:
        original: The picture, uint8, [H, W, 3].
        fit: The change as a function of the face that `align` gave, or of the picture there:
            as `nfe.line_following.change_of` takes it, [R, R, 6].
        transform, feather: As `paste_back` takes them.

    Returns:
        uint8, [H, W, 3]. Outside the square, and where `fit` is 0, not one value differs from
        `original`.

    Raises:
        ValueError: If `feather` is out of its range.
    """
    placed = _place(original, fit, transform, feather)
    if placed is None:
        return original.copy()
    region, placed_fit, mask = placed
    added = change_of(placed_fit, original[region])
    return _with_region(original, region, original[region] + mask * added)


def _place(
    original: np.ndarray, face: np.ndarray, transform: Transform, feather: float
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
    """Turn a face, [R, R, C], into its picture: the region, the face there, and its soft mask.

    None where the picture holds nothing of it.
    """
    if not 0 < feather <= 0.5:
        raise ValueError(f"feather must be in (0, 0.5], got {feather}")
    height, width = original.shape[:2]
    x0, y0, x1, y1 = transform.bounds
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if x0 >= x1 or y0 >= y1:
        return None
    # The face at the picture's own scale, then turned into the part of the picture it covers.
    side = max(1, round(transform.side))
    corners = np.array([[x0, y0], [x0 + 1, y0], [x0, y0 + 1]], dtype=float)
    step = transform.to_face(corners) * side
    (ax, ay), (bx, by) = step[1] - step[0], step[2] - step[0]
    data, size = (ax, bx, step[0, 0], ay, by, step[0, 1]), (x1 - x0, y1 - y0)
    turned = []
    for channel in np.moveaxis(face, 2, 0):
        small = Image.fromarray(channel.astype(np.float32))
        large = small.resize((side, side), Image.Resampling.LANCZOS)
        placed = large.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC)
        turned.append(np.asarray(placed))
    mask = _feathered_mask(transform, (x0, y0, x1, y1), feather)[..., None]
    return (slice(y0, y1), slice(x0, x1)), np.stack(turned, axis=2), mask


def _with_region(
    original: np.ndarray, region: tuple[slice, slice], values: np.ndarray
) -> np.ndarray:
    result = original.copy()
    result[region] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return result


def _feathered_mask(
    transform: Transform, bounds: tuple[int, int, int, int], feather: float
) -> np.ndarray:
    """Return 1 inside the square, falling smoothly to 0 at its edges: float32, [H, W]."""
    x0, y0, x1, y1 = bounds
    xs, ys = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    places = transform.to_face(np.stack([xs.ravel(), ys.ravel()], axis=1))
    to_edge = np.minimum(places, 1 - places).min(axis=1)
    ramp = np.clip(to_edge / feather, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).reshape(xs.shape).astype(np.float32)
