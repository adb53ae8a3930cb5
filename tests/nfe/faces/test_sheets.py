import numpy as np

from nfe.faces.sheets import evenly_spaced, labelled_sheet


def test_evenly_spaced() -> None:
    assert evenly_spaced(10, 4) == [0, 2, 5, 7]
    assert evenly_spaced(3, 4) == [0, 1, 2]
    assert evenly_spaced(0, 4) == []


def test_a_sheet_shows_every_group_under_its_label() -> None:
    red, blue = (
        np.full((10, 10, 3), color, dtype=np.uint8) for color in ((255, 0, 0), (0, 0, 255))
    )
    sheet = labelled_sheet({"red": [red] * 5, "blue": [blue]}, columns=4, side=20)
    assert sheet.shape[1] == 4 * 22 - 2
    is_red, is_blue = ((sheet == color).all(axis=2) for color in ((255, 0, 0), (0, 0, 255)))
    assert is_red.sum() == 5 * 20 * 20
    assert is_blue.sum() == 20 * 20
    label = sheet[: np.argwhere(is_red)[0, 0]]
    assert (label < 100).all(axis=2).any(), "the label is written in black"


def test_a_group_may_be_empty() -> None:
    assert labelled_sheet({"no rejects": []}, columns=4, side=20).shape[1] == 4 * 22 - 2
