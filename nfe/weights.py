"""Weights of one network as a safetensors file."""

from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from nfe.errors import ModelFileError

__all__ = ["load_weights", "save_weights"]

Network = TypeVar("Network", bound=nn.Module)


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's parameters and buffers as safetensors.

    Raises:
        ModelFileError: If a weight is NaN or infinite; such weights are never saved.
    """
    tensors = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelFileError(f"{path}: {name} must be finite, it is not; train again")
    path.write_bytes(save(tensors))


def load_weights(path: Path, network: Network, device: str) -> Network:
    """Fill a network from safetensors, freeze it and move it to a device, in evaluation mode.

    Raises:
        ModelFileError: If the file is missing, damaged, or of another architecture.
    """
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelFileError(f"{path} must hold this network's weights, got: {reason}") from error
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.requires_grad_(False).eval()
