"""Training images a second: ours, the seed's recipe, a public peer, in one run.

`python -m benchmarks.train_gan [--json]`. Against the seed stands our default model (params.yaml)
at its last side, its networks fresh; against the peer our networks at the peer's number of
parameters. The pictures are noise: speed does not depend on what they show. Ours has its second
discriminator, over the features of the tagger that `nfe run --until train_tagger` leaves in
data/train_tagger/tagger.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.peers import Method, Ours, Peer, Seed, gan_params, num_parameters
from nfe.errors import NFEError
from tasks.stage import pick_device

ROUNDS = 5
TURN_SECONDS = 10.0  # at least: a cycle of small networks alone takes two
# 768, 384, 192, 96, 48 channels at 4, 8, 16, 32, 64 px; the peer has 512 to 32 in G, 512 to 64 in D
PEER_SIZE: dict[str, Any] = {
    "z_dim": 512,
    "w_dim": 512,
    "num_mapping_layers": 8,
    "channel_base": 3072,
    "channel_max": 768,
    "discriminator_channel_base": 4096,
    "discriminator_channel_max": 768,
}
DISCRIMINATOR_WIDTHS = ("discriminator_channel_base", "discriminator_channel_max")
MAX_PARAMETER_DIFFERENCE = 0.15


def methods(device: str) -> dict[str, Method]:
    """Return what is compared, ready to train; what is set against each other, side by side."""
    last = gan_params(None).growth[-1].model_dump()
    pixels = np.random.default_rng(0).integers(0, 256, (1000, last["side"], last["side"], 3))
    pixels = pixels.astype(np.uint8)
    return {
        "ours_at_peer_size": Ours(
            pixels, gan_params(None, start=None, growth=[last], **PEER_SIZE), device
        ),
        "peer": Peer(pixels, device),
        "ours": Ours(pixels, gan_params(None, start=None, growth=[last]), device),
        "seed": Seed(pixels, gan_params("nfe64"), device),
    }


def seconds(work: Callable[[], object], device: str) -> float:
    """Return the wall time of `work`, with what it left to the device to do."""
    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def rate_of_turn(method: Method, device: str) -> float:
    """Return images a second over whole cycles that take TURN_SECONDS or more together.

    The first step is not timed: what it needs is not at hand after another method's turn.
    """
    method.step()
    images, spent = 0, 0.0
    while spent < TURN_SECONDS:
        spent += seconds(lambda: take_steps(method), device)
        images += method.cycle * method.batch_size
    return images / spent


def take_steps(method: Method) -> None:
    """Take the steps of one cycle."""
    for _ in range(method.cycle):
        method.step()


def images_per_second(methods: dict[str, Method], device: str) -> dict[str, list[float]]:
    """Return each method's rates in rounds in which the methods take turns."""
    rates: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(ROUNDS):
        for name, method in methods.items():
            rates[name].append(rate_of_turn(method, device))
            print(f"{name}: {rates[name][-1]:.2f} images a second", file=sys.stderr, flush=True)
    return rates


def ratio(rates: dict[str, list[float]], ours: str, other: str) -> float:
    """Return the median over the rounds of how many times faster ours was in that round."""
    pairs = zip(rates[ours], rates[other], strict=True)
    return round(statistics.median(mine / theirs for mine, theirs in pairs), 2)


def size(method: Method) -> dict[str, int]:
    """Return the numbers of parameters and of images per step."""
    generator, discriminator = method.networks()
    return {
        "generator_parameters": num_parameters(generator),
        "discriminator_parameters": num_parameters(discriminator),
        "batch_size": method.batch_size,
    }


def summary(rates: dict[str, list[float]], sizes: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Return medians of the rates, their ratios within a round and what they belong to.

    Raises:
        NFEError: If ours and the peer differ by more than 15 % in parameters.
    """
    totals = {
        name: size["generator_parameters"] + size["discriminator_parameters"]
        for name, size in sizes.items()
    }
    difference = totals["ours_at_peer_size"] / totals["peer"] - 1
    if abs(difference) > MAX_PARAMETER_DIFFERENCE:
        raise NFEError(
            f"ours must have the peer's parameters within {MAX_PARAMETER_DIFFERENCE:.0%}, "
            f"got {totals['ours_at_peer_size']} and {totals['peer']}; change PEER_SIZE"
        )
    return {
        **{name: round(statistics.median(values), 3) for name, values in rates.items()},
        "ratio_peer": ratio(rates, "ours_at_peer_size", "peer"),
        "ratio_seed": ratio(rates, "ours", "seed"),
        "parameter_difference": round(difference, 3),
        "sizes": sizes,
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    device = pick_device()
    try:
        compared = methods(device)
        sizes = {name: size(method) for name, method in compared.items()}
        result = summary(images_per_second(compared, device), sizes)
    except NFEError as error:
        print(error, file=sys.stderr)
        return 1
    widths = {
        name: gan_params(profile, **changes).model_dump(
            include={"channel_base", "channel_max", *DISCRIMINATOR_WIDTHS}
        )
        for name, profile, changes in (
            ("ours", None, {}),
            ("ours_at_peer_size", None, PEER_SIZE),
            ("seed", "nfe64", {}),
        )
    }
    widths["peer"] = {"network_capacity": 16, "fmap_max": 512}
    result |= {"widths": widths, "device": device, "threads": torch.get_num_threads()}
    if arguments.json:
        print(json.dumps(result))
        return 0
    for name, counts in result["sizes"].items():
        millions = [counts[f"{part}_parameters"] / 1e6 for part in ("generator", "discriminator")]
        print(f"{name:18} {result[name]:8.2f} images a second, G {millions[0]:.2f} M, ", end="")
        print(f"D {millions[1]:.2f} M, {counts['batch_size']} a step, {result['widths'][name]}")
    print(f"x{result['ratio_peer']} the peer's at its size, x{result['ratio_seed']} the seed's")
    return 0


if __name__ == "__main__":
    sys.exit(main())
