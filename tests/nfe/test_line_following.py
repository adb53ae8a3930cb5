"""Changes follow the picture's lines: closed forms, and what they are for."""

import numpy as np
import pytest

from nfe.line_following import CONTRAST, LUMA, RADIUS, change_of, fit_lines, fit_nothing

SIDE, MIDDLE = 32, 16


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def two_surfaces() -> np.ndarray:
    """Dark on the left, light on the right."""
    picture = np.full((SIDE, SIDE, 3), 40, dtype=np.uint8)
    picture[:, MIDDLE:] = 220
    return picture


def follow_lines(change: np.ndarray, picture: np.ndarray) -> np.ndarray:
    return change_of(fit_lines(change, picture), picture)


def test_one_change_everywhere_stays_as_it_is(picture: np.ndarray) -> None:
    change = np.broadcast_to(np.float32([30, -20, 5]), (SIDE, SIDE, 3))
    np.testing.assert_allclose(follow_lines(change, picture), change, atol=1e-3)


def test_nothing_changes_far_from_a_change(picture: np.ndarray) -> None:
    change = np.zeros((SIDE, SIDE, 3), dtype=np.float32)
    change[MIDDLE, MIDDLE] = 100
    result = follow_lines(change, picture)
    reach = 2 * RADIUS
    inside = slice(MIDDLE - reach, MIDDLE + reach + 1)
    assert np.abs(result[inside, inside]).max() > 1
    result[inside, inside] = 0
    assert np.abs(result).max() < 1e-6


def test_a_change_that_is_linear_in_brightness_is_kept_to_the_share_of_the_contrast() -> None:
    """On stripes 2 d levels apart the slope is d^2 / (d^2 + CONTRAST^2) of the true one."""
    d = 30
    stripes = np.full((SIDE, SIDE, 3), 100 - d, dtype=np.uint8)
    stripes[:, ::2] = 100 + d
    change = 0.5 * (stripes.astype(np.float32) - 100)
    result = follow_lines(change, stripes)[8:24, 8:24]
    share = result.std() / change[8:24, 8:24].std()
    window = 2 * RADIUS + 1  # an odd number of stripes: their variance is slightly less than d^2
    variance = d**2 * (1 - 1 / window**2)
    assert share == pytest.approx(variance / (variance + CONTRAST**2), abs=0.01)
    assert sum(LUMA) == pytest.approx(1)


def test_texture_of_the_change_that_the_picture_lacks_goes(two_surfaces: np.ndarray) -> None:
    random = np.random.default_rng(1)
    texture = random.normal(0, 30, (SIDE, SIDE, 3)).astype(np.float32)
    result = follow_lines(50 + texture, two_surfaces)
    assert result.mean() == pytest.approx(50, abs=4)
    assert result.std() < 0.4 * texture.std()


def test_a_change_ends_where_the_surface_ends(two_surfaces: np.ndarray) -> None:
    change = np.zeros((SIDE, SIDE, 3), dtype=np.float32)
    change[:, MIDDLE:] = 80
    np.testing.assert_allclose(follow_lines(change, two_surfaces), change, atol=1.5)


def test_a_change_that_is_to_stay_as_it_is(picture: np.ndarray) -> None:
    change = np.random.default_rng(2).normal(0, 50, (SIDE, SIDE, 3)).astype(np.float32)
    np.testing.assert_array_equal(change_of(fit_nothing(change), picture), change)
