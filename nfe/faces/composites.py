"""Pictures with known faces to train the detector on, put together from others."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from nfe.faces.detection import covered

__all__ = ["Composite", "KnownScene", "Material", "make_composite"]

T = TypeVar("T")

EMPTY = np.zeros((0, 4), dtype=np.float32)
UNKNOWN_EYES = np.full(4, np.nan, dtype=np.float32)
MAX_COVERED = 0.05  # of a face by another
MAX_TURN = 30.0  # degrees
MAX_BLUR = 0.05  # deviation of a blur, in sides of the least face


@dataclass(frozen=True)
class KnownScene:
    """A drawn picture with one face: pixels [H, W, 3], box [4], eyes [4] as x, y, x, y."""

    pixels: np.ndarray
    box: np.ndarray
    eyes: np.ndarray


@dataclass(frozen=True)
class Material:
    """What composites are made of.

    Attributes:
        faces: Face pictures, each filled by the face and its hair, uint8, [R, R, 3].
        scenes: Drawn pictures with one face.
        backgrounds: Pictures without any face.
        mistakes: Pieces of backgrounds that a detector took for faces.
    """

    faces: Sequence[np.ndarray]
    scenes: Sequence[KnownScene]
    backgrounds: Sequence[np.ndarray]
    mistakes: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Composite:
    """A square picture and its faces.

    Attributes:
        pixels: uint8, [S, S, 3].
        boxes: float32, [K, 4], x0, y0, x1, y1; partly outside for a face that is cut off.
        eyes: float32, [K, 4], x, y of the left and of the right eye; NaN where unknown.
    """

    pixels: np.ndarray
    boxes: np.ndarray
    eyes: np.ndarray


def make_composite(
    rng: np.random.Generator, material: Material, side: int, min_face: float
) -> Composite:
    """Put together one picture.

    A third are drawn scenes, whose eyes are known; a tenth are one face from edge to edge; the
    others have up to four pasted faces, or none, on a background, with pasted mistakes and
    pieces of backgrounds and of hair as decoys, so that a seam alone tells nothing. Sides of
    faces are spread evenly in logarithm from `min_face` to `side`.

    Args:
        rng: Source of every choice.
        material: Faces, scenes and backgrounds to use.
        side: Side of the result, in pixels.
        min_face: Least side of a face, in pixels.
    """
    kind = rng.random()
    if kind < 1 / 3:
        composite = _from_scene(rng, material, side, min_face)
    elif kind < 1 / 3 + 1 / 10:
        composite = _from_one_face(rng, material, side)
    else:
        composite = _from_faces(rng, material, side, min_face)
    pixels = _degraded(rng, composite.pixels, composite.boxes)
    if rng.random() < 0.15:
        pixels = _padded(rng, pixels, composite.boxes)
    return Composite(pixels, composite.boxes, composite.eyes)


def _from_scene(
    rng: np.random.Generator, material: Material, side: int, min_face: float
) -> Composite:
    """Scale and turn a drawn scene and lay it on a background."""
    scene = _turned(rng, _pick(rng, material.scenes))
    scale = _log_uniform(rng, min_face, side) / float(scene.box[2] - scene.box[0])
    height, width = (max(2, round(n * scale)) for n in scene.pixels.shape[:2])
    picture = Image.fromarray(scene.pixels).resize((width, height), Image.Resampling.BILINEAR)
    center = (scene.box[:2] + scene.box[2:]) / 2 * scale
    # Put the face's centre somewhere inside, then the scene's corner follows.
    corner = np.round(rng.uniform(0.3, 0.7, 2) * side - center)
    if width < side and height < side:
        corner = np.round(rng.uniform(0, 1, 2) * (side - np.array([width, height])))
    canvas = Image.fromarray(_background(rng, material, side))
    canvas.paste(picture, (int(corner[0]), int(corner[1])))
    boxes = scene.box * scale + np.tile(corner, 2)
    eyes = scene.eyes * scale + np.tile(corner, 2)
    pixels = np.array(canvas)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
        boxes = np.array([side - boxes[2], boxes[1], side - boxes[0], boxes[3]])
        eyes = np.array([side - eyes[2], eyes[3], side - eyes[0], eyes[1]])
    return Composite(pixels, boxes[None].astype(np.float32), eyes[None].astype(np.float32))


def _turned(rng: np.random.Generator, scene: KnownScene) -> KnownScene:
    """Turn every second scene about its face, so that the eyes tell angles of all sizes."""
    if rng.random() < 0.5:
        return scene
    angle = float(rng.uniform(-MAX_TURN, MAX_TURN))
    center = (scene.box[:2] + scene.box[2:]) / 2
    color = tuple(int(value) for value in scene.pixels[0, 0])
    picture = Image.fromarray(scene.pixels).rotate(
        angle,
        Image.Resampling.BILINEAR,
        center=(float(center[0]), float(center[1])),
        fillcolor=color,
    )
    # Pillow turns against the clock, in a picture whose y axis points down.
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    eyes = (scene.eyes.reshape(2, 2) - center) @ turn + center
    return KnownScene(np.array(picture), scene.box, eyes.ravel())


def _from_faces(
    rng: np.random.Generator, material: Material, side: int, min_face: float
) -> Composite:
    """Paste decoys and up to four faces on a background, no two of them over each other."""
    canvas = Image.fromarray(_background(rng, material, side))
    for _ in range(rng.integers(0, 3)):
        decoy = _decoy(rng, material)
        _paste(rng, canvas, decoy, _random_box(rng, side, min_face))
    boxes = EMPTY
    for _ in range(rng.choice([0, 1, 2, 3, 4], p=[0.3, 0.4, 0.15, 0.1, 0.05])):
        box = _random_box(rng, side, min_face)
        if (covered(box, boxes) > MAX_COVERED).any():
            continue
        face = Image.fromarray(_pick(rng, material.faces))
        if rng.random() < 0.5:
            face = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        _paste(rng, canvas, face, box)
        boxes = np.concatenate([boxes, box[None]])
    return Composite(np.array(canvas), boxes, np.tile(UNKNOWN_EYES, (len(boxes), 1)))


def _from_one_face(rng: np.random.Generator, material: Material, side: int) -> Composite:
    """Enlarge one face to the whole picture."""
    face = Image.fromarray(_pick(rng, material.faces))
    picture = _recolored(rng, face.resize((side, side), Image.Resampling.BICUBIC))
    boxes = np.array([[0, 0, side, side]], dtype=np.float32)
    return Composite(np.array(picture), boxes, UNKNOWN_EYES[None])


def _background(rng: np.random.Generator, material: Material, side: int) -> np.ndarray:
    """Cut a random square out of a background, or out of the hair of a face, much enlarged."""
    if rng.random() < 0.15:
        return np.array(_decoy(rng, material).resize((side, side), Image.Resampling.BILINEAR))
    pixels = _pick(rng, material.backgrounds)
    if rng.random() < 0.1:  # plain
        color = pixels[rng.integers(pixels.shape[0]), rng.integers(pixels.shape[1])]
        return np.broadcast_to(color, (side, side, 3)).copy()
    picture = _random_square(rng, pixels, 0.5, 1.0)
    return np.array(picture.resize((side, side), Image.Resampling.BILINEAR))


def _decoy(rng: np.random.Generator, material: Material) -> Image.Image:
    """Return a picture without a whole face: a mistake, a piece of a background or of a face."""
    if material.mistakes and rng.random() < 0.5:
        return _random_square(rng, _pick(rng, material.mistakes), 0.7, 1.0)
    if rng.random() < 0.5:
        return _random_square(rng, _pick(rng, material.backgrounds), 0.2, 0.8)
    pixels = _pick(rng, material.faces)
    cut = int(pixels.shape[0] * rng.uniform(0.25, 0.4))
    top, left = (pixels.shape[0] - cut) * rng.integers(0, 2, 2)
    return Image.fromarray(pixels[top : top + cut, left : left + cut])


def _random_square(
    rng: np.random.Generator, pixels: np.ndarray, least: float, most: float
) -> Image.Image:
    height, width = pixels.shape[:2]
    cut = max(2, int(min(height, width) * rng.uniform(least, most)))
    top, left = rng.integers(0, height - cut + 1), rng.integers(0, width - cut + 1)
    square = Image.fromarray(pixels[top : top + cut, left : left + cut])
    if rng.random() < 0.5:
        square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # People and animals stand upright, and it is their heads that look like faces.
    return square if rng.random() < 0.7 else square.rotate(90 * int(rng.integers(1, 4)))


def _random_box(rng: np.random.Generator, side: int, min_face: float) -> np.ndarray:
    """Return a square box, at most a tenth of it outside the picture."""
    length = _log_uniform(rng, min_face, side)
    corner = rng.uniform(-0.1 * length, side - 0.9 * length, 2)
    return np.array([*corner, *(corner + length)], dtype=np.float32)


def _paste(
    rng: np.random.Generator, canvas: Image.Image, picture: Image.Image, box: np.ndarray
) -> None:
    """Paste a square picture into a box through a soft mask, a little turned."""
    length = max(2, round(float(box[2] - box[0])))
    size = (length, length)
    place = (round(float(box[0])), round(float(box[1])))
    picture = _recolored(rng, picture.resize(size, Image.Resampling.BILINEAR))
    mask = Image.fromarray(_soft_mask(rng, length))
    if rng.random() < 0.3:
        angle = rng.uniform(-20, 20)
        picture = picture.rotate(angle, Image.Resampling.BILINEAR)
        inside = Image.new("L", size, 255).rotate(angle)
        mask = Image.fromarray(np.minimum(np.asarray(mask), np.asarray(inside)))
    canvas.paste(picture, place, mask)


def _soft_mask(rng: np.random.Generator, length: int) -> np.ndarray:
    """Return a mask between a square and an ellipse with a border of random softness."""
    axis = np.abs((np.arange(length) + 0.5) / length * 2 - 1)
    power = rng.choice([2.0, 3.0, 6.0, 40.0])  # 2: ellipse, 40: nearly square
    radius = (axis[:, None] ** power + axis[None, :] ** power) ** (1 / power)
    softness = rng.uniform(0.01, 0.25)
    ramp = np.clip((1 - radius) / softness, 0, 1)
    return (255 * ramp).astype(np.uint8)


def _recolored(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    if rng.random() < 0.5:
        return picture
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhancer(picture).enhance(rng.uniform(0.6, 1.4))
    return picture


def _degraded(rng: np.random.Generator, pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Now and then: no colour, blur that leaves the least face to be seen, noise, or JPEG."""
    choice = rng.random()
    if choice < 0.08:
        pixels = np.repeat(pixels.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    elif choice < 0.18:
        least = (boxes[:, 2] - boxes[:, 0]).min(initial=pixels.shape[0])
        most = np.clip(MAX_BLUR * least, 0.3, 3.0)
        blur = ImageFilter.GaussianBlur(_log_uniform(rng, 0.3, float(most)))
        pixels = np.array(Image.fromarray(pixels).filter(blur))
    elif choice < 0.28:
        noise = rng.normal(0, rng.uniform(2, 12), pixels.shape)
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    elif choice < 0.4:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(30, 90)))
        pixels = np.array(Image.open(file))
    return pixels


def _padded(rng: np.random.Generator, pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Make the right or the lower part grey, as the detector pads, where no face is."""
    side, axis = pixels.shape[0], int(rng.integers(2))
    ends = boxes[:, 2 + axis] if len(boxes) else np.array([side / 2])
    start = int(rng.uniform(min(float(ends.max()), side), side))
    pixels = pixels.copy()
    pixels.swapaxes(0, 1 - axis)[start:] = 128
    return pixels


def _pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
