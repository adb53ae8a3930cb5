"""Eyes, brows, mouth, nose, blush and glasses."""

import functools
import itertools

import numpy as np

from nfe.drawing.canvas import Canvas, Point, smooth_closed
from nfe.drawing.palettes import RGB, darken, lighten, mix

__all__ = [
    "EYE_CENTERS",
    "draw_blush",
    "draw_brows",
    "draw_eyes",
    "draw_glasses",
    "draw_mouth",
    "draw_nose",
]

EYE_CENTERS: tuple[Point, Point] = ((-0.285, 0.13), (0.285, 0.13))
EYE_RADII = (0.2, 0.25)
WHITE: RGB = (255, 255, 255)
INK: RGB = (48, 30, 46)

# The right eye, in units of EYE_RADII.
SCLERA = smooth_closed(
    [
        (-0.9, 0.1),
        (-0.7, -0.62),
        (0.1, -1.0),
        (0.86, -0.5),
        (0.96, 0.1),
        (0.55, 0.84),
        (0.0, 0.97),
        (-0.5, 0.82),
    ]
)
LASHES = smooth_closed(
    [(-0.98, -0.3), (-0.72, -0.82), (-0.15, -1.16), (0.5, -1.08), (0.98, -0.62), (1.4, -0.54),
     (1.22, -0.2), (1.06, 0.22), (0.88, -0.36), (0.32, -0.78), (-0.3, -0.82), (-0.72, -0.56)],
    (0, 5, 7),
)  # fmt: skip
# The right lens, in units of the head.
LENS = smooth_closed(
    [(-0.245, -0.08), (-0.12, -0.215), (0.13, -0.215), (0.26, -0.08), (0.245, 0.14), (0.11, 0.245),
     (-0.11, 0.245), (-0.235, 0.14)]
)  # fmt: skip
LENS_RIM = np.concatenate((LENS, LENS[:2]))


def draw_eyes(head: Canvas, color: RGB, size: float, gaze: Point, slant: float, skin: RGB) -> None:
    """Draw both eyes: white, iris from dark to light, pupil, two highlights, lashes.

    Args:
        head: Canvas in units of the head.
        color: Colour of the iris.
        size: Factor of the usual size, about 1.
        gaze: Where the irises are moved, in units of half an eye.
        slant: How far the outer corners are raised, in degrees.
        skin: Colour of the face, for the fold of the lid.
    """
    radius_x, radius_y = EYE_RADII
    for (x, y), side in zip(EYE_CENTERS, (-1.0, 1.0), strict=True):
        eye = head.placed(x, y, size, -side * slant, (side * radius_x, radius_y))
        eye.fill(SCLERA, WHITE)
        iris_x, iris_y = x + (gaze[0] - 0.06 * side) * radius_x, y + gaze[1] * radius_y
        _draw_iris(head.placed(iris_x, iris_y, size, stretch=(0.162, 0.236)), color)
        eye.fill(LASHES, INK)
        eye.stroke(((0.25, 0.98), (0.62, 0.86), (0.98, 0.36)), INK, 0.13)
        eye.stroke(((-0.55, -1.2), (0.1, -1.46), (0.8, -1.2)), darken(skin, 0.42), 0.1)


def _draw_iris(iris: Canvas, color: RGB) -> None:
    """Draw an iris in its own units: rim, gradient in bands, pupil, lights."""
    iris.ellipse((0, 0), (1, 1), darken(color, 0.62))
    top, bottom = darken(color, 0.4), lighten(color, 0.36)
    bands = _bands(min(32, max(6, round(iris.scale / 20))))
    for i, band in enumerate(bands):
        share = 2 * i / (len(bands) - 1)
        tone = mix(top, color, share) if share < 1 else mix(color, bottom, share - 1)
        iris.fill(band, tone)
    iris.ellipse((0, -0.08), (0.34, 0.4), darken(color, 0.78))
    iris.ellipse((0, 0.62), (0.44, 0.2), lighten(color, 0.6))
    iris.ellipse((-0.36, -0.42), (0.33, 0.28), WHITE)
    iris.ellipse((0.42, 0.42), (0.17, 0.14), WHITE)


@functools.cache
def _bands(count: int) -> list[np.ndarray]:
    """Cut a circle of radius 0.88 into slices of equal height, from the top."""
    edges = np.linspace(-0.88, 0.88, count + 1)
    slices = []
    for a, b in itertools.pairwise(edges):
        y = np.linspace(a, b, 4)
        x = np.sqrt(np.maximum(0.88**2 - y**2, 0))
        right, left = np.stack((x, y), axis=1), np.stack((-x, y), axis=1)
        slices.append(np.concatenate((right, left[::-1])).astype(np.float32))
    return slices


def draw_brows(head: Canvas, color: RGB, angle: float) -> None:
    """Draw brows in the dark of the hair; a positive angle lowers their inner ends."""
    for side in (-1.0, 1.0):
        brow = head.placed(side * 0.3, -0.25, angle=side * -angle, stretch=(side, 1.0))
        brow.stroke(((-0.15, 0.02), (-0.02, -0.035), (0.17, 0.03)), darken(color, 0.55), 0.045)


def draw_nose(head: Canvas, skin: RGB) -> None:
    """Draw a small nose."""
    head.stroke(((0.008, 0.32), (-0.018, 0.355), (0.014, 0.362)), darken(skin, 0.42), 0.028)


def draw_mouth(head: Canvas, smile: bool, opened: bool, skin: RGB) -> None:
    """Draw a mouth: laughing, smiling, speaking or closed."""
    line = darken(mix(skin, (190, 60, 60), 0.35), 0.5)
    inside, tongue = (164, 44, 56), (242, 126, 130)
    if smile and opened:
        lips = ((-0.17, 0.43), (0, 0.45), (0.17, 0.43), (0.115, 0.54), (0, 0.58), (-0.115, 0.54))
        head.shape(lips, inside, line, 0.022, (0, 2))
        head.ellipse((0, 0.545), (0.08, 0.03), tongue)
        head.fill(((-0.135, 0.444), (0, 0.456), (0.135, 0.444), (0.1, 0.474), (-0.1, 0.474)), WHITE)
    elif smile:
        curve = ((-0.16, 0.435), (-0.085, 0.485), (0, 0.498), (0.085, 0.485), (0.16, 0.435))
        head.stroke(curve, line, 0.046)
    elif opened:
        head.ellipse((0, 0.485), (0.08, 0.084), line)
        head.ellipse((0, 0.485), (0.06, 0.064), inside)
        head.ellipse((0, 0.516), (0.044, 0.026), tongue)
    else:
        head.stroke(((-0.075, 0.48), (0, 0.474), (0.075, 0.48)), line, 0.042)


def draw_blush(head: Canvas) -> None:
    """Draw red cheeks, stronger towards their middles."""
    for side in (-1.0, 1.0):
        for size in (1.0, 0.8, 0.6, 0.4):
            radii = (0.15 * size, 0.08 * size)
            head.ellipse((side * 0.37, 0.42), radii, (255, 84, 100), 50)


def draw_glasses(head: Canvas, color: RGB) -> None:
    """Draw glasses: lenses with a glint, frames, bridge and arms."""
    for side in (-1.0, 1.0):
        lens = head.placed(side * 0.29, 0.14, stretch=(side, 1.0))
        lens.fill(LENS, (225, 240, 255), 30)
        lens.outline(LENS_RIM, color, 0.036)
        lens.outline(((0.255, -0.06), (0.34, -0.09)), color, 0.036)
    head.outline(((-0.05, 0.1), (0.0, 0.085), (0.05, 0.1)), color, 0.036)
