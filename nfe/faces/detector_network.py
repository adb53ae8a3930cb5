"""The face detector: a small network that marks face centres on a grid of stride 4."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nfe.errors import ModelFileError
from nfe.faces.detection import METADATA_KEYS
from nfe.files import atomic_path

__all__ = ["MULTIPLE", "STRIDE", "DetectorNetwork", "decode", "export_detector", "load_exported"]

STRIDE = 4  # pixels per cell of the grid
MULTIPLE = 32  # height and width of the images: the coarsest level has this stride
UNIT_SIDE = 32.0  # side of a face, in pixels, whose logarithm is 0
PRIOR = 0.01  # share of cells that look like a face before training


class DetectorNetwork(nn.Module):
    """Heat map of face centres and, per cell, the face's side, offset and eyes.

    Residual levels of stride 4 to 32; the coarse ones are added back to the fine ones, so that a
    cell of stride 4 sees a face of 320 pixels whole.

    Source: Zhou et al. 2019 (Objects as Points) with the top-down path of Lin et al. 2017
    (feature pyramids); one side per face, since our boxes are squares.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(3, 16, stride=2)
        self.level4 = nn.Sequential(_conv(16, 24, stride=2), _Residual(24))
        self.level8 = nn.Sequential(_conv(24, 40, stride=2), _Residual(40), _Residual(40))
        self.level16 = nn.Sequential(_conv(40, 64, stride=2), _Residual(64))
        self.level32 = nn.Sequential(_conv(64, 64, stride=2), _conv(64, 64))
        self.down16 = nn.Conv2d(64, 40, 1)
        self.down8 = nn.Conv2d(40, 24, 1)
        last = nn.Conv2d(32, 8, 1)
        self.head = nn.Sequential(_conv(24, 32), last)
        nn.init.normal_(last.weight, std=0.01)
        last.bias = nn.Parameter(torch.zeros(8))
        last.bias.data[0] = -math.log((1 - PRIOR) / PRIOR)

    def forward(self, images: Tensor) -> Tensor:
        """Map images, [N, 3, H, W], in [-1, 1], H and W multiples of 32, to a grid.

        Returns:
            [N, 8, H/4, W/4]: logit of a centre here; log of the side over 32 pixels; offset
            (x, y) of the centre from the cell's middle, in cells; the two eyes (x, y, x, y)
            from the cell's middle, in sides of the face.
        """
        level4 = self.level4(self.stem(images))  # [N, 24, H/4, W/4]
        level8 = self.level8(level4)
        level16 = self.level16(level8)
        level16 = level16 + _double(self.level32(level16))
        level8 = level8 + _double(self.down16(level16))
        level4 = level4 + _double(self.down8(level8))
        return self.head(level4)


def decode(grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Read candidates off the network's grid, one per cell; cells that are no peak score 0.

    Args:
        grid: [N, 8, H, W] of `DetectorNetwork`.

    Returns:
        scores [N, H*W], in [0, 1]; boxes [N, H*W, 4] and eyes [N, H*W, 4], in pixels.
    """
    heat = grid[:, :1].sigmoid()
    peaks = heat * (F.max_pool2d(heat, 3, stride=1, padding=1) == heat)
    ones = torch.ones_like(heat)
    x = (ones.cumsum(3) - 0.5) * STRIDE  # middle of the cell
    y = (ones.cumsum(2) - 0.5) * STRIDE
    side = grid[:, 1:2].clamp(-3, 4).exp() * UNIT_SIDE
    center_x, center_y = x + grid[:, 2:3] * STRIDE, y + grid[:, 3:4] * STRIDE
    half = side / 2
    boxes = torch.cat([center_x - half, center_y - half, center_x + half, center_y + half], dim=1)
    eyes = torch.cat([x, y, x, y], dim=1) + grid[:, 4:] * side
    return peaks.flatten(1), boxes.flatten(2).mT, eyes.flatten(2).mT


class _Decoded(nn.Module):
    """The network with `decode` behind it: what is exported."""

    def __init__(self, network: DetectorNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return decode(self.network(images))


def export_detector(
    network: DetectorNetwork, path: Path, max_side: int, min_score: float, max_overlap: float
) -> None:
    """Write the network as an ONNX file that `nfe.faces.detection.Detector` loads.

    Args:
        network: A trained network.
        path: The file to write.
        max_side: Working size: larger pictures are shrunk to this longer side, in pixels.
        min_score: Least score of a face.
        max_overlap: Greatest intersection over union of two faces.
    """
    import onnx

    height, width = (torch.export.Dim(name, min=1, max=64) for name in ("height", "width"))
    program = torch.onnx.export(
        _Decoded(network).eval(),
        (torch.zeros(1, 3, 2 * MULTIPLE, 3 * MULTIPLE),),
        input_names=["images"],
        output_names=["scores", "boxes", "eyes"],
        dynamic_shapes=({2: MULTIPLE * height, 3: MULTIPLE * width},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    values = (max_side, MULTIPLE, min_score, max_overlap)
    model = program.model_proto
    onnx.helper.set_model_props(
        model, {key: str(value) for key, value in zip(METADATA_KEYS, values, strict=True)}
    )
    with atomic_path(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))


def load_exported(path: Path, images: Tensor) -> DetectorNetwork:
    """Read an exported network back, to train it further.

    The export folds each batch norm into its convolution. Here each gets the statistics of
    `images` and the scale and shift that undo them, so that the network answers as before.

    Args:
        path: A file that `export_detector` wrote.
        images: Typical images, [N, 3, H, W].

    Raises:
        ModelFileError: If the file is unreadable or holds another network.
    """
    import onnx
    from google.protobuf.message import DecodeError

    network = DetectorNetwork().eval()
    try:
        tensors = onnx.load(path).graph.initializer
        weights = {t.name: torch.tensor(onnx.numpy_helper.to_array(t)) for t in tensors}
        with torch.no_grad():
            for name, module in network.named_modules():
                if isinstance(module, nn.Conv2d):
                    module.weight.copy_(weights[f"network.{name}.weight"])
                    if module.bias is not None:
                        module.bias.copy_(weights[f"network.{name}.bias"])
                elif isinstance(module, nn.BatchNorm2d):
                    conv = name.removesuffix("1") + "0"
                    module.bias.copy_(weights[f"network.{conv}.weight_bias"])
    except (OSError, KeyError, RuntimeError, DecodeError) as error:
        raise ModelFileError(
            f"{path} must be a detector that this program exported, got: {error}"
        ) from error
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(_unfold) for norm in norms]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return network


def _unfold(norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
    """Take the statistics of the input, and a scale and shift that undo them."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(inputs[0].mean((0, 2, 3)))
    norm.running_var.copy_(inputs[0].var((0, 2, 3), unbiased=False))
    norm.weight.copy_((norm.running_var + norm.eps).sqrt())
    norm.bias.add_(norm.running_mean)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(channels, channels), _conv(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def _conv(num_in: int, num_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(num_out),
        nn.ReLU(inplace=True),
    )


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
