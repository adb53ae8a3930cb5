"""What is worn in the hair: bow, flower, clips, band."""

import numpy as np

from nfe.drawing.canvas import Canvas, Point
from nfe.drawing.palettes import RGB, darken, lighten

__all__ = ["ORNAMENTS", "ORNAMENT_COLORS", "draw_ornament"]

ORNAMENTS = ("bow", "flower", "clips", "band")
ORNAMENT_COLORS: tuple[RGB, ...] = ((226, 70, 88), (250, 246, 250), (252, 206, 84), (92, 134, 222))
LINE = 0.022
PLACE = (-0.5, -0.52)  # on the side of the parting

BAND: tuple[Point, ...] = (
    (-0.715, -0.22), (-0.6, -0.54), (-0.36, -0.72), (0.0, -0.785), (0.36, -0.72), (0.6, -0.54),
    (0.715, -0.22), (0.7, -0.36), (0.645, -0.55), (0.4, -0.81), (0.0, -0.905), (-0.4, -0.81),
    (-0.645, -0.55), (-0.7, -0.36),
)  # fmt: skip
BOW: tuple[Point, ...] = ((0.0, -0.04), (0.22, -0.17), (0.27, 0.0), (0.22, 0.17), (0.0, 0.04))
CLIP: tuple[Point, ...] = ((-0.13, -0.03), (0.13, -0.03), (0.13, 0.03), (-0.13, 0.03))


def draw_ornament(hair: Canvas, ornament: str, color: RGB) -> None:
    """Draw one of ORNAMENTS over the finished hair.

    Args:
        hair: Canvas in units of the head, mirrored with the hair.
        ornament: Which.
        color: Its main colour.
    """
    line = darken(color, 0.5)
    if ornament == "band":
        hair.shape(BAND, color, line, LINE, (0, 6))
    elif ornament == "bow":
        for side in (-1.0, 1.0):
            wing = hair.placed(*PLACE, angle=-38, stretch=(side, 1.0))
            wing.shape(BOW, color, line, LINE, (0, 1, 3, 4))
            wing.stroke(((0.04, 0.0), (0.1, -0.02), (0.17, -0.05)), line, 0.03)
        hair.placed(*PLACE).ellipse((0, 0), (0.07, 0.07), line)
        hair.placed(*PLACE).ellipse((0, 0), (0.05, 0.05), lighten(color, 0.25))
    elif ornament == "flower":
        for turn in np.arange(5) * 72.0:
            petal = hair.placed(*PLACE, angle=float(turn))
            petal.ellipse((0.0, -0.1), (0.085, 0.1), line)
            petal.ellipse((0.0, -0.1), (0.066, 0.08), color)
        hair.placed(*PLACE).ellipse((0, 0), (0.06, 0.06), (255, 226, 110))
    else:
        for x, y, angle in ((-0.5, -0.26, 35.0), (-0.47, -0.17, 24.0)):
            hair.placed(x, y, angle=angle).shape(CLIP, color, line, LINE, (0, 1, 2, 3))
