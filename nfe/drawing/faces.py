"""A drawn face: what fixes it, a random one, its tags, and the picture."""

import math
from dataclasses import dataclass

import numpy as np

from nfe.drawing.backgrounds import draw_background
from nfe.drawing.bodies import CLOTHES, draw_body, draw_head
from nfe.drawing.canvas import Canvas, Point
from nfe.drawing.features import (
    draw_blush,
    draw_brows,
    draw_eyes,
    draw_glasses,
    draw_mouth,
    draw_nose,
)
from nfe.drawing.hair import FRINGES, HAIR_LENGTHS, draw_back_hair, draw_front_hair, fringe_curve
from nfe.drawing.ornaments import ORNAMENT_COLORS, ORNAMENTS, draw_ornament
from nfe.drawing.palettes import (
    CLOTHES_COLORS,
    EYE_COLORS,
    HAIR_COLORS,
    RGB,
    SKIN_COLORS,
    darken,
    vary,
)

__all__ = ["FaceSpec", "draw_character", "draw_face", "head_offset", "random_face_spec"]

GLASSES_COLORS: tuple[RGB, ...] = ((56, 46, 58), (140, 44, 52), (44, 62, 112))
FRINGE_TAGS = {"blunt": "blunt bangs", "swept": "swept bangs", "parted": "parted bangs",
               "crossed": "hair between eyes"}  # fmt: skip
CLOTHES_TAGS = {"sailor": "serafuku", "shirt": "shirt", "sweater": "sweater", "hoodie": "hoodie"}
SKINS = 2 * ("pale", "fair", "light") + ("tan", "dark")  # the last two half as often
SHADOW = np.array((0.0, 0.05))  # of the fringe on the face
ORNAMENT_TAGS = {"bow": "hair bow", "flower": "hair flower", "clips": "hairclip",
                 "band": "hairband"}  # fmt: skip
PIVOT = 0.6  # height at which the head turns on the neck


@dataclass(frozen=True)
class FaceSpec:
    """Everything that fixes a drawn face.

    Attributes:
        hair_color: A key of HAIR_COLORS; `hair_rgb` is the shade of it that is drawn.
        hair_length: short, medium or long.
        eye_color: A key of EYE_COLORS; `eye_rgb` is the shade drawn.
        skin: A key of SKIN_COLORS; `skin_rgb` is the shade drawn.
        fringe: A key of FRINGES.
        clothes: One of CLOTHES; `clothes_rgb` is their colour.
        smile: Whether the mouth smiles.
        open_mouth: Whether the mouth is open.
        blush: Whether the cheeks are red.
        glasses: Whether glasses are worn; `glasses_rgb` is the colour of the frames.
        ornament: One of ORNAMENTS or None; `ornament_rgb` is its colour.
        ahoge: Whether a lock of hair stands up.
        mirrored: Whether the fringe falls to the other side.
        tilt: Clockwise turn of the head, in degrees.
        scale: Size of the head, 1 is usual.
        shift: Where the head lies off the middle, in units of half a picture.
        eye_size: Factor of the size of the eyes.
        gaze: Where the irises are moved, in units of half an eye.
        slant: How far the outer corners of the eyes are raised, in degrees.
        brow_angle: Turn of the brows, in degrees; positive looks stern.
        detail_seed: Fixes strands of hair and, in `draw_face`, the background.
    """

    hair_color: str
    hair_rgb: RGB
    hair_length: str
    eye_color: str
    eye_rgb: RGB
    skin: str
    skin_rgb: RGB
    fringe: str
    clothes: str
    clothes_rgb: RGB
    smile: bool
    open_mouth: bool
    blush: bool
    glasses: bool
    glasses_rgb: RGB
    ornament: str | None
    ornament_rgb: RGB
    ahoge: bool
    mirrored: bool
    tilt: float
    scale: float
    shift: Point
    eye_size: float
    gaze: Point
    slant: float
    brow_angle: float
    detail_seed: int

    @property
    def tags(self) -> tuple[str, ...]:
        """What is to be seen, as words of the Danbooru vocabulary, with spaces."""
        tags = ["1girl", "solo", f"{self.hair_color} hair", f"{self.hair_length} hair"]
        tags += [f"{self.eye_color} eyes"]
        flags = {"smile": self.smile, "open mouth": self.open_mouth, "blush": self.blush}
        flags |= {"glasses": self.glasses, "ahoge": self.ahoge, "dark skin": self.skin == "dark"}
        tags += [tag for tag, seen in flags.items() if seen]
        tags += [ORNAMENT_TAGS[self.ornament]] if self.ornament else []
        tags += [FRINGE_TAGS[self.fringe]] if self.fringe in FRINGE_TAGS else []
        return (*tags, CLOTHES_TAGS[self.clothes])


def random_face_spec(rng: np.random.Generator) -> FaceSpec:
    """Return a random face; every attribute is drawn independently of the others."""

    def pick(names: list[str]) -> str:
        return names[rng.integers(len(names))]

    hair, eyes = pick([*HAIR_COLORS]), pick([*EYE_COLORS])
    skin = SKINS[rng.integers(len(SKINS))]
    smile, opened, blush, glasses, adorned, ahoge, mirrored = (
        rng.random(7) < (0.5, 0.45, 0.4, 0.25, 0.25, 0.2, 0.5)
    ).tolist()
    return FaceSpec(
        hair_color=hair,
        hair_rgb=vary(HAIR_COLORS[hair], rng, 4.0),
        hair_length=pick([*HAIR_LENGTHS]),
        eye_color=eyes,
        eye_rgb=vary(EYE_COLORS[eyes], rng, 5.0),
        skin=skin,
        skin_rgb=vary(SKIN_COLORS[skin], rng, 2.0),
        fringe=pick([*FRINGES]),
        clothes=pick([*CLOTHES]),
        clothes_rgb=vary(CLOTHES_COLORS[pick([*CLOTHES_COLORS])], rng, 5.0),
        smile=smile,
        open_mouth=opened,
        blush=blush,
        glasses=glasses,
        glasses_rgb=GLASSES_COLORS[rng.integers(len(GLASSES_COLORS))],
        ornament=pick([*ORNAMENTS]) if adorned else None,
        ornament_rgb=ORNAMENT_COLORS[rng.integers(len(ORNAMENT_COLORS))],
        ahoge=ahoge,
        mirrored=mirrored,
        tilt=min(14.0, max(-14.0, rng.normal(0, 6))),
        scale=float(rng.uniform(0.93, 1.03)),
        shift=(float(rng.uniform(-0.05, 0.05)), float(rng.uniform(-0.02, 0.05))),
        eye_size=float(rng.uniform(0.94, 1.06)),
        gaze=(float(rng.uniform(-0.12, 0.12)), float(rng.uniform(-0.04, 0.06))),
        slant=float(rng.uniform(-4, 8)),
        brow_angle=float(rng.uniform(-10, 12)),
        detail_seed=int(rng.integers(2**31)),
    )


def draw_face(spec: FaceSpec, resolution: int, supersampling: int) -> np.ndarray:
    """Draw a face that fills a square picture, with a background.

    Args:
        spec: The face.
        resolution: Side in pixels.
        supersampling: How many times larger it is drawn before it is averaged down.

    Returns:
        uint8, [resolution, resolution, 3], RGB.

    Raises:
        ValueError: If `resolution` or `supersampling` is less than 1.
    """
    if resolution < 1 or supersampling < 1:
        raise ValueError(
            f"resolution and supersampling must be 1 or more, got {resolution} and {supersampling}"
        )
    canvas = Canvas(resolution, resolution, supersampling)
    draw_background(canvas, np.random.default_rng([spec.detail_seed, 1]))
    half = resolution / 2
    bust = canvas.placed(
        half + spec.shift[0] * half, half + spec.shift[1] * half, half * spec.scale
    )
    draw_character(bust, spec)
    return canvas.pixels()


def head_offset(tilt: float) -> Point:
    """Return how far a turn by `tilt` degrees on the neck moves the middle of the head."""
    turn = math.radians(tilt)
    return math.sin(turn) * PIVOT, (1 - math.cos(turn)) * PIVOT


def draw_character(bust: Canvas, spec: FaceSpec) -> Canvas:
    """Draw head, hair and shoulders.

    Args:
        bust: Canvas whose origin is the middle of the upright head and whose unit is half the
            side of the square that frames it.
        spec: The face. Its `scale` and `shift` are not applied here.

    Returns:
        The canvas in units of the turned head; the square that frames it has its middle there.
    """
    rng = np.random.default_rng(spec.detail_seed)
    head = bust.placed(*head_offset(spec.tilt), angle=spec.tilt)
    hair = head.placed(0, 0, stretch=(-1.0 if spec.mirrored else 1.0, 1.0))
    curve, edge = fringe_curve(spec.fringe, rng)
    draw_back_hair(hair, spec.hair_length, spec.hair_rgb)
    draw_body(bust, spec.skin_rgb, spec.clothes, spec.clothes_rgb)
    draw_head(head, spec.skin_rgb)
    hair.fill(curve + SHADOW, (110, 30, 60), 56)
    if spec.blush:
        draw_blush(head)
    draw_brows(head, spec.hair_rgb, spec.brow_angle)
    draw_eyes(head, spec.eye_rgb, spec.eye_size, spec.gaze, spec.slant, spec.skin_rgb)
    draw_nose(head, spec.skin_rgb)
    draw_mouth(head, spec.smile, spec.open_mouth, spec.skin_rgb)
    if spec.ahoge:
        hair.stroke(((0.0, -0.84), (0.05, -0.96), (0.24, -0.95)), darken(spec.hair_rgb, 0.4), 0.08)
    draw_front_hair(hair, curve, edge, spec.hair_length, spec.hair_rgb, rng)
    if spec.ornament:
        draw_ornament(hair, spec.ornament, spec.ornament_rgb)
    if spec.glasses:
        draw_glasses(head, spec.glasses_rgb)
    return head
