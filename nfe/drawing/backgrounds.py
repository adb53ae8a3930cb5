"""Backgrounds: a gradient and some quiet shapes."""

import colorsys

import numpy as np
from PIL import Image

from nfe.drawing.canvas import Canvas
from nfe.drawing.palettes import RGB, lighten

__all__ = ["BACKGROUNDS", "draw_background"]

BACKGROUNDS = ("plain", "circle", "dots", "stripes", "stars", "clouds", "hearts")
DRAWN_FROM = 3 * BACKGROUNDS[:2] + BACKGROUNDS  # the quiet ones four times as often


def draw_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """Fill the whole picture with a pale gradient and a pattern of one kind."""
    kind = DRAWN_FROM[rng.integers(len(DRAWN_FROM))]
    top = pastel(rng)
    bottom = pastel(rng)
    width, height = canvas.image.size
    step = (np.array(bottom) - top) / height
    column = (np.arange(height)[:, None] * step + (np.array(top) + 0.5)).astype(np.uint8)
    strip = Image.fromarray(column[:, None])
    canvas.image.paste(strip.resize((width, height), Image.Resampling.NEAREST))
    pale = lighten(top, 0.5)
    side = min(width, height) / canvas.supersampling
    size = (width / canvas.supersampling, height / canvas.supersampling)
    if kind == "circle":
        center = (size[0] * rng.uniform(0.35, 0.65), size[1] * rng.uniform(0.4, 0.6))
        canvas.ellipse(center, (side * 0.44, side * 0.44), pale)
    elif kind == "stripes":
        _draw_stripes(canvas, size, side * rng.uniform(0.1, 0.2), pale, rng)
    elif kind != "plain":
        for _ in range(rng.integers(5, 10)):
            spot = canvas.placed(
                rng.uniform(0, size[0]), rng.uniform(0, size[1]), side * rng.uniform(0.04, 0.09)
            )
            _draw_spot(spot, kind, pale, rng.uniform(0, 360))


def pastel(rng: np.random.Generator) -> RGB:
    """Return a random pale colour."""
    hue, strength = rng.random(2).tolist()
    saturated = colorsys.hsv_to_rgb(hue, 0.13 + 0.18 * strength, 250 / 255)
    red, green, blue = (round(255 * level) for level in saturated)
    return red, green, blue


def _draw_stripes(
    canvas: Canvas, size: tuple[float, float], step: float, color: RGB, rng: np.random.Generator
) -> None:
    lean = rng.choice([-1.0, 0.0, 1.0]) * size[1] * 0.5
    for x in np.arange(-size[1], size[0] + size[1], 2 * step):
        canvas.fill([(x, 0), (x + step, 0), (x + step + lean, size[1]), (x + lean, size[1])], color)


def _draw_spot(spot: Canvas, kind: str, color: RGB, angle: float) -> None:
    """Draw one dot, star, cloud or heart of half-size 1."""
    if kind == "dots":
        spot.ellipse((0, 0), (1, 1), color)
    elif kind == "stars":
        turns = np.radians(angle + np.arange(10) * 36)
        reach = np.where(np.arange(10) % 2, 0.5, 1.2)[:, None]
        spot.fill(np.stack([np.cos(turns), np.sin(turns)], axis=1) * reach, color)
    elif kind == "clouds":
        for x, y, r in ((-1.0, 0.2, 0.7), (0.0, -0.2, 1.0), (1.1, 0.2, 0.75)):
            spot.ellipse((x, y), (r, r * 0.85), color)
        spot.fill([(-1.2, 0.2), (1.3, 0.2), (1.3, 0.85), (-1.2, 0.85)], color)
    else:
        spot.ellipse((-0.45, -0.3), (0.52, 0.5), color)
        spot.ellipse((0.45, -0.3), (0.52, 0.5), color)
        spot.fill([(-0.92, -0.1), (0.92, -0.1), (0, 1.0)], color)
