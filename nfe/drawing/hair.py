"""Hair: what falls behind the head, the fringe in several cuts, side locks, the light on it."""

import numpy as np

from nfe.drawing.canvas import Canvas, Point, brush_stroke, smooth_closed
from nfe.drawing.palettes import RGB, darken, lighten

__all__ = ["FRINGES", "HAIR_LENGTHS", "draw_back_hair", "draw_front_hair", "fringe_curve"]

HAIR_LENGTHS = ("short", "medium", "long")
LINE = 0.024

# The lower edge of each fringe from right to left: tip, valley, tip, ..., valley, tip.
FRINGES: dict[str, tuple[Point, ...]] = {
    "blunt": (
        (0.65, 0.06), (0.5, -0.16), (0.38, -0.06), (0.25, -0.13), (0.16, -0.07), (0.05, -0.13),
        (-0.05, -0.07), (-0.16, -0.13), (-0.26, -0.07), (-0.38, -0.14), (-0.46, -0.05),
        (-0.53, -0.17), (-0.65, 0.06),
    ),
    "jagged": (
        (0.65, 0.07), (0.5, -0.2), (0.4, 0.0), (0.24, -0.26), (0.13, 0.0), (0.02, -0.28),
        (-0.13, -0.03), (-0.22, -0.25), (-0.38, 0.0), (-0.5, -0.2), (-0.65, 0.07),
    ),
    "swept": (
        (0.65, 0.07), (0.53, -0.15), (0.47, -0.03), (0.34, -0.17), (0.24, -0.03), (0.1, -0.22),
        (-0.02, -0.08), (-0.3, -0.56), (-0.46, -0.16), (-0.5, -0.22), (-0.65, 0.07),
    ),
    "parted": (
        (0.65, 0.08), (0.52, -0.14), (0.44, 0.0), (0.3, -0.24), (0.24, -0.13), (0.0, -0.58),
        (-0.24, -0.13), (-0.3, -0.24), (-0.44, 0.0), (-0.52, -0.14), (-0.65, 0.08),
    ),
    "crossed": (
        (0.65, 0.07), (0.5, -0.2), (0.36, -0.04), (0.2, -0.24), (0.02, 0.17), (-0.1, -0.26),
        (-0.26, -0.05), (-0.34, -0.2), (-0.43, -0.03), (-0.52, -0.2), (-0.65, 0.07),
    ),
}  # fmt: skip

# From the left tip of the fringe over the crown to the right one, without both.
DOME: tuple[Point, ...] = (
    (-0.71, -0.2), (-0.65, -0.53), (-0.4, -0.8), (0.0, -0.9), (0.4, -0.8), (0.65, -0.53),
    (0.71, -0.2),
)  # fmt: skip

DOME_POINTS = np.array(DOME)

# Right halves, from the crown down to the middle; the indices of sharp points follow.
BACK_HALVES: dict[str, tuple[Point, ...]] = {
    "short": (
        (0.0, -0.8), (0.5, -0.68), (0.72, -0.25), (0.73, 0.1), (0.76, 0.38), (0.62, 0.26),
        (0.56, 0.5), (0.4, 0.36), (0.0, 0.4),
    ),
    "medium": (
        (0.0, -0.8), (0.5, -0.68), (0.74, -0.2), (0.79, 0.25), (0.85, 0.55), (0.72, 0.79),
        (0.44, 0.74), (0.2, 0.62), (0.0, 0.62),
    ),
    "long": (
        (0.0, -0.8), (0.5, -0.68), (0.75, -0.2), (0.81, 0.3), (0.87, 0.8), (0.97, 1.4),
        (0.84, 1.85), (0.5, 1.6), (0.0, 1.5),
    ),
}  # fmt: skip
BACK_CORNERS = {"short": (4, 5, 6, 7, 9, 10, 11, 12), "medium": (6, 10), "long": (6, 7, 9, 10)}
BACKS = {
    length: half + tuple((-x, y) for x, y in half[-2:0:-1]) for length, half in BACK_HALVES.items()
}

# The right lock in front of the ear: outer edge, tip, inner edge.
SIDE_LOCKS: dict[str, tuple[Point, ...]] = {
    "short": ((0.66, -0.2), (0.74, 0.08), (0.68, 0.42), (0.58, 0.16), (0.56, -0.2)),
    "medium": ((0.66, -0.2), (0.79, 0.25), (0.66, 0.8), (0.6, 0.42), (0.57, 0.1), (0.55, -0.2)),
    "long": ((0.66, -0.2), (0.79, 0.3), (0.86, 1.0), (0.76, 1.7), (0.64, 0.9), (0.59, 0.4),
             (0.55, -0.2)),
}  # fmt: skip
TIPS = {"short": 2, "medium": 2, "long": 3}

# A lock's edge hangs by SAG, its shade leans by LEAN, its strand bends by BEND.
SAG, LEAN, BEND = np.array((0.0, 0.03)), np.array((0.03, 0.05)), np.array((0.05, 0.0))
CROWN_SHADE = smooth_closed(
    [(0.71, -0.2), (0.65, -0.53), (0.4, -0.8), (0.2, -0.86), (0.44, -0.62), (0.56, -0.3),
     (0.6, 0.0)],
    (0, 3, 6),
)  # fmt: skip
# The band of light: an arc, and teeth below it that fade towards its ends.
LIGHT_X = np.linspace(-0.52, 0.46, 15)
LIGHT_ARC = np.stack((LIGHT_X, -0.66 + 0.62 * LIGHT_X**2), axis=1)
TEETH = np.where(np.arange(15) % 2, 0.115, 0.05)
TEETH_FADE = (1 - (np.abs(LIGHT_X + 0.03) / 0.5) ** 3).clip(0)


def draw_back_hair(head: Canvas, length: str, color: RGB) -> None:
    """Draw the hair behind head and shoulders, in the shade of `color`."""
    head.shape(BACKS[length], darken(color, 0.24), darken(color, 0.55), LINE, BACK_CORNERS[length])


def fringe_curve(fringe: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the outline of fringe and crown, each tip and valley moved a little.

    Args:
        fringe: A key of FRINGES.
        rng: Source of the small moves.

    Returns:
        The closed curve, [P, 2], and the moved edge, tip, valley, ..., tip, [N, 2].
    """
    edge = np.array(FRINGES[fringe])
    edge[1:-1] += rng.uniform(-0.016, 0.016, (len(edge) - 2, 2))
    # Between tip and valley the edge hangs through a little, so that the locks swell.
    middle = (edge[1:] + edge[:-1]) / 2
    middle[:, 1] += 0.14 * np.hypot(*(edge[1:] - edge[:-1]).T)
    points = np.empty((2 * len(edge) - 1, 2))
    points[::2], points[1::2] = edge, middle
    corners = tuple(range(len(DOME), len(DOME) + len(points), 2))
    return smooth_closed(np.concatenate((DOME_POINTS, points)), corners), edge


def draw_front_hair(
    head: Canvas,
    curve: np.ndarray,
    edge: np.ndarray,
    length: str,
    color: RGB,
    rng: np.random.Generator,
) -> None:
    """Draw side locks, fringe, strands and the band of light.

    Args:
        head: Canvas in units of the head.
        curve: Outline of the fringe, from `fringe_curve`.
        edge: Its tips and valleys, from `fringe_curve`.
        length: One of HAIR_LENGTHS.
        color: The lit colour.
        rng: Source of small differences in the light.
    """
    line, shade, strand = (darken(color, share) for share in (0.55, 0.24, 0.45))
    _draw_side_locks(head, length, color)
    head.fill(curve, color)
    head.fill(CROWN_SHADE, shade, 90)
    # Each lock has a shaded right side and a strand that runs up to the crown.
    valleys, tips = edge[1::2], edge[2:-1:2]
    starts = valleys[:-1]
    inner = 0.35 * starts + 0.65 * tips - LEAN
    for side in np.stack((starts, (starts + tips) / 2 + SAG, tips, inner), axis=1):
        head.fill(side, shade)
    _draw_light(head, color, rng)
    tops = np.stack((valleys[:, 0] * 0.7, np.maximum(valleys[:, 1] - 0.3, -0.86)), axis=1)
    middles = (valleys + tops) / 2 + valleys * BEND
    for stroke in brush_stroke(np.stack((valleys, middles, tops), axis=1), 0.026):
        head.fill(stroke, strand)
    head.outline(np.concatenate((curve, curve[:2])), line, LINE)


def _draw_side_locks(head: Canvas, length: str, color: RGB) -> None:
    lock, tip = SIDE_LOCKS[length], TIPS[length]
    line, shade = darken(color, 0.55), darken(color, 0.24)
    for side in (1.0, -1.0):
        half = head.placed(0, 0, stretch=(side, 1.0))
        half.shape(lock, color, line, LINE, (0, tip, len(lock) - 1))
        x, y = lock[tip]
        half.stroke(((0.62, -0.1), (0.65, y * 0.5), (x - 0.01, y - 0.05)), shade, 0.05)
        if length == "long":
            half.stroke(((0.71, 0.2), (0.755, 0.6), (0.79, 1.1)), lighten(color, 0.25), 0.04)


def _draw_light(head: Canvas, color: RGB, rng: np.random.Generator) -> None:
    """Draw the band of light around the crown: an arc above, teeth below."""
    teeth = (TEETH + rng.uniform(0, 0.035, TEETH.shape)) * TEETH_FADE
    bottom = LIGHT_ARC.copy()
    bottom[:, 1] += teeth
    head.fill(np.concatenate((LIGHT_ARC, bottom[::-1])), lighten(color, 0.45))
