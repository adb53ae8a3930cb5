"""Cut a face out of a picture as an upright square, and put it back."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nfe.faces.detection import Box, Face
from nfe.line_following import change_of

__all__ = [
    "Transform",
    "add_back",
    "align",
    "face_transform",
    "paste_back",
    "whole_picture_transform",
]

MIN_EYE_DISTANCE = 0.1  # of the box: closer eyes give no dependable angle


@dataclass(frozen=True)
class Transform:
    """Where an aligned face lies in its picture: a square, turned about its centre.

    Attributes:
        center: (x, y) of the square's centre, in pixels of the picture; a pixel's own centre
            lies at half past its index.
        side: Side of the square, in pixels of the picture.
        angle: Degrees by which the square is turned clockwise, as the eye sees it.
    """

    center: tuple[float, float]
    side: float
    angle: float

    @property
    def box(self) -> Box:
        """The square before it is turned: x0, y0, x1, y1."""
        (x, y), half = self.center, self.side / 2
        return (x - half, y - half, x + half, y + half)

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Map points of the face, [N, 2], in [0, 1], to the picture, in pixels."""
        return (points - 0.5) * self.side @ self._rotation().T + np.array(self.center)

    def to_face(self, points: np.ndarray) -> np.ndarray:
        """Map points of the picture, [N, 2], in pixels, to the face, in [0, 1] inside it."""
        return (points - np.array(self.center)) @ self._rotation() / self.side + 0.5

    def _rotation(self) -> np.ndarray:
        sine, cosine = math.sin(math.radians(self.angle)), math.cos(math.radians(self.angle))
        return np.array([[cosine, -sine], [sine, cosine]])


def whole_picture_transform(pixels: np.ndarray) -> Transform:
    """Return the largest centred square of a picture that is a face already."""
    height, width = pixels.shape[:2]
    return Transform((width / 2, height / 2), float(min(height, width)), 0.0)


def face_transform(face: Face, margin: float, max_angle: float) -> Transform:
    """Return the square around a face, turned so that its eyes lie level.

    Args:
        face: The face; without eyes, or with eyes too close to tell, the square is not turned.
        margin: Space added on every side, as a share of the box's longer side; negative cuts.
        max_angle: Largest turn, in degrees; a larger one is limited to it.
    """
    x0, y0, x1, y1 = face.box
    longer = max(x1 - x0, y1 - y0)
    angle = 0.0
    if face.eyes is not None:
        (left_x, left_y), (right_x, right_y) = sorted(face.eyes)
        if math.hypot(right_x - left_x, right_y - left_y) >= MIN_EYE_DISTANCE * longer:
            angle = math.degrees(math.atan2(right_y - left_y, right_x - left_x))
    angle = min(max(angle, -max_angle), max_angle)
    return Transform(((x0 + x1) / 2, (y0 + y1) / 2), longer * (1 + 2 * margin), angle)


def align(pixels: np.ndarray, transform: Transform, resolution: int) -> np.ndarray:
    """Cut the transform's square out of a picture; what lies outside it is its reflection.

    An upright square is resampled once, by Lanczos over the area that each result covers. A
    turned one is first turned at the picture's own scale (bicubic), then resampled so.

    Args:
        pixels: uint8, [H, W, 3].
        transform: Where the face lies.
        resolution: Side of the result, in pixels.

    Returns:
        uint8, [resolution, resolution, 3].
    """
    x0, y0, x1, y1 = _bounds(transform)
    patch = Image.fromarray(_reflected(pixels, x0, y0, x1, y1))
    size = (resolution, resolution)
    if transform.angle == 0:
        left, top, right, bottom = transform.box
        box = (left - x0, top - y0, right - x0, bottom - y0)
        return np.array(patch.resize(size, Image.Resampling.LANCZOS, box=box))
    side = max(1, math.ceil(transform.side))
    # Affine coefficients of Pillow: place in the result -> place in the patch.
    step = transform.to_picture(np.array([[0, 0], [1, 0], [0, 1]], dtype=float))
    (ax, ay), (bx, by) = (step[1] - step[0]) / side, (step[2] - step[0]) / side
    data = (ax, bx, step[0, 0] - x0, ay, by, step[0, 1] - y0)
    turned = patch.transform(
        (side, side), Image.Transform.AFFINE, data, resample=Image.Resampling.BICUBIC
    )
    return np.array(turned.resize(size, Image.Resampling.LANCZOS))


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
    x0, y0, x1, y1 = _bounds(transform)
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


def _bounds(transform: Transform) -> tuple[int, int, int, int]:
    """Return whole pixels that hold the turned square and what bicubic reads beside it."""
    corners = transform.to_picture(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=float))
    x0, y0 = np.floor(corners.min(axis=0)).astype(int) - 2
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int) + 2
    return int(x0), int(y0), int(x1), int(y1)


def _reflected(pixels: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """Cut [y0:y1, x0:x1] out of the picture continued without end by reflection."""
    rows = _reflected_indices(np.arange(y0, y1), pixels.shape[0])
    columns = _reflected_indices(np.arange(x0, x1), pixels.shape[1])
    return np.ascontiguousarray(pixels[rows[:, None], columns])


def _reflected_indices(indices: np.ndarray, length: int) -> np.ndarray:
    period = 2 * length
    wrapped = indices % period
    return np.minimum(wrapped, period - 1 - wrapped)
