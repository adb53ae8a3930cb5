"""Adam on any loss that is one number per image, so that images of a batch never mix."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nfe.errors import TrainingError

__all__ = ["LossFor", "LossOf", "minimise"]

LossOf = Callable[[Sequence[Tensor]], Tensor]
"""Tensors [A, ...] of A images -> the loss of each, [A]."""

LossFor = Callable[[Tensor], LossOf]
"""Which images of the batch, [A] -> their loss."""

LOOK_INTERVAL = 5  # steps between looks at which images go on


def minimise(
    start: Sequence[Tensor],
    loss_for: LossFor,
    num_steps: int,
    learning_rate: float,
    min_progress: float,
    on_progress: Callable[[int, int, str], None],
) -> list[Tensor]:
    """Minimise a loss with Adam, whose learning rate falls to 0 along half a cosine.

    Every five steps an image whose loss hardly falls any more leaves the batch, and the others
    go on in less time.

    Args:
        start: Tensors to begin with, each [N, ...]; they are left as they are.
        loss_for: The loss of those images of the batch that are not done.
        num_steps: Most steps of Adam; with 0 the start is the answer.
        learning_rate: At the first step.
        min_progress: An image is done once its loss fell by a smaller share in five steps; 0 for
            no end before the last step.
        on_progress: Called with steps done, in all, and a note.

    Returns:
        The tensors found, in the order of `start`.

    Raises:
        TrainingError: If a loss is NaN or infinite.
    """
    found = [tensor.detach().clone() for tensor in start]
    values = [tensor.clone().requires_grad_(True) for tensor in found]
    optimiser = torch.optim.Adam(values, lr=learning_rate, betas=(0.9, 0.99))
    rows = torch.arange(len(found[0]), device=found[0].device)
    loss_of, before = loss_for(rows), torch.full(rows.shape, math.inf, device=rows.device)
    for step in range(num_steps):
        optimiser.param_groups[0]["lr"] = learning_rate * _decay(step / num_steps)
        loss = loss_of(values)
        mean = _finite_mean(loss, step)
        # The sum, not the mean: an image's gradient does not depend on the batch.
        for value, gradient in zip(values, torch.autograd.grad(loss.sum(), values), strict=True):
            value.grad = gradient
        optimiser.step()
        on_progress(step + 1, num_steps, f"loss {mean:.4f}")
        if not min_progress or (step + 1) % LOOK_INTERVAL:
            continue
        going = loss.detach() <= before * (1 - min_progress)
        before = loss.detach()[going]
        if not going.all():
            _store(found, values, rows)
            rows = rows[going]
            values = _keep(optimiser, values, going)
            if not len(rows):
                on_progress(num_steps, num_steps, f"loss {mean:.4f}")
                break
            loss_of = loss_for(rows)
    _store(found, values, rows)
    return found


def _decay(share: float) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * share)


def _finite_mean(loss: Tensor, step: int) -> float:
    mean = float(loss.detach().mean())
    if not math.isfinite(mean):
        raise TrainingError(
            f"loss must be finite, got {mean} at step {step}; lower the learning rate"
        )
    return mean


def _store(found: Sequence[Tensor], values: Sequence[Tensor], rows: Tensor) -> None:
    for everything, own in zip(found, values, strict=True):
        everything[rows] = own.detach()


def _keep(optimiser: torch.optim.Adam, values: Sequence[Tensor], going: Tensor) -> list[Tensor]:
    """Return the values of the images that go on, in place of all in the optimiser."""
    kept = [value.detach()[going].requires_grad_(True) for value in values]
    for value, own in zip(values, kept, strict=True):
        state = optimiser.state.pop(value)
        averages = {name: state[name][going] for name in ("exp_avg", "exp_avg_sq")}
        optimiser.state[own] = {**state, **averages}
    optimiser.param_groups[0]["params"] = kept
    return kept
