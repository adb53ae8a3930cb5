"""Face without features, ears, neck, shoulders and clothes."""

from nfe.drawing.canvas import Canvas, Point
from nfe.drawing.palettes import RGB, darken, lighten, mix

__all__ = ["CLOTHES", "draw_body", "draw_head"]

CLOTHES = ("shirt", "sailor", "sweater", "hoodie")
LINE = 0.024
DEEP = 7.0  # the body goes on below every picture

JAW: tuple[Point, ...] = (
    (-0.56, -0.3), (-0.57, 0.05), (-0.52, 0.32), (-0.34, 0.54), (-0.1, 0.68), (0.0, 0.7),
    (0.1, 0.68), (0.34, 0.54), (0.52, 0.32), (0.57, 0.05), (0.56, -0.3), (0.0, -0.6),
)  # fmt: skip
SHOULDERS: tuple[Point, ...] = (
    (0.0, 0.8), (0.2, 0.82), (0.5, 0.92), (0.84, 1.06), (0.98, 1.4), (1.06, 2.2), (1.1, DEEP),
    (-1.1, DEEP), (-1.06, 2.2), (-0.98, 1.4), (-0.84, 1.06), (-0.5, 0.92), (-0.2, 0.82),
)  # fmt: skip


NECK: tuple[Point, ...] = (
    (-0.15, 0.55), (0.15, 0.55), (0.16, 0.84), (0.0, 1.02), (-0.16, 0.84),
)  # fmt: skip
NECK_SHADE: tuple[Point, ...] = (
    (-0.14, 0.6), (0.14, 0.6), (0.14, 0.76), (0.0, 0.82), (-0.14, 0.76),
)  # fmt: skip
ROLL_NECK: tuple[Point, ...] = (
    (-0.22, 0.8), (0.0, 0.86), (0.22, 0.8), (0.25, 0.96), (0.0, 1.04), (-0.25, 0.96),
)  # fmt: skip
BOW: tuple[Point, ...] = (
    (0.0, 1.3), (0.26, 1.2), (0.26, 1.46), (0.0, 1.36), (-0.26, 1.46), (-0.26, 1.2),
)  # fmt: skip
BOW_RED: RGB = (206, 66, 74)
# The right halves of collars and hood, and their sharp points.
COLLARS: dict[str, tuple[tuple[Point, ...], tuple[int, ...]]] = {
    "shirt": (((0.14, 0.76), (0.3, 0.88), (0.2, 1.12), (0.0, 0.98)), (0, 1, 2, 3)),
    "sailor": (((0.14, 0.78), (0.52, 0.9), (0.62, 1.14), (0.0, 1.5), (0.0, 1.06)), (0, 1, 2, 3, 4)),
    "hoodie": (((0.12, 0.74), (0.44, 0.8), (0.5, 1.0), (0.2, 1.12), (0.0, 1.06)), (0, 4)),
}


def draw_head(head: Canvas, skin: RGB) -> None:
    """Draw ears and face."""
    line = _skin_line(skin)
    for side in (-1.0, 1.0):
        ear = head.placed(side * 0.57, 0.16, stretch=(side, 1.0))
        ear.ellipse((0.01, 0), (0.1, 0.15), line)
        ear.ellipse((0.01, 0), (0.078, 0.128), mix(skin, (240, 130, 120), 0.15))
    head.shape(JAW, skin, line, LINE)


def draw_body(bust: Canvas, skin: RGB, clothes: str, color: RGB) -> None:
    """Draw neck, shoulders and clothes, down below the picture.

    Args:
        bust: Canvas in units of the head, upright.
        skin: Colour of the neck.
        clothes: One of CLOTHES.
        color: Main colour of the clothes.
    """
    line = darken(color, 0.5)
    bust.shape(SHOULDERS, color, line, LINE, (6, 7))
    for side in (-1.0, 1.0):
        half = bust.placed(0, 0, stretch=(side, 1.0))
        half.stroke(((0.74, 1.3), (0.72, 1.9), (0.76, 2.8)), line, 0.04)
    bust.shape(NECK, skin, _skin_line(skin), LINE, (0, 1, 2, 3, 4))
    bust.fill(NECK_SHADE, darken(skin, 0.2))
    if clothes == "sweater":
        bust.shape(ROLL_NECK, darken(color, 0.18), line, LINE, (0, 2, 3, 5))
    else:
        _draw_collar(bust, clothes, color, line)


def _draw_collar(bust: Canvas, clothes: str, color: RGB, line: RGB) -> None:
    points, corners = COLLARS[clothes]
    trim = lighten(color, 0.7) if sum(color) < 560 else darken(color, 0.4)
    for side in (-1.0, 1.0):
        half = bust.placed(0, 0, stretch=(side, 1.0))
        cloth = darken(color, 0.18) if clothes == "hoodie" else trim
        half.shape(points, cloth, line, LINE, corners)
        if clothes == "hoodie":
            half.outline(((0.13, 1.1), (0.12, 1.4)), trim, 0.035)
    if clothes == "sailor":
        bust.shape(BOW, BOW_RED, (110, 30, 44), LINE, (0, 1, 2, 3, 4, 5))


def _skin_line(skin: RGB) -> RGB:
    return darken(mix(skin, (200, 90, 70), 0.3), 0.42)
