import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from nfe.errors import ModelFileError, ParamsError
from nfe.files import read_json
from nfe.images import decode_pixels
from nfe.inversion.settings import EncoderSettings
from nfe.inversion.storage import load_encoder
from nfe.inversion.vgg16 import VGG16
from tasks import train_encoder

from .inversion_project import ENCODER_VALUES, make_project, write_faces


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path, with_encoder=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_stage_writes_all_of_its_files(project: Path) -> None:
    train_encoder.run(train_encoder.Params.model_validate(ENCODER_VALUES))
    out = project / "data" / "train_encoder"
    assert load_encoder(out / "model", "cpu").config["num_ws"] == 6
    assert load_encoder(out / "model", "cpu").search_directions.shape == (40, 6, 16)
    curves = pd.read_csv(out / "curves.csv")
    assert list(curves["step"]) == [4, 8, 10]
    assert {"pixel", "perceptual", "adversarial", "latent", "discriminator"} <= set(curves)
    grid = decode_pixels((out / "reconstructions.png").read_bytes(), "grid")
    assert grid.shape[2] == 3
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["num_heldout"] == 12
    assert 0 < metrics["heldout_mse"] < 4


def test_the_maps_of_vgg16_take_the_place_of_the_taggers(project: Path) -> None:
    values = ENCODER_VALUES | {"kimg": 0.016}
    torch.manual_seed(0)
    state = {f"features.{key}": value for key, value in VGG16().layers.state_dict().items()}
    torch.save(state, "vgg16.pth")
    models = []
    for weights in (None, "vgg16.pth"):
        train_encoder.run(train_encoder.Params.model_validate(values | {"vgg16_weights": weights}))
        models.append((project / "data/train_encoder/model/encoder.safetensors").read_bytes())
    assert models[0] != models[1]
    with pytest.raises(ModelFileError, match="vgg17"):
        train_encoder.run(
            train_encoder.Params.model_validate(values | {"vgg16_weights": "vgg17.pth"})
        )


def test_a_killed_stage_continues_to_the_same_model(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = train_encoder.Params.model_validate(ENCODER_VALUES)
    train_encoder.run(params)
    model = project / "data" / "train_encoder" / "model" / "encoder.safetensors"
    whole = model.read_bytes()

    # What a kill at step 9 leaves: the checkpoint of step 8, no model.
    checkpoints = project / "data" / "train_encoder" / "checkpoints"
    for file in checkpoints.glob("checkpoint-000000010.*"):
        file.unlink()
    model.unlink()
    train_encoder.run(params)
    assert model.read_bytes() == whole


def test_other_parameters_start_anew(project: Path) -> None:
    train_encoder.run(train_encoder.Params.model_validate(ENCODER_VALUES))
    model = project / "data" / "train_encoder" / "model" / "encoder.safetensors"
    first = model.read_bytes()
    train_encoder.run(train_encoder.Params.model_validate(ENCODER_VALUES | {"seed": 2}))
    assert model.read_bytes() != first


def test_faces_of_another_size_are_refused(project: Path) -> None:
    write_faces(project / "data" / "curate" / "dataset.zip", torch.zeros(8, 3, 32, 32))
    with pytest.raises(ParamsError, match=r"crop\.resolution must be the generator's, 16, got 32"):
        train_encoder.run(train_encoder.Params.model_validate(ENCODER_VALUES))


@pytest.mark.parametrize("method", ["force_in_domain", "e4e", "plain"])
def test_other_methods_train_other_encoders_and_resume(project: Path, method: str) -> None:
    train_encoder.run(train_encoder.Params.model_validate(ENCODER_VALUES))
    out = project / "data" / "train_encoder"
    model = out / "model" / "encoder.safetensors"
    in_domain = model.read_bytes()
    params = train_encoder.Params.model_validate(ENCODER_VALUES | {"method": method})
    train_encoder.run(params)
    whole = model.read_bytes()
    assert whole != in_domain
    encoder = load_encoder(out / "model", "cpu")
    assert encoder.deltas == (method == "e4e")
    assert encoder.standardised == (method == "force_in_domain")

    for file in (out / "checkpoints").glob("checkpoint-000000010.*"):
        file.unlink()
    model.unlink()
    train_encoder.run(params)
    assert model.read_bytes() == whole


def test_baselines_are_what_their_methods_alone_would_train(project: Path) -> None:
    out = project / "data" / "train_encoder"
    plain = ENCODER_VALUES | {"method": "plain"}
    train_encoder.run(train_encoder.Params.model_validate(plain))
    alone = (out / "model" / "encoder.safetensors").read_bytes()
    assert read_json(out / "baselines" / "index.json") == {"methods": []}

    values = ENCODER_VALUES | {"baselines": ["plain", "e4e"]}
    train_encoder.run(train_encoder.Params.model_validate(values))
    both = out / "baselines"
    assert (both / "plain" / "encoder.safetensors").read_bytes() == alone
    assert load_encoder(both / "e4e", "cpu").deltas
    assert not load_encoder(out / "model", "cpu").deltas
    assert read_json(both / "index.json") == {"methods": ["plain", "e4e"]}
    metrics = read_json(out / "metrics.json")
    assert metrics["baselines"]["plain"]["heldout_mse"] > 0

    # Fewer baselines: the main model and the one that stays are finished runs.
    (both / "plain" / "encoder.safetensors").unlink()
    started = {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint-*.pt")}
    train_encoder.run(train_encoder.Params.model_validate(values | {"baselines": ["plain"]}))
    assert {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint-*.pt")} == started
    assert (both / "plain" / "encoder.safetensors").read_bytes() == alone
    assert not (both / "e4e").exists()


@pytest.mark.parametrize(
    ("method", "terms"),
    [
        ("in_domain", "pixel perceptual adversarial latent"),
        ("force_in_domain", "pixel perceptual adversarial latent latent_adversarial"),
        ("e4e", "pixel perceptual latent similarity delta latent_adversarial"),
        ("plain", "pixel"),
    ],
)
def test_a_method_is_a_set_of_terms(method: str, terms: str) -> None:
    params = train_encoder.Params.model_validate(ENCODER_VALUES | {"method": method})
    settings = train_encoder.encoder_settings(params, "cpu")
    own = ENCODER_VALUES["weights"][method]
    assert set(own) == set(terms.split())
    for name in train_encoder.WEIGHTS:
        assert getattr(settings, name) == own.get(name.removesuffix("_weight"), 0), name
    assert settings.latent_discriminator.pool_size == (20 if method == "e4e" else 0)


@pytest.mark.parametrize(
    ("method", "term"), [("in_domain", "delta"), ("plain", "perceptual"), ("e4e", "adversarial")]
)
def test_a_term_that_a_method_does_not_have_is_refused(method: str, term: str) -> None:
    with pytest.raises(ValidationError, match=f"{method}.{term}"):
        train_encoder.Params.model_validate(ENCODER_VALUES | {"weights": weights(method, term, 1)})


def weights(method: str, term: str, value: float) -> dict[str, dict[str, float]]:
    whole: dict[str, dict[str, float]] = ENCODER_VALUES["weights"]
    return whole | {method: whole[method] | {term: value}}


def test_every_weight_of_the_settings_belongs_to_a_method() -> None:
    names = {name for name in EncoderSettings.__dataclass_fields__ if name.endswith("_weight")}
    assert set(train_encoder.WEIGHTS) == names


def test_a_run_too_short_for_its_deltas_is_refused(project: Path) -> None:
    values = ENCODER_VALUES | {"method": "e4e", "release_interval": 0.2}
    with pytest.raises(ParamsError, match=r"4 \* release_interval must be less than 1, got 1\.1"):
        train_encoder.run(train_encoder.Params.model_validate(values))


DIRECTIONS = {"num_directions": 8, "num_samples": 8, "damping": 0.01}
LATENT_DISCRIMINATOR = {"learning_rate": 0.001, "r1_gamma": 1, "r1_interval": 2, "pool_size": 5}


@pytest.mark.parametrize(
    "change",
    [
        {"kimg": 0},
        {"learning_rate": 1.0},
        {"discriminator_learning_rate": -0.1},
        {"weights": weights("plain", "pixel", -1)},
        {"weights": weights("e4e", "similarity", -1)},
        {"weights": weights("e4e", "delta", -1)},
        {"weights": weights("force_in_domain", "latent_adversarial", -1)},
        {"search_directions": DIRECTIONS | {"num_directions": 0}},
        {"search_directions": DIRECTIONS | {"num_samples": 7}},
        {"search_directions": DIRECTIONS | {"damping": 0}},
        {"method": "psp"},
        {"baselines": ["psp"]},
        {"baselines": ["in_domain"]},
        {"baselines": ["plain", "plain"]},
        {"first_release": 1},
        {"first_release": -0.1},
        {"release_interval": 1},
        {"latent_discriminator": LATENT_DISCRIMINATOR | {"learning_rate": 0}},
        {"latent_discriminator": LATENT_DISCRIMINATOR | {"r1_gamma": -1}},
        {"latent_discriminator": LATENT_DISCRIMINATOR | {"r1_interval": 0}},
        {"latent_discriminator": LATENT_DISCRIMINATOR | {"pool_size": -1}},
        {"precision": "half"},
        {"foo": 1},
    ],
)
def test_wrong_parameters_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        train_encoder.Params.model_validate(ENCODER_VALUES | change)
