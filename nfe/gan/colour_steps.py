"""Colours that go from pixel to pixel as gently as in the data."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.gan.ops import downsample

__all__ = ["ColourSteps", "step_lengths"]

SIDES = (32, 16)  # pixels of the small pictures whose steps are looked at, falling
NUM_QUANTILES = 1024
MOST_PICTURES = 2000  # of the data, for its quantiles
EPSILON = 1e-6  # squared length that every step has: the root has a gradient at 0


def step_lengths(images: Tensor) -> Tensor:
    """Return how far colours go between neighbouring pixels, brightness left out.

    Args:
        images: [N, 3, S, S], -1 to 1.

    Returns:
        Lengths in the plane of (R - G) / sqrt 2 and (R + G - 2 B) / sqrt 6, [2 N S (S - 1)].
    """
    red, green, blue = images.unbind(dim=1)
    first, second = (red - green) / 2**0.5, (red + green - 2 * blue) / 6**0.5
    across = first.diff(dim=2).square() + second.diff(dim=2).square()
    down = first.diff(dim=1).square() + second.diff(dim=1).square()
    return (torch.cat([across.flatten(), down.flatten()]) + EPSILON).sqrt()


class ColourSteps:
    """A term for the generator: steps of colour between neighbouring pixels, no longer than usual.

    A drawing has surfaces of one colour, and a discriminator is slow to see the soft tints that a
    young generator lays over them. The term is how far the steps of a batch of samples are longer
    than those of the data, quantile by quantile, mean over versions of 32 and 16 pixels (those that
    are no larger than the samples):

    mean over i of max(0, l_(i) - q((i - 1/2) / M)),

    with l_(1) <= ... <= l_(M) the lengths of the batch and q the data's quantiles: where no step is
    too short, the Wasserstein distance. Steps that are too short count nothing: those of eyes and
    outlines would be made garish to make up for soft ones.

    Args:
        pixels: The data, uint8, [N, R, R, 3].
        device: Where samples are.

    Source: our own; after Deshpande et al. 2018 (sliced Wasserstein distances as a loss), with
        steps of colour in place of random projections, and one-sided.
    """

    def __init__(self, pixels: np.ndarray, device: torch.device) -> None:
        some = pixels[:: -(-len(pixels) // MOST_PICTURES)]
        images = torch.from_numpy(some).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        self.quantiles = {
            side: _quantiles(step_lengths(_shrunk(images, side)).numpy()).to(device)
            for side in SIDES
            if side <= images.shape[-1]
        }

    def term(self, images: Tensor) -> Tensor:
        """Return the term, a scalar of at least 0, of samples [N, 3, S, S]; 0 below 16 pixels."""
        images, terms = images.float(), []
        for side in (side for side in self.quantiles if side <= images.shape[-1]):
            images = _shrunk(images, side)
            terms.append(self._excess(step_lengths(images), side))
        return torch.stack(terms).mean() if terms else images.new_zeros(())

    def _excess(self, lengths: Tensor, side: int) -> Tensor:
        wanted = F.interpolate(self.quantiles[side][None, None], len(lengths), mode="linear")
        order = np.argsort(lengths.detach().cpu().numpy())  # faster than torch's
        limits = torch.empty_like(lengths, requires_grad=False)
        limits[torch.from_numpy(order).to(limits.device)] = wanted[0, 0]
        return (lengths - limits).relu().mean()


def _shrunk(images: Tensor, side: int) -> Tensor:
    while images.shape[-1] > side:
        images = downsample(images)
    return images


def _quantiles(values: np.ndarray) -> Tensor:
    """Return the quantiles at the middles of NUM_QUANTILES equal shares."""
    shares = (np.arange(NUM_QUANTILES) + 0.5) / NUM_QUANTILES
    return torch.from_numpy(np.quantile(values, shares).astype(np.float32))
