"""Hair: what falls behind the head, the fringe in several cuts, side locks, the light on it."""

import numpy as np

from nfe.drawing.canvas import Canvas
from nfe.drawing.palettes import RGB, darken, lighten

__all__ = ["FRINGES", "HAIR_LENGTHS", "draw_back_hair", "draw_front_hair"]

HAIR_LENGTHS = ("short", "medium", "long")
LINE = 0.026

# The lower edge of each fringe from right to left: valley, tip, valley, ..., valley.
FRINGES: dict[str, list[tuple[float, float]]] = {
    "blunt": [
        (0.62, -0.16), (0.57, 0.02), (0.42, -0.12), (0.36, -0.07), (0.19, -0.13), (0.13, -0.08),
        (0.0, -0.14), (-0.08, -0.08), (-0.18, -0.13), (-0.3, -0.07), (-0.42, -0.12),
        (-0.57, 0.02), (-0.62, -0.16),
    ],
    "jagged": [
        (0.62, -0.2), (0.55, 0.05), (0.42, -0.24), (0.3, -0.03), (0.18, -0.27), (0.07, -0.02),
        (-0.07, -0.29), (-0.19, -0.05), (-0.3, -0.25), (-0.42, -0.02), (-0.48, -0.2),
        (-0.58, 0.06), (-0.62, -0.2),
    ],
    "swept": [
        (0.62, -0.2), (0.6, 0.08), (0.46, -0.16), (0.38, 0.0), (0.24, -0.2), (0.12, -0.02),
        (0.02, -0.26), (-0.1, -0.1), (-0.28, -0.5), (-0.44, -0.2), (-0.46, -0.24),
        (-0.6, 0.06), (-0.62, -0.2),
    ],
    "parted": [
        (0.62, -0.2), (0.59, 0.1), (0.5, -0.13), (0.42, -0.02), (0.3, -0.27), (0.22, -0.17),
        (0.0, -0.56), (-0.22, -0.17), (-0.3, -0.27), (-0.42, -0.02), (-0.5, -0.13),
        (-0.59, 0.1), (-0.62, -0.2),
    ],
    "crossed": [
        (0.62, -0.2), (0.57, 0.05), (0.45, -0.2), (0.32, -0.05), (0.14, -0.24), (0.02, 0.16),
        (-0.09, -0.25), (-0.22, -0.06), (-0.32, -0.22), (-0.42, -0.04), (-0.48, -0.2),
        (-0.58, 0.05), (-0.62, -0.2),
    ],
}  # fmt: skip

DOME = [
    (-0.66, 0.0), (-0.71, -0.26), (-0.63, -0.56), (-0.38, -0.81), (0.0, -0.9),
    (0.38, -0.81), (0.63, -0.56), (0.71, -0.26), (0.66, 0.0),
]  # fmt: skip

BACK: dict[str, list[tuple[float, float]]] = {
    "short": [
        (0.0, -0.8), (0.5, -0.68), (0.72, -0.25), (0.71, 0.12), (0.72, 0.34), (0.58, 0.26),
        (0.53, 0.46), (0.36, 0.34), (0.0, 0.4),
    ],
    "medium": [
        (0.0, -0.8), (0.5, -0.68), (0.74, -0.2), (0.78, 0.25), (0.82, 0.55), (0.7, 0.76),
        (0.42, 0.7), (0.2, 0.6), (0.0, 0.6),
    ],
    "long": [
        (0.0, -0.8), (0.5, -0.68), (0.75, -0.2), (0.8, 0.3), (0.86, 0.8), (0.92, 1.3),
        (0.8, 1.75), (0.5, 1.6), (0.0, 1.5),
    ],
}  # fmt: skip
BACK_CORNERS: dict[str, tuple[int, ...]] = {
    "short": (4, 5, 6, 7, 9, 10, 11, 12), "medium": (6, 10), "long": (6, 7, 9, 10),
}  # fmt: skip

SIDE_LOCKS: dict[str, list[tuple[float, float]]] = {
    "short": [(0.68, -0.2), (0.74, 0.1), (0.66, 0.36), (0.6, 0.2), (0.56, -0.15)],
    "medium": [(0.68, -0.2), (0.78, 0.2), (0.76, 0.5), (0.64, 0.74), (0.6, 0.4), (0.55, -0.15)],
    "long": [
        (0.68, -0.2), (0.77, 0.2), (0.8, 0.8), (0.76, 1.5), (0.6, 1.0), (0.59, 0.5), (0.55, -0.15),
    ],
}  # fmt: skip


def draw_back_hair(head: Canvas, length: str, color: RGB) -> None:
    """Draw the hair behind head and shoulders, in the shade of `color`."""
    half = BACK[length]
    points = half + [(-x, y) for x, y in half[-2:0:-1]]
    head.shape(points, darken(color, 0.26), darken(color, 0.55), LINE, BACK_CORNERS[length])


def draw_front_hair(
    head: Canvas, fringe: str, length: str, color: RGB, ahoge: bool, rng: np.random.Generator
) -> None:
    """Draw side locks, fringe, strands and the band of light.

    Args:
        head: Canvas in units of the head.
        fringe: A key of FRINGES.
        length: One of HAIR_LENGTHS.
        color: The lit colour.
        ahoge: Whether a single lock stands up.
        rng: Source of small differences between strands.
    """
    line, shade = darken(color, 0.55), darken(color, 0.26)
    for side in (1.0, -1.0):
        half = head.placed(0, 0, stretch=(side, 1.0))
        lock = SIDE_LOCKS[length]
        half.shape(lock, color, line, LINE, (0, len(lock) // 2 + (length != "long"), len(lock) - 1))
        inner, tip = lock[-2], lock[len(lock) // 2]
        half.stroke([(0.63, 0.0), (inner[0] + 0.06, inner[1]), tip], shade, 0.05)
    edge = np.array(FRINGES[fringe])
    edge[1:-1] += rng.uniform(-0.018, 0.018, (len(edge) - 2, 2))
    points, corners = _bowed(edge)
    if ahoge:
        head.stroke([(0.0, -0.86), (0.06, -1.0), (0.24, -0.98)], line, 0.08)
    head.shape(DOME + points, color, line, LINE, corners)
    for x, y in edge[2:-1:2]:
        head.stroke([(x, y), (x * 0.86, y - 0.16), (x * 0.55, y * 0.5 - 0.36)], line, 0.03)
    _draw_light(head, color, rng)


def _bowed(edge: np.ndarray) -> tuple[list[tuple[float, float]], tuple[int, ...]]:
    """Put a lowered point between valley and tip, so that locks swell; name the sharp points."""
    middle = (edge[1:] + edge[:-1]) / 2
    middle[:, 1] += 0.16 * np.hypot(*(edge[1:] - edge[:-1]).T)
    points = np.empty((2 * len(edge) - 1, 2))
    points[::2], points[1::2] = edge, middle
    corners = tuple(range(len(DOME) + 0, len(DOME) + len(points), 2))
    return [(float(x), float(y)) for x, y in points], corners


def _draw_light(head: Canvas, color: RGB, rng: np.random.Generator) -> None:
    """Draw the band of light around the crown: an arc above, teeth below."""
    x = np.linspace(-0.5, 0.5, 15)
    arc = -0.56 + 0.42 * x**2
    thickness = np.where(np.arange(15) % 2, 0.12, 0.06) + rng.uniform(0, 0.04, 15)
    thickness *= 1 - (x / 0.52) ** 4
    top = np.stack([x, arc], axis=1)
    bottom = np.stack([x, arc + thickness], axis=1)[::-1]
    head.fill(np.concatenate([top, bottom]), lighten(color, 0.42))
