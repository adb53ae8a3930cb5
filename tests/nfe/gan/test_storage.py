"""Model folders: round trip, damage, wrong architecture."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nfe.errors import ModelFileError
from nfe.files import read_json, write_json, write_manifest
from nfe.gan.networks import Discriminator, Generator
from nfe.gan.storage import load_discriminator, load_generator, save_networks

Networks = Callable[[], tuple[Generator, Discriminator]]


def test_networks_come_back_equal(tmp_path: Path, make_networks: Networks) -> None:
    generator, discriminator = make_networks()
    save_networks(tmp_path / "model", generator, discriminator)
    z, images = torch.randn(2, 8), torch.randn(2, 3, 16, 16)
    loaded = load_generator(tmp_path / "model", "cpu")
    torch.testing.assert_close(loaded(z), generator(z))
    assert not any(p.requires_grad for p in loaded.parameters())
    again = load_discriminator(tmp_path / "model", "cpu")
    torch.testing.assert_close(again(images), discriminator(images))
    assert all(p.requires_grad for p in again.parameters())


def test_same_networks_give_the_same_bytes(tmp_path: Path, make_networks: Networks) -> None:
    for name in ("a", "b"):
        save_networks(tmp_path / name, *make_networks())
    assert read_json(tmp_path / "a/manifest.json") == read_json(tmp_path / "b/manifest.json")


def test_a_flipped_bit_is_refused_by_name(tmp_path: Path, make_networks: Networks) -> None:
    save_networks(tmp_path / "model", *make_networks())
    path = tmp_path / "model/generator.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"generator\.safetensors"):
        load_generator(tmp_path / "model", "cpu")


def test_another_architecture_is_refused(tmp_path: Path, make_networks: Networks) -> None:
    folder = tmp_path / "model"
    save_networks(folder, *make_networks())
    description = read_json(folder / "networks.json")
    for key, value in (("w_dim", 16), ("depth", 3), ("resolution", 20)):
        changed = {**description["generator"], key: value}
        write_json(folder / "networks.json", {**description, "generator": changed})
        write_manifest(folder)
        with pytest.raises(ModelFileError):
            load_generator(folder, "cpu")


def test_nan_weights_are_never_saved(tmp_path: Path, make_networks: Networks) -> None:
    generator, discriminator = make_networks()
    save_networks(tmp_path / "model", generator, discriminator)
    before = read_json(tmp_path / "model/manifest.json")
    generator.synthesis.rgb_bias.data[0] = float("nan")
    with pytest.raises(ModelFileError, match="rgb_bias"):
        save_networks(tmp_path / "model", generator, discriminator)
    assert read_json(tmp_path / "model/manifest.json") == before
