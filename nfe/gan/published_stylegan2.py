"""StyleGAN2's synthesis as published, for weights trained elsewhere.

It differs from nfe.gan.networks.Synthesis, so that no weights of one fit the other, in four points:
the convolution that doubles the side is a transposed one, at the larger side and before the filter;
every layer adds noise, which is a fixed picture here, so that an image is a function of its code;
the filters take zeros beyond the border; every RGB output has a bias of its own.

Source: Karras et al. 2020 (StyleGAN2), figures 2c and 7, as in rosinality/stylegan2-pytorch.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nfe.gan.ops import EqualLinear, ModulatedConv, leaky_relu

__all__ = ["PublishedLayer", "PublishedSynthesis"]

TAPS = (1.0, 3.0, 3.0, 1.0)


class DoublingConv(ModulatedConv):
    """Modulated convolution that doubles the side: transposed, then filtered."""

    kernel: Tensor

    def __init__(self, num_in: int, num_out: int, w_dim: int) -> None:
        super().__init__(num_in, num_out, 3, w_dim, demodulate=True)
        self.register_buffer("kernel", _filter(), persistent=False)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Map [N, num_in, H, W] to [N, num_out, 2 H, 2 W]."""
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [N, num_out, 2 H + 1, ...]
        num_channels = weight.shape[0]
        kernel = self.kernel.expand(num_channels, 1, 4, 4)
        return F.conv2d(x, kernel, padding=1, groups=num_channels)


class PublishedLayer(nn.Module):
    """Modulated 3 x 3 convolution, noise, bias, leaky ReLU.

    Args:
        num_in: Channels of the input.
        num_out: Channels of the output.
        side: Side of the output in pixels.
        w_dim: Length of the code.
        doubles: Whether the input has half the side.
    """

    noise: Tensor

    def __init__(self, num_in: int, num_out: int, side: int, w_dim: int, doubles: bool) -> None:
        super().__init__()
        self.conv = (
            DoublingConv(num_in, num_out, w_dim)
            if doubles
            else ModulatedConv(num_in, num_out, 3, w_dim, demodulate=True)
        )
        self.register_buffer("noise", torch.randn(side, side))
        self.noise_strength = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(num_out, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map [N, num_in, H, W] under codes [N, w_dim] to [N, num_out, side, side]."""
        return leaky_relu(self.conv(x, w) + (self.noise_strength * self.noise + self.bias))


class PublishedSynthesis(nn.Module):
    """w_plus -> images: a learned 4 x 4 constant, two layers per side, summed RGB outputs.

    Args:
        widths: Channels at 4 pixels, 8 pixels, and so on to the resolution.
        w_dim: Length of a code.
    """

    kernel: Tensor

    def __init__(self, widths: Sequence[int], w_dim: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.layers = nn.ModuleList([PublishedLayer(widths[0], widths[0], 4, w_dim, False)])
        for block, (before, width) in enumerate(pairwise(widths), start=1):
            side = 4 * 2**block
            self.layers.append(PublishedLayer(before, width, side, w_dim, True))
            self.layers.append(PublishedLayer(width, width, side, w_dim, False))
        self.to_rgb = nn.ModuleList(
            ModulatedConv(width, 3, 1, w_dim, demodulate=False) for width in widths
        )
        self.rgb_bias = nn.Parameter(torch.zeros(len(widths), 3, 1, 1))
        self.register_buffer("kernel", _filter(), persistent=False)
        self.num_ws = 2 * len(widths)

    def forward(self, w_plus: Tensor, side: int | None = None) -> Tensor:
        """Map [N, num_ws, w_dim] to images [N, 3, side, side], by default of full resolution.

        Code i drives layer i; an RGB output takes the code of the layer that follows.
        """
        num_blocks = len(self.to_rgb) if side is None else int(math.log2(side)) - 1
        x = self.constant.expand(w_plus.shape[0], -1, -1, -1)  # len() would fix N in an ONNX file
        x = self.layers[0](x, w_plus[:, 0])
        images = self.to_rgb[0](x, w_plus[:, 1]) + self.rgb_bias[0]
        kernel = self.kernel.expand(3, 1, 4, 4)
        for block in range(1, num_blocks):
            x = self.layers[2 * block - 1](x, w_plus[:, 2 * block - 1])
            x = self.layers[2 * block](x, w_plus[:, 2 * block])
            images = F.conv_transpose2d(images, kernel, stride=2, padding=1, groups=3)
            images = images + self.to_rgb[block](x, w_plus[:, 2 * block + 1])
            images = images + self.rgb_bias[block]
        return images

    def affines(self, layer: int) -> list[EqualLinear]:
        """Return what turns code `layer` into styles: its layer's affine, and its RGB output's."""
        convs = [cast(PublishedLayer, each).conv for each in self.layers[layer : layer + 1]]
        if layer % 2:
            convs.append(cast(ModulatedConv, self.to_rgb[layer // 2]))
        return [conv.affine for conv in convs]


def _filter() -> Tensor:
    """The filter [1, 3, 3, 1] in both directions, for twice the side: [4, 4], its sum is 4."""
    taps = torch.tensor(TAPS)
    return taps[:, None] * taps / taps.sum() ** 2 * 4
