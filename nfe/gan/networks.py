"""Generator (mapping and synthesis) and discriminator.

The synthesis is StyleGAN2's or, on request, that of nfe.gan.stylegan1 or, of imported models, that
of nfe.gan.published_stylegan2; the rest serves all.

Source: Karras et al. 2020 (StyleGAN2), with skip outputs, input skips and factored modulation.
We differ in four ways: the convolution that doubles the side works before the upsampling filter,
which costs a quarter; there are no noise inputs, so that a code is an image; the discriminator has
one strided convolution per side in place of a residual block, a third of the cost and with
few images the better teacher; the gain sqrt(2) of the activations is in the weights.
Both networks work at every side from 8 pixels up to their resolution, so that training can begin
small: the layers of a small picture are the first layers of a large one, and a side that joins
changes neither network's answer at first.
"""

import math
from itertools import pairwise
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from nfe.gan.ops import (
    EqualConv,
    EqualLinear,
    ModulatedConv,
    add_bias_and_bend,
    downsample,
    leaky_relu,
    minibatch_stddev,
    normalise_z,
    upsample,
)
from nfe.gan.published_stylegan2 import PublishedSynthesis
from nfe.gan.stylegan1 import AdainSynthesis

__all__ = ["Architecture", "Discriminator", "Generator", "Mapping", "Synthesis", "num_channels"]

MAPPING_LR_MULTIPLIER = 0.01
W_AVG_SAMPLES = 10_000
STDDEV_GROUP = 4
Architecture = Literal["stylegan2", "stylegan", "published_stylegan2"]


def num_channels(side: int, channel_base: int, channel_max: int) -> int:
    """Return the width of the layers that work at `side` pixels."""
    return min(channel_base // side, channel_max)


def _sides(resolution: int) -> list[int]:
    if resolution < 8 or resolution & (resolution - 1):
        raise ValueError(f"resolution must be a power of two of at least 8, got {resolution}")
    return [2**i for i in range(2, int(math.log2(resolution)) + 1)]


class Mapping(nn.Module):
    """z -> w: fully connected layers with leaky ReLU and a hundredth of the learning rate."""

    def __init__(self, z_dim: int, w_dim: int, num_layers: int) -> None:
        super().__init__()
        widths = [z_dim] + [w_dim] * num_layers
        self.layers = nn.ModuleList(
            EqualLinear(a, b, lr_multiplier=MAPPING_LR_MULTIPLIER) for a, b in pairwise(widths)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map [N, z_dim] to [N, w_dim]."""
        w = normalise_z(z)
        for layer in self.layers:
            w = leaky_relu(layer(w))
        return w


class StyledLayer(nn.Module):
    """Modulated 3 x 3 convolution, upsampling where the side doubles, bias, leaky ReLU."""

    def __init__(self, num_in: int, num_out: int, w_dim: int, doubles: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv(num_in, num_out, 3, w_dim, demodulate=True)
        self.bias = nn.Parameter(torch.zeros(num_out, 1, 1))
        self.doubles = doubles

    def forward(self, x: Tensor, gain: Tensor | float, w: Tensor) -> tuple[Tensor, Tensor]:
        """Map gain * x to a gain [N, num_out] and what it is of: one scaling of maps per layer.

        The demodulation d is above 0, so that leaky_relu(d y + b) = d leaky_relu(y + b / d).
        """
        style = self.conv.affine(w)
        y = self.conv.scaled_conv(x, gain * style)
        if self.doubles:
            y = upsample(y)
        gain = self.conv.demodulation(style)
        return add_bias_and_bend(y, self.bias.flatten() / gain), gain


class Synthesis(nn.Module):
    """w_plus -> images: a learned 4 x 4 constant, two layers per side, summed RGB outputs."""

    def __init__(self, resolution: int, w_dim: int, channel_base: int, channel_max: int) -> None:
        super().__init__()
        sides = _sides(resolution)
        widths = [num_channels(side, channel_base, channel_max) for side in sides]
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.layers = nn.ModuleList([StyledLayer(widths[0], widths[0], w_dim, doubles=False)])
        for before, width in pairwise(widths):
            self.layers.append(StyledLayer(before, width, w_dim, doubles=True))
            self.layers.append(StyledLayer(width, width, w_dim, doubles=False))
        outputs = [ModulatedConv(width, 3, 1, w_dim, demodulate=False) for width in widths]
        for output in outputs:  # a side that joins later begins by adding nothing
            nn.init.zeros_(output.weight)
        self.to_rgb = nn.ModuleList(outputs)
        self.rgb_bias = nn.Parameter(torch.zeros(3, 1, 1))
        self.num_ws = 2 * len(sides)

    def forward(self, w_plus: Tensor, side: int | None = None) -> Tensor:
        """Map [N, num_ws, w_dim] to images [N, 3, side, side], by default of full resolution.

        Code i drives layer i; an RGB output takes the code of the layer that follows.
        """
        num_blocks = len(self.to_rgb) if side is None else int(math.log2(side)) - 1
        x = self.constant.expand(w_plus.shape[0], -1, -1, -1)  # len() would fix N in an ONNX file
        x = x.contiguous(memory_format=torch.channels_last)
        x, gain = self.layers[0](x, 1.0, w_plus[:, 0])
        images = self.colours(0, x, gain, w_plus[:, 1])
        for block in range(1, num_blocks):
            x, gain = self.layers[2 * block - 1](x, gain, w_plus[:, 2 * block - 1])
            x, gain = self.layers[2 * block](x, gain, w_plus[:, 2 * block])
            images = upsample(images) + self.colours(block, x, gain, w_plus[:, 2 * block + 1])
        return images + self.rgb_bias

    def colours(self, block: int, x: Tensor, gain: Tensor | float, w: Tensor) -> Tensor:
        """Map gain * x, which leaves a block, to what it adds to the picture: [N, 3, H, W]."""
        conv = cast(ModulatedConv, self.to_rgb[block])
        return conv.scaled_conv(x, gain * conv.affine(w)).type_as(w)

    def affines(self, layer: int) -> list[EqualLinear]:
        """Return what turns code `layer` into styles: its layer's affine, and its RGB output's."""
        convs = [cast(StyledLayer, each).conv for each in self.layers[layer : layer + 1]]
        if layer % 2:
            convs.append(cast(ModulatedConv, self.to_rgb[layer // 2]))
        return [conv.affine for conv in convs]


class Generator(nn.Module):
    """Mapping and synthesis, with the moving mean of w.

    Args:
        resolution: Side of the images, a power of two of at least 8.
        z_dim: Length of z.
        w_dim: Length of w.
        num_mapping_layers: Depth of the mapping.
        channel_base: Width times side of the layers, up to `channel_max`.
        channel_max: Largest width.
        architecture: Which synthesis: StyleGAN2's as we train it, the first StyleGAN's, or
            StyleGAN2's as published, for weights that come from elsewhere.

    Raises:
        ValueError: If `resolution` is no power of two, or `architecture` is none of these.
    """

    w_avg: Tensor

    def __init__(
        self,
        resolution: int,
        z_dim: int,
        w_dim: int,
        num_mapping_layers: int,
        channel_base: int,
        channel_max: int,
        architecture: Architecture,
    ) -> None:
        super().__init__()
        if architecture not in get_args(Architecture):
            raise ValueError(
                f"architecture must be one of {get_args(Architecture)}, got {architecture}"
            )
        self.config = {
            "architecture": architecture,
            "resolution": resolution,
            "z_dim": z_dim,
            "w_dim": w_dim,
            "num_mapping_layers": num_mapping_layers,
            "channel_base": channel_base,
            "channel_max": channel_max,
        }
        self.resolution, self.z_dim, self.w_dim = resolution, z_dim, w_dim
        self.mapping = Mapping(z_dim, w_dim, num_mapping_layers)
        widths = [num_channels(side, channel_base, channel_max) for side in _sides(resolution)]
        self.synthesis: Synthesis | AdainSynthesis | PublishedSynthesis
        if architecture == "stylegan2":
            self.synthesis = Synthesis(resolution, w_dim, channel_base, channel_max)
        elif architecture == "stylegan":
            self.synthesis = AdainSynthesis(widths, w_dim)
        else:
            self.synthesis = PublishedSynthesis(widths, w_dim)
        self.num_ws = self.synthesis.num_ws
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def broadcast(self, w: Tensor) -> Tensor:
        """Repeat w [N, w_dim] for every layer: w_plus [N, num_ws, w_dim]."""
        return w[:, None].expand(-1, self.num_ws, -1)

    def truncate(self, w: Tensor, truncation_psi: float) -> Tensor:
        """Pull w towards its mean: w_avg + truncation_psi * (w - w_avg)."""
        return self.w_avg + truncation_psi * (w - self.w_avg)

    def measure_w_avg(self) -> None:
        """Set w_avg to the mean of w over 10,000 fixed codes."""
        z = torch.randn(W_AVG_SAMPLES, self.z_dim, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            self.w_avg.copy_(self.mapping(z.to(self.w_avg.device)).mean(dim=0))

    def forward(self, z: Tensor) -> Tensor:
        """Map z [N, z_dim] to images [N, 3, resolution, resolution]."""
        return self.synthesis(self.broadcast(self.mapping(z)))


class Discriminator(nn.Module):
    """images -> logits: strided convolutions down to 4 x 4, minibatch deviation, dense layers.

    At every side down to 8 pixels the image itself, averaged to that side, comes in beside what the
    larger sides found. Images may be smaller than `resolution`; they enter at their side.

    Args:
        resolution: Largest side of the images, a power of two of at least 8.
        channel_base: Width times side of the layers, up to `channel_max`.
        channel_max: Largest width.

    Raises:
        ValueError: If `resolution` is no power of two.
    """

    def __init__(self, resolution: int, channel_base: int, channel_max: int) -> None:
        super().__init__()
        self.config = {
            "resolution": resolution,
            "channel_base": channel_base,
            "channel_max": channel_max,
        }
        sides = _sides(resolution)[::-1]
        widths = [num_channels(side, channel_base, channel_max) for side in sides[1:]]
        self.resolution = resolution
        self.from_rgb = nn.ModuleList(EqualConv(3, width, 3, stride=2) for width in widths)
        self.blocks = nn.ModuleList(EqualConv(a, b, 3, stride=2) for a, b in pairwise(widths))
        for block in self.blocks:  # a side that joins later begins by adding nothing
            nn.init.zeros_(cast(EqualConv, block).weight)
        self.conv = EqualConv(widths[-1] + 1, widths[-1], 3)
        self.dense = EqualLinear(widths[-1] * 16, widths[-1])
        self.output = EqualLinear(widths[-1], 1, gain=1.0)

    def parameters_at(self, side: int) -> list[nn.Parameter]:
        """Return the parameters that see images of `side`; those of larger sides do not."""
        entry = self._entry(side)
        parts = [*self.from_rgb[entry:], *self.blocks[entry:], self.conv, self.dense, self.output]
        return [parameter for part in parts for parameter in part.parameters()]

    def _entry(self, side: int) -> int:
        return int(math.log2(self.resolution // side))

    def forward(self, images: Tensor) -> Tensor:
        """Map images [N, 3, side, side] to logits [N]; above 0 looks real."""
        entry = self._entry(images.shape[-1])
        images = images.contiguous(memory_format=torch.channels_last)
        x = leaky_relu(self.from_rgb[entry](images))
        for block, from_rgb in list(zip(self.blocks, self.from_rgb[1:], strict=True))[entry:]:
            images = downsample(images)
            x = leaky_relu(block(x)) + leaky_relu(from_rgb(images))
        x = minibatch_stddev(x, STDDEV_GROUP).contiguous(memory_format=torch.channels_last)
        x = leaky_relu(self.conv(x))
        x = leaky_relu(self.dense(x.flatten(1)))
        return self.output(x)[:, 0]
