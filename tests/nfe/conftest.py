"""Tiny networks that train in moments."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from nfe.gan.networks import Discriminator, Generator


@pytest.fixture
def make_networks() -> Callable[[], tuple[Generator, Discriminator]]:
    def make() -> tuple[Generator, Discriminator]:
        torch.manual_seed(0)
        generator = Generator(
            resolution=16,
            z_dim=8,
            w_dim=8,
            num_mapping_layers=2,
            channel_base=64,
            channel_max=8,
            architecture="stylegan2",
        )
        for output in generator.synthesis.to_rgb:
            torch.nn.init.normal_(output.weight)
        return generator, Discriminator(resolution=16, channel_base=64, channel_max=8)

    return make


@pytest.fixture
def generator(make_networks: Callable[[], tuple[Generator, Discriminator]]) -> Generator:
    return make_networks()[0]


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)
