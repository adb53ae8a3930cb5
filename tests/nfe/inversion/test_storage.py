from pathlib import Path

import pytest
import torch

from nfe.errors import ModelFileError
from nfe.files import read_json, write_json, write_manifest
from nfe.inversion.encoders import Encoder
from nfe.inversion.storage import load_encoder, save_encoder


def test_a_saved_encoder_answers_the_same(encoder: Encoder, tmp_path: Path) -> None:
    torch.nn.init.normal_(encoder.output.weight)
    images = torch.randn(4, 3, 16, 16)
    encoder(images)  # moves the statistics of batch normalisation
    save_encoder(tmp_path / "model", encoder)
    loaded = load_encoder(tmp_path / "model", "cpu")
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    torch.testing.assert_close(loaded(images), encoder.eval()(images), rtol=1e-5, atol=1e-5)


def test_damage_is_found(encoder: Encoder, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_encoder(folder, encoder)
    weights = folder / "encoder.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"encoder\.safetensors must have the sha256"):
        load_encoder(folder, "cpu")


@pytest.mark.parametrize("change", [{"num_ws": 8}, {"resolution": 17}, {"depth": 3}])
def test_another_architecture_is_refused(
    encoder: Encoder, tmp_path: Path, change: dict[str, int]
) -> None:
    folder = tmp_path / "model"
    save_encoder(folder, encoder)
    config = read_json(folder / "encoder.json")["encoder"]
    write_json(folder / "encoder.json", {"encoder": config | change})
    write_manifest(folder)
    with pytest.raises(ModelFileError, match="must"):
        load_encoder(folder, "cpu")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="nothing"):
        load_encoder(tmp_path / "nothing", "cpu")


def test_nan_is_never_saved(encoder: Encoder, tmp_path: Path) -> None:
    with torch.no_grad():
        encoder.output.bias[0] = float("nan")
    with pytest.raises(ModelFileError, match="finite"):
        save_encoder(tmp_path / "model", encoder)
    assert list(tmp_path.iterdir()) == []
