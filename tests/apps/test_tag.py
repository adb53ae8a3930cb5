import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nfe.tagging.tagger import Tagger
from tests.nfe.tagging.illustration2vec import (
    NUM_TAGS,
    reference_scores,
    write_illustration2vec,
    write_tag_list,
)

from .conftest import DARK, FACE, SCENE, Nfe


def rows(output: str) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in output.splitlines()]
    return {row["input"].rpartition("in/")[2]: row for row in found}


def test_faces_are_tagged_by_the_model(nfe: Nfe, bundle: Path, pictures: Path) -> None:
    result = nfe("tag", pictures, "--model", bundle, "--threshold", 0, "--json")
    assert result.exit_code == 0, result.output
    found = rows(result.stdout)
    assert {name: row["status"] for name, row in found.items()} == {
        "scene.png": "done",
        "sub/face.png": "done",
        "dark.png": "no_face",
    }
    tagger = Tagger.load(bundle / "tagger")
    expected = dict(zip(tagger.tags, tagger.tag_scores(FACE[None])[0].tolist(), strict=True))
    scores = found["sub/face.png"]["tags"]["general"]
    assert scores == pytest.approx(expected, abs=1e-4)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert found["scene.png"]["box"] == [8, 6, 28, 26]


def test_attributes_and_lines_for_people(nfe: Nfe, bundle: Path, pictures: Path) -> None:
    given = ("tag", pictures / "sub", "--model", bundle, "--attributes")
    row = rows(nfe(*given, "--json").stdout)["sub/face.png"]
    assert row["attributes"].keys() == {"hair", "smile"}
    hair = row["attributes"]["hair"]
    tagger = Tagger.load(bundle / "tagger")
    scores = tagger.estimate_specific_tags([FACE], ["red_hair", "blue_hair", "green_hair"])[0]
    assert f"{hair['value']}_hair" == max(scores, key=lambda tag: scores[tag])
    assert hair["confidence"] == pytest.approx(
        max(scores.values()) / sum(scores.values()), abs=1e-3
    )
    line = nfe(*given).stdout
    assert line.startswith(f"{pictures / 'sub/face.png'}: hair={hair['value']} ")
    assert line.count("\n") == 1


def test_illustration2vec_sees_the_whole_picture(
    nfe: Nfe, bundle: Path, pictures: Path, tmp_path: Path
) -> None:
    weights = np.random.default_rng(4).normal(0, 0.002, (NUM_TAGS, 588)).astype(np.float32)
    write_illustration2vec(tmp_path / "i2v", weights, "N")
    write_tag_list(tmp_path / "i2v")
    given = ("--tagger", tmp_path / "i2v", "--threshold", 0)
    result = nfe("tag", pictures, *given, "--model", "nowhere", "--json")
    assert result.exit_code == 0, result.output
    found = rows(result.stdout)
    for name, pixels in (("scene.png", SCENE), ("dark.png", DARK)):
        expected = reference_scores(Image.fromarray(pixels), weights)
        tags = found[name]["tags"]
        assert tags["general"]["blue hair"] == pytest.approx(expected[1], abs=2e-4)
        assert tags["rating"]["safe"] == pytest.approx(expected[1536], abs=2e-4)
        assert tags.keys() == {"general", "character", "copyright", "rating"}
    labelled = nfe("tag", pictures, *given, "--model", bundle, "--attributes", "--json")
    assert rows(labelled.stdout)["scene.png"]["attributes"].keys() == {"smile"}  # knows no red hair


def test_a_threshold_is_the_least_score(nfe: Nfe, bundle: Path, pictures: Path) -> None:
    given = ("tag", pictures / "sub", "--model", bundle, "--json")
    every = rows(nfe(*given, "--threshold", 0).stdout)["sub/face.png"]["tags"]["general"]
    middle = math.floor(sorted(every.values())[2] * 1000) / 1000
    some = rows(nfe(*given, "--threshold", middle).stdout)["sub/face.png"]["tags"]["general"]
    assert some == {tag: score for tag, score in every.items() if score > middle}
    assert nfe("tag", pictures / "sub", "--model", bundle, "--threshold", 1).stdout.endswith(
        "face.png: no tags\n"
    )


def test_a_bad_file_is_told_and_the_others_go_on(nfe: Nfe, bundle: Path, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes(b"")
    result = nfe("tag", pictures, "--model", bundle)
    assert result.exit_code == 3
    assert result.stderr.startswith("error: broken.png must be a readable picture")
    assert len(result.stdout.splitlines()) == 3
    assert nfe("tag", pictures / "dark.png", "--model", bundle).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "2"], "--threshold must be 0 to 1, got 2"),
        (["--model", "nowhere"], "--model must be a model folder, got nowhere"),
        (["--tagger", "nowhere"], "--tagger must be a folder or a file, got nowhere"),
        (["--tagger", ".", "--faces", "whole"], "--faces must be left out with --tagger"),
        (["nowhere"], "input must be a file, a folder or a glob, got 'nowhere'"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe, bundle: Path, pictures: Path, arguments: list[str], message: str
) -> None:
    result = nfe("tag", pictures, "--model", bundle, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert result.stdout == ""
