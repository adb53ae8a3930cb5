"""Layers of the style-based networks, all with an equalised learning rate."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = [
    "EqualConv",
    "EqualLinear",
    "ModulatedConv",
    "add_bias_and_bend",
    "downsample",
    "leaky_relu",
    "minibatch_stddev",
    "normalise_z",
    "scale_maps",
    "upsample",
]

SLOPE = 0.2  # of the leaky ReLU below 0


class EqualLinear(nn.Module):
    """Fully connected layer whose stored weights are N(0, 1) and scaled when used.

    `gain` is sqrt(2) before a leaky ReLU, which keeps the variance.

    Source: Karras et al. 2018 (progressive growing), section 4.1.
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        gain: float = math.sqrt(2),
        bias: float = 0.0,
        lr_multiplier: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, num_in) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((num_out,), bias / lr_multiplier))
        self.scale = gain * lr_multiplier / math.sqrt(num_in)
        self.lr_multiplier = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, num_in] to [N, num_out], in float32: casts would take longer than the product."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.type_as(self.weight)
            return F.linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)


class EqualConv(nn.Module):
    """Convolution with padding such that its stride divides the side."""

    def __init__(
        self,
        num_in: int,
        num_out: int,
        kernel: int,
        gain: float = math.sqrt(2),
        bias: bool = True,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, num_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(num_out)) if bias else None
        self.scale = gain / math.sqrt(num_in * kernel * kernel)
        self.stride, self.padding = stride, (kernel - stride + 1) // 2

    def forward(self, x: Tensor, factor: Tensor | float = 1.0) -> Tensor:
        """Map factor * x, [N, num_in, H, W], to [N, num_out, H / stride, W / stride]."""
        weight = self.weight * (factor * self.scale)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by a style, output optionally demodulated.

    y = gain * demod * conv(x * style), demod_o = 1 / sqrt(sum_i (style_i * ||weight_oi||)^2): the
    same function as scaling the weights per sample, without a convolution per sample. The gain is
    sqrt(2), for the leaky ReLU that follows, with demodulation and 1 without.

    Source: Karras et al. 2020 (StyleGAN2), section 2.2; factored as the paper's equation 3 allows.
    """

    def __init__(
        self, num_in: int, num_out: int, kernel: int, w_dim: int, demodulate: bool
    ) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, num_in, gain=1.0, bias=1.0)
        self.weight = nn.Parameter(torch.randn(num_out, num_in, kernel, kernel))
        self.scale = 1 / math.sqrt(num_in * kernel * kernel)
        self.padding = kernel // 2
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map [N, num_in, H, W] under codes [N, w_dim] to [N, num_out, H, W]."""
        style = self.affine(w)  # [N, num_in]
        y = self.scaled_conv(x, style)
        return y * self.demodulation(style)[:, :, None, None] if self.demodulate else y

    def scaled_conv(self, x: Tensor, scales: Tensor) -> Tensor:
        """Convolve [N, num_in, H, W] times scales [N, num_in]."""
        return self.convolve(scale_maps(x, scales), self.weight * self.scale)

    def demodulation(self, style: Tensor) -> Tensor:
        """Return gain * demod, [N, num_out], of styles [N, num_in]."""
        power = style.square() @ self.weight.square().sum(dim=(2, 3)).t() * self.scale**2
        return math.sqrt(2) * (power + 1e-8).rsqrt()

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve [N, num_in, H, W] with [num_out, num_in, kernel, kernel]; the size is kept."""
        return F.conv2d(x, weight, padding=self.padding)


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2, in place. The gain that keeps the variance is in the weights."""
    return F.leaky_relu_(x, SLOPE)


def scale_maps(x: Tensor, scales: Tensor) -> Tensor:
    """Multiply [N, C, H, W] by [N, C], in the number format of the maps; differentiable once."""
    scaled: Tensor = _ScaleMaps.apply(x, scales)
    return scaled


def add_bias_and_bend(x: Tensor, bias: Tensor) -> Tensor:
    """leaky_relu([N, C, H, W] + [N, C]) in place, in the maps' format; differentiable once."""
    bent: Tensor = _AddBiasAndBend.apply(x, bias)
    return bent


class _ScaleMaps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scales: Tensor) -> Tensor:
        ctx.save_for_backward(x, scales)
        return x * _along_rows(scales, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, scales = ctx.saved_tensors
        return gradient * _along_rows(scales, gradient), (gradient * x).sum(dim=(2, 3))


class _AddBiasAndBend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        bent = F.leaky_relu_(x.add_(_along_rows(bias, x)), SLOPE)
        ctx.save_for_backward(bent)
        return bent

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        (bent,) = ctx.saved_tensors
        gradient = torch.ops.aten.leaky_relu_backward(gradient, bent, SLOPE, True)
        return gradient, gradient.sum(dim=(2, 3))


def _along_rows(values: Tensor, maps: Tensor) -> Tensor:
    """Repeat [N, C] along the rows of [N, C, H, W]: few channels alone make short, slow loops."""
    repeated = values.type_as(maps)[:, :, None, None].expand(-1, -1, -1, maps.shape[3])
    return repeated.contiguous(memory_format=torch.channels_last)


def upsample(x: Tensor) -> Tensor:
    """Double the side of [N, C, H, W] with the filter [1, 3, 3, 1] / 4 (bilinear)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def downsample(x: Tensor) -> Tensor:
    """Halve the side of [N, C, H, W] by averaging 2 x 2 pixels.

    As an interpolation, which is faster than pooling where channels are few and last.
    """
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)


def normalise_z(z: Tensor) -> Tensor:
    """Project codes [N, z_dim] onto the sphere of radius sqrt(z_dim)."""
    return z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def minibatch_stddev(x: Tensor, group_size: int) -> Tensor:
    """Append one channel: the mean standard deviation over groups of the batch.

    Args:
        x: [N, C, H, W].
        group_size: Images per group; the largest divisor of N that does not exceed it is used.

    Returns:
        [N, C + 1, H, W].

    Source: Karras et al. 2018 (progressive growing), section 3.
    """
    count, _, height, width = x.shape
    group = max(g for g in range(1, min(group_size, count) + 1) if count % g == 0)
    grouped = x.float().reshape(group, count // group, -1)
    variance = (grouped - grouped.mean(dim=0)).square().mean(dim=0)
    deviation = (variance + 1e-8).sqrt().mean(dim=1)  # [N / group]
    channel = deviation.repeat(group)[:, None, None, None].expand(count, 1, height, width)
    return torch.cat([x, channel.to(x.dtype)], dim=1)
