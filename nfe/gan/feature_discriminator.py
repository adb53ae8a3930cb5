"""A discriminator over the maps of a frozen network: it knows what pixels teach only late."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nfe.gan.attribute_reading import AttributeReading
from nfe.gan.ops import EqualConv, EqualLinear, leaky_relu

__all__ = ["FeatureDiscriminator", "FeatureView"]

WIDTH = 64
LARGEST_SIDE = 8  # of what the 3 x 3 convolution sees


class FeatureDiscriminator(nn.Module):
    """maps -> logits: one small head for each map of a frozen network.

    Args:
        num_channels: Channels of each map.
        sides: Of each map, in places.
        scales: Factor for each map that gives it a mean square of one.

    Source: Sauer et al. 2021 (Projected GANs), with the tagger's network in place of one that
    was trained on photographs, without random mixing of channels and scales, and beside a
    discriminator of pixels: alone it leaves noise that the frozen network does not see.
    """

    scales: Tensor

    def __init__(
        self, num_channels: Sequence[int], sides: Sequence[int], scales: Sequence[float]
    ) -> None:
        super().__init__()
        self.heads = nn.ModuleList(map(_Head, num_channels, sides))
        self.register_buffer("scales", torch.tensor(list(scales)))

    @classmethod
    def for_maps(cls, maps: Sequence[Tensor]) -> "FeatureDiscriminator":
        """Make fresh heads for a network with maps such as these, [N, C, H, W] each."""
        scales = [float(m.square().mean().clamp_min(1e-8).rsqrt()) for m in maps]
        return cls([m.shape[1] for m in maps], [m.shape[-1] for m in maps], scales)

    def forward(self, *batches: Sequence[Tensor]) -> Tensor:
        """Map the maps of batches of images to the logits of all, [N, number of maps].

        Above 0 looks real.
        """
        parts = zip(*batches, strict=True)
        heads = zip(self.heads, parts, self.scales, strict=True)
        return torch.stack([head(maps, scale) for head, maps, scale in heads], dim=1)


class _Head(nn.Module):
    """Dense layer over each patch of a large map, 3 x 3 convolution, logit of the mean."""

    def __init__(self, num_channels: int, side: int) -> None:
        super().__init__()
        patch = max(1, side // LARGEST_SIDE)
        self.project = EqualConv(num_channels, WIDTH, patch, stride=patch)
        self.conv = EqualConv(WIDTH, WIDTH, 3)
        self.output = EqualLinear(WIDTH, 1, gain=1.0)

    def forward(self, maps: Sequence[Tensor], scale: Tensor) -> Tensor:
        x = torch.cat([leaky_relu(self.project(each, scale)) for each in maps])
        x = leaky_relu(self.conv(x))
        mean = F.avg_pool2d(x, x.shape[-1])  # with channels last in its gradient, too
        return self.output(mean.flatten(1))[:, 0]


@dataclass(frozen=True)
class FeatureView:
    """A discriminator over features, and the frozen network that it looks through.

    Attributes:
        extract: Maps images [N, 3, side, side] to the maps of a frozen network.
        heads: The discriminator over the maps; trained in place.
        weight: Of its loss for the generator, beside the discriminator of pixels.
        reading: What codes are to show of the attributes that the network sees; None for none.
    """

    extract: Callable[[Tensor], Sequence[Tensor]]
    heads: FeatureDiscriminator
    weight: float
    reading: AttributeReading | None
