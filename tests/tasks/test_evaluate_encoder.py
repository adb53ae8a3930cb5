import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from nfe.errors import ParamsError
from nfe.files import read_json, write_json
from nfe.gan.storage import load_generator
from nfe.images import decode_pixels
from tasks import evaluate_encoder

from .editing_project import ATTRIBUTES, make_editing_project
from .inversion_project import OPTIMISATION, REFINEMENT
from .test_edit import VALUES as EDITING
from .test_invert import VALUES as INVERTING

STEPS = {"num_steps": 10, "learning_rate": 0.05, "min_progress": 0.01}
WEIGHTS = {"pixel_weight": 1.0, "perceptual_weight": 0.5}
METHODS = ["in_domain", "image2stylegan", "nfe_z", "mganprior", "generator_refinement"]
VALUES = {
    "num_images": 8,
    "methods": METHODS,
    "image2stylegan": OPTIMISATION | {"num_steps": 20},
    "nfe_z": STEPS | {"blur_kernel": 3, "blur_sigma": 11, "prior_weight": 20},
    "mganprior": STEPS | WEIGHTS | {"num_codes": 3, "layer": 3, "spread": 0.5},
    "generator_refinement": STEPS
    | WEIGHTS
    | {"rank": 2, "locality_weight": 0.1, "locality_reach": 0.5},
    "edits": [{"set": {"hair": "blue"}, "keep": []}, {"set": {"hair": "plaid"}, "keep": []}],
    "batch_size": 5,
    "num_sampled": 200,
    "edit_distance": 2.0,
    "num_folds": 3,
    "seed": 1,
    "attributes": ATTRIBUTES,
}
NUM_WS, W_DIM = 6, 16


def make_project(root: Path) -> None:
    """Write models, boundaries, a baseline, and the parameters of the other stages."""
    make_editing_project(root)
    folder = root / "data" / "train_encoder"
    shutil.copytree(folder / "model", folder / "baselines" / "plain")
    write_json(folder / "baselines" / "index.json", {"methods": ["plain"]})
    editing = {name: value for name, value in EDITING.items() if name != "attributes"}
    values = {"attributes": ATTRIBUTES, "invert": INVERTING, "edit": editing}
    (root / "params.yaml").write_text(json.dumps(values))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    make_project(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        evaluate_encoder.run(evaluate_encoder.Params.model_validate(VALUES))
    return root / "data" / "evaluate_encoder"


@pytest.fixture(scope="module")
def table(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "table.csv").set_index("method")


def test_the_table_has_a_row_per_encoder_and_method(table: pd.DataFrame) -> None:
    assert list(table.index) == ["encoder", "plain_encoder", *METHODS]
    assert list(table) == [
        "mse",
        "psnr",
        "ssim",
        "perceptual",
        "fd_judge",
        "editing_consistency",
        "edit_success",
        "edit_preservation",
        "overlap_auc",
        "seconds_per_image",
        "kB_per_image",
    ]
    assert table.drop(columns="editing_consistency").notna().all(axis=None)
    for name in ("overlap_auc", "edit_success", "edit_preservation"):
        assert table[name].between(0, 1).all()
    assert (table["fd_judge"] > 0).all()


def test_every_optimisation_from_the_encoder_comes_nearer(table: pd.DataFrame) -> None:
    for method in ("in_domain", "mganprior", "generator_refinement"):
        assert table.loc[method, "mse"] < table.loc["encoder", "mse"]
        assert table.loc[method, "seconds_per_image"] > table.loc["encoder", "seconds_per_image"]


def test_equal_encoders_have_equal_rows(table: pd.DataFrame) -> None:
    """The baseline of the project is a copy of its encoder."""
    both = table.drop(columns="seconds_per_image").loc[["encoder", "plain_encoder"]]
    assert both.iloc[0].equals(both.iloc[1].rename("encoder"))


def test_consistency_is_of_encoders_alone(table: pd.DataFrame) -> None:
    # The encoder of the project is untrained: what it misses is the whole edit.
    assert 0.1 < table.loc["encoder", "editing_consistency"] < 2
    assert table.loc[METHODS, "editing_consistency"].isna().all()


def test_sizes_are_those_of_what_is_stored(out: Path, table: pd.DataFrame) -> None:
    code = 4 * NUM_WS * W_DIM / 1000
    generator = load_generator(out.parent / "train_gan" / "model", "cpu")
    weights = generator.synthesis.named_parameters()
    shapes = [x.flatten(1).shape for name, x in weights if name.endswith("weight") and x.ndim == 4]
    change = 4 * sum(min(2, rows) * (rows + columns) for rows, columns in shapes) / 1000
    assert table.loc["in_domain", "kB_per_image"] == pytest.approx(code)
    assert table.loc["nfe_z", "kB_per_image"] == pytest.approx(4 * 16 / 1000)
    assert table.loc["generator_refinement", "kB_per_image"] == pytest.approx(code + change)
    # 3 codes of 3 layers, one of the others, and weights of 3 times 16 channels and RGB
    values = 3 * 3 * W_DIM + 3 * W_DIM + 3 * (16 + 3)
    assert table.loc["mganprior", "kB_per_image"] == pytest.approx(4 * values / 1000)


def test_the_metrics_are_those_of_the_table(out: Path, table: pd.DataFrame) -> None:
    metrics = read_json(out / "metrics.json")
    assert metrics["num_images"] == 8
    assert metrics["edits"] == ["hair=blue"]  # the generator knows no plaid
    assert metrics["in_domain"]["mse"] == table.loc["in_domain", "mse"]
    assert "editing_consistency" not in metrics["in_domain"]
    assert metrics["chosen"].startswith("invert uses in_domain mse ")
    assert all(name in metrics["chosen"] for name in table.index)


def test_the_pictures_are_written(out: Path) -> None:
    for name in ("methods", "edited"):
        sheet = decode_pixels((out / f"{name}.png").read_bytes(), name)
        assert sheet.shape[1] == 8 * 98 - 2  # the picture, two encoders, five methods
        assert sheet.shape[0] > 8 * 98
    for name in ("overlap", "distortion_editability"):
        assert len(np.unique(decode_pixels((out / f"{name}.png").read_bytes(), name))) > 2


def test_the_same_seed_gives_the_same_pictures(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(99)  # the global state decides nothing
    evaluate_encoder.run(evaluate_encoder.Params.model_validate(VALUES))
    again = tmp_path / "data" / "evaluate_encoder"
    for name in ("methods", "edited", "overlap", "distortion_editability"):
        assert (again / f"{name}.png").read_bytes() == (out / f"{name}.png").read_bytes()


def test_without_the_chosen_method_the_choice_says_so() -> None:
    assert "took no part" in evaluate_encoder.explain_choice({"encoder": {"mse": 1.0}})


def test_a_layer_that_the_generator_lacks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    values = VALUES | {"methods": ["mganprior"], "mganprior": VALUES["mganprior"] | {"layer": 6}}
    with pytest.raises(ParamsError, match=r"mganprior\.layer must be less than .* 6 layers, got 6"):
        evaluate_encoder.run(evaluate_encoder.Params.model_validate(values))


@pytest.mark.parametrize(
    "change",
    [
        {"num_folds": 1},
        {"edit_distance": 0},
        {"in_domain": REFINEMENT},
        {"methods": ["psp"]},
        {"methods": ["nfe_z", "nfe_z"]},
        {"edits": []},
        {"nfe_z": VALUES["nfe_z"] | {"blur_kernel": 4}},
        {"mganprior": VALUES["mganprior"] | {"num_codes": 0}},
        {"generator_refinement": VALUES["generator_refinement"] | {"rank": 0}},
        {"generator_refinement": VALUES["generator_refinement"] | {"locality_reach": 0}},
    ],
)
def test_wrong_parameters_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        evaluate_encoder.Params.model_validate(VALUES | change)
