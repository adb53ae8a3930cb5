"""A trained generator draws attribute values as often as the data shows them, along planes.

Values that are rare among samples are what a young generator loses first.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from nfe.gan.attribute_reading import AttributeReading
from nfe.gan.networks import Generator

__all__ = ["CalibrationSettings", "RunningShares", "calibrate_shares"]

LEAST_SHARE = 0.02  # of a value among samples, as a divisor: one that has vanished pulls so hard
MEMORY = 800  # samples that the running shares are about
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


@dataclass(frozen=True)
class RunningShares:
    """Shares of attribute values among the last samples, beside those of the data.

    Attributes:
        targets: Shares in the data, [V] per attribute, adding up to 1.
        shares: Shares among samples, alike; changed in place.
    """

    targets: Sequence[Tensor]
    shares: Sequence[Tensor]

    @classmethod
    def of_data(cls, targets: Sequence[Tensor]) -> Self:
        """Begin with the shares of the data, until samples say otherwise."""
        return cls(targets, [target.clone() for target in targets])

    def update(self, means: Sequence[Tensor], count: int) -> None:
        """Add the mean probabilities of `count` samples, [V] per attribute."""
        for share, mean in zip(self.shares, means, strict=True):
            share.lerp_(mean, min(1.0, count / MEMORY))

    def divergence(self, answers: Sequence[Tensor]) -> Tensor:
        """Return a scalar with the gradient of the shares' divergence from the data's.

        With p(v | x) the probability of the value v of an attribute for the sample x, d(v) its
        share in the data and s(v) that among samples, minimised is

        sum over attributes of  sum_v d(v) log(d(v) / s(v)),

        the Kullback-Leibler divergence of the shares. A batch is too small to show shares: so s
        comes from past batches, and the gradient of the batch at hand is that of
        -sum_v d(v) / s(v) p(v | x). Where s is d the value is 0, whatever the batch.

        Args:
            answers: p, [N, V] per attribute.
        """
        terms = []
        for answer, share, target in zip(answers, self.shares, self.targets, strict=True):
            pull = target / share.clamp_min(LEAST_SHARE) - 1
            terms.append(-(answer.float() * pull).sum(dim=1).mean())
        return torch.stack(terms).sum()


def calibrate_shares(
    generator: Generator,
    answer: Callable[[Tensor], Sequence[Tensor]],
    targets: Sequence[Tensor],
    reading: AttributeReading | None,
    settings: CalibrationSettings,
    random: torch.Generator,
    on_progress: Callable[[int, int, str], None],
) -> Generator:
    """Move the mapping of a trained generator until samples have the shares of the data.

    Which hair is drawn how often is a matter of the mapping alone: the synthesis stays as it is,
    and so does the look of what it draws. The way to those shares would bend what planes tell
    apart; so codes are held to the planes that were trained with the generator, if it has them.

    Args:
        generator: Trained; left as it is.
        answer: Maps images [N, 3, H, W] to a tagger's probabilities, [N, V] per attribute.
        targets: Shares of the values in the data, [V] per attribute.
        reading: Planes trained with the generator that read `answer` from codes, and the weight
            of their term, which stays; left as they are.
        settings: How to.
        random: Draws the codes; on the CPU.
        on_progress: Called with steps done, steps in all, and a note.

    Returns:
        A generator with another mapping, its `w_avg` measured anew.

    Source: our own; the divergence is that of `RunningShares`.
    """
    before, after = generator.mapping, copy.deepcopy(generator).requires_grad_(False).eval()
    after.mapping.requires_grad_(True)
    rate, betas = settings.learning_rate, (0.0, 0.99)
    optimiser = torch.optim.Adam(after.mapping.parameters(), rate, betas)
    steps = settings.num_steps
    decay = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (steps - step) / (steps * (1 - CONSTANT_SHARE)))
    )
    if reading is not None:
        reading = replace(reading, reader=copy.deepcopy(reading.reader).requires_grad_(False))
    running = RunningShares.of_data(targets)
    for step in range(1, steps + 1):
        z = torch.randn(settings.batch_size, generator.z_dim, generator=random)
        z = z.to(generator.w_avg.device)
        with torch.no_grad():
            w_before = before(z)
        w = after.mapping(z)
        w_plus = after.broadcast(w)
        answers = answer(after.synthesis(w_plus, after.resolution))
        running.update([p.detach().float().mean(dim=0) for p in answers], len(z))
        way = (w - w_before).square().sum(dim=1).mean() / w_before.var(dim=0).sum()
        loss = running.divergence(answers) + settings.anchor * way
        if reading is not None:
            loss = loss + reading.last_weight * reading.reader.term(w_plus, answers)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        decay.step()
        on_progress(step, steps, "calibrated")
    after.requires_grad_(False).measure_w_avg()
    return after
