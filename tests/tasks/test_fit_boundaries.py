import csv
import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nfe.boundaries import load_boundaries
from nfe.errors import TagsError
from nfe.images import decode_pixels
from tasks import fit_boundaries

from .editing_project import ATTRIBUTES, make_editing_project

VALUES = {
    "space": "w",
    "confident_share": 0.8,
    "train_share": 0.7,
    "regularisations": [0.01, 0.1],
    "shared_penalty": 0.1,
    "num_folds": 3,
    "centre_share": 0.8,
    "min_variance": 1e-6,
    "min_examples": 10,
    "min_accuracy": 0.6,
    "seed": 1,
    "attributes": {**ATTRIBUTES, "hat": {"yes": ["hat"], "no": []}},
}
NAMES = ["hair=red", "hair=blue", "hair=green", "smile=yes", "smile=no"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    make_editing_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data/fit_boundaries"


def run(**changes):
    fit_boundaries.run(fit_boundaries.Params.model_validate(VALUES | changes))


@pytest.mark.parametrize("space", ["w", "z"])
def test_every_value_gets_a_boundary_figures_and_pictures(project, space):
    run(space=space)
    boundaries = load_boundaries(project / "boundaries")
    assert [b.name for b in boundaries] == NAMES
    assert {b.space for b in boundaries} == {space}
    metrics = json.loads((project / "metrics.json").read_text())
    assert metrics["num_boundaries"] == 5
    assert metrics["skipped"].keys() == {"hat=yes", "hat=no"}
    if space == "w":
        assert metrics["smile"]["validation_balanced_accuracy"] > 0.9
    rows = list(csv.DictReader((project / "accuracies.csv").open()))
    assert {row["boundary"] for row in rows} == {*NAMES}
    assert all(float(r["balanced_low"]) <= float(r["balanced_high"]) for r in rows)
    for name in ("cosines.png", "directions.png"):
        assert decode_pixels((project / name).read_bytes(), name).std() > 0


def test_same_seed_gives_the_same_bytes(project):
    files = ("boundaries/boundaries.npz", "boundaries/boundaries.json", "accuracies.csv")
    runs = []
    for _ in range(2):
        run()
        runs.append([(project / name).read_bytes() for name in files])
    assert runs[0] == runs[1]


def test_what_cannot_be_separated_is_reported_and_left_out(project):
    labels = pd.read_parquet("data/tag/labels.parquet")
    labels["smile"] = np.random.default_rng(0).choice(["yes", "no"], len(labels))
    labels.loc[labels.index[5:], "hair"] = labels["hair"].replace("green", "")
    labels.to_parquet("data/tag/labels.parquet", index=False)
    run(min_accuracy=0.8)
    skipped = json.loads((project / "metrics.json").read_text())["skipped"]
    assert "balanced accuracy must be 0.8" in skipped["smile=yes"]
    assert "confident positive codes" in skipped["hair=green"]
    assert "hair=red" not in skipped


def test_nothing_to_separate_is_an_error(project):
    labels = pd.read_parquet("data/tag/labels.parquet")
    labels[["hair", "smile"]] = ["red", "yes"]
    labels.to_parquet("data/tag/labels.parquet", index=False)
    with pytest.raises(TagsError, match="one attribute value must be separable"):
        run()


def test_labels_of_other_images_are_refused(project):
    labels = pd.read_parquet("data/tag/labels.parquet")
    labels["seed"] += 1
    labels.to_parquet("data/tag/labels.parquet", index=False)
    with pytest.raises(TagsError, match="run tag again"):
        run()


@pytest.mark.parametrize(
    "change",
    [
        {"space": "x"},
        {"train_share": 1.0},
        {"extra": 1},
        {"regularisations": []},
        {"shared_penalty": 0},
        {"min_examples": 4, "num_folds": 3},  # 2.8 of them train
    ],
)
def test_values_out_of_range_are_refused(change):
    with pytest.raises(ValidationError):
        fit_boundaries.Params.model_validate(VALUES | change)
