"""A generator from a public StyleGAN2 checkpoint, without executing what is in the file.

The layout is that of rosinality/stylegan2-pytorch: `g_ema`, a dictionary of tensors. Beside it,
`latent_avg` where the checkpoint was converted from NVIDIA's.
"""

import argparse
import math
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nfe.errors import ModelFileError
from nfe.files import atomic_folder, write_json, write_manifest
from nfe.gan.networks import Generator
from nfe.weights import save_weights

__all__ = ["read_checkpoint", "save_generator"]

GAIN = math.sqrt(2)  # of the published activation; ours is in the weights, so biases take it
Tensors = Mapping[str, Tensor]


def read_checkpoint(path: Path) -> Generator:
    """Read a checkpoint as a generator that gives the same images.

    The noise is the fixed one that the checkpoint holds (`randomize_noise=False` there). Without
    `latent_avg` the mean of w is that of 10,000 codes of seed 0.

    Args:
        path: A file that `torch.save` wrote.

    Returns:
        The generator, frozen, on the CPU.

    Raises:
        ModelFileError: If the file cannot be read, holds something else than tensors in that
            layout, or is a pickle of NVIDIA's, whose reading would execute code.
    """
    content = _load(Path(path))
    weights = content.get("g_ema") if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        raise _other_layout(path, "it has no g_ema")
    try:
        generator = Generator(**_config(weights))
        generator.load_state_dict(_translate(weights, generator))
    except KeyError as error:
        raise _other_layout(path, f"it lacks {error.args[0]}") from error
    except (ValueError, RuntimeError, AttributeError, IndexError, TypeError) as error:
        raise _other_layout(path, _first_line(error)) from error
    generator = generator.requires_grad_(False).eval()
    average = content.get("latent_avg")
    with torch.no_grad():
        if isinstance(average, Tensor) and average.numel() == generator.w_dim:
            generator.w_avg.copy_(average.reshape(-1))
        else:
            generator.measure_w_avg()
    return generator


def save_generator(folder: Path, generator: Generator, provenance: Mapping[str, Any]) -> None:
    """Write a generator as a model folder that `load_generator` reads.

    Raises:
        ModelFileError: If a weight is NaN or infinite.
        StorageError: If the folder cannot be written.
    """
    with atomic_folder(folder) as partial:
        save_weights(partial / "generator.safetensors", generator)
        description = {"generator": generator.config, "imported_from": dict(provenance)}
        write_json(partial / "networks.json", description)
        write_manifest(partial)


def _load(path: Path) -> Any:
    if not path.is_file():
        raise ModelFileError(f"{path} must be a checkpoint file, it is missing; check the path")
    try:
        # Of the classes in a training checkpoint only its options are known: they hold values.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that it then refuses
            return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        if path.suffix == ".pkl" or not zipfile.is_zipfile(path):
            raise ModelFileError(
                f"{path} must be a .pt file of tensors, it is not; a .pkl of NVIDIA's holds Python "
                "code that runs when it is read: convert it with convert_weight.py of "
                "rosinality/stylegan2-pytorch, on a machine of no value, and import the .pt"
            ) from error
        raise ModelFileError(
            f"{path} must hold tensors alone, nothing else is read from it, got: "
            f"{_first_line(error)}; take another file"
        ) from error


def _other_layout(path: Path, why: str) -> ModelFileError:
    return ModelFileError(
        f"{path} must have the layout of rosinality/stylegan2-pytorch, got: {why}; "
        "take a checkpoint of it, or one that its convert_weight.py made"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _config(weights: Tensors) -> dict[str, Any]:
    """Read the sizes of a generator from its tensors."""
    num_layers = sum(name.startswith("style.") and name.endswith(".weight") for name in weights)
    num_sides = 1 + sum(n.startswith("to_rgbs.") and n.endswith("conv.weight") for n in weights)
    resolution = 4 * 2 ** (num_sides - 1)
    outputs = ["to_rgb1", *(f"to_rgbs.{i}" for i in range(num_sides - 1))]
    widths = [weights[f"{name}.conv.weight"].shape[2] for name in outputs]
    base, most = widths[-1] * resolution, max(widths)
    expected = [min(base // (4 * 2**i), most) for i in range(num_sides)]
    if widths != expected:
        raise ValueError(f"layers of {widths} channels, where {expected} were expected")
    w_dim, z_dim = weights["style.1.weight"].shape
    return {
        "architecture": "published_stylegan2",
        "resolution": resolution,
        "z_dim": z_dim,
        "w_dim": w_dim,
        "num_mapping_layers": num_layers,
        "channel_base": base,
        "channel_max": most,
    }


def _translate(weights: Tensors, generator: Generator) -> dict[str, Tensor]:
    """Rename and scale tensors so that our layers compute what the published ones do."""
    result = {"w_avg": generator.w_avg, "synthesis.constant": weights["input.input"]}
    for i in range(len(generator.mapping.layers)):
        result[f"mapping.layers.{i}.weight"] = weights[f"style.{i + 1}.weight"]
        result[f"mapping.layers.{i}.bias"] = weights[f"style.{i + 1}.bias"] * GAIN
    layers = ["conv1", *(f"convs.{i}" for i in range(generator.num_ws - 2))]
    for i, name in enumerate(layers):
        ours = f"synthesis.layers.{i}"
        result |= _convolution(weights, f"{name}.conv", f"{ours}.conv")
        result[f"{ours}.noise"] = weights[f"noises.noise_{i}"][0, 0]
        result[f"{ours}.noise_strength"] = weights[f"{name}.noise.weight"] * GAIN
        result[f"{ours}.bias"] = weights[f"{name}.activate.bias"].reshape(-1, 1, 1) * GAIN
    outputs = ["to_rgb1", *(f"to_rgbs.{i}" for i in range(generator.num_ws // 2 - 1))]
    for i, name in enumerate(outputs):
        result |= _convolution(weights, f"{name}.conv", f"synthesis.to_rgb.{i}")
    result["synthesis.rgb_bias"] = torch.cat([weights[f"{name}.bias"] for name in outputs])
    return result


def _convolution(weights: Tensors, theirs: str, ours: str) -> dict[str, Tensor]:
    return {
        f"{ours}.weight": weights[f"{theirs}.weight"][0],
        f"{ours}.affine.weight": weights[f"{theirs}.modulation.weight"],
        f"{ours}.affine.bias": weights[f"{theirs}.modulation.bias"],
    }
