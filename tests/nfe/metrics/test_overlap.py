import numpy as np
import pytest
from scipy.stats import norm

from nfe.metrics.overlap import overlap_auc


def auc(first: np.ndarray, second: np.ndarray, members: int = 1) -> float:
    random = np.random.default_rng(0)
    groups = np.arange(len(first)) // members
    return overlap_auc(first, second, groups, np.arange(len(second)), 5, random)


def test_one_distribution_cannot_be_told_apart() -> None:
    random = np.random.default_rng(1)
    assert auc(random.normal(size=(2000, 8)), random.normal(size=(2000, 8))) == pytest.approx(
        0.5, abs=0.04
    )


def test_a_shift_gives_the_area_of_two_gaussians() -> None:
    random = np.random.default_rng(2)
    first, second = random.normal(size=(2, 4000, 6))
    second[:, 0] += 1.5
    assert auc(first, second) == pytest.approx(norm.cdf(1.5 / np.sqrt(2)), abs=0.02)


def test_a_smaller_spread_shows() -> None:
    random = np.random.default_rng(3)
    first, second = random.normal(size=(2, 2000, 8))
    assert auc(first, 0.3 * second) > 0.95


def test_copies_of_one_picture_give_nothing_away() -> None:
    # 20 codes, each 50 times: a classifier that saw a code's copies would know its side.
    random = np.random.default_rng(4)
    first = np.repeat(random.normal(size=(20, 30)), 50, axis=0)
    second = random.normal(size=(1000, 30))
    assert auc(first, second, members=50) < 0.75


def test_fewer_groups_than_folds_are_refused() -> None:
    codes = np.zeros((10, 2))
    with pytest.raises(ValueError, match="groups must be at least num_folds"):
        overlap_auc(codes, codes, np.zeros(10), np.arange(10), 5, np.random.default_rng(0))
