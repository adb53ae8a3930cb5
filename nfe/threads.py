"""How many threads to compute with: measured, because two threads collapse beside other work."""

import time
from collections.abc import Callable

import torch

__all__ = ["measure_num_threads"]


def measure_num_threads(step: Callable[[], object], candidates: list[int]) -> int:
    """Time `step` with each number of threads and return the best.

    Args:
        step: A short piece of the real work; it runs four times per candidate.
        candidates: Numbers of threads to try.

    Returns:
        The candidate whose fastest run was fastest. The global number of threads is set to it.
    """
    seconds = {}
    for candidate in candidates:
        torch.set_num_threads(candidate)
        seconds[candidate] = min(_seconds(step) for _ in range(4))
    best = min(seconds, key=lambda candidate: seconds[candidate])
    torch.set_num_threads(best)
    return best


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started
