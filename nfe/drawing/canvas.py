"""A supersampled canvas that fills smooth shapes given in units of the thing drawn."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from nfe.drawing.palettes import RGB

__all__ = ["Canvas", "Point", "Points", "brush_stroke", "smooth_closed"]

Point = tuple[float, float]
Points = Sequence[Point] | np.ndarray
STEPS = 5  # straight pieces per curve between two control points


class Canvas:
    """A picture drawn `supersampling` times larger than asked, in local coordinates.

    Canvases made by `placed` share the picture and differ in their coordinates.

    Attributes:
        supersampling: How many times larger the picture is than the finished one.
        image: The large picture.
        scale: Large pixels per local unit, without stretch.
    """

    def __init__(self, width: int, height: int, supersampling: int) -> None:
        self.supersampling = supersampling
        self.image = Image.new("RGB", (width * supersampling, height * supersampling))
        self._solid = ImageDraw.Draw(self.image)
        self._veil = ImageDraw.Draw(self.image, "RGBA")
        self._place(float(supersampling), 0.0, 0.0, float(supersampling), 0.0, 0.0)
        self.scale = float(supersampling)

    def placed(
        self,
        x: float,
        y: float,
        scale: float = 1.0,
        angle: float = 0.0,
        stretch: Point = (1.0, 1.0),
    ) -> "Canvas":
        """Return a canvas on the same picture with its own coordinates.

        Args:
            x: Where its origin lies, in this canvas's units.
            y: The same, downwards.
            scale: Length of its unit in this canvas's units.
            angle: Clockwise turn, in degrees.
            stretch: Further factors of its two axes before the turn; negative ones mirror.
        """
        other = object.__new__(Canvas)
        other.supersampling, other.image = self.supersampling, self.image
        other._solid, other._veil = self._solid, self._veil
        other.scale = self.scale * scale
        turn = math.radians(angle)
        cosine, sine = math.cos(turn) * scale, math.sin(turn) * scale
        p, q, r, s = cosine * stretch[0], sine * stretch[0], -sine * stretch[1], cosine * stretch[1]
        a, b, c, d, e, f = self._affine
        other._place(
            a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s,
            a * x + c * y + e, b * x + d * y + f,
        )  # fmt: skip
        return other

    def _place(self, a: float, b: float, c: float, d: float, e: float, f: float) -> None:
        """Set the map from local units to large pixels: X = a x + c y + e, Y = b x + d y + f."""
        self._affine = (a, b, c, d, e, f)
        self._matrix = np.array(((a, b), (c, d)), np.float32)
        self._origin = np.array((e, f), np.float32)

    def to_picture(self, point: Point) -> Point:
        """Return where a local point lies in the finished picture, in pixels."""
        (a, b, c, d, e, f), (x, y) = self._affine, point
        return (a * x + c * y + e) / self.supersampling, (b * x + d * y + f) / self.supersampling

    def fill(self, points: Points, color: RGB, alpha: int = 255) -> None:
        """Fill a polygon; `alpha` of 255 is solid."""
        if alpha == 255:
            self._solid.polygon(self._large(points), color)
        else:
            self._veil.polygon(self._large(points), (*color, alpha))

    def outline(self, points: Points, color: RGB, width: float) -> None:
        """Draw a line through points, `width` in local units."""
        self._solid.line(self._large(points), color, max(1, round(width * self.scale)))

    def shape(
        self, points: Points, color: RGB, line: RGB, width: float, corners: tuple[int, ...] = ()
    ) -> None:
        """Fill a smooth closed shape and draw its outline."""
        curve = smooth_closed(points, corners)
        self.fill(curve, color)
        self.outline(np.concatenate((curve, curve[:2])), line, width)

    def stroke(self, points: Points, color: RGB, width: float, alpha: int = 255) -> None:
        """Draw a smooth brush stroke: `width` in the middle, pointed at both ends."""
        self.fill(brush_stroke(points, width), color, alpha)

    def ellipse(self, center: Point, radii: Point, color: RGB, alpha: int = 255) -> None:
        """Fill an ellipse along the local axes."""
        self.fill(_ellipse(center, radii), color, alpha)

    def pixels(self) -> np.ndarray:
        """Return the finished picture, averaged down, uint8, [H, W, 3]."""
        return np.array(self.image.reduce(self.supersampling))

    def _large(self, points: Points) -> Any:
        """Return points in large pixels; Pillow takes float32 pairs as they lie in memory."""
        large = np.asarray(points, np.float32) @ self._matrix
        large += self._origin
        return large


def smooth_closed(points: Points, corners: tuple[int, ...] = ()) -> np.ndarray:
    """Return a closed Catmull-Rom curve through points, sharp at the indices `corners`.

    Args:
        points: Control points, [N, 2].
        corners: Indices of control points where the curve may turn sharply.

    Returns:
        Points on the curve, [N * STEPS, 2].
    """
    if isinstance(points, tuple):
        return _remembered_closed(points, corners)
    return _closed_weights(len(points), corners) @ np.asarray(points, dtype=np.float32)


def brush_stroke(points: Points, width: float) -> np.ndarray:
    """Return the outline of a brush stroke along an open Catmull-Rom curve through points.

    Args:
        points: Control points, [..., N, 2].
        width: Width in the middle; both ends are pointed.

    Returns:
        Points of a closed polygon, [..., 2 * ((N - 1) * STEPS + 1), 2].
    """
    if isinstance(points, tuple):
        return _remembered_brush(points, width)
    control = np.asarray(points, dtype=np.float32)
    return _brush(_open_weights(control.shape[-2]) @ control, width)


# Shapes that never change are written as tuples; their curves are computed once.
@functools.lru_cache(maxsize=512)
def _remembered_closed(points: tuple[Point, ...], corners: tuple[int, ...]) -> np.ndarray:
    return smooth_closed(list(points), corners)


@functools.lru_cache(maxsize=512)
def _remembered_brush(points: tuple[Point, ...], width: float) -> np.ndarray:
    return brush_stroke(list(points), width)


@functools.lru_cache(maxsize=512)
def _ellipse(center: Point, radii: Point) -> np.ndarray:
    return _circle() * np.array(radii, np.float32) + np.array(center, np.float32)


@functools.cache
def _closed_weights(count: int, corners: tuple[int, ...]) -> np.ndarray:
    t = np.arange(STEPS)[:, None] / STEPS
    identity = np.eye(count)
    blocks = []
    for i in range(count):
        j = (i + 1) % count
        before = identity[i if i in corners else i - 1]
        after = identity[j if j in corners else (j + 1) % count]
        blocks.append(_hermite(t, before, identity[i], identity[j], after))
    return np.concatenate(blocks).astype(np.float32)


@functools.cache
def _open_weights(count: int) -> np.ndarray:
    identity = np.eye(count)
    blocks = []
    for i in range(count - 1):
        last = i == count - 2
        t = np.arange(STEPS + last)[:, None] / STEPS
        before, after = identity[max(i - 1, 0)], identity[min(i + 2, count - 1)]
        blocks.append(_hermite(t, before, identity[i], identity[i + 1], after))
    return np.concatenate(blocks).astype(np.float32)


def _hermite(
    t: np.ndarray, before: np.ndarray, start: np.ndarray, end: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Weights of one cubic piece whose end tangents are half the chord of the neighbours."""
    leaving, arriving = (end - before) / 2, (after - start) / 2
    a, b = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t
    return a * start + b * leaving + (1 - a) * end + (t**3 - t**2) * arriving


@functools.cache
def _circle() -> np.ndarray:
    angles = np.arange(28) * (2 * np.pi / 28)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


@functools.cache
def _taper(count: int) -> np.ndarray:
    return (np.sin(np.linspace(0, np.pi, count)).clip(0) ** 0.7 / 2)[:, None].astype(np.float32)


def _brush(curve: np.ndarray, width: float) -> np.ndarray:
    """Outline of a stroke along a curve, [..., P, 2]: offset by the normal on both sides."""
    tangent = np.empty_like(curve)
    tangent[..., 1:-1, :] = curve[..., 2:, :] - curve[..., :-2, :]
    tangent[..., 0, :] = curve[..., 1, :] - curve[..., 0, :]
    tangent[..., -1, :] = curve[..., -1, :] - curve[..., -2, :]
    length = np.sqrt((tangent**2).sum(axis=-1, keepdims=True))
    normal = tangent[..., ::-1] * np.array((-1.0, 1.0), np.float32) / np.maximum(length, 1e-9)
    offset = normal * (_taper(curve.shape[-2]) * width)
    return np.concatenate((curve + offset, (curve - offset)[..., ::-1, :]), axis=-2)
