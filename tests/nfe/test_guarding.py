"""Edits are held back where kept attributes show, and nowhere else."""

import numpy as np
import pytest

from nfe.boundaries import Boundary
from nfe.guarding import Guard, change_levels

GUARD = Guard(attributes=["eyes", "hat"], factor=1.5)
SIDE, MIDDLE = 16, 8
BLUE = np.array([1.0, 0, 0])


def make_boundary(attribute: str, value: str, axis: int, sign: float) -> Boundary:
    """A boundary across one of three independent axes."""
    normal = sign * np.eye(3)[axis]
    centres = {value: 1.0} | {other: -1.0 for other in ("blue", "green", "red") if other != value}
    return Boundary(attribute, value, "w", normal, 0.0, normal, 1.0, centres, {})


BOUNDARIES = [
    make_boundary("hair", "blue", 0, 1.0),
    make_boundary("eyes", "green", 1, 1.0),
    make_boundary("eyes", "red", 1, -1.0),
]


def draw(w_plus: np.ndarray) -> np.ndarray:
    """Hair is the left half, eyes are the right half; hair tints the eyes a little."""
    hair, eyes, _ = w_plus.mean(axis=1).T
    pictures = np.full((len(w_plus), SIDE, SIDE, 3), 100.0)
    pictures[:, :, :MIDDLE, 2] += 40 * hair[:, None, None]
    pictures[:, :, MIDDLE:, 1] += (40 * eyes + 12 * hair)[:, None, None]
    return np.rint(pictures).astype(np.uint8)


@pytest.fixture
def w_plus() -> np.ndarray:
    return np.zeros((2, 4, 3))


def test_a_place_is_where_the_attributes_own_edits_change_the_picture(w_plus: np.ndarray) -> None:
    levels = GUARD.places(w_plus, draw(w_plus), draw, BOUNDARIES, {"hair": "blue"}, ["eyes"])
    assert levels.shape == (2, SIDE, SIDE)
    np.testing.assert_allclose(levels[:, :, MIDDLE + 4 :], 40, atol=0.1)
    np.testing.assert_allclose(levels[:, :, : MIDDLE - 4], 0, atol=0.1)


@pytest.mark.parametrize("keep", [[], ["smile"]])
def test_what_is_not_kept_is_not_guarded(w_plus: np.ndarray, keep: list[str]) -> None:
    before = draw(w_plus)
    levels = GUARD.places(w_plus, before, draw, BOUNDARIES, {"hair": "blue"}, keep)
    after = draw(w_plus + BLUE)
    assert not levels.any()
    np.testing.assert_array_equal(GUARD.hold_back(before, after, levels), after)


def test_an_attribute_whose_edits_the_change_fixes_has_no_place(w_plus: np.ndarray) -> None:
    same_axis = [BOUNDARIES[0], make_boundary("eyes", "green", 0, 1.0)]
    levels = GUARD.places(w_plus, draw(w_plus), draw, same_axis, {"hair": "blue"}, ["eyes"])
    assert not levels.any()


def test_the_share_that_is_left_follows_the_levels() -> None:
    """e^4 / (e^4 + (1.5 p)^4) of a change of 20 levels, in places of 0, 10 and 40 levels."""
    before = np.full((3, SIDE, SIDE, 3), 100, dtype=np.uint8)
    places = np.stack([np.full((SIDE, SIDE), p, dtype=np.float32) for p in (0, 10, 40)])
    places[0, 0, 0] = 1e-3
    held = GUARD.hold_back(before, before + 20, places)
    left = [20**4 / (20**4 + (1.5 * p) ** 4) for p in (0, 10, 40)]
    expected = [round(100 + 20 * share) for share in left]
    assert [np.unique(each).tolist() for each in held] == [[level] for level in expected]
    assert expected == [120, 115, 100]


def test_hair_changes_and_eyes_stay(w_plus: np.ndarray) -> None:
    before, after = draw(w_plus), draw(w_plus + BLUE)
    levels = GUARD.places(w_plus, before, draw, BOUNDARIES, {"hair": "blue"}, ["eyes"])
    held = GUARD.hold_back(before, after, levels)
    assert held.dtype == np.uint8
    np.testing.assert_array_equal(held[:, :, : MIDDLE - 4], after[:, :, : MIDDLE - 4])
    np.testing.assert_array_equal(held[:, :, MIDDLE + 4 :], before[:, :, MIDDLE + 4 :])
    assert change_levels(before, after)[:, :, MIDDLE + 4 :].min() > 10
