"""Each picture stands at its row and column, beside names; an animation keeps every pixel."""

import io

import numpy as np
import pytest
from PIL import Image

from nfe.picture_tables import contact_sheet, encode_loop, numbered_strip, picture_table


def flat(*levels: int) -> np.ndarray:
    return np.stack([np.full((4, 4, 3), level, dtype=np.uint8) for level in levels])


def test_table_holds_rows_and_columns_right_of_and_under_their_names() -> None:
    pixels = np.stack([flat(10, 20, 30), flat(40, 50, 60)])
    table = picture_table(pixels, ["one", "two\nlines"], ["a", "b", "c"], side=40)
    cells = table[-82:, -124:]
    assert [cells[20, x, 0] for x in (20, 62, 104)] == [10, 20, 30]
    assert [cells[62, x, 0] for x in (20, 62, 104)] == [40, 50, 60]
    header, margin = table[:-82, -124:], table[-82:, :-124]
    assert min(header[:, x : x + 40].min() for x in (0, 42, 84)) < 128
    assert margin[:40].min() < 128 and margin[42:].min() < 128
    assert (table[:-82, :-124] == 255).all()


def test_names_fit_into_their_margin() -> None:
    table = picture_table(flat(255)[None], ["a very long name of a row"], [""], side=40)
    inside = table[:, :-40]
    assert inside.min() < 128
    assert (inside[:, 0] == 255).all()


def test_contact_sheet_names_each_picture() -> None:
    sheet = contact_sheet(flat(10, 20, 30), ["1", "2", "3"], columns=2, side=20)
    assert sheet.shape == (2 * 39 + 2, 42, 3)
    assert [sheet[10, 10, 0], sheet[10, 32, 0], sheet[51, 10, 0]] == [10, 20, 30]
    assert sheet[20:39, :20].min() < 128
    assert (sheet[41:, 22:] == 255).all()


def test_sheet_of_few_pictures_is_narrow() -> None:
    assert contact_sheet(flat(1), ["1"], columns=8, side=20).shape[1] == 20


def test_names_must_be_as_many_as_pictures() -> None:
    with pytest.raises(ValueError, match="zip"):
        contact_sheet(flat(1, 2), ["1"], columns=2, side=20)


def test_strip_is_one_row_with_a_large_name_below_each() -> None:
    strip = numbered_strip(flat(10, 20, 30), ["1", "2", "3"], side=60)
    assert strip.shape[1] == 3 * 62 - 2
    assert [strip[30, x, 0] for x in (30, 92, 154)] == [10, 20, 30]
    for left in (0, 62, 124):
        rows = np.flatnonzero((strip[60:, left : left + 60] < 128).any(axis=(1, 2)))
        assert 15 <= rows.max() - rows.min() <= 30
        assert rows.min() > 0 and rows.max() < len(strip) - 60 - 1


def test_animation_runs_for_ever_and_loses_nothing() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(encode_loop(frames, frames_per_second=25))) as picture:
        assert (picture.n_frames, picture.info["loop"]) == (3, 0)
        for index in range(3):
            picture.seek(index)
            assert (np.asarray(picture.convert("RGB")) == frames[index]).all()
            assert picture.info["duration"] == 40
