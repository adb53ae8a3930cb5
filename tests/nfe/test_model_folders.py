"""A generator is found in a bundle and in a folder of networks; other folders are named."""

from pathlib import Path

import pytest
import torch

from nfe.errors import ModelFileError
from nfe.gan.networks import Discriminator, Generator
from nfe.gan.storage import save_networks
from nfe.model_folders import describe_model, load_model_generator


@pytest.fixture
def generator(tmp_path: Path) -> Generator:
    """A generator, saved in the folders `networks` and `bundle/generator`."""
    generator = Generator(
        resolution=16,
        z_dim=8,
        w_dim=8,
        num_mapping_layers=2,
        channel_base=64,
        channel_max=8,
        architecture="stylegan2",
    )
    discriminator = Discriminator(resolution=16, channel_base=64, channel_max=8)
    for folder in ("networks", "bundle/generator"):
        save_networks(tmp_path / folder, generator, discriminator)
    return generator


@pytest.mark.parametrize("folder", ["networks", "bundle"])
def test_the_generator_comes_back(tmp_path: Path, generator: Generator, folder: str) -> None:
    loaded = load_model_generator(tmp_path / folder, "cpu")
    z = torch.randn(2, 8)
    torch.testing.assert_close(loaded(z), generator(z))


def test_networks_are_described_by_what_they_are(tmp_path: Path, generator: Generator) -> None:
    content = describe_model(tmp_path / "networks")
    sizes = content.pop("bytes")
    weights = sum(tensor.numel() for tensor in generator.parameters())
    assert content == {
        "name": None,
        "resolution": 16,
        "num_ws": generator.num_ws,
        "num_parameters": weights,
        "attributes": {},
        "metrics": {},
    }
    assert sizes["generator.safetensors"] > 4 * weights


def test_a_folder_without_a_generator_is_named(tmp_path: Path) -> None:
    for use in (describe_model, lambda folder: load_model_generator(folder, "cpu")):
        with pytest.raises(ModelFileError, match="must be a model folder with a generator"):
            use(tmp_path)


def test_a_damaged_generator_is_named(tmp_path: Path, generator: Generator) -> None:
    (tmp_path / "networks/generator.safetensors").write_bytes(b"x")
    with pytest.raises(ModelFileError, match=r"generator\.safetensors must have the sha256"):
        describe_model(tmp_path / "networks")
