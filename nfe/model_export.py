"""A model for other programs: its networks as ONNX, its boundaries as InterFaceGAN has them."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from nfe.boundaries import Boundary
from nfe.errors import ModelFileError
from nfe.files import atomic_path, write_bytes

__all__ = ["BATCHES", "TOLERANCE", "boundary_file", "export_network", "write_boundary"]

OPSET = 18
BATCHES = (1, 3)  # numbers of inputs that an exported network is checked with
TOLERANCE = 1e-4  # greatest difference from torch, of values of order 1


def export_network(
    path: Path, network: nn.Module, shape: Sequence[int], input_name: str, output_name: str
) -> float:
    """Write a network as ONNX for any number of inputs, once onnxruntime agrees with torch.

    Args:
        path: The file to write.
        network: From one tensor to one, in evaluation mode.
        shape: Of one input, without the batch.
        input_name, output_name: What to call them.

    Returns:
        The greatest difference from torch, over inputs of N(0, 1).

    Raises:
        ModelFileError: If onnxruntime differs by more than `TOLERANCE`; nothing is written then.
        StorageError: If the file cannot be written.
    """
    network = network.cpu()
    with atomic_path(path) as partial:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this exporter is the older one
            torch.onnx.export(
                network,
                (torch.zeros(2, *shape),),
                str(partial),
                input_names=[input_name],
                output_names=[output_name],
                opset_version=OPSET,
                dynamic_axes={name: {0: "N"} for name in (input_name, output_name)},
                dynamo=False,
            )
        difference = max(_difference(partial, network, (count, *shape)) for count in BATCHES)
        if not difference <= TOLERANCE:
            raise ModelFileError(
                f"{path} must agree with torch to {TOLERANCE:g}, onnxruntime differs by "
                f"{difference:g}; use another version of it"
            )
    return difference


def boundary_file(model_name: str, boundary: Boundary) -> str:
    """Name a boundary's file as InterFaceGAN does: model, attribute, space.

    Examples:
        >>> from types import SimpleNamespace
        >>> blue = SimpleNamespace(attribute="hair_color", value="blue", space="w")
        >>> boundary_file("anime64", blue)
        'anime64_hair_color_blue_w_boundary.npy'
    """
    return f"{model_name}_{boundary.attribute}_{boundary.value}_{boundary.space}_boundary.npy"


def write_boundary(path: Path, boundary: Boundary) -> None:
    """Write the unit normal as InterFaceGAN's `train_boundary.py` does: float32, [1, D].

    Source: Shen et al. 2020; the intercept has no place in its file.
    """
    buffer = io.BytesIO()
    np.save(buffer, boundary.normal.astype(np.float32)[None], allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def _difference(path: Path, network: nn.Module, shape: tuple[int, ...]) -> float:
    """Return the greatest difference between onnxruntime and torch on one random batch."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(values).numpy()
    (found,) = session.run(None, {session.get_inputs()[0].name: values.numpy()})
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max())
