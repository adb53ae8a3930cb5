"""Tiny networks with random weights."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.gan.networks import Discriminator, Generator
from nfe.inversion.encoders import Encoder

NUM_DIRECTIONS = 96  # every entry of a code by itself


def make_generator(seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    generator = Generator(
        resolution=16,
        z_dim=16,
        w_dim=16,
        num_mapping_layers=2,
        channel_base=128,
        channel_max=16,
        architecture="stylegan2",
    )
    with torch.no_grad():
        for output in generator.synthesis.to_rgb:  # fresh generators are grey
            output.weight.normal_(std=0.5)
        w = generator.mapping(torch.randn(1000, 16))
        generator.w_avg.copy_(w.mean(dim=0))
    return generator.requires_grad_(False).eval()


def make_discriminator() -> Discriminator:
    torch.manual_seed(1)
    return Discriminator(resolution=16, channel_base=128, channel_max=16)


def make_encoder(seed: int = 2, deltas: bool = False, standardised: bool = False) -> Encoder:
    torch.manual_seed(seed)
    encoder = Encoder(
        resolution=16,
        channel_base=128,
        channel_max=16,
        num_ws=6,
        w_dim=16,
        num_directions=NUM_DIRECTIONS,
        deltas=deltas,
        standardised=standardised,
    )
    encoder.search_along(torch.eye(NUM_DIRECTIONS).view(NUM_DIRECTIONS, 6, 16))
    return encoder


def toy_features(images: Tensor) -> list[Tensor]:
    """Two layers of fixed filters."""
    random = torch.Generator().manual_seed(3)
    filters = [torch.randn(8, channels, 3, 3, generator=random).to(images) for channels in (3, 8)]
    first = F.conv2d(images, filters[0], stride=2).relu()
    second = F.conv2d(first, filters[1], stride=2).relu()
    return [first, second]


def toy_embedding(images: Tensor) -> Tensor:
    """Mean of the last layer of the fixed filters."""
    return toy_features(images)[-1].mean(dim=(2, 3))


@pytest.fixture
def generator() -> Generator:
    return make_generator()


@pytest.fixture
def encoder() -> Encoder:
    return make_encoder()
