"""Attribute values as frequent among samples as in the data: what a generator loses first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from nfe.gan.processes import average_over_processes, num_processes

__all__ = ["Answer", "AttributeShares", "RunningShares"]

LEAST_SHARE = 0.02  # of a value among samples, as a divisor: one that has vanished pulls so hard
MEMORY = 800  # samples that the running shares are about

Answer = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""The maps of a frozen tagger -> each attribute's probabilities, [N, V]."""


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

        mean over attributes of  sum_v d(v) log(d(v) / s(v)),

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
        return torch.stack(terms).mean()


class AttributeShares:
    """A term for the generator that pulls the shares of attribute values to those of the data.

    Args:
        answer: A frozen tagger's.
        targets: Shares of the values in the data, [V] per attribute, adding up to 1.
        weight: Of the term.

    Source: our own; after the minibatch statistics of Salimans et al. 2016, with shares of known
        attributes in place of means of features.
    """

    def __init__(self, answer: Answer, targets: Sequence[Tensor], weight: float) -> None:
        self.answer, self.weight = answer, weight
        self.running = RunningShares.of_data(targets)

    def term(self, maps: Sequence[Tensor]) -> Tensor:
        """Update the running shares and return the term, a scalar."""
        answers = self.answer(maps)
        means = [probabilities.detach().float().mean(dim=0) for probabilities in answers]
        average_over_processes(means)
        self.running.update(means, len(answers[0]) * num_processes())
        return self.running.divergence(answers)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return all that training changes."""
        return {"shares": list(self.running.shares)}

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Go on from a `state_dict`."""
        for share, kept in zip(self.running.shares, state["shares"], strict=True):
            share.copy_(kept)
