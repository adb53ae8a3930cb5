"""Quality of generators after the same minutes on the same faces: ours, the seed's recipe, a peer.

`python -m benchmarks.gan_quality --data FACES --features TAGGER [--minutes N] [--only METHOD]`.
Ours is the model and schedule of profiles/scratch.yaml, stretched so that growth and learning-rate
decay end with the minutes. Each method's samples and figures go to the output folder when it is
done, so that methods can run one at a time; the table at the end has all that are there. The
features are the judge's: the tagger's teach our generator and would flatter it.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers import Method, Ours, Peer, Seed, gan_params, num_parameters
from nfe.errors import NFEError, SourceError
from nfe.files import read_json, write_bytes, write_json
from nfe.images import encode_png, make_grid, read_pixels_zip
from nfe.metrics.distributions import frechet_distance, precision_recall
from tasks.evaluate_gan import tagger_features
from tasks.gan_parts import GrowthStep, Params
from tasks.stage import pick_device

METHODS = ("ours", "seed", "peer")
PROFILE = "scratch"
RESERVE = 0.97  # share of the minutes that the schedule is planned for
NUM_NEIGHBOURS = 3
GRID_IMAGES = 96


def stretched_growth(
    growth: list[GrowthStep], images_per_second: dict[int, float], seconds: float
) -> list[dict[str, float]]:
    """Scale the images of every side by one factor, so that the whole takes `seconds`.

    Args:
        growth: The schedule to scale.
        images_per_second: Measured rate at each of its sides.
        seconds: How long the scaled schedule shall take.
    """
    whole = sum(step.kimg * 1000 / images_per_second[step.side] for step in growth)
    factor = seconds / whole
    return [{**step.model_dump(), "kimg": step.kimg * factor} for step in growth]


def measured_rates(pixels: np.ndarray, params: Params, device: str) -> dict[int, float]:
    """Return training images a second at each side, of networks that are thrown away."""
    rates = {}
    for index, step in enumerate(params.growth):
        growth = [{**other.model_dump(), "kimg": 1000.0} for other in params.growth[index:]]
        trial = Ours(pixels, params.model_copy(update={"growth": _steps(growth)}), device)
        trial.step()  # warms up
        started = time.perf_counter()
        for _ in range(trial.cycle):
            trial.step()
        spent = time.perf_counter() - started
        rates[step.side] = trial.cycle * params.batch_size / spent
    return rates


def make_method(name: str, pixels: np.ndarray, seconds: float, device: str) -> Method:
    """Return a method ready to train for `seconds`."""
    if name == "seed":
        return Seed(pixels, gan_params("nfe64"), device)
    if name == "peer":
        return Peer(pixels, device)
    params = gan_params(PROFILE)
    rates = measured_rates(pixels, params, device)
    growth = _steps(stretched_growth(params.growth, rates, seconds * RESERVE))
    return Ours(pixels, params.model_copy(update={"growth": growth}), device)


def train(method: Method, seconds: float, on_progress: Callable[[float, int], None]) -> int:
    """Take steps for `seconds`, or to the end of the method's own schedule.

    Returns:
        Images shown.
    """
    limit = method.trainer.num_steps if isinstance(method, Ours) else None
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds and steps != limit:
        method.step()
        steps += 1
        on_progress(time.perf_counter() - started, steps)
    return steps * method.batch_size


def figures(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Return Frechet distance, precision and recall between features [N, F] and [M, F]."""
    precision, recall = precision_recall(real, fake, NUM_NEIGHBOURS)
    return {
        "frechet_distance": round(frechet_distance(real, fake), 4),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
    }


def ratios(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return, per other method, its distance over ours and our recall over its."""
    ours = results.get("ours")
    if ours is None:
        return {}
    return {
        name: {
            "frechet_distance": round(other["frechet_distance"] / ours["frechet_distance"], 2),
            "recall": round(ours["recall"] / max(other["recall"], 1e-4), 2),
        }
        for name, other in results.items()
        if name != "ours"
    }


def run(name: str, pixels: np.ndarray, arguments: argparse.Namespace) -> None:
    """Train one method, measure it, and write its grid and figures."""
    device, seconds = pick_device(), arguments.minutes * 60
    order = np.random.default_rng(0).permutation(len(pixels))[: arguments.num_samples]
    # Before the training, so that a folder without the network is seen at once.
    real_features = tagger_features(pixels[order], arguments.features, device)
    torch.manual_seed(0)
    method = make_method(name, pixels, seconds, device)
    started = time.perf_counter()
    images = train(method, seconds, lambda spent, steps: _note(name, spent, steps, seconds))
    spent = time.perf_counter() - started
    fake = method.sample(arguments.num_samples)
    fake_features = tagger_features(fake, arguments.features, device)
    generator, discriminator = method.networks()
    write_bytes(
        arguments.out / f"{name}.png", encode_png(make_grid(fake[:GRID_IMAGES], columns=12))
    )
    write_json(
        arguments.out / f"{name}.json",
        {
            **figures(real_features, fake_features),
            "features": str(arguments.features),
            "num_real": len(order),
            "num_fake": len(fake),
            "minutes": round(spent / 60, 2),
            "images_shown": images,
            "generator_parameters": num_parameters(generator),
            "discriminator_parameters": num_parameters(discriminator),
            "device": device,
            "threads": torch.get_num_threads(),
        },
    )


def main() -> int:
    """Run what is asked for and print what is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/curate/dataset.zip"))
    parser.add_argument("--features", type=Path, default=Path("data/train_tagger/judge"))
    parser.add_argument("--minutes", type=float, default=30.0, help="of training, per method")
    parser.add_argument("--num-samples", type=int, default=5000)
    parser.add_argument("--only", choices=METHODS, help="train this one alone")
    parser.add_argument("--out", type=Path, default=Path("data/gan_quality"))
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        pixels = read_faces(arguments.data)
        for name in [arguments.only] if arguments.only else METHODS:
            run(name, pixels, arguments)
    except NFEError as error:
        print(error, file=sys.stderr)
        return 1
    paths = {name: arguments.out / f"{name}.json" for name in METHODS}
    results = {name: read_json(path) for name, path in paths.items() if path.is_file()}
    if arguments.json:
        print(json.dumps({**results, "ratios": ratios(results)}))
        return 0
    for name, values in results.items():
        print(
            f"{name:5} distance {values['frechet_distance']:9.2f}  precision "
            f"{values['precision']:.3f}  recall {values['recall']:.3f}  {values['minutes']:.1f} "
            f"minutes, {values['images_shown']} images, features of {values['features']}"
        )
    for name, values in ratios(results).items():
        print(f"{name}: x{values['frechet_distance']} our distance; our recall x{values['recall']}")
    return 0


def read_faces(path: Path) -> np.ndarray:
    """Return the faces of a zip as pixels [N, H, W, 3].

    Raises:
        SourceError: If the zip is missing or its faces are not 64 pixels wide.
    """
    if not path.is_file():
        raise SourceError(f"--data must be a zip of faces, got {path}; run `nfe run` first")
    _, pixels = read_pixels_zip(path)
    if pixels.shape[1] != 64:
        raise SourceError(f"{path} must hold faces of 64 pixels, got {pixels.shape[1]}")
    return pixels


def _steps(growth: list[dict[str, float]]) -> list[GrowthStep]:
    return [GrowthStep.model_validate(step) for step in growth]


def _note(name: str, spent: float, steps: int, seconds: float) -> None:
    if steps % 20 == 0:
        print(f"{name}: step {steps}, {spent:.0f} of {seconds:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
