"""A trained generator draws attribute values as often as the data shows them."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nfe.gan.attribute_shares import RunningShares
from nfe.gan.networks import Generator

__all__ = ["CalibrationSettings", "calibrate_shares"]

CONSTANT_SHARE = 0.5  # of the steps; then the learning rate falls to zero


@dataclass(frozen=True)
class CalibrationSettings:
    """Settings of `calibrate_shares`.

    Attributes:
        num_steps: Steps of Adam.
        batch_size: Samples per step.
        learning_rate: Of the mapping, whose layers multiply it by a hundredth.
        anchor: Weight of the mean squared way that w has gone, as a share of the variance of w.
    """

    num_steps: int
    batch_size: int
    learning_rate: float
    anchor: float


def calibrate_shares(
    generator: Generator,
    answer: Callable[[Tensor], Sequence[Tensor]],
    targets: Sequence[Tensor],
    settings: CalibrationSettings,
    random: torch.Generator,
) -> Generator:
    """Move the mapping of a trained generator until samples have the shares of the data.

    Which hair is drawn how often is a matter of the mapping alone: the synthesis stays as it is,
    and so does the look of what it draws.

    Args:
        generator: Trained; left as it is.
        answer: Maps images [N, 3, H, W] to a tagger's probabilities, [N, V] per attribute.
        targets: Shares of the values in the data, [V] per attribute.
        settings: How to.
        random: Draws the codes; on the CPU.

    Returns:
        A generator with another mapping, its `w_avg` measured anew.

    Source: our own; the divergence is that of `nfe.gan.attribute_shares.RunningShares`.
    """
    before, after = generator.mapping, copy.deepcopy(generator).requires_grad_(False).eval()
    after.mapping.requires_grad_(True)
    rate, betas = settings.learning_rate, (0.0, 0.99)
    optimiser = torch.optim.Adam(after.mapping.parameters(), rate, betas)
    steps = settings.num_steps
    decay = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (steps - step) / (steps * (1 - CONSTANT_SHARE)))
    )
    running = RunningShares.of_data(targets)
    for _ in range(steps):
        z = torch.randn(settings.batch_size, generator.z_dim, generator=random)
        z = z.to(generator.w_avg.device)
        with torch.no_grad():
            w_before = before(z)
        w = after.mapping(z)
        answers = answer(after.synthesis(after.broadcast(w), after.resolution))
        running.update([p.detach().float().mean(dim=0) for p in answers], len(z))
        way = (w - w_before).square().sum(dim=1).mean() / w_before.var(dim=0).sum()
        optimiser.zero_grad(set_to_none=True)
        (running.divergence(answers) + settings.anchor * way).backward()
        optimiser.step()
        decay.step()
    after.requires_grad_(False).measure_w_avg()
    return after
