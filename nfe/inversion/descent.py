"""Adam on any loss that is one number per image, so that images of a batch never mix."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nfe.errors import TrainingError

__all__ = ["minimise"]


def minimise(
    start: Sequence[Tensor],
    loss_of: Callable[[Sequence[Tensor]], Tensor],
    num_steps: int,
    learning_rate: float,
    on_progress: Callable[[int, int, str], None],
) -> list[Tensor]:
    """Minimise a loss with Adam, whose learning rate falls to 0 along half a cosine.

    Args:
        start: Tensors to begin with, each [N, ...]; they are left as they are.
        loss_of: Tensors of these shapes -> the loss of each image, [N].
        num_steps: Steps of Adam; with 0 the start is the answer.
        learning_rate: At the first step.
        on_progress: Called with steps done, in all, and a note.

    Returns:
        The tensors found, in the order of `start`.

    Raises:
        TrainingError: If a loss is NaN or infinite.
    """
    values = [tensor.detach().clone().requires_grad_(True) for tensor in start]
    optimiser = torch.optim.Adam(values, lr=learning_rate, betas=(0.9, 0.99))
    for step in range(num_steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * (0.5 + 0.5 * math.cos(math.pi * step / num_steps))
        loss = loss_of(values)
        mean = float(loss.detach().mean())
        if not math.isfinite(mean):
            raise TrainingError(
                f"loss must be finite, got {mean} at step {step}; lower the learning rate"
            )
        # The sum, not the mean: an image's gradient does not depend on the batch.
        for value, gradient in zip(values, torch.autograd.grad(loss.sum(), values), strict=True):
            value.grad = gradient
        optimiser.step()
        on_progress(step + 1, num_steps, f"loss {mean:.4f}")
    return [value.detach() for value in values]
