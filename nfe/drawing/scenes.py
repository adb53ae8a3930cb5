"""Scenes: an illustration with one face somewhere in it, and the flaws that real ones have."""

from dataclasses import dataclass

import numpy as np

from nfe.drawing.backgrounds import draw_background
from nfe.drawing.canvas import Canvas
from nfe.drawing.faces import FaceSpec, draw_character, random_face_spec
from nfe.drawing.features import EYE_CENTERS

__all__ = ["Scene", "draw_scene"]


@dataclass(frozen=True)
class Scene:
    """An illustration and what is known about it.

    Attributes:
        pixels: uint8, [H, W, 3], RGB.
        box: The square of the face, (x0, y0, x1, y1), in pixels.
        eyes: Middles of the eyes left and right in the picture, (x, y) in pixels.
        tags: Words of the Danbooru vocabulary, with spaces.
        spec: The face that was drawn.
    """

    pixels: np.ndarray
    box: tuple[float, float, float, float]
    eyes: tuple[tuple[float, float], tuple[float, float]]
    tags: tuple[str, ...]
    spec: FaceSpec


def draw_scene(
    rng: np.random.Generator,
    picture_side: tuple[int, int] = (112, 192),
    face_side: tuple[int, int] = (64, 110),
    supersampling: int = 3,
) -> Scene:
    """Draw an illustration with one face.

    Args:
        rng: Source of everything in it.
        picture_side: Least and greatest width and height, in pixels.
        face_side: Least and greatest side of the square of the face, in pixels.
        supersampling: How many times larger it is drawn before it is averaged down.

    Returns:
        The scene. Its box lies inside the picture.

    Raises:
        ValueError: If the largest face does not fit into the smallest picture.
    """
    if face_side[1] > picture_side[0]:
        raise ValueError(f"face_side must be at most {picture_side[0]}, got {face_side[1]}")
    spec = random_face_spec(rng)
    width, height = rng.integers(picture_side[0], picture_side[1] + 1, 2).tolist()
    half = float(rng.uniform(*face_side)) / 2
    canvas = Canvas(width, height, supersampling)
    draw_background(canvas, rng)
    turn = np.radians(spec.tilt)
    away = (np.sin(turn) * 0.6 * half, (1 - np.cos(turn)) * 0.6 * half)
    x = rng.uniform(half, width - half)
    y = rng.uniform(max(half, height - 3.2 * half), height - half)
    head = draw_character(canvas.placed(x - away[0], y - away[1], half), spec)
    left, right = (head.to_picture(center) for center in EYE_CENTERS)
    box = (x - half, y - half, x + half, y + half)
    return Scene(canvas.pixels(), box, (left, right), spec.tags, spec)
