"""Train the face detector that models/detector holds. It is no stage: its result is in git.

From the project's root:

    python -m tasks.train_detector --faces A.zip B.zip --photos C.zip --out models/detector
"""

import argparse
import itertools
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nfe.errors import NFEError
from tasks.stage import Progress, has_bf16

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from nfe.faces.composites import KnownScene, Material
    from nfe.faces.detection import Box, Detector, Face

HELD_OUT = 0.2  # last part, by name, of every source: for measuring
MIN_OVERLAP = 0.5  # of a found box with the true one
MEASURED_FACE = 16.0  # least side of a face that must be found, in pixels of the working size
POINTS = (0.3, 0.4, 0.5, 0.6, 0.7)  # scores at which recall and false boxes are told
LEAST_SCORE = 0.05  # of boxes among which the score of a face, and mistakes, are sought
MISTAKES_AT = (0.25, 0.5, 0.75)  # of all steps: when the mistakes made till then are collected
MISTAKE_MARGIN = 0.25  # around the box of a mistake, in its sides
DRAWN_SIDES = ((96, 60, 90), (160, 64, 150), (256, 90, 240))  # picture, least and largest face


def main(arguments: list[str]) -> None:
    """Train, measure on held-out material, and write the model folder."""
    from dataclasses import replace

    import numpy as np
    import torch

    from nfe.faces.composites import Composite, make_composite
    from nfe.faces.detector_export import load_exported
    from nfe.faces.detector_network import DetectorNetwork
    from nfe.faces.detector_training import train_detector
    from nfe.images import images_from_pixels

    options = _parse(arguments)
    torch.set_num_threads(options.num_threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    train, held_out, photos = _material(options, rng)
    sides, shares = [128, 192, options.max_side], [0.4, 0.25, 0.35]
    collecting = {round(part * options.num_steps) for part in MISTAKES_AT}
    steps = itertools.count()

    def compose() -> list[Composite]:
        # Small pictures come in large batches, so that every step costs the same.
        side = int(rng.choice(sides, p=shares))
        count = max(4, round(options.batch_size * 160**2 / side**2))
        return [make_composite(rng, train, side, options.min_face) for _ in range(count)]

    def make_batch() -> list[Composite]:
        nonlocal train
        if next(steps) in collecting:
            train = replace(train, mistakes=_mistakes(network, train.backgrounds, options))
        return compose()

    network = DetectorNetwork()
    if options.start is not None:
        batch = np.stack([composite.pixels for composite in compose()])
        network = load_exported(options.start, images_from_pixels(batch))
        collecting.add(0)
    train_detector(
        network.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        make_batch,
        options.num_steps,
        options.learning_rate,
        options.weight_decay,
        has_bf16("cpu"),
        Progress("train_detector"),
    )
    _write(network, held_out, photos, options)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tasks.train_detector", description=__doc__)
    parser.add_argument("--faces", nargs="+", type=Path, required=True, help="cut faces")
    parser.add_argument("--photos", type=Path, required=True, help="pictures without drawn faces")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--start", type=Path, help="exported detector to train further")
    parser.add_argument("--num-faces", type=int, default=10_000, help="faces to take per source")
    parser.add_argument("--num-scenes", type=int, default=1500, help="scenes to draw")
    parser.add_argument("--num-mistakes", type=int, default=800, help="hardest negatives to keep")
    parser.add_argument("--num-steps", type=int, default=20_000)
    parser.add_argument("--batch-size", type=int, default=24, help="pictures of 160 pixels")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--min-face", type=float, default=14.0, help="pixels")
    parser.add_argument("--max-side", type=int, default=384, help="working size, pixels")
    parser.add_argument(
        "--max-false", type=float, default=0.1, help="false boxes per held-out photograph"
    )
    parser.add_argument("--max-overlap", type=float, default=0.3)
    parser.add_argument("--num-measured", type=int, default=1000, help="held-out composites")
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def _material(
    options: argparse.Namespace, rng: "np.random.Generator"
) -> "tuple[Material, Material, list[np.ndarray]]":
    """Read and draw everything: what to train on, what is held out, the photographs of that."""
    from nfe.faces.composites import Material

    photos = _pixels(options.photos, 10**9)
    faces = [_pixels(path, options.num_faces) for path in options.faces]
    scenes, drawn = _draw(options.num_scenes, rng)

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


def _draw(
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


def _mistakes(
    network: Any, backgrounds: "Sequence[np.ndarray]", options: argparse.Namespace
) -> "list[np.ndarray]":
    """Cut out what the network takes for faces in pictures without any, the worst first.

    Source: Sung and Poggio 1998 (bootstrapping of negatives).
    """
    from nfe.faces.detection import Detector
    from nfe.faces.detector_export import export_detector

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detector.onnx"
        export_detector(network, path, options.max_side, LEAST_SCORE, options.max_overlap)
        detector = Detector.load(path)
    found = [
        (face.score, _around(face.box, pixels))
        for pixels in backgrounds
        for face in detector.detect(pixels)
    ]
    found.sort(key=lambda pair: -pair[0])
    return [pixels for _, pixels in found[: options.num_mistakes]]


def _around(box: "Box", pixels: "np.ndarray") -> "np.ndarray":
    """Cut a box with a margin out of a picture, as far as the picture goes."""
    (height, width), (x0, y0, x1, y1) = pixels.shape[:2], box
    margin = (x1 - x0) * MISTAKE_MARGIN
    left, top = (max(0, min(int(v - margin), n - 2)) for v, n in ((x0, width), (y0, height)))
    return pixels[top : max(top + 2, int(y1 + margin)), left : max(left + 2, int(x1 + margin))]


def _write(
    network: Any, held_out: "Material", photos: "list[np.ndarray]", options: argparse.Namespace
) -> None:
    """Export the network, choose the score of a face, measure the exported file, describe it."""
    from nfe.faces.detection import Detector
    from nfe.faces.detector_export import export_detector
    from nfe.files import atomic_folder, read_json, write_json, write_manifest

    commands = ["python -m tasks.train_detector " + " ".join(sys.argv[1:])]
    if options.start is not None:
        commands = [*read_json(options.start.parent / "model.json")["commands"], *commands]
    with atomic_folder(options.out) as folder:
        path = folder / "detector.onnx"
        export_detector(network, path, options.max_side, LEAST_SCORE, options.max_overlap)
        detector = Detector.load(path)
        score = choose_score(detector, photos, options.max_false)
        metrics = measure_detector(
            detector, score, held_out, photos, options.max_side, options.num_measured
        )
        export_detector(network, path, options.max_side, score, options.max_overlap)
        write_json(folder / "model.json", _description(commands, network, metrics))
        write_manifest(folder)
    for name, value in metrics.items():
        print(f"train_detector: {name} = {value}")


def choose_score(detector: "Detector", photos: "list[np.ndarray]", max_false: float) -> float:
    """Return the least score, in hundredths, at which photographs show few enough false boxes.

    Args:
        detector: One that reports boxes of low scores, too.
        photos: Pictures without faces, uint8, [H, W, 3] each.
        max_false: Most boxes per photograph.
    """
    scores = sorted((f.score for p in photos for f in detector.detect(p)), reverse=True)
    allowed = math.floor(max_false * len(photos))
    if len(scores) <= allowed:
        return detector.min_score
    return math.floor(scores[allowed] * 100 + 1) / 100


def measure_detector(
    detector: "Detector",
    score: float,
    material: "Material",
    photos: "list[np.ndarray]",
    side: int,
    num_composites: int,
) -> dict[str, Any]:
    """Measure a detector on composites of held-out material and on bare photographs.

    Args:
        detector: One that reports boxes of low scores, too.
        score: Least score of a face.
        material: What the composites are made of.
        photos: Pictures without faces, uint8, [H, W, 3] each.
        side: Of the composites, in pixels.
        num_composites: How many to make.

    Returns:
        The score of a face; recall and false boxes per composite and per photograph at it, and,
        as `points`, at others; the mean error of the eyes along the picture's width, in sides of
        the face, when any drawn face is found.
    """
    import numpy as np

    from nfe.faces.composites import make_composite

    rng = np.random.default_rng(0)
    answers = []
    for _ in range(num_composites):
        composite = make_composite(rng, material, side, MEASURED_FACE)
        answers.append((detector.detect(composite.pixels), composite.boxes))
    false_scores = np.array([face.score for pixels in photos for face in detector.detect(pixels)])

    def point(least: float) -> dict[str, float]:
        recall, false = _recall_and_false(answers, least)
        return {
            "min_score": least,
            "recall": round(recall, 4),
            "false_per_composite": round(false, 4),
            "false_per_photograph": round(float((false_scores >= least).sum()) / len(photos), 4),
        }

    metrics: dict[str, Any] = {
        **point(score),
        "num_faces": sum(len(boxes) for _, boxes in answers),
        "num_photographs": len(photos),
        "points": [point(least) for least in POINTS],
    }
    errors = _eye_errors(detector, score, material.scenes)
    if errors:
        metrics["eye_error"] = round(float(np.mean(errors)), 4)
    return metrics


def _recall_and_false(
    answers: "Sequence[tuple[list[Face], np.ndarray]]", score: float
) -> tuple[float, float]:
    """Return the share of true boxes found at a score, and the false boxes a picture."""
    from nfe.faces.detector_training import count_found

    counts = [
        (len(boxes), *count_found([f for f in faces if f.score >= score], boxes, MIN_OVERLAP))
        for faces, boxes in answers
    ]
    num_faces, num_found, num_false = map(sum, zip(*counts, strict=True))
    return num_found / max(num_faces, 1), num_false / len(answers)


def _eye_errors(detector: "Detector", score: float, scenes: "Sequence[KnownScene]") -> list[float]:
    """Return how far the eyes of found drawn faces are off along the width, in sides of a face."""
    import numpy as np

    errors = []
    for scene in scenes:
        faces = detector.detect(scene.pixels)
        if faces and faces[0].score >= score:
            found = np.sort(np.array(faces[0].eyes).ravel()[::2])
            side = scene.box[2] - scene.box[0]
            errors.append(float(np.abs(found - scene.eyes[::2]).mean() / side))
    return errors


def _description(commands: list[str], network: Any, metrics: dict[str, float]) -> dict[str, Any]:
    return {
        "model": "face detector",
        "file": "detector.onnx",
        "input": {"images": "float32 [1, 3, H, W], RGB, in [-1, 1]"},
        "outputs": {
            "scores": "float32 [1, K], in [0, 1]; 0 for a cell that is no peak",
            "boxes": "float32 [1, K, 4], x0, y0, x1, y1 in pixels: a square around head and hair",
            "eyes": "float32 [1, K, 4], x, y of both eyes in pixels; another detector may lack it",
        },
        "metadata_properties": {
            "max_side": "larger pictures are shrunk to this longer side, in pixels",
            "multiple": "H and W are padded with 0 to a multiple of this",
            "min_score": "least score of a face",
            "max_overlap": "greatest intersection over union of two faces",
        },
        "num_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "commands": commands,
        "trained_on": "drawn scenes and pasted faces; the last fifth of each source held out",
        "min_score": "the least at which held-out photographs show few enough false boxes",
        "held_out": metrics,
    }


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NFEError as error:
        sys.exit(f"train_detector: {error}")
