"""The model that comes with the project."""

import json
from pathlib import Path

import pytest

from apps.options import DEFAULT_MODEL
from nfe.bundle import read_description
from nfe.files import check_manifest

from .conftest import Nfe

MAX_BYTES = 25_000_000
NUM_FACES = 8


def test_is_whole_small_and_has_a_card() -> None:
    check_manifest(DEFAULT_MODEL)
    sizes = [file.stat().st_size for file in DEFAULT_MODEL.rglob("*") if file.is_file()]
    assert sum(sizes) <= MAX_BYTES
    card = (DEFAULT_MODEL / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# anime64\n")
    assert "no licence" in card


def test_knows_the_colours_of_hair_and_eyes_and_the_length_of_hair() -> None:
    attributes = read_description(DEFAULT_MODEL)["attributes"]
    assert {*attributes} == {"hair_color", "hair_length", "eye_color"}
    assert len(attributes["hair_color"]) >= 10


@pytest.mark.parametrize("colour", ["blue", "blonde"])
def test_edits_its_own_faces_as_asked(nfe: Nfe, tmp_path: Path, colour: str) -> None:
    seeds = f"0-{NUM_FACES - 1}"
    result = nfe("sample", tmp_path / "faces", "--seeds", seeds, "--truncation", "0.7")
    assert result.exit_code == 0, result.output
    out = tmp_path / "edited"
    pictures = sorted((tmp_path / "faces").glob("0*.png"))
    assert len(pictures) == NUM_FACES
    result = nfe("edit", *pictures, "--out", out, "--set", f"hair_color={colour}", "--steps", "5")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (out / "edit.jsonl").read_text().splitlines()]
    answers = [row["faces"][0]["judged"]["hair_color"] for row in rows]
    assert answers.count(colour) >= NUM_FACES * 0.75, answers
