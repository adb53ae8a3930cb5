"""What the face detector is trained on and measured with, a part of it held out."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from nfe.faces.composites import KnownScene, Material

HELD_OUT = 0.2  # last part, by name, of every source: for measuring
DRAWN_SIDES = ((96, 60, 90), (160, 64, 150), (256, 90, 240))  # picture, least and largest face


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_material` reads."""
    parser.add_argument("--faces", nargs="+", type=Path, required=True, help="cut faces")
    parser.add_argument("--photos", type=Path, required=True, help="pictures without drawn faces")
    parser.add_argument("--num-faces", type=int, default=10_000, help="faces to take per source")
    parser.add_argument("--num-scenes", type=int, default=1500, help="scenes to draw")
    parser.add_argument("--seed", type=int, default=1)


def read_material(
    options: argparse.Namespace, rng: "np.random.Generator"
) -> "tuple[Material, Material, list[np.ndarray]]":
    """Read and draw everything: what to train on, what is held out, the photographs of that."""
    from nfe.faces.composites import Material

    photos = _pixels(options.photos, 10**9)
    faces = [_pixels(path, options.num_faces) for path in options.faces]
    scenes, drawn = draw_scenes(options.num_scenes, rng)

    def part(items: list[Any], held_out: bool) -> list[Any]:
        cut = round(len(items) * (1 - HELD_OUT))
        return items[cut:] if held_out else items[:cut]

    def material(held_out: bool) -> Material:
        return Material(
            [face for source in faces for face in part(source, held_out)],
            part(scenes, held_out),
            part(photos, held_out) + part(drawn, held_out),
        )

    return material(False), material(True), part(photos, True)


def _pixels(path: Path, most: int) -> "list[np.ndarray]":
    """Decode evenly spaced pictures of a source."""
    from nfe.faces.sheets import evenly_spaced
    from nfe.images import decode_pixels
    from nfe.sources import list_source

    pictures = list_source(path)
    chosen = [pictures[index] for index in evenly_spaced(len(pictures), most)]
    return [decode_pixels(picture.read(), picture.name) for picture in chosen]


def draw_scenes(
    num_scenes: int, rng: "np.random.Generator"
) -> "tuple[list[KnownScene], list[np.ndarray]]":
    """Draw scenes with a face, and backgrounds without."""
    import numpy as np

    from nfe.drawing.backgrounds import draw_background
    from nfe.drawing.canvas import Canvas
    from nfe.drawing.scenes import draw_scene
    from nfe.faces.composites import KnownScene

    scenes, backgrounds = [], []
    for index in range(num_scenes):
        side, least, largest = DRAWN_SIDES[index % len(DRAWN_SIDES)]
        scene = draw_scene(rng, (side, side * 3 // 2), (least, largest), 2)
        box, eyes = np.array(scene.box), np.array(scene.eyes).ravel()
        scenes.append(KnownScene(scene.pixels, box, eyes))
    for _ in range(num_scenes // 8):  # fewer than photographs, which are more varied
        canvas = Canvas(160, 160, 1)
        draw_background(canvas, rng)
        backgrounds.append(canvas.pixels())
    return scenes, backgrounds
