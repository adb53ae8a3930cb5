"""Looking at a generator while it trains."""

import numpy as np
import pytest
import torch

from nfe.gan.networks import Generator
from nfe.metrics.distributions import frechet_distance
from nfe.metrics.generators import evaluate_generator
from nfe.sampling import z_from_seeds


def _means(images: torch.Tensor) -> torch.Tensor:
    return images.mean(dim=(2, 3))


def test_against_the_same_images_the_distance_is_zero_and_the_diversity_one(
    generator: Generator,
) -> None:
    with torch.no_grad():
        images = generator(z_from_seeds(range(40), 8)).clamp(-1, 1)
    found = evaluate_generator(generator, 16, range(40), _means, _means(images).numpy(), 7)
    assert found.frechet == pytest.approx(0, abs=1e-6)
    assert found.diversity == pytest.approx(1, abs=1e-5)


def test_against_other_data_it_is_the_frechet_distance_at_that_side(generator: Generator) -> None:
    real = np.random.default_rng(0).normal(size=(50, 3))
    found = evaluate_generator(generator, 8, range(30), _means, real, 30)
    with torch.no_grad():
        w_plus = generator.broadcast(generator.mapping(z_from_seeds(range(30), 8)))
        fake = _means(generator.synthesis(w_plus, 8).clamp(-1, 1)).numpy()
    assert found.frechet == pytest.approx(frechet_distance(real, fake), rel=1e-5)
    assert found.diversity == pytest.approx(fake.var(axis=0).sum() / real.var(axis=0).sum())


def test_a_broken_generator_is_infinitely_far(generator: Generator) -> None:
    generator.synthesis.rgb_bias.data.fill_(float("nan"))
    found = evaluate_generator(generator, 16, range(8), _means, np.eye(3), 8)
    assert found.frechet == float("inf")
    assert found.diversity == 0
