"""Automatic edits: as far as they are seen, along the layers that leave the rest alone."""

from typing import Any

import numpy as np
import pytest

from nfe.auto_editing import AutoEditor
from nfe.editing import edit_codes
from nfe.errors import ParamsError

from .test_editing import DIM, NUM_WS, make_boundary

CHANGES = {"hair": "blue"}
TABLE = {
    "hair": {"blue": ["blue_hair"], "red": ["red_hair"]},
    "smile": {"yes": ["smile"], "no": []},
    "mouth": {"open": ["open_mouth"], "shut": []},
}


class _Tagger:
    """Reads scores that `show` wrote into the pixels."""

    tags = ("blue_hair", "red_hair", "smile", "open_mouth")

    def tag_scores(self, pixels: np.ndarray) -> np.ndarray:
        return pixels[:, 0, 0] / 255


def make_editor(**changes: Any) -> AutoEditor:
    rng = np.random.default_rng(1)
    boundaries = [make_boundary("hair", v, rng.standard_normal(DIM), 0.1) for v in ("blue", "red")]
    tagger: Any = _Tagger()
    options = {
        "boundaries": boundaries,
        "tagger": tagger,
        "attributes": TABLE,
        "scales": [0.5, 1.0, 2.0],
        "first_layers": [0],
        "min_confidence": 0.8,
    }
    return AutoEditor(**{**options, **changes})


def make_codes(count: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((count, NUM_WS, DIM))


def scores(blue: np.ndarray, smile: np.ndarray, mouth: float | np.ndarray = 1.0) -> np.ndarray:
    colors = np.stack(np.broadcast_arrays(blue, 1 - blue, smile, mouth), axis=1)
    return np.tile((colors * 255).round().astype(np.uint8)[:, None, None], (1, 2, 2, 1))


def full_edit(editor: AutoEditor, w_plus: np.ndarray, first: int = 0) -> np.ndarray:
    return edit_codes(w_plus, editor.boundaries, CHANGES, [], "auto", (first, NUM_WS))


def share(w_plus: np.ndarray, edited: np.ndarray, full: np.ndarray) -> np.ndarray:
    """How far along the full edit each code is, by its last layer."""
    moved, whole = edited[:, -1] - w_plus[:, -1], full[:, -1] - w_plus[:, -1]
    return (moved * whole).sum(axis=1) / (whole * whole).sum(axis=1)


def test_an_edit_goes_as_far_as_it_is_seen_and_no_farther() -> None:
    editor, w_plus = make_editor(), make_codes(3)
    full, needed, asked = full_edit(editor, w_plus), np.array([0.3, 0.8, 9.0]), []

    def show(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
        asked.append(len(codes))
        gone = share(w_plus[places], codes, full[places])
        return scores((gone / needed[places]).clip(0, 1), np.full(len(codes), 0.9))

    edited = editor.edit(w_plus, show, CHANGES, [])
    np.testing.assert_allclose(share(w_plus, edited, full), [0.5, 1.0, 2.0])
    assert asked == [3, 3, 2, 1]  # the first look is at the faces as they are
    assert edited.dtype == w_plus.dtype


def test_an_edit_that_is_never_sure_stays_where_it_was_seen_best() -> None:
    editor, w_plus = make_editor(), make_codes(1)
    full = full_edit(editor, w_plus)

    def show(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
        gone = share(w_plus[places], codes, full[places])
        return scores(0.6 - np.abs(gone - 1.1) / 4, np.full(len(codes), 0.9))

    assert share(w_plus, editor.edit(w_plus, show, CHANGES, []), full) == pytest.approx(1.0)


@pytest.mark.parametrize(("harm_of_early_layers", "first"), [(0.5, 2), (-0.05, 0)])
def test_of_two_ranges_of_layers_the_one_is_taken_that_leaves_the_rest(
    harm_of_early_layers: float, first: int
) -> None:
    editor, w_plus = make_editor(first_layers=[0, 2], scales=[1.0]), make_codes(4)

    def show(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
        early = np.any(codes[:, 0] != w_plus[places, 0], axis=1)
        changed = np.any(codes != w_plus[places], axis=(1, 2))
        return scores(changed * 0.9, 0.9 - early * harm_of_early_layers)

    edited = editor.edit(w_plus, show, CHANGES, [])
    np.testing.assert_array_equal(edited, full_edit(editor, w_plus, first))


def test_a_sure_edit_comes_before_one_that_leaves_the_rest_alone() -> None:
    editor, w_plus = make_editor(first_layers=[0, 2], scales=[1.0]), make_codes(2)

    def show(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
        early = np.any(codes[:, 0] != w_plus[places, 0], axis=1)
        return scores(np.where(early, 0.85, 0.7), np.where(early, 0.1, 0.9))

    edited = editor.edit(w_plus, show, CHANGES, [])
    np.testing.assert_array_equal(edited, full_edit(editor, w_plus))


def test_a_layer_that_is_not_there_is_refused() -> None:
    editor = make_editor(first_layers=[0, NUM_WS])

    def show(codes: np.ndarray, _: np.ndarray) -> np.ndarray:
        return scores(np.zeros(len(codes)), np.zeros(len(codes)))

    with pytest.raises(ParamsError, match=f"within 0 to {NUM_WS}"):
        editor.edit(make_codes(1), show, CHANGES, [])


@pytest.mark.parametrize(
    ("keep", "needs_mouth", "kept"),
    [(["smile"], False, ["mouth", "smile"]), (["smile"], True, ["smile"]), ([], False, [])],
)
def test_what_keeps_something_keeps_the_others_too_where_the_change_is_seen_so(
    keep: list[str], needs_mouth: bool, kept: list[str]
) -> None:
    rng = np.random.default_rng(3)
    hair = make_editor().boundaries
    smile, mouth = (
        make_boundary(a, v, rng.standard_normal(DIM), 0.1)
        for a, v in (("smile", "yes"), ("mouth", "open"))
    )
    editor = make_editor(boundaries=[*hair, smile, mouth], scales=[1.0])
    w_plus = make_codes(4)

    def show(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
        moved = (codes - w_plus[places]).mean(axis=1) @ mouth.normal
        still = np.abs(moved) < 1e-9
        changed = np.any(codes != w_plus[places], axis=(1, 2))
        blue = np.where(changed & ~(still & needs_mouth), 0.9, 0.1)
        return scores(blue, np.full(len(codes), 0.9), np.where(still, 0.9, 0.1))

    edited = editor.edit(w_plus, show, CHANGES, keep)
    expected = edit_codes(w_plus, editor.boundaries, CHANGES, kept, "auto")
    np.testing.assert_allclose(edited, expected, atol=1e-12)
