"""Several processes that train one model under torchrun, each on its share of every batch.

In a single process every function does nothing, or gives back what it was given.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch import distributed as dist

__all__ = [
    "average_over_processes",
    "gather_from_processes",
    "join_processes",
    "num_processes",
    "process_rank",
    "wait_for_processes",
]


@contextlib.contextmanager
def join_processes(device: str) -> Iterator[str]:
    """Join the group that torchrun started, if it did, and leave it at the end.

    Args:
        device: `cuda` or `cpu`.

    Yields:
        The device of this process: with several, each has a GPU of its own.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def num_processes() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def process_rank() -> int:
    """Return the number of this process; 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def average_over_processes(tensors: Sequence[Tensor]) -> None:
    """Replace tensors, on one device, by their means over the processes, in one exchange."""
    if num_processes() == 1 or not tensors:
        return
    flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
    dist.all_reduce(flat)
    parts = (flat / num_processes()).split([tensor.numel() for tensor in tensors])
    with torch.no_grad():
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def gather_from_processes(value: Tensor) -> list[Tensor]:
    """Return the small tensor `value` of every process, in the order of their ranks."""
    if num_processes() == 1:
        return [value]
    values: list[Tensor | None] = [None] * num_processes()
    dist.all_gather_object(values, value)
    return [value for value in values if value is not None]


def wait_for_processes() -> None:
    """Wait until every process is here."""
    if num_processes() > 1:
        dist.barrier()
