"""The stages train_gan, sample and evaluate_gan on a tiny data set."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from nfe.errors import ParamsError, SourceError
from nfe.files import (
    atomic_folder,
    read_json,
    read_npz,
    sha256_file,
    write_json,
    write_manifest,
    write_stored_zip,
)
from nfe.images import encode_png, read_pixels_zip
from nfe.tagging.network import TaggerNetwork
from nfe.weights import save_weights
from tasks import evaluate_gan, sample, train_gan

from .inversion_project import write_tagger_weights

ROOT = Path(__file__).parents[2]
GAN: dict[str, Any] = {
    "start": None,
    "architecture": "stylegan2",
    "z_dim": 8,
    "w_dim": 8,
    "num_mapping_layers": 2,
    "channel_base": 64,
    "channel_max": 8,
    "discriminator_channel_base": 64,
    "discriminator_channel_max": 8,
    "growth": [
        {"side": 8, "kimg": 0.032, "learning_rate": 0.004, "r1_gamma": 1.0},
        {"side": 16, "kimg": 0.032, "learning_rate": 0.002, "r1_gamma": 1.0},
    ],
    "adam_betas": [0.0, 0.99],
    "batch_size": 8,
    "decay_share": 0.5,
    "feature_weight": 1.0,
    "mapping_rise": 2.0,
    "reading_weight": [0.5, 1.0],
    "share_calibration": None,
    "colour_weight": 0.1,
    "r1_interval": 4,
    "ema_kimg": 0.01,
    "ema_rampup": 0.5,
    "mixing_probability": 0.9,
    "mirror": True,
    "augment_target": None,
    "precision": "auto",
    "checkpoint_kimg": 0.032,
    "num_grid_images": 6,
    "watch": {"num_images": 16, "min_diversity": 0.0, "max_logit": 50, "max_rollbacks": 1},
    "seed": 1,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with 20 random pictures of 16 pixels, curated, and a random tagger."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    members = [(f"{i:03d}.png", encode_png(p)) for i, p in enumerate(pixels)]
    write_stored_zip(tmp_path / "data/curate/dataset.zip", members)
    torch.manual_seed(0)
    write_tagger_weights(tmp_path / "data/train_tagger/tagger")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_trains_and_samples_to_the_same_bytes_twice(project: Path) -> None:
    hashes = []
    for _ in range(2):
        train_gan.run(train_gan.Params.model_validate(GAN))
        sample.run(sample.Params(num_images=10, first_seed=5, truncation_psi=0.8, batch_size=4))
        written = ("train_gan/model/generator.safetensors", "sample/images.zip", "sample/codes.npz")
        hashes.append([sha256_file(project / "data" / name) for name in written])
        for checkpoint in (project / "data/train_gan/checkpoints").iterdir():
            checkpoint.unlink()
    assert hashes[0] == hashes[1]
    names, pixels = read_pixels_zip(project / "data/sample/images.zip")
    assert names[0] == "seed0000000005.png"
    assert pixels.shape == (10, 16, 16, 3)
    codes = read_npz(project / "data/sample/codes.npz")
    assert codes["seeds"].tolist() == list(range(5, 15))
    assert codes["z"].shape == codes["w"].shape == (10, 8)
    metrics = read_json(project / "data/train_gan/metrics.json")
    assert metrics["kimg"] == pytest.approx(0.064)
    grids = sorted(p.name for p in (project / "data/train_gan/samples").iterdir())
    assert grids == ["00000032.png", "00000064.png"]
    curves = (project / "data/train_gan/curves.csv").read_text().splitlines()
    assert curves[0].startswith("kimg,side,loss_g,loss_d")
    assert len(curves) == 3


def test_goes_on_from_a_model(project: Path) -> None:
    train_gan.run(train_gan.Params.model_validate(GAN))
    shutil.move(project / "data/train_gan/model", project / "start")
    growth = [{**GAN["growth"][1], "kimg": 0.008, "learning_rate": 1e-9}]
    params = train_gan.Params.model_validate({**GAN, "start": "start", "growth": growth})
    train_gan.run(params)
    for name in ("generator", "discriminator"):
        before = load_file(project / f"start/{name}.safetensors")
        after = load_file(project / f"data/train_gan/model/{name}.safetensors")
        for key, tensor in before.items():
            torch.testing.assert_close(after[key], tensor, atol=1e-6, rtol=0)


def test_calibration_moves_the_mapping_alone_and_trains_nothing_anew(project: Path) -> None:
    calibration = {"num_steps": 4, "batch_size": 8, "learning_rate": 0.5, "anchor": 0.0}
    models, checkpoints = [], []
    for value in (None, calibration, calibration):
        train_gan.run(train_gan.Params.model_validate({**GAN, "share_calibration": value}))
        models.append(load_file(project / "data/train_gan/model/generator.safetensors"))
        saved = (project / "data/train_gan/checkpoints").iterdir()
        checkpoints.append({path.name: path.stat().st_mtime_ns for path in saved})
    assert checkpoints[0] == checkpoints[1] == checkpoints[2]
    before, after, again = models
    moved = {name for name, tensor in before.items() if not torch.equal(after[name], tensor)}
    assert moved == {name for name in before if name.startswith("mapping.")} | {"w_avg"}
    assert all(torch.equal(again[name], tensor) for name, tensor in after.items())


def test_another_start_is_another_run(project: Path) -> None:
    hashes = []
    for seed in (1, 2):
        train_gan.run(train_gan.Params.model_validate({**GAN, "seed": seed}))
        shutil.rmtree(project / "start", ignore_errors=True)
        shutil.move(project / "data/train_gan/model", project / "start")
        train_gan.run(train_gan.Params.model_validate({**GAN, "start": "start"}))
        hashes.append(sha256_file(project / "data/train_gan/model/generator.safetensors"))
    assert hashes[0] != hashes[1]


def test_refuses_a_start_of_another_architecture(project: Path) -> None:
    train_gan.run(train_gan.Params.model_validate(GAN))
    values = {**GAN, "start": "data/train_gan/model", "channel_max": 4}
    with pytest.raises(ParamsError, match="channel_max 4 of the generator, got 8 in data/train"):
        train_gan.run(train_gan.Params.model_validate(values))


def test_a_finished_run_continues_from_its_checkpoint(project: Path) -> None:
    train_gan.run(train_gan.Params.model_validate(GAN))
    first = sha256_file(project / "data/train_gan/model/generator.safetensors")
    checkpoints = sorted((project / "data/train_gan/checkpoints").glob("*.pt"))
    times = [p.stat().st_mtime_ns for p in checkpoints]
    outputs = [project / "data/train_gan" / name for name in ("samples.png", "curves.csv")]
    written = [path.read_bytes() for path in outputs]
    for path in outputs:  # as DVC does before a stage
        path.unlink()
    train_gan.run(train_gan.Params.model_validate(GAN))
    assert sha256_file(project / "data/train_gan/model/generator.safetensors") == first
    assert [p.stat().st_mtime_ns for p in checkpoints] == times
    assert [path.read_bytes() for path in outputs] == written


RUN = """
import json, sys
from tasks import train_gan
import nfe.gan.training, nfe.metrics.generators, nfe.tagging.storage
print("ready", flush=True)
train_gan.run(train_gan.Params.model_validate(json.loads(sys.argv[1])))
"""


def _start_training(values: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Train in a process of its own; return when it is about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(values)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.slow
def test_two_processes_train_one_model_and_one_process_finishes_its_files(project: Path) -> None:
    (project / "train.py").write_text(RUN)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    subprocess.run(
        [*command, "--master-port=29512", "train.py", json.dumps(GAN)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    metrics = read_json(project / "data/train_gan/metrics.json")
    assert metrics["num_processes"] == 2
    assert metrics["kimg"] == pytest.approx(0.064)
    model = project / "data/train_gan/model/generator.safetensors"
    trained = sha256_file(model)
    shutil.rmtree(model.parent)
    train_gan.run(train_gan.Params.model_validate(GAN))
    assert sha256_file(model) == trained


@pytest.mark.slow
def test_killed_at_ten_random_moments_it_ends_with_the_same_bytes(project: Path) -> None:
    growth = [{**step, "kimg": 2.0} for step in GAN["growth"]]
    values = {**GAN, "growth": growth, "checkpoint_kimg": 0.16, "augment_target": 0.3}
    random = np.random.default_rng(5)
    num_killed = 0
    for wait in random.uniform(0.05, 0.8, 10):
        with _start_training(values) as process:
            time.sleep(wait)
            num_killed += process.poll() is None
            process.kill()
    assert num_killed == 10
    folder = project / "data/train_gan"
    assert not (folder / "model").exists()
    with _start_training(values) as process:
        assert process.wait() == 0
    resumed = [sha256_file(path) for path in sorted((folder / "model").iterdir())]
    history = (folder / "curves.csv").read_bytes()

    shutil.rmtree(folder)
    with _start_training(values) as process:
        assert process.wait() == 0
    assert [sha256_file(path) for path in sorted((folder / "model").iterdir())] == resumed
    assert (folder / "curves.csv").read_bytes() == history


def test_the_growth_must_end_at_the_side_of_the_data(project: Path) -> None:
    params = train_gan.Params.model_validate({**GAN, "growth": GAN["growth"][:1]})
    with pytest.raises(ParamsError, match="16"):
        train_gan.run(params)


def test_fewer_faces_than_a_batch_are_refused(project: Path) -> None:
    with pytest.raises(SourceError, match="batch_size"):
        train_gan.run(train_gan.Params.model_validate({**GAN, "batch_size": 32}))


@pytest.mark.parametrize(
    "change",
    [
        {"growth": GAN["growth"][::-1]},
        {"growth": [{**GAN["growth"][0], "side": 24}]},
        {"growth": []},
        {"feature_weight": 0.0},  # whose maps reading_weight needs
        {"growth": [{**GAN["growth"][1], "r1_gamma": float("nan")}]},
        {"r1_intervall": 4},
        {"z_dim": "8"},
    ],
)
def test_bad_values_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        train_gan.Params.model_validate({**GAN, **change})


def test_saturated_share_counts_both_ends() -> None:
    pixels = np.array([[[[0, 255, 7]]]], dtype=np.uint8)
    assert evaluate_gan.saturated_share(pixels) == pytest.approx(2 / 3)


def test_shares_of_the_values_are_compared(project: Path) -> None:
    """A tagger of two tags whose features are its logits, and pictures whose colours are known."""
    folder = project / "data/train_tagger/tagger"
    network = TaggerNetwork(resolution=16, width=4, num_tags=2)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    network.head.weight.data[:, :2] = torch.eye(2)
    groups = [{"attribute": "hair", "values": ["red", "blue", "no"], "tags": ["r", "b", ""]}]
    with atomic_folder(folder) as partial:
        save_weights(partial / "tagger.safetensors", network)
        write_json(partial / "tagger.json", {"network": network.config, "groups": groups})
        write_manifest(partial)

    def features(num_red: int, num_blue: int, num_none: int) -> np.ndarray:
        rows = [[2.0, 0.0]] * num_red + [[0.0, 2.0]] * num_blue + [[-1.0, -1.0]] * num_none
        return np.pad(np.array(rows, np.float32), ((0, 0), (0, network.num_features - 2)))

    table = evaluate_gan.value_shares(features(5, 5, 0), features(6, 2, 2), "cpu")
    assert table["value"].tolist() == ["red", "blue", "no"]
    assert table["data"].tolist() == pytest.approx([0.5, 0.5, 0.0])
    assert table["samples"].tolist() == pytest.approx([0.6, 0.2, 0.2])
    assert table["error"].tolist() == pytest.approx([0.2, -0.6, 1.0])


def test_a_damaged_data_set_is_named(project: Path) -> None:
    path = project / "data/curate/dataset.zip"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match=r"dataset\.zip"):
        train_gan.run(train_gan.Params.model_validate(GAN))
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(SourceError, match="at least one"):
        train_gan.run(train_gan.Params.model_validate(GAN))
