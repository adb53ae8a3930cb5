"""Shapes, growth and errors of the networks."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from nfe.gan.networks import Discriminator, Generator, num_channels
from nfe.gan.ops import ModulatedConv

Networks = Callable[[], tuple[Generator, Discriminator]]


def test_a_code_is_an_image_of_the_resolution(generator: Generator) -> None:
    z = torch.randn(3, 8)
    assert generator.num_ws == 6
    assert generator(z).shape == (3, 3, 16, 16)
    assert torch.equal(generator(z), generator(z))


def test_a_smaller_side_uses_only_the_first_layers(generator: Generator) -> None:
    w_plus = torch.randn(2, 6, 8)
    small = generator.synthesis(w_plus, 8)
    assert small.shape == (2, 3, 8, 8)
    changed = w_plus.clone()
    changed[:, 4:] += 1  # layers of 16 pixels, and no earlier
    assert torch.equal(generator.synthesis(changed, 8), small)
    assert not torch.allclose(generator.synthesis(changed), generator.synthesis(w_plus))


def test_a_new_side_begins_as_the_enlarged_smaller_one(make_networks: Networks) -> None:
    generator, _ = make_networks()
    torch.nn.init.zeros_(generator.synthesis.to_rgb[-1].weight)
    w_plus = torch.randn(2, 6, 8)
    small = torch.nn.functional.interpolate(
        generator.synthesis(w_plus, 8), scale_factor=2, mode="bilinear"
    )
    torch.testing.assert_close(generator.synthesis(w_plus), small)


def test_synthesis_equals_layers_with_weights_modulated_for_each_sample() -> None:
    generator = Generator(16, 8, 8, 2, 64, 8, "stylegan2")
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    w_plus = torch.randn(3, 6, 8)
    synthesis = generator.synthesis
    x, images = synthesis.constant.expand(3, -1, -1, -1), torch.zeros(1)
    for index, layer in enumerate(synthesis.layers):
        x = modulated(layer.conv, x, w_plus[:, index]) * 2**0.5
        if index % 2:
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
        x = F.leaky_relu(x + layer.bias, 0.2)
        if index % 2 == 0:
            if index:
                images = F.interpolate(images, scale_factor=2, mode="bilinear")
            images = images + modulated(synthesis.to_rgb[index // 2], x, w_plus[:, index + 1])
    torch.testing.assert_close(synthesis(w_plus), images + synthesis.rgb_bias)


def modulated(conv: ModulatedConv, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """One convolution per sample: equations 1 to 3 of StyleGAN2."""
    outputs = []
    for sample, style in zip(x, conv.affine(w), strict=True):
        weight = conv.weight * conv.scale * style[None, :, None, None]
        if conv.demodulate:
            weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        outputs.append(F.conv2d(sample[None], weight, padding=conv.padding))
    return torch.cat(outputs)


def test_truncation_pulls_towards_the_mean(generator: Generator) -> None:
    generator.w_avg.fill_(2.0)
    w = torch.randn(4, 8)
    assert torch.equal(generator.truncate(w, 0.0), torch.full((4, 8), 2.0))
    torch.testing.assert_close(generator.truncate(w, 0.5), (w + 2) / 2)


def test_broadcast_repeats_the_code_for_every_layer(generator: Generator) -> None:
    w = torch.randn(2, 8)
    assert generator.broadcast(w).shape == (2, 6, 8)
    assert torch.equal(generator.broadcast(w)[:, 3], w)


def test_discriminator_takes_both_sides(make_networks: Networks) -> None:
    _, discriminator = make_networks()
    for side in (8, 16):
        assert discriminator(torch.randn(4, 3, side, side)).shape == (4,)


def test_a_new_side_does_not_change_the_discriminator_at_first(make_networks: Networks) -> None:
    _, discriminator = make_networks()
    images = torch.randn(4, 3, 16, 16)
    small = torch.nn.functional.avg_pool2d(images, 2)
    torch.testing.assert_close(discriminator(images), discriminator(small))
    for block in discriminator.blocks:  # as after some training
        torch.nn.init.normal_(block.weight)
    assert not torch.allclose(discriminator(images), discriminator(small))


def test_the_parameters_of_a_side_are_those_with_a_gradient_from_it(
    make_networks: Networks,
) -> None:
    _, discriminator = make_networks()
    for block in discriminator.blocks:
        torch.nn.init.normal_(block.weight)
    for side in (8, 16):
        discriminator.zero_grad(set_to_none=True)
        discriminator(torch.randn(4, 3, side, side)).sum().backward()
        seen = {id(p) for p in discriminator.parameters() if p.grad is not None}
        assert {id(p) for p in discriminator.parameters_at(side)} == seen


@pytest.mark.parametrize("resolution", [4, 24, 0])
def test_resolution_must_be_a_power_of_two(resolution: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Discriminator(resolution=resolution, channel_base=64, channel_max=8)


def test_width_falls_with_the_side() -> None:
    assert [num_channels(side, 1024, 64) for side in (4, 16, 32, 64)] == [64, 64, 32, 16]
