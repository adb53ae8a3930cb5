import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from nfe.images import decode_pixels
from tasks import evaluate_encoder

from .inversion_project import REFINEMENT, make_project

VALUES = {
    "num_images": 12,
    "in_domain": REFINEMENT,
    "image2stylegan": REFINEMENT | {"num_steps": 20, "domain_weight": 0},
    "batch_size": 8,
    "num_sampled": 200,
    "edit_distance": 2.0,
    "num_folds": 3,
    "seed": 1,
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    make_project(root, with_encoder=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        evaluate_encoder.run(evaluate_encoder.Params.model_validate(VALUES))
    return root / "data" / "evaluate_encoder"


def test_the_table_has_a_row_per_method(out: Path) -> None:
    table = pd.read_csv(out / "table.csv").set_index("method")
    assert list(table.index) == ["encoder", "in_domain", "image2stylegan"]
    assert table.loc["in_domain", "mse"] < table.loc["encoder", "mse"]
    assert table.loc["in_domain", "seconds_per_image"] > table.loc["encoder", "seconds_per_image"]
    assert ((table["overlap_auc"] >= 0) & (table["overlap_auc"] <= 1)).all()
    np.testing.assert_allclose(table["psnr"], 10 * np.log10(4 / table["mse"]), atol=3)


def test_the_metrics_are_those_of_the_table(out: Path) -> None:
    table = pd.read_csv(out / "table.csv").set_index("method")
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["num_images"] == 12
    assert metrics["in_domain"]["mse"] == table.loc["in_domain", "mse"]
    # The encoder of the project is untrained: what it misses is the whole edit.
    assert 0.1 < metrics["editing_consistency"] < 2


def test_the_pictures_are_written(out: Path) -> None:
    methods = decode_pixels((out / "methods.png").read_bytes(), "methods")
    assert methods.shape == (28 + 6 * 130 - 2, 2 * (4 * 130 - 2) + 24, 3)
    overlap = decode_pixels((out / "overlap.png").read_bytes(), "overlap")
    assert len(np.unique(overlap[..., 0])) > 2


def test_the_same_seed_gives_the_same_pictures(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path, with_encoder=True)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(99)  # the global state decides nothing
    evaluate_encoder.run(evaluate_encoder.Params.model_validate(VALUES))
    again = tmp_path / "data" / "evaluate_encoder"
    for name in ("methods.png", "overlap.png"):
        assert (again / name).read_bytes() == (out / name).read_bytes()


@pytest.mark.parametrize(
    "change", [{"num_folds": 1}, {"edit_distance": 0}, {"in_domain": {}}, {"methods": []}]
)
def test_wrong_parameters_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        evaluate_encoder.Params.model_validate(VALUES | change)
