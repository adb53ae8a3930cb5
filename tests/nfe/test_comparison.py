"""A comparison sheet shows each set in its own column, in the order of the rows."""

import numpy as np
import pytest

from nfe.comparison import comparison_sheet


def _flat(*levels: int) -> np.ndarray:
    return np.stack([np.full((4, 4, 3), level, dtype=np.uint8) for level in levels])


def test_rows_are_pictures_and_columns_are_sets() -> None:
    sheet = comparison_sheet({"one": _flat(10, 20, 30), "two\nlines": _flat(40, 50, 60)}, 2, 8)
    assert sheet.shape[1] == 2 * 8 + 2
    bottom = sheet[-18:]
    assert (bottom[0, 0, 0], bottom[0, 10, 0]) == (10, 40)
    assert (bottom[10, 0, 0], bottom[10, 10, 0]) == (20, 50)
    header = sheet[:-18]
    assert header.shape[0] == 36
    assert header.min() < 128


def test_sets_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        comparison_sheet({"one": _flat(1), "two": _flat(1, 2)}, 5, 8)
