"""Attribute values as frequent among samples as in the data: what a generator loses first."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nfe.gan.processes import average_over_processes

__all__ = ["AttributeShares"]

LEAST_SHARE = 0.02  # of a value among samples, as a divisor: one that has vanished pulls so hard
MEMORY = 0.98  # of the running shares, per step


class AttributeShares:
    """A term for the generator that pulls the shares of attribute values to those of the data.

    With p(v | x) a frozen tagger's probability of the value v of an attribute, d(v) its mean over
    the data and s(v) its running mean over samples x, the generator minimises

    mean over attributes of  sum_v d(v) log(d(v) / s(v)),

    the Kullback-Leibler divergence of the shares. A batch is too small to show shares: so s comes
    from past batches, and the gradient of the batch at hand is that of -sum_v d(v) / s(v) p(v | x).

    Args:
        answer: Maps the maps of a frozen network to each attribute's probabilities, [N, V] each.
        targets: Shares of the values in the data, [V] per attribute, adding up to 1.
        weight: Of the term.

    Source: our own; after the minibatch statistics of Salimans et al. 2016, with shares of known
        attributes in place of means of features.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Tensor]], Sequence[Tensor]],
        targets: Sequence[Tensor],
        weight: float,
    ) -> None:
        self.answer, self.weight = answer, weight
        self.targets = list(targets)
        self.shares = [target.clone() for target in targets]

    def term(self, maps: Sequence[Tensor]) -> Tensor:
        """Update the running shares and return the term, a scalar.

        Its value is 0 for a generator with the data's shares, whatever the batch.
        """
        terms = []
        answers = self.answer(maps)
        means = [probabilities.detach().float().mean(dim=0) for probabilities in answers]
        average_over_processes(means)
        for probabilities, mean, share, target in zip(
            answers, means, self.shares, self.targets, strict=True
        ):
            share.lerp_(mean, 1 - MEMORY)
            pull = target / share.clamp_min(LEAST_SHARE) - 1
            terms.append(-(probabilities.float() * pull).sum(dim=1).mean())
        return torch.stack(terms).mean()

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return all that training changes."""
        return {"shares": self.shares}

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Go on from a `state_dict`."""
        for share, kept in zip(self.shares, state["shares"], strict=True):
            share.copy_(kept)
