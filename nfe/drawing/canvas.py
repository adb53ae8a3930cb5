"""A supersampled canvas that fills smooth shapes given in units of the thing drawn."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from nfe.drawing.palettes import RGB

__all__ = ["Canvas", "Points", "smooth_closed", "smooth_open"]

Points = Sequence[tuple[float, float]] | np.ndarray
STEPS = 7  # straight pieces per curve between two control points


class Canvas:
    """A picture drawn `supersampling` times larger than asked, in local coordinates.

    Canvases made by `placed` share the picture and differ in their coordinates.

    Attributes:
        image: The large picture.
        matrix: Local units to large pixels, [2, 2].
        origin: The local origin in large pixels, [2].
        scale: Large pixels per local unit.
    """

    def __init__(self, width: int, height: int, supersampling: int) -> None:
        self.supersampling = supersampling
        self.image = Image.new("RGB", (width * supersampling, height * supersampling))
        self.matrix = np.eye(2) * supersampling
        self.origin = np.zeros(2)
        self.scale = float(supersampling)
        self._solid = ImageDraw.Draw(self.image)
        self._veil = ImageDraw.Draw(self.image, "RGBA")

    def placed(
        self,
        x: float,
        y: float,
        scale: float = 1.0,
        angle: float = 0.0,
        stretch: tuple[float, float] = (1.0, 1.0),
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
        other.__dict__.update(self.__dict__)
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        turn = np.array([[cosine, -sine], [sine, cosine]])
        other.matrix = self.matrix @ (turn * scale * np.array(stretch))
        other.origin = self.matrix @ np.array([x, y]) + self.origin
        other.scale = self.scale * scale
        return other

    def to_picture(self, point: tuple[float, float]) -> tuple[float, float]:
        """Return where a local point lies in the finished picture, in pixels."""
        x, y = (self.matrix @ np.array(point) + self.origin) / self.supersampling
        return float(x), float(y)

    def fill(self, points: Points, color: RGB, alpha: int = 255) -> None:
        """Fill a polygon; `alpha` of 255 is solid."""
        if alpha == 255:
            self._solid.polygon(self._flat(points), color)
        else:
            self._veil.polygon(self._flat(points), (*color, alpha))

    def outline(self, points: Points, color: RGB, width: float) -> None:
        """Draw a line through points, `width` in local units."""
        self._solid.line(self._flat(points), color, max(1, round(width * self.scale)))

    def shape(
        self,
        points: Points,
        color: RGB,
        line: RGB,
        width: float,
        corners: tuple[int, ...] = (),
    ) -> None:
        """Fill a smooth closed shape and draw its outline."""
        curve = smooth_closed(points, corners)
        self.fill(curve, color)
        self.outline(np.concatenate([curve, curve[:2]]), line, width)

    def stroke(self, points: Points, color: RGB, width: float, alpha: int = 255) -> None:
        """Draw a smooth brush stroke: `width` in the middle, pointed at both ends."""
        curve = smooth_open(points)
        self.fill(_brush(curve, width), color, alpha)

    def ellipse(
        self, center: tuple[float, float], radii: tuple[float, float], color: RGB, alpha: int = 255
    ) -> None:
        """Fill an ellipse along the local axes."""
        self.fill(_circle() * np.array(radii) + np.array(center), color, alpha)

    def pixels(self) -> np.ndarray:
        """Return the finished picture, averaged down, uint8, [H, W, 3]."""
        return np.asarray(self.image.reduce(self.supersampling))

    def _flat(self, points: Points) -> list[float]:
        array = np.asarray(points, dtype=np.float64)
        return (array @ self.matrix.T + self.origin).ravel().tolist()


def smooth_closed(points: Points, corners: tuple[int, ...] = ()) -> np.ndarray:
    """Return a closed Catmull-Rom curve through points, sharp at the indices `corners`.

    Args:
        points: Control points, [N, 2].
        corners: Indices of control points where the curve may turn sharply.

    Returns:
        Points on the curve, [N * STEPS, 2].
    """
    return _closed_weights(len(points), corners) @ np.asarray(points, dtype=np.float64)


def smooth_open(points: Points) -> np.ndarray:
    """Return an open Catmull-Rom curve through points, [(N - 1) * STEPS + 1, 2]."""
    return _open_weights(len(points)) @ np.asarray(points, dtype=np.float64)


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
    return np.concatenate(blocks)


@functools.cache
def _open_weights(count: int) -> np.ndarray:
    identity = np.eye(count)
    blocks = []
    for i in range(count - 1):
        last = i == count - 2
        t = np.arange(STEPS + last)[:, None] / STEPS
        before, after = identity[max(i - 1, 0)], identity[min(i + 2, count - 1)]
        blocks.append(_hermite(t, before, identity[i], identity[i + 1], after))
    return np.concatenate(blocks)


def _hermite(
    t: np.ndarray, before: np.ndarray, start: np.ndarray, end: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Weights of one cubic piece whose end tangents are half the chord of the neighbours."""
    leaving, arriving = (end - before) / 2, (after - start) / 2
    a, b = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t
    return a * start + b * leaving + (1 - a) * end + (t**3 - t**2) * arriving


@functools.cache
def _circle() -> np.ndarray:
    angles = np.arange(36) * (2 * np.pi / 36)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@functools.cache
def _taper(count: int) -> np.ndarray:
    return (np.sin(np.linspace(0, np.pi, count)) ** 0.7 / 2)[:, None]


def _brush(curve: np.ndarray, width: float) -> np.ndarray:
    """Outline of a stroke along a curve: offset by the normal on both sides."""
    tangent = np.empty_like(curve)
    tangent[1:-1] = curve[2:] - curve[:-2]
    tangent[0], tangent[-1] = curve[1] - curve[0], curve[-1] - curve[-2]
    length = np.sqrt((tangent**2).sum(axis=1, keepdims=True))
    normal = tangent[:, ::-1] * np.array([-1.0, 1.0]) / np.maximum(length, 1e-9)
    offset = normal * (_taper(len(curve)) * width)
    return np.concatenate([curve + offset, (curve - offset)[::-1]])
