"""Train the face detector that models/detector holds. It is no stage: its result is in git.

From the project's root:

    python -m tasks.train_detector --faces A.zip B.zip --photos C.zip --out models/detector
"""

import argparse
import copy
import itertools
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nfe.errors import NFEError
from tasks.detector_material import add_options, read_material
from tasks.measure_detector import (
    LEAST_SCORE,
    add_measuring,
    choose_score,
    false_scores,
    measure_detector,
    show,
)
from tasks.stage import Progress, has_bf16

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch

    from nfe.faces.composites import Composite, Material
    from nfe.faces.detection import Box
    from nfe.faces.detector_network import DetectorNetwork

MISTAKES_AT = (0.25, 0.5, 0.75)  # of all steps: when the mistakes made till then are collected
STATISTICS_BATCHES = 200  # for the batch norms of averaged weights
MISTAKE_MARGIN = 0.25  # around the box of a mistake, in its sides


def main(arguments: list[str]) -> None:
    """Train, measure on held-out material, and write the model folder."""
    import numpy as np
    import torch

    options = _parse(arguments)
    torch.set_num_threads(options.num_threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    train, held_out, photos = read_material(options, rng)
    _write(_train(train, options, rng), held_out, photos, options)


def _train(
    material: "Material", options: argparse.Namespace, rng: "np.random.Generator"
) -> "DetectorNetwork":
    """Train round after round, and average the network as it was at the ends of them.

    A network to go on from counts as the end of a round.
    """
    from dataclasses import replace

    import torch

    from nfe.faces.detector_export import load_exported
    from nfe.faces.detector_network import DetectorNetwork
    from nfe.faces.detector_training import average_networks, train_detector

    num_steps = options.num_rounds * options.num_steps
    collecting = {round(part * num_steps) for part in MISTAKES_AT}
    steps = itertools.count()

    def make_batch() -> "list[Composite]":
        nonlocal material
        if next(steps) in collecting:
            mistakes = _mistakes(network, material.backgrounds, options)
            material = replace(material, mistakes=mistakes)
        return _compose(material, options, rng)

    network, ends = DetectorNetwork(), []
    if options.start is not None:
        network = load_exported(options.start, _images(_compose(material, options, rng)))
        collecting.add(0)
        ends.append(copy.deepcopy(network))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for number in range(1, options.num_rounds + 1):
        train_detector(
            network,
            make_batch,
            options.num_steps,
            options.learning_rate,
            options.weight_decay,
            has_bf16("cpu"),
            Progress(f"train_detector, round {number} of {options.num_rounds}"),
        )
        ends.append(copy.deepcopy(network))
    batches = (_images(_compose(material, options, rng)) for _ in range(STATISTICS_BATCHES))
    return average_networks(ends, batches)


def _compose(
    material: "Material", options: argparse.Namespace, rng: "np.random.Generator"
) -> "list[Composite]":
    """Make a batch of one side; small pictures come in large batches: each costs the same."""
    from nfe.faces.composites import make_composite

    side = int(rng.choice([128, 192, options.max_side], p=[0.4, 0.25, 0.35]))
    count = max(4, round(options.batch_size * 160**2 / side**2))
    return [make_composite(rng, material, side, options.min_face) for _ in range(count)]


def _images(composites: "list[Composite]") -> "torch.Tensor":
    import numpy as np

    from nfe.images import images_from_pixels

    return images_from_pixels(np.stack([composite.pixels for composite in composites]))


def _parse(arguments: list[str]) -> argparse.Namespace:
    from nfe.faces.detector_network import MULTIPLE

    parser = argparse.ArgumentParser(prog="python -m tasks.train_detector", description=__doc__)
    add_options(parser)
    add_measuring(parser)
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--start", type=Path, help="exported detector to go on from")
    parser.add_argument("--num-mistakes", type=int, default=800, help="hardest negatives to keep")
    parser.add_argument("--num-rounds", type=int, default=1, help="whose ends are averaged")
    parser.add_argument("--num-steps", type=int, default=20_000, help="of a round")
    parser.add_argument("--batch-size", type=int, default=24, help="pictures of 160 pixels")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--min-face", type=float, default=14.0, help="pixels")
    parser.add_argument("--max-side", type=int, default=384, help="working size, pixels")
    parser.add_argument(
        "--max-false", type=float, default=0.1, help="false boxes per held-out photograph"
    )
    parser.add_argument("--max-overlap", type=float, default=0.3)
    parser.add_argument("--num-threads", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.max_side % MULTIPLE:
        parser.error(f"--max-side must be a multiple of {MULTIPLE}, got {options.max_side}")
    return options


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
        num_allowed = math.floor(options.max_false * len(photos))
        score = choose_score(false_scores(detector, photos), num_allowed)
        metrics = measure_detector(detector, score, held_out, photos, options.num_composites)
        export_detector(network, path, options.max_side, score, options.max_overlap)
        write_json(folder / "model.json", _description(commands, network, metrics))
        write_manifest(folder)
    show(metrics)


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
