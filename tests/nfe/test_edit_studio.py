from typing import Any

import numpy as np
import pytest

from nfe.auto_editing import AutoEditor
from nfe.edit_studio import Studio
from nfe.editing import edit_codes

from .test_editing import DIM, NUM_WS, make_boundary


def make_studio(strength: Any) -> Studio:
    rng = np.random.default_rng(1)
    names = [("hair", "blue"), ("hair", "red"), ("eyes", "green"), ("eyes", "red")]
    boundaries = [make_boundary(a, v, rng.standard_normal(DIM), 0.1) for a, v in names]
    tagger: Any = None  # asked for nothing in these tests
    return Studio(AutoEditor(boundaries, tagger, {}, [1.0, 2.0], [0], 0.5), tagger, strength)


def test_an_edit_of_a_given_strength_is_that_of_the_boundaries() -> None:
    def synthesise(_codes: np.ndarray, _places: np.ndarray) -> np.ndarray:
        raise AssertionError("no picture is needed")

    studio = make_studio(2.0)
    w_plus = np.random.default_rng(2).standard_normal((5, NUM_WS, DIM))
    edited = studio.edit(w_plus, synthesise, {"hair": "blue"}, ["eyes"])
    expected = edit_codes(w_plus, studio.editor.boundaries, {"hair": "blue"}, ["eyes"], 2.0)
    np.testing.assert_array_equal(edited, expected)
    assert not np.array_equal(edited, w_plus)


def test_what_the_judge_does_not_know_is_not_measured() -> None:
    studio = make_studio(1.0)
    before = {"smile": np.array(["yes", "no", "no"])}
    after = {"smile": np.array(["yes", "yes", "no"])}
    assert studio.measure(before, after, {"hat": "big"}, []) == {"num_images": 0.0}
    figures = studio.measure(before, after, {"smile": "yes"}, [])
    assert figures["num_images"] == 2.0
    assert figures["success"] == pytest.approx(0.5)
