"""The encoder as a model folder: safetensors, a JSON description, a manifest of hashes."""

from pathlib import Path

from nfe.errors import ModelFileError
from nfe.files import atomic_folder, check_manifest, read_json, write_json, write_manifest
from nfe.inversion.encoders import Encoder
from nfe.weights import load_weights, save_weights

__all__ = ["load_encoder", "save_encoder"]

WEIGHTS, DESCRIPTION = "encoder.safetensors", "encoder.json"


def save_encoder(folder: Path, encoder: Encoder) -> None:
    """Write the encoder as a model folder, in place of an older one.

    Raises:
        ModelFileError: If a weight is NaN or infinite; such weights are never saved.
    """
    with atomic_folder(folder) as partial:
        save_weights(partial / WEIGHTS, encoder)
        write_json(partial / DESCRIPTION, {"encoder": encoder.config})
        write_manifest(partial)


def load_encoder(folder: Path, device: str) -> Encoder:
    """Read the encoder of a model folder, frozen, in evaluation mode.

    Raises:
        ModelFileError: If a file is missing, damaged, or does not fit its description.
    """
    check_manifest(folder)
    try:
        encoder = Encoder(**read_json(folder / DESCRIPTION)["encoder"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{folder / DESCRIPTION} must describe an Encoder, got: {error}"
        ) from error
    return load_weights(folder / WEIGHTS, encoder, device)
