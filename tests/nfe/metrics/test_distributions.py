"""Distances against closed forms and pytorch-fid."""

import numpy as np
import pytest
import torch

from nfe.metrics.distributions import (
    frechet_distance,
    kernel_distance,
    nearest_neighbours,
    precision_recall,
    sliced_wasserstein,
)
from nfe.metrics.inception import _import_inception


def _correlated(random: np.random.Generator, count: int, width: int) -> np.ndarray:
    return random.normal(size=(count, width)) @ random.normal(size=(width, width))


def test_frechet_distance_of_shifted_sets_is_the_squared_shift() -> None:
    features = _correlated(np.random.default_rng(0), 500, 8)
    shift = np.arange(8) / 4
    assert frechet_distance(features, features + shift) == pytest.approx(shift @ shift, rel=1e-6)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_scaled_gaussians() -> None:
    features = np.random.default_rng(0).normal(size=(1000, 1))
    features = (features - features.mean()) / features.std(ddof=1)
    assert frechet_distance(features, 3 * features) == pytest.approx((3 - 1) ** 2)


@pytest.mark.parametrize("count", [400, 20])  # 20 rows: singular covariances of 64 features
def test_frechet_distance_equals_pytorch_fid(count: int) -> None:
    _import_inception()
    from pytorch_fid.fid_score import calculate_frechet_distance

    random = np.random.default_rng(1)
    real, fake = _correlated(random, count, 64), _correlated(random, count, 64) + 1
    expected = calculate_frechet_distance(
        real.mean(axis=0), np.cov(real, rowvar=False), fake.mean(axis=0), np.cov(fake, rowvar=False)
    )
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-3)


def test_frechet_distance_needs_two_rows_and_equal_widths() -> None:
    for real, fake in (((1, 4), (5, 4)), ((5, 4), (5, 3))):
        with pytest.raises(ValueError, match="equal width"):
            frechet_distance(np.zeros(real), np.zeros(fake))


def test_kernel_distance_against_a_loop_and_around_zero_for_equal_sets() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 3)), random.normal(size=(12, 3)) + 1
    kernel = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    within = sum(kernel(s[i], s[j]) for s in (x, y) for i in range(12) for j in range(12) if i != j)
    across = sum(kernel(a, b) for a in x for b in y)
    expected = within / (12 * 11) - 2 * across / 144
    assert kernel_distance(x, y, 1, 12, random) == pytest.approx(expected)
    same = random.normal(size=(2000, 8))
    assert abs(kernel_distance(same[:1000], same[1000:], 5, 500, random)) < 0.02


def test_precision_and_recall_of_equal_distant_and_partial_sets() -> None:
    random = np.random.default_rng(0)
    left, right = random.normal(size=(200, 4)), random.normal(size=(200, 4)) + 50
    assert precision_recall(left, left, 3) == (1.0, 1.0)
    assert precision_recall(left, right, 3) == (0.0, 0.0)
    both = np.concatenate([left, right])
    precision, recall = precision_recall(both, left, 3)
    assert precision == 1.0
    assert recall == pytest.approx(0.5)


def test_nearest_neighbours_are_sorted() -> None:
    index = nearest_neighbours(np.array([[0.0]]), np.array([[3.0], [1.0], [2.0]]), 3)
    assert index.tolist() == [[1, 2, 0]]


def test_sliced_wasserstein_is_zero_for_equal_patches_and_grows() -> None:
    torch.manual_seed(0)
    images = torch.rand(100, 3, 32, 32) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1)

    def measure(fake: torch.Tensor) -> dict[int, float]:
        return sliced_wasserstein(images, fake, 64, 32, torch.Generator().manual_seed(0))

    same, other = measure(images), measure(blurred)
    assert list(same) == [32, 16]
    assert other[32] > 2 * same[32]
