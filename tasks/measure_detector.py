"""Measure a face detector on held-out composites and on photographs without faces.

From the project's root:

    python -m tasks.measure_detector --faces A.zip B.zip --photos C.zip --detector models/detector

The figures are printed, and put into the folder's model.json.
"""

import argparse
import copy
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nfe.errors import NFEError
from tasks.detector_material import add_options, read_material

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from nfe.faces.composites import KnownScene, Material
    from nfe.faces.detection import Detector, Face

MIN_OVERLAP = 0.5  # of a found box with the true one
MEASURED_FACE = 16.0  # least side of a face that must be found, in pixels of the working size
FALSE_BOXES = (0, 1, 2, 5, 10)  # in 100 photographs, beside which the recall is told
LEAST_SCORE = 0.05  # of boxes among which the score of a face, and mistakes, are sought


def main(arguments: list[str]) -> None:
    """Measure the detector of a model folder."""
    import numpy as np

    from nfe.faces.detection import Detector
    from nfe.files import read_json, write_json, write_manifest

    parser = argparse.ArgumentParser(prog="python -m tasks.measure_detector", description=__doc__)
    add_options(parser)
    add_measuring(parser)
    parser.add_argument("--detector", type=Path, required=True, help="model folder")
    options = parser.parse_args(arguments)
    detector = Detector.load(options.detector / "detector.onnx")
    rng = np.random.default_rng(options.seed)
    _, held_out, photos = read_material(options, rng)
    metrics = measure_detector(
        lenient(detector), detector.min_score, held_out, photos, options.num_composites
    )
    path = options.detector / "model.json"
    write_json(path, read_json(path) | {"held_out": metrics})
    write_manifest(options.detector)
    show(metrics)


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how much to measure."""
    parser.add_argument("--num-composites", type=int, default=5000, help="held-out, to measure on")


def lenient(detector: "Detector") -> "Detector":
    """Return a detector that reports boxes of low scores, too."""
    result = copy.copy(detector)
    result.min_score = LEAST_SCORE
    return result


def false_scores(detector: "Detector", photos: "Sequence[np.ndarray]") -> list[float]:
    """Return the scores of all boxes found in pictures without faces, the greatest first."""
    return sorted((face.score for p in photos for face in detector.detect(p)), reverse=True)


def choose_score(scores: "Sequence[float]", num_allowed: int) -> float:
    """Return the least score, in thousandths, at which no more than some false boxes are left.

    Args:
        scores: Of false boxes, the greatest first.
        num_allowed: How many may be left.
    """
    if len(scores) <= num_allowed:
        return LEAST_SCORE
    return math.floor(scores[num_allowed] * 1000 + 1) / 1000


def measure_detector(
    detector: "Detector",
    score: float,
    material: "Material",
    photos: "Sequence[np.ndarray]",
    num_composites: int,
) -> dict[str, Any]:
    """Measure a detector on composites of held-out material and on bare photographs.

    Args:
        detector: A lenient one.
        score: Least score of a face.
        material: What the composites are made of.
        photos: Pictures without faces, uint8, [H, W, 3] each.
        num_composites: How many to make, of the detector's working size.

    Returns:
        The score of a face; recall and false boxes per composite and per photograph at it, and,
        as `points`, at the scores that leave few enough false boxes; the mean error of the eyes
        along the picture's width, in sides of the face, when any drawn face is found.
    """
    import numpy as np

    from nfe.faces.composites import make_composite

    rng = np.random.default_rng(0)
    answers = []
    for _ in range(num_composites):
        composite = make_composite(rng, material, detector.max_side, MEASURED_FACE)
        answers.append((detector.detect(composite.pixels), composite.boxes))
    wrong = false_scores(detector, photos)

    def point(least: float) -> dict[str, float]:
        recall, false = _recall_and_false(answers, least)
        return {
            "min_score": least,
            "recall": round(recall, 4),
            "false_per_composite": round(false, 4),
            "false_per_photograph": round(sum(s >= least for s in wrong) / len(photos), 4),
        }

    allowed = [math.floor(number * len(photos) / 100) for number in FALSE_BOXES]
    metrics: dict[str, Any] = {
        **point(score),
        "num_composites": num_composites,
        "num_faces": sum(len(boxes) for _, boxes in answers),
        "num_photographs": len(photos),
        "points": [point(choose_score(wrong, number)) for number in allowed],
    }
    errors = _eye_errors(detector, score, material.scenes)
    if errors:
        metrics["eye_error"] = round(float(np.mean(errors)), 4)
    return metrics


def show(metrics: dict[str, Any]) -> None:
    """Print the figures, a line each."""
    for name, value in metrics.items():
        rows = value if isinstance(value, list) else [value]
        for row in rows:
            print(f"detector: {name} = {row}")


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


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NFEError as error:
        sys.exit(f"measure_detector: {error}")
