"""Scenes: illustrations with one face somewhere in them, some with the flaws of real ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from nfe.drawing.backgrounds import draw_background
from nfe.drawing.canvas import Canvas, Point
from nfe.drawing.faces import FaceSpec, draw_character, head_offset, random_face_spec
from nfe.drawing.features import EYE_CENTERS

__all__ = ["FLAWS", "Layout", "Scene", "draw_illustration", "draw_scene"]

FLAWS = ("no_face", "small", "blurred", "monochrome", "duplicate")
ROOM_BELOW = 1.1  # most room under the square of the face, as a share of its side


@dataclass(frozen=True)
class Layout:
    """Sizes of illustrations and how many of them are flawed.

    Attributes:
        picture_side: Least and greatest width and height, in pixels.
        face_side: Least and greatest side of the square of the face, in pixels.
        small_face_side: The same where the flaw is `small`.
        supersampling: How many times larger a scene is drawn before it is averaged down.
        flaws: Share of the illustrations that have each of FLAWS, together at most 1.

    Raises:
        ValueError: If a face does not fit into the smallest picture, a flaw is unknown, or the
            shares are no shares.
    """

    picture_side: tuple[int, int]
    face_side: tuple[int, int]
    small_face_side: tuple[int, int]
    supersampling: int
    flaws: Mapping[str, float]

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("picture_side", "face_side", "small_face_side"):
            least, greatest = getattr(self, name)
            if not 8 <= least <= greatest:
                raise ValueError(
                    f"{name} must be two rising sizes of 8 or more, got {least}, {greatest}"
                )
        largest = max(self.face_side[1], self.small_face_side[1])
        if largest > self.picture_side[0]:
            raise ValueError(
                f"face_side must be at most the least picture_side {self.picture_side[0]}, "
                f"got {largest}; draw larger pictures or smaller faces"
            )
        if unknown := set(self.flaws) - set(FLAWS):
            raise ValueError(f"flaws must be among {', '.join(FLAWS)}, got {sorted(unknown)}")
        if min(self.flaws.values(), default=0) < 0 or sum(self.flaws.values()) > 1:
            raise ValueError(f"flaws must be shares that add up to 1 or less, got {self.flaws}")


@dataclass(frozen=True)
class Scene:
    """An illustration and what is known about it.

    Attributes:
        pixels: uint8, [H, W, 3], RGB.
        box: The square of the face, (x0, y0, x1, y1), in pixels; None without a face.
        eyes: Middles of the eyes left and right in the picture, in pixels; None without a face.
        tags: Words of the Danbooru vocabulary, with spaces.
        spec: The face that was drawn.
        flaw: One of FLAWS, or None.
        duplicate_of: Index of the illustration that this one repeats, or None.
    """

    pixels: np.ndarray
    box: tuple[float, float, float, float] | None
    eyes: tuple[Point, Point] | None
    tags: tuple[str, ...]
    spec: FaceSpec | None
    flaw: str | None = None
    duplicate_of: int | None = None


def draw_scene(
    rng: np.random.Generator,
    picture_side: tuple[int, int],
    face_side: tuple[int, int],
    supersampling: int,
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
        ValueError: If the sizes do not rise or the largest face does not fit into the smallest
            picture.
    """
    Layout(picture_side, face_side, face_side, supersampling, {})
    spec = random_face_spec(rng)
    width, height = rng.integers(picture_side[0], picture_side[1] + 1, 2).tolist()
    half = float(rng.uniform(*face_side)) / 2
    x = float(rng.uniform(half, width - half))
    y = float(rng.uniform(max(half, height - (1 + 2 * ROOM_BELOW) * half), height - half))
    canvas = Canvas(width, height, supersampling)
    draw_background(canvas, rng)
    away_x, away_y = head_offset(spec.tilt)
    head = draw_character(canvas.placed(x - away_x * half, y - away_y * half, half), spec)
    left, right = (head.to_picture(center) for center in EYE_CENTERS)
    box = (x - half, y - half, x + half, y + half)
    return Scene(canvas.pixels(), box, (left, right), spec.tags, spec)


def draw_illustration(seed: int, index: int, layout: Layout) -> Scene:
    """Draw illustration `index` of the set that `seed` fixes, perhaps with a flaw.

    It depends on nothing but the arguments, so any process may draw any index.

    Args:
        seed: Fixes the set, 0 or more.
        index: Which illustration, 0 or more.
        layout: Sizes and shares of flaws.

    Returns:
        The scene. A duplicate repeats an earlier illustration without flaw.
    """
    flaw, rng = _flaw(seed, index, layout), np.random.default_rng([seed, index, 2])
    if flaw == "duplicate":
        earlier = (int(i) for i in rng.permutation(index))
        original = next((i for i in earlier if _flaw(seed, i, layout) is None), None)
        if original is None:
            return _draw_indexed(seed, index, layout, layout.face_side)
        scene = _draw_indexed(seed, original, layout, layout.face_side)
        return replace(_shifted(scene, rng), flaw=flaw, duplicate_of=original)
    if flaw == "no_face":
        width, height = rng.integers(layout.picture_side[0], layout.picture_side[1] + 1, 2).tolist()
        canvas = Canvas(width, height, layout.supersampling)
        draw_background(canvas, rng)
        return Scene(canvas.pixels(), None, None, ("no humans",), None, flaw)
    side = layout.small_face_side if flaw == "small" else layout.face_side
    scene = replace(_draw_indexed(seed, index, layout, side), flaw=flaw)
    if flaw == "blurred":
        return _blurred(scene, rng)
    return _without_color(scene) if flaw == "monochrome" else scene


def _flaw(seed: int, index: int, layout: Layout) -> str | None:
    at = float(np.random.default_rng([seed, index, 0]).random())
    for name in FLAWS:
        at -= layout.flaws.get(name, 0.0)
        if at < 0:
            return name
    return None


def _draw_indexed(seed: int, index: int, layout: Layout, face_side: tuple[int, int]) -> Scene:
    rng = np.random.default_rng([seed, index, 1])
    return draw_scene(rng, layout.picture_side, face_side, layout.supersampling)


def _blurred(scene: Scene, rng: np.random.Generator) -> Scene:
    """Blur by 3 to 5 % of the side of the face."""
    assert scene.box is not None
    radius = (scene.box[2] - scene.box[0]) * rng.uniform(0.03, 0.05)
    soft = Image.fromarray(scene.pixels).filter(ImageFilter.GaussianBlur(radius))
    return replace(scene, pixels=np.array(soft), tags=(*scene.tags, "blurry"))


def _without_color(scene: Scene) -> Scene:
    """Turn to grey; tags of colours no longer hold."""
    assert scene.spec is not None
    colors = {f"{scene.spec.hair_color} hair", f"{scene.spec.eye_color} eyes"}
    tags = tuple(tag for tag in scene.tags if tag not in colors)
    grey = np.array(Image.fromarray(scene.pixels).convert("L").convert("RGB"))
    return replace(scene, pixels=grey, tags=(*tags, "monochrome", "greyscale"))


def _shifted(scene: Scene, rng: np.random.Generator) -> Scene:
    """Cut up to two pixels off the left and the top, and make it a little lighter or darker."""
    assert scene.box is not None
    assert scene.eyes is not None
    x, y = (min(int(rng.integers(3)), int(edge)) for edge in scene.box[:2])
    step = int(rng.integers(-4, 5))
    pixels = (scene.pixels[y:, x:].astype(np.int16) + step).clip(0, 255).astype(np.uint8)
    x0, y0, x1, y1 = scene.box
    left, right = ((ex - x, ey - y) for ex, ey in scene.eyes)
    return replace(scene, pixels=pixels, box=(x0 - x, y0 - y, x1 - x, y1 - y), eyes=(left, right))
