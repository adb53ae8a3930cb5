from typing import Any

import numpy as np
import pytest

from nfe.shown import are_shown, rate_edits
from nfe.tagging.attributes import Labels

LABELS = {
    "hair": Labels(("red", "blue"), np.array([1, 1, 0, -1]), np.array([0.9, 0.6, 0.9, 0.2])),
    "smile": Labels(("yes", "no"), np.array([0, 0, 0, 0]), np.array([0.9, 0.9, 0.9, 0.9])),
}


def test_value_must_be_the_answer():
    assert are_shown(LABELS, {"hair": "blue"}).tolist() == [True, True, False, False]


def test_all_changes_must_be_shown_and_unknown_attributes_are():
    changes = {"hair": "blue", "smile": "no"}
    assert not are_shown(LABELS, changes).any()
    assert are_shown(LABELS, {"hat": "red"}).all()


class _Tagger:
    """Answers the same scores whatever it is shown."""

    tags = ("red_hair", "blue_hair", "smile")

    def tag_scores(self, pixels: np.ndarray) -> np.ndarray:
        return np.array([[0.2, 0.6, 0.9], [0.1, 0.1, 0.4], [0.0, 0.0, 0.0]])[: len(pixels)]


TABLE = {
    "hair": {"red": ["red_hair"], "blue": ["blue_hair"]},
    "smile": {"yes": ["smile"], "no": []},
    "hat": {"big": ["big_hat"], "small": ["small_hat"]},
}


def rate(changes: dict[str, str], others: dict[str, list[str]]) -> tuple[list[float], list[float]]:
    tagger: Any = _Tagger()
    before = {name: np.array(values) for name, values in others.items()}
    sure, stays = rate_edits(np.zeros((3, 4, 4, 3), np.uint8), tagger, TABLE, changes, before)
    return sure.round(6).tolist(), stays.round(6).tolist()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"hair": "blue"}, [0.75, 0.5, 1.0]),  # no score at all says nothing
        ({"hair": "blue", "smile": "no"}, [0.1, 0.5, 1.0]),  # the least of the two
        ({"hat": "big"}, [1.0, 1.0, 1.0]),  # not known to the tagger
    ],
)
def test_certainty_is_the_share_of_the_values_wanted(
    changes: dict[str, str], expected: list[float]
) -> None:
    assert rate(changes, {}) == (expected, [1.0, 1.0, 1.0])


def test_what_stays_is_the_mean_share_of_the_values_before() -> None:
    others = {"hair": ["red", "blue", "red"], "smile": ["yes", "no", ""], "hat": ["", "", ""]}
    _, stays = rate({}, {"hair": others["hair"]})
    assert stays == [0.25, 0.5, 1.0]
    _, stays = rate({}, {name: others[name] for name in ("hair", "smile")})
    assert stays == [(0.25 + 0.9) / 2, (0.5 + 0.6) / 2, 1.0]
    assert rate({}, {"hat": others["hat"]})[1] == [1.0, 1.0, 1.0]


class _Particular:
    """Sees blue hair where a corner of a picture is bright enough."""

    tags = ("red_hair", "blue_hair")

    def tag_scores(self, pixels: np.ndarray) -> np.ndarray:
        blue = pixels[:, 0, 0].mean(axis=1) / 255
        return np.stack([1 - blue, blue], axis=1)


def test_a_change_counts_that_mirror_image_and_blurred_copy_show_too() -> None:
    pictures = np.full((4, 5, 5, 3), 255, dtype=np.uint8)
    pictures[1, 0, -1] = 51  # the mirror image does not show it
    pictures[2, 1:, :] = 0  # a blurred copy shows it less: a quarter of its corner is black
    pictures[3] = 0
    tagger: Any = _Particular()
    sure, _ = rate_edits(pictures, tagger, TABLE, {"hair": "blue"}, {})
    np.testing.assert_allclose(sure, [1.0, 0.2, 0.75, 0.0], atol=0.01)
    before = {"hair": np.full(4, "blue")}
    _, stays = rate_edits(pictures, tagger, TABLE, {}, before)
    np.testing.assert_allclose(stays, [1.0, (1 + 0.2 + 1) / 3, (1 + 1 + 0.75) / 3, 0], atol=0.01)
