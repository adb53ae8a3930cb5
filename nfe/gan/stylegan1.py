"""Synthesis of the first StyleGAN: a convolution, noise, and a normalisation that the style sets.

Source: Karras et al. 2019 (StyleGAN), figure 1b and appendix C. We differ in four ways. The noise
is a fixed picture per layer, drawn when the network is made and stored with its weights, where the
paper draws it anew for each image: an image is a function of its code, alone or in a batch, now or
after a resume. Every side has an RGB output and these are summed, where the paper fades from one
to the next: a side that joins changes nothing at first. The constant begins random, since one of
ones has no deviation to divide by while the noise is still weak. The blur takes the nearest pixel
beyond the border, where the paper takes zeros.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from nfe.gan.ops import EqualConv, EqualLinear, leaky_relu, upsample

__all__ = ["AdainLayer", "AdainSynthesis", "adain"]


def adain(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Give every channel of every image the deviation |scale| and the mean `shift`.

    y = scale * (x - mean(x)) / deviation(x) + shift.

    Args:
        x: [N, C, H, W].
        scale: [N, C].
        shift: [N, C].

    Returns:
        [N, C, H, W]. A constant channel becomes `shift`.

    Source: Karras et al. 2019, equation 1.
    """
    variance, mean = torch.var_mean(x, dim=(2, 3), correction=0)
    factor = scale * (variance + 1e-8).rsqrt()  # [N, C]
    return (x - mean[:, :, None, None]) * factor[:, :, None, None] + shift[:, :, None, None]


class AdainLayer(nn.Module):
    """Convolution, noise, bias, leaky ReLU, and the style: one code in, one layer out.

    Args:
        num_in: Channels of the input; None in the first layer, which has no convolution.
        num_out: Channels of the output.
        side: Side of the output in pixels, for the noise.
        w_dim: Length of the code.
    """

    noise: Tensor

    def __init__(self, num_in: int | None, num_out: int, side: int, w_dim: int) -> None:
        super().__init__()
        self.conv = None if num_in is None else EqualConv(num_in, num_out, 3, bias=False)
        self.register_buffer("noise", torch.randn(side, side))
        self.noise_strength = nn.Parameter(torch.zeros(num_out, 1, 1))
        self.bias = nn.Parameter(torch.zeros(num_out, 1, 1))
        self.affine = EqualLinear(w_dim, 2 * num_out, gain=1.0)
        nn.init.ones_(self.affine.bias[:num_out])  # scale 1, shift 0

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map [N, num_in, side, side] under codes [N, w_dim] to [N, num_out, side, side]."""
        if self.conv is not None:
            x = self.conv(x)
        x = leaky_relu(x + (self.noise_strength * self.noise + self.bias))
        scale, shift = self.affine(w).chunk(2, dim=1)
        return adain(x, scale, shift)


class AdainSynthesis(nn.Module):
    """w_plus -> images: a learned 4 x 4 constant, two layers per side, summed RGB outputs.

    Args:
        widths: Channels at 4 pixels, 8 pixels, and so on to the resolution.
        w_dim: Length of a code.
    """

    def __init__(self, widths: Sequence[int], w_dim: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.layers = nn.ModuleList(
            [AdainLayer(None, widths[0], 4, w_dim), AdainLayer(widths[0], widths[0], 4, w_dim)]
        )
        for block, (before, width) in enumerate(pairwise(widths), start=1):
            self.layers.append(AdainLayer(before, width, 4 * 2**block, w_dim))
            self.layers.append(AdainLayer(width, width, 4 * 2**block, w_dim))
        outputs = [EqualConv(width, 3, 1, gain=1.0, bias=False) for width in widths]
        for output in outputs:  # a side that joins later begins by adding nothing
            nn.init.zeros_(output.weight)
        self.to_rgb = nn.ModuleList(outputs)
        self.rgb_bias = nn.Parameter(torch.zeros(3, 1, 1))
        self.num_ws = 2 * len(widths)

    def forward(self, w_plus: Tensor, side: int | None = None) -> Tensor:
        """Map [N, num_ws, w_dim] to images [N, 3, side, side], by default of full resolution.

        Code i drives layer i.
        """
        num_blocks = len(self.to_rgb) if side is None else int(math.log2(side)) - 1
        x = self.constant.expand(w_plus.shape[0], -1, -1, -1)  # len() would fix N in an ONNX file
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.layers[1](self.layers[0](x, w_plus[:, 0]), w_plus[:, 1])
        images = self.to_rgb[0](x)
        for block in range(1, num_blocks):
            x = upsample(x)  # nearest pixels blurred by [1, 2, 1] / 4 are the bilinear filter
            x = self.layers[2 * block](x, w_plus[:, 2 * block])
            x = self.layers[2 * block + 1](x, w_plus[:, 2 * block + 1])
            images = upsample(images) + self.to_rgb[block](x)
        return images + self.rgb_bias

    def affines(self, layer: int) -> list[EqualLinear]:
        """Return what turns code `layer` into styles: its layer's affine."""
        return [cast(AdainLayer, self.layers[layer]).affine]
