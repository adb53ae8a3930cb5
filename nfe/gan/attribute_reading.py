"""Codes that show, along planes, the attribute values of the pictures they make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nfe.gan.ops import EqualLinear

__all__ = ["AttributeReading", "CodeReader"]

LEAST_SHARE = 0.02  # of a value in the data, as a divisor


class CodeReader(nn.Module):
    """w_plus -> a logit for each attribute value: one plane in the space of codes each.

    Args:
        num_ws: Number of layers.
        w_dim: Length of a code.
        shares: Of the values in the data, [V] per attribute, adding up to 1.

    Source: our own, after Chen et al. 2016 (InfoGAN), where a network reads codes from pictures.
        Here planes read a frozen tagger's answers from codes: what an edit moves along.
    """

    weights: Tensor

    def __init__(self, num_ws: int, w_dim: int, shares: Sequence[Tensor]) -> None:
        super().__init__()
        self.output = EqualLinear(num_ws * w_dim, sum(map(len, shares)), gain=1.0)
        share = torch.cat(list(shares)).clamp(LEAST_SHARE, 1 - LEAST_SHARE)
        self.register_buffer("weights", torch.stack([0.5 / share, 0.5 / (1 - share)]))

    def forward(self, w_plus: Tensor) -> Tensor:
        """Map codes [N, num_ws, w_dim] to logits, [N, values of all attributes]."""
        return self.output(w_plus.flatten(1))

    def term(self, w_plus: Tensor, answers: Sequence[Tensor]) -> Tensor:
        """Return how badly codes tell a tagger's answers, a scalar of at least 0.

        Root mean square over values of the logistic loss of the value against the others, with
        codes that have it and codes that do not weighing as much: log 2 where codes tell nothing.
        The square makes the worst planes count most: those of values that lie between others.

        Args:
            w_plus: [N, num_ws, w_dim].
            answers: Probabilities of the values for the images of `w_plus`, [N, V] per attribute.
        """
        logits, truth = self(w_plus), torch.cat([a.float() for a in answers], dim=1)
        have, lack = self.weights
        losses = have * truth * F.softplus(-logits) + lack * (1 - truth) * F.softplus(logits)
        return losses.mean(dim=0).square().mean().sqrt()


@dataclass(frozen=True)
class AttributeReading:
    """A reader of codes, and the tagger whose answers it is to find.

    Attributes:
        answer: Maps a frozen network's maps of images to a tagger's probabilities, [N, V] per
            attribute.
        reader: Trained together with the generator, which the same loss changes.
        weight: Of its loss, at first.
        last_weight: At the end of training.
    """

    answer: Callable[[Sequence[Tensor]], Sequence[Tensor]]
    reader: CodeReader
    weight: float
    last_weight: float

    def weight_at(self, fall: float) -> float:
        """Return the weight when the learning rate has fallen so far, from 0 to 1."""
        return self.weight + (self.last_weight - self.weight) * fall
