"""Layers against closed forms and slow references."""

import math

import torch
from torch.nn import functional as F

from nfe.gan.ops import (
    EqualLinear,
    ModulatedConv,
    add_bias_and_bend,
    downsample,
    leaky_relu,
    minibatch_stddev,
    normalise_z,
    scale_maps,
    upsample,
)


def test_modulated_convolution_equals_one_convolution_per_sample() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(5, 7, 3, w_dim=4, demodulate=True)
    x, w = torch.randn(3, 5, 8, 8), torch.randn(3, 4)
    for sample in range(3):
        style = layer.affine(w[sample : sample + 1])[0]
        weight = layer.weight * layer.scale * style[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = math.sqrt(2) * F.conv2d(x[sample : sample + 1], weight, padding=1)
        torch.testing.assert_close(layer(x, w)[sample : sample + 1], expected)


def test_modulated_convolution_without_demodulation_scales_with_the_style() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(5, 3, 1, w_dim=4, demodulate=False)
    torch.nn.init.zeros_(layer.affine.weight)
    x, w = torch.randn(2, 5, 4, 4), torch.randn(2, 4)
    once = layer(x, w)
    layer.affine.bias.data.mul_(3)
    torch.testing.assert_close(layer(x, w), 3 * once)


def test_scaled_maps_and_their_gradients() -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    scales = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.equal(scale_maps(maps, scales), maps * scales[:, :, None, None])
    assert torch.autograd.gradcheck(scale_maps, (maps, scales))


def test_maps_with_bias_and_bend_and_their_gradients() -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.leaky_relu(maps + bias[:, :, None, None], 0.2)
    assert torch.equal(add_bias_and_bend(maps.clone(), bias), expected)
    assert torch.autograd.gradcheck(lambda x, b: add_bias_and_bend(x.clone(), b), (maps, bias))


def test_maps_keep_their_number_format() -> None:
    maps = torch.randn(2, 3, 4, 4).bfloat16().requires_grad_(True)
    scales = torch.randn(2, 3, requires_grad=True)
    bent = add_bias_and_bend(scale_maps(maps, scales), scales)
    assert bent.dtype == torch.bfloat16
    bent.float().sum().backward()
    assert scales.grad is not None
    assert scales.grad.dtype == torch.float32


def test_demodulated_output_followed_by_leaky_relu_keeps_the_variance() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(32, 64, 3, w_dim=4, demodulate=True)
    y = leaky_relu(layer(torch.randn(8, 32, 16, 16), torch.randn(8, 4)))
    assert 0.8 < y.square().mean() < 1.2


def test_equalised_linear_starts_with_unit_gain_whatever_the_multiplier() -> None:
    torch.manual_seed(0)
    x = torch.randn(4000, 64)
    for multiplier in (1.0, 0.01):
        y = EqualLinear(64, 64, gain=1.0, lr_multiplier=multiplier)(x)
        assert 0.9 < y.std() < 1.1


def test_minibatch_deviation_of_two_constant_images() -> None:
    x = torch.stack([torch.full((3, 4, 4), -1.0), torch.full((3, 4, 4), 3.0)])
    y = minibatch_stddev(x, group_size=4)
    assert y.shape == (2, 4, 4, 4)
    torch.testing.assert_close(y[:, 3], torch.full((2, 4, 4), 2.0))


def test_minibatch_deviation_takes_any_batch_size() -> None:
    for count in (1, 3, 6, 8):
        assert minibatch_stddev(torch.randn(count, 2, 4, 4), 4).shape == (count, 3, 4, 4)


def test_normalised_codes_lie_on_the_sphere() -> None:
    z = normalise_z(torch.randn(10, 16) * 5)
    torch.testing.assert_close(z.norm(dim=1), torch.full((10,), 4.0))


def test_upsampling_keeps_a_constant_and_doubles_the_side() -> None:
    torch.testing.assert_close(upsample(torch.ones(1, 2, 4, 4)), torch.ones(1, 2, 8, 8))


def test_downsampling_averages_two_by_two() -> None:
    x = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(downsample(x), torch.nn.functional.avg_pool2d(x, 2))


def test_minibatch_deviation_is_the_standard_deviation_of_each_group() -> None:
    x = torch.randn(8, 2, 4, 4)
    groups = [x[first::2].std(dim=0, correction=0).mean() for first in (0, 1)]
    expected = torch.stack(groups * 4)[:, None, None].expand(8, 4, 4)
    torch.testing.assert_close(minibatch_stddev(x, 4)[:, 2], expected)
