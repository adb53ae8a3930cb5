"""Networks as a model folder: safetensors, a JSON description, a manifest of hashes."""

from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from nfe.errors import ModelFileError
from nfe.files import atomic_folder, check_manifest, read_json, write_json, write_manifest
from nfe.gan.networks import Discriminator, Generator
from nfe.weights import load_weights, save_weights

__all__ = ["load_discriminator", "load_generator", "save_networks"]

DESCRIPTION = "networks.json"
Network = TypeVar("Network", bound=nn.Module)


def save_networks(folder: Path, generator: Generator, discriminator: Discriminator) -> None:
    """Write both networks as a model folder, in place of an older one."""
    with atomic_folder(folder) as partial:
        save_weights(partial / "generator.safetensors", generator)
        save_weights(partial / "discriminator.safetensors", discriminator)
        description = {"generator": generator.config, "discriminator": discriminator.config}
        write_json(partial / DESCRIPTION, description)
        write_manifest(partial)


def load_generator(folder: Path, device: str) -> Generator:
    """Read the generator of a model folder, frozen and ready to use.

    Raises:
        ModelFileError: If a file is missing, damaged, or does not fit its description.
    """
    check_manifest(folder)
    config = read_json(folder / DESCRIPTION)["generator"]
    return load_weights(folder / "generator.safetensors", _build(Generator, config, folder), device)


def load_discriminator(folder: Path, device: str) -> Discriminator:
    """Read the discriminator of a model folder; it can be trained on.

    Raises:
        ModelFileError: If a file is missing, damaged, or does not fit its description.
    """
    check_manifest(folder)
    network = _build(Discriminator, read_json(folder / DESCRIPTION)["discriminator"], folder)
    network = load_weights(folder / "discriminator.safetensors", network, device)
    return network.requires_grad_(True).train()


def _build(kind: type[Network], config: dict[str, Any], folder: Path) -> Network:
    try:
        return kind(**config)
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"{folder / DESCRIPTION} must describe a {kind.__name__}, got: {error}"
        ) from error
