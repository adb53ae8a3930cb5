"""Cut a face out of a picture as an upright square."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nfe.faces.detection import Box, Face

__all__ = [
    "Transform",
    "align",
    "face_transform",
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

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Whole pixels that hold the turned square and what bicubic reads beside it."""
        corners = self.to_picture(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=float))
        x0, y0 = np.floor(corners.min(axis=0)).astype(int) - 2
        x1, y1 = np.ceil(corners.max(axis=0)).astype(int) + 2
        return int(x0), int(y0), int(x1), int(y1)

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
    x0, y0, x1, y1 = transform.bounds
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


def _reflected(pixels: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """Cut [y0:y1, x0:x1] out of the picture continued without end by reflection."""
    rows = _reflected_indices(np.arange(y0, y1), pixels.shape[0])
    columns = _reflected_indices(np.arange(x0, x1), pixels.shape[1])
    return np.ascontiguousarray(pixels[rows[:, None], columns])


def _reflected_indices(indices: np.ndarray, length: int) -> np.ndarray:
    period = 2 * length
    wrapped = indices % period
    return np.minimum(wrapped, period - 1 - wrapped)
