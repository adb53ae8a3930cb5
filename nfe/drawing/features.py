"""Eyes, brows, mouth, nose, blush and glasses."""

import numpy as np

from nfe.drawing.canvas import Canvas, smooth_closed
from nfe.drawing.palettes import RGB, darken, lighten, mix

__all__ = ["EYE_CENTERS", "draw_blush", "draw_brows", "draw_eyes", "draw_glasses", "draw_mouth"]

EYE_CENTERS = ((-0.285, 0.13), (0.285, 0.13))
WHITE: RGB = (255, 255, 255)
INK: RGB = (46, 30, 44)
BANDS = 14

SCLERA = [
    (-0.92, 0.3),
    (-0.7, -0.62),
    (0.1, -1.0),
    (0.86, -0.5),
    (0.95, 0.2),
    (0.5, 0.93),
    (-0.45, 0.9),
]
LASHES = [
    (-1.05, 0.2), (-0.86, -0.66), (-0.2, -1.12), (0.5, -1.02), (1.02, -0.52), (1.42, -0.42),
    (1.16, -0.1), (1.02, 0.22), (0.86, -0.42), (0.3, -0.82), (-0.3, -0.8), (-0.72, -0.42),
]  # fmt: skip

LENS = [
    (-0.245, -0.1),
    (-0.1, -0.245),
    (0.12, -0.245),
    (0.255, -0.1),
    (0.24, 0.13),
    (0.1, 0.25),
    (-0.12, 0.25),
    (-0.24, 0.12),
]
SCLERA_CURVE = smooth_closed(SCLERA)
LASH_CURVE = smooth_closed(LASHES, (0, 5, 7))
LENS_CURVE = smooth_closed(LENS)


def draw_eyes(head: Canvas, color: RGB, size: float, gaze: tuple[float, float], skin: RGB) -> None:
    """Draw both eyes: white, iris from dark to light, pupil, two highlights, lashes.

    Args:
        head: Canvas in units of the head.
        color: Colour of the iris.
        size: Factor of the usual size, about 1.
        gaze: Where the irises are moved, in units of half an eye.
        skin: Colour of the face, for the fold of the lid.
    """
    for (x, y), side in zip(EYE_CENTERS, (-1.0, 1.0), strict=True):
        eye = head.placed(x, y, size, stretch=(side * 0.2, 0.25))
        eye.fill(SCLERA_CURVE, WHITE)
        iris = head.placed(x + gaze[0] * 0.2, y + gaze[1] * 0.25, size, stretch=(0.155, 0.222))
        _draw_iris(iris, color)
        eye.fill(LASH_CURVE, INK)
        eye.stroke([(0.2, 1.0), (0.62, 0.92), (0.95, 0.5)], INK, 0.14)
        eye.stroke([(-0.6, -1.1), (0.1, -1.42), (0.8, -1.16)], darken(skin, 0.4), 0.1)


def _draw_iris(iris: Canvas, color: RGB) -> None:
    """Draw a round iris in its own units: rim, gradient in bands, pupil, lights."""
    rim = darken(color, 0.62)
    iris.ellipse((0, 0), (1, 1), rim)
    edges = np.linspace(-0.9, 0.9, BANDS + 1)
    half = np.sqrt(0.9**2 - edges**2)
    top, bottom = darken(color, 0.42), lighten(color, 0.38)
    for i in range(BANDS):
        share = i / (BANDS - 1)
        tone = mix(top, color, share * 2) if share < 0.5 else mix(color, bottom, share * 2 - 1)
        a, b, p, q = edges[i], edges[i + 1], half[i], half[i + 1]
        iris.fill([(-p, a), (p, a), (q, b), (-q, b)], tone)
    iris.ellipse((0, -0.05), (0.36, 0.42), darken(color, 0.78))
    iris.ellipse((0, 0.62), (0.42, 0.18), lighten(color, 0.6))
    iris.ellipse((-0.36, -0.44), (0.32, 0.29), WHITE)
    iris.ellipse((0.42, 0.4), (0.17, 0.15), WHITE)


def draw_brows(head: Canvas, color: RGB, angle: float) -> None:
    """Draw brows in the dark of the hair; a positive angle lowers their inner ends."""
    for side in (-1.0, 1.0):
        brow = head.placed(side * 0.3, -0.25, angle=side * -angle, stretch=(side, 1.0))
        brow.stroke([(-0.16, 0.02), (-0.02, -0.035), (0.17, 0.03)], darken(color, 0.55), 0.05)


def draw_mouth(head: Canvas, smile: bool, opened: bool, skin: RGB) -> None:
    """Draw nose and mouth: laughing, smiling, speaking or closed."""
    line = darken(mix(skin, (190, 60, 60), 0.35), 0.5)
    head.stroke([(0.0, 0.31), (-0.022, 0.35), (0.012, 0.358)], darken(skin, 0.45), 0.028)
    inside, tongue = (158, 40, 52), (240, 120, 124)
    if smile and opened:
        curve = [(-0.16, 0.42), (0, 0.44), (0.16, 0.42), (0.11, 0.53), (0, 0.565), (-0.11, 0.53)]
        head.shape(curve, inside, line, 0.022, (0, 2))
        head.ellipse((0, 0.53), (0.075, 0.03), tongue)
        head.fill([(-0.125, 0.432), (0.125, 0.432), (0.1, 0.458), (-0.1, 0.458)], WHITE)
    elif smile:
        head.stroke(
            [(-0.15, 0.425), (-0.08, 0.475), (0, 0.488), (0.08, 0.475), (0.15, 0.425)], line, 0.045
        )
    elif opened:
        head.ellipse((0, 0.475), (0.075, 0.078), line)
        head.ellipse((0, 0.475), (0.054, 0.058), inside)
        head.ellipse((0, 0.505), (0.04, 0.024), tongue)
    else:
        head.stroke([(-0.075, 0.478), (0, 0.462), (0.075, 0.478)], line, 0.04)


def draw_blush(head: Canvas) -> None:
    """Draw red cheeks, stronger towards their middles."""
    for side in (-1.0, 1.0):
        for size, alpha in ((1.0, 60), (0.72, 60), (0.45, 60)):
            head.ellipse((side * 0.36, 0.4), (0.15 * size, 0.075 * size), (250, 90, 100), alpha)


def draw_glasses(head: Canvas, color: RGB) -> None:
    """Draw glasses with round frames: lens, frame, bridge and arms."""
    for side in (-1.0, 1.0):
        lens = head.placed(side * 0.285, 0.15, stretch=(side, 1.0))
        curve = LENS_CURVE
        lens.fill(curve, (225, 240, 255), 36)
        lens.outline(np.concatenate([curve, curve[:2]]), color, 0.042)
        lens.outline([(0.255, -0.06), (0.37, -0.1)], color, 0.042)
    head.outline([(-0.045, 0.12), (0.0, 0.1), (0.045, 0.12)], color, 0.042)
