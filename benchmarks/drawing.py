"""Pictures drawn per second on one core: `python -m benchmarks.drawing [--json]`."""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from nfe.drawing.faces import draw_face, random_face_spec
from nfe.drawing.scenes import draw_scene


def rate(draw: Callable[[int], object], count: int, rounds: int = 3) -> float:
    """Return the best of a few rounds, in calls per second of processor time."""
    best = 0.0
    for _ in range(rounds):
        start = time.process_time()
        for index in range(count):
            draw(index)
        best = max(best, count / (time.process_time() - start))
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()

    def generator(index: int) -> np.random.Generator:
        return np.random.default_rng(index)

    rows = {
        "faces, 64 px, 4x supersampled": rate(
            lambda i: draw_face(random_face_spec(generator(i)), 64, 4), 300
        ),
        "faces, 256 px, 4x supersampled": rate(
            lambda i: draw_face(random_face_spec(generator(i)), 256, 4), 60
        ),
        "scenes, 112 to 192 px, 3x supersampled": rate(
            lambda i: draw_scene(generator(i), (112, 192), (64, 110), 3), 200
        ),
    }
    if arguments.json:
        print(json.dumps({name: round(value, 1) for name, value in rows.items()}))
        return
    for name, value in rows.items():
        print(f"{name:40} {value:6.0f} per second")


if __name__ == "__main__":
    main()
