"""pytorch-fid's Inception network, unmodified, on weights from a local file."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn

from nfe.errors import ModelFileError
from nfe.files import sha256_file

__all__ = ["import_torchvision", "inception_features", "load_inception"]

WEIGHTS_NAME = "pt_inception-2015-12-05-6726825d.pth"
WEIGHTS_SHA256 = "6726825d"


def load_inception(weights: Path, device: str) -> nn.Module:
    """Build pytorch-fid's network of 2,048 features from a local weights file.

    Args:
        weights: The file that pytorch-fid would download, pt_inception-2015-12-05.
        device: Where to put the network.

    Raises:
        ModelFileError: If pytorch-fid is not installed, or the file is not its weights.
    """
    digest = sha256_file(weights)
    if not digest.startswith(WEIGHTS_SHA256):
        raise ModelFileError(
            f"{weights} must be pytorch-fid's weights (sha256 {WEIGHTS_SHA256}...), "
            f"got {digest[:8]}...; download {WEIGHTS_NAME} again"
        )
    inception = _import_inception()
    previous = torch.hub.get_dir()
    with tempfile.TemporaryDirectory() as hub:  # where torch looks before it downloads
        (Path(hub) / "checkpoints").mkdir()
        (Path(hub) / "checkpoints" / WEIGHTS_NAME).symlink_to(weights.resolve())
        torch.hub.set_dir(hub)
        try:
            block = inception.InceptionV3.BLOCK_INDEX_BY_DIM[2048]
            return inception.InceptionV3([block]).to(device).eval()
        finally:
            torch.hub.set_dir(previous)


def inception_features(
    network: nn.Module,
    pixels: np.ndarray,
    batch_size: int,
    device: str,
    on_progress: Callable[[int, int, str], None],
) -> np.ndarray:
    """Return Inception features of pixels; the network itself resizes them to 299 x 299.

    Args:
        network: From `load_inception`.
        pixels: uint8, [N, H, W, 3].
        batch_size: Pictures per pass.
        device: Where the network is.
        on_progress: Called with pictures done and in all.

    Returns:
        [N, 2048].
    """
    parts = []
    for start in range(0, len(pixels), batch_size):
        batch = torch.from_numpy(pixels[start : start + batch_size]).to(device)
        with torch.no_grad():
            features = network(batch.permute(0, 3, 1, 2).float() / 255)[0]
        parts.append(features[:, :, 0, 0].cpu().numpy())
        on_progress(min(start + batch_size, len(pixels)), len(pixels), "Inception features")
    return np.concatenate(parts)


def import_torchvision() -> None:
    """Import torchvision; define its operators where its build has none.

    Raises:
        ModelFileError: If it is not installed.
    """
    try:
        import torchvision  # noqa: F401
    except ImportError as error:
        raise ModelFileError(
            f"torchvision must be installed, got: {error}; install the extra [eval]"
        ) from error
    except RuntimeError:  # torchvision beside a CPU build of torch lacks these two operators
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _LIBRARIES.append(library)


def _import_inception() -> ModuleType:
    """Import pytorch_fid.inception."""
    import_torchvision()
    try:
        import pytorch_fid.inception
    except ImportError as error:
        raise ModelFileError(
            f"pytorch-fid must be installed for FID, got: {error}; install the extra [eval]"
        ) from error
    return pytorch_fid.inception


_LIBRARIES: list[torch.library.Library] = []  # the operators live as long as their library
