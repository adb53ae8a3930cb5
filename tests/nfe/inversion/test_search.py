import pytest
import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.inversion.search import find_search_directions

from .conftest import toy_features


def find(generator: Generator, num_directions: int, num_samples: int, damping: float) -> Tensor:
    return find_search_directions(
        generator,
        toy_features,
        num_directions,
        num_samples,
        damping,
        pixel_weight=1.0,
        perceptual_weight=0.5,
        random=torch.Generator().manual_seed(0),
        device="cpu",
    )


def change_of_pictures(generator: Generator, shift: Tensor) -> float:
    """Mean square of the change of sampled pictures along a short part of `shift`."""
    z = torch.randn(64, 16, generator=torch.Generator().manual_seed(9))
    w_plus = generator.broadcast(generator.mapping(z))
    step = 1e-3 * shift / shift.norm()
    difference = generator.synthesis(w_plus + step) - generator.synthesis(w_plus)
    return float(difference.square().mean())


def test_directions_are_at_right_angles(generator: Generator) -> None:
    directions = find(generator, 20, 200, 0.01).flatten(1)
    products = directions @ directions.T
    torch.testing.assert_close(products, products.diag().diag(), rtol=0, atol=1e-5)


def test_the_first_direction_changes_pictures_more_than_any_drawn_one(
    generator: Generator,
) -> None:
    first = find(generator, 1, 600, 0.01)[0]
    random = torch.Generator().manual_seed(4)
    drawn = torch.randn(20, *first.shape, generator=random)
    most = max(change_of_pictures(generator, shift) for shift in drawn)
    assert change_of_pictures(generator, first) > 3 * most


def test_the_more_a_direction_changes_the_shorter_it_is(generator: Generator) -> None:
    directions = find(generator, 96, 600, 0.01)
    lengths = directions.flatten(1).norm(dim=1)
    assert (lengths.diff() >= -1e-6).all()
    assert lengths[0] == pytest.approx((0.01 / 1.01) ** 0.5, rel=1e-4)
    assert lengths[-1] <= 1


def test_strong_damping_leaves_steps_alike(generator: Generator) -> None:
    lengths = find(generator, 96, 600, 1.0).flatten(1).norm(dim=1)
    assert lengths[0] == pytest.approx(0.5**0.5, rel=1e-4)


def test_there_are_no_more_directions_than_samples_or_entries(generator: Generator) -> None:
    assert find(generator, 500, 40, 0.01).shape == (40, 6, 16)
    assert find(generator, 500, 200, 0.01).shape == (96, 6, 16)


def test_half_of_the_directions_hold_nearly_all_that_pictures_show(
    generator: Generator,
) -> None:
    directions = find(generator, 96, 600, 0.01)
    changes = [change_of_pictures(generator, each) for each in directions]
    assert sum(changes[:48]) > 0.9 * sum(changes)
