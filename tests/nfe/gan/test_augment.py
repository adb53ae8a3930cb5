"""Augmentation: what each change does, how often, and how its strength adapts."""

import numpy as np
import pytest
import torch

from nfe.gan.augment import _chosen, _colour, _cut_out, _warp, adapt_strength, augment


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_without_strength_images_are_untouched(
    images: torch.Tensor, random: torch.Generator
) -> None:
    assert augment(images, 0.0, random) is images


def test_a_small_strength_leaves_most_images_alone(
    images: torch.Tensor, random: torch.Generator
) -> None:
    changed = (augment(images, 0.02, random) - images).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert 1 <= int(changed.sum()) <= 24


def test_a_flat_image_stays_flat_when_warped(random: torch.Generator) -> None:
    flat = torch.tensor([0.5, -0.25, 1.0])[None, :, None, None].expand(32, 3, 8, 8)
    torch.testing.assert_close(_warp(flat, 1.0, random), flat)


def test_the_warp_moves_images_and_keeps_their_range(
    images: torch.Tensor, random: torch.Generator
) -> None:
    warped = _warp(images, 1.0, random)
    assert (warped - images).abs().amax(dim=(1, 2, 3)).min() > 0.05
    assert warped.abs().max() <= images.abs().max() + 1e-6


def test_grey_stays_grey_under_hue_and_saturation(random: torch.Generator) -> None:
    grey = torch.linspace(-1, 1, 16).view(1, 1, 4, 4).expand(32, 3, 4, 4)
    coloured = _colour(grey, 1.0, random)
    torch.testing.assert_close(coloured[:, 0], coloured[:, 1])
    torch.testing.assert_close(coloured[:, 0], coloured[:, 2])


def test_colour_is_affine_and_the_same_at_every_pixel(
    images: torch.Tensor, random: torch.Generator
) -> None:
    coloured = _colour(images, 1.0, random)
    for before, after in zip(images[:4], coloured[:4], strict=True):
        points = np.c_[before.reshape(3, -1).T.numpy(), np.ones(256)]
        values = after.reshape(3, -1).T.numpy()
        _, residual, _, _ = np.linalg.lstsq(points, values, rcond=None)
        assert residual.max() < 1e-6


def test_the_cut_out_is_a_square_of_at_most_half_the_side(random: torch.Generator) -> None:
    holes = _cut_out(torch.ones(200, 1, 16, 16), 1.0, random) == 0
    rows, columns = holes.any(dim=3).sum(dim=(1, 2)), holes.any(dim=2).sum(dim=(1, 2))
    assert torch.equal(holes.sum(dim=(1, 2, 3)), rows * columns)
    assert int(rows.max()) == int(columns.max()) == 8
    assert int(rows.min()) >= 4


def test_strength_is_the_probability(random: torch.Generator) -> None:
    assert _chosen(20_000, 0.3, random).mean() == pytest.approx(0.3, abs=0.015)


def test_gradients_reach_the_images(images: torch.Tensor, random: torch.Generator) -> None:
    images.requires_grad_(True)
    augment(images, 0.5, random).square().sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum(dim=(1, 2, 3)).min() > 0


@pytest.mark.parametrize(
    ("strength", "sign", "expected"),
    [(0.5, 0.9, 0.51), (0.5, 0.1, 0.49), (0.0, 0.1, 0.0), (0.995, 0.9, 1.0)],
)
def test_strength_follows_the_sign_of_the_logits(
    strength: float, sign: float, expected: float
) -> None:
    assert adapt_strength(strength, sign, 0.6, num_images=1000) == pytest.approx(expected)
