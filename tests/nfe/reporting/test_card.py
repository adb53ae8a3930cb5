from typing import Any

import pytest

from nfe.reporting.card import write_card

DESCRIPTION: dict[str, Any] = {
    "name": "faces",
    "architecture": {"generator": {"resolution": 64}},
    "attributes": {
        "hair_color": {"blue": {"remaining_balanced_accuracy": 0.87}, "red": {}},
    },
    "notes": [],
    "metrics": {
        "train_gan": {"kimg": 220.0, "seconds": 4100.5, "device": "cpu"},
        "evaluate_gan": {"fd_judge": 12.3, "precision_judge": 0.9, "recall_judge": 0.5},
        "fit_boundaries": {"num_boundaries": 2, "num_skipped": 1, "skipped": {"a=b": "x | y"}},
    },
    "provenance": {
        "params": {"crop": {"source": "faces.zip"}, "train_gan": {"start": None}},
        "packages": {"torch": "2.0"},
    },
}


def test_says_what_the_model_knows_and_what_made_it() -> None:
    lines = write_card(DESCRIPTION).splitlines()
    assert lines[0] == "# faces"
    assert "* **hair color**: blue (87 %), red" in lines
    assert "* faces: `faces.zip`" in lines
    assert "* train_gan: kimg 220, seconds 4,100, device cpu" in lines
    assert "* versions: torch 2.0" in lines
    assert not any("went on from" in line or "before use" in line for line in lines)


def test_every_figure_stands_in_a_table_under_its_stage() -> None:
    card = write_card(DESCRIPTION)
    assert "### evaluate_gan\n\n| figure | value |\n|---|---|\n| fd judge | 12.3 |\n" in card
    assert "| skipped: a=b | x / y |" in card  # a bar would end the cell
    assert any(line.startswith("| Fréchet distance of samples") for line in card.splitlines())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"notes": ["Knows no hats."]}, "* Knows no hats."),
        (
            {"provenance": {"params": {"train_gan": {"start": "old"}}, "packages": {}}},
            "* train_gan went on from `old`",
        ),
    ],
)
def test_says_what_is_special(change: dict[str, Any], line: str) -> None:
    assert line in write_card({**DESCRIPTION, **change}).splitlines()
