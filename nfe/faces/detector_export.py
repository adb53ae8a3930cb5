"""The face detector's network as an ONNX file, and back."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from nfe.errors import ModelFileError
from nfe.faces.detection import METADATA_KEYS
from nfe.faces.detector_network import (
    MULTIPLE,
    SIDE_LIMITS,
    STRIDE,
    UNIT_SIDE,
    ConvBlock,
    DetectorNetwork,
    Residual,
)
from nfe.files import write_bytes

__all__ = ["export_detector", "load_exported"]

OPSET, IR_VERSION = 18, 10
FLOAT = TensorProto.FLOAT


def export_detector(
    network: DetectorNetwork, path: Path, max_side: int, min_score: float, max_overlap: float
) -> None:
    """Write the network as an ONNX file that `nfe.faces.detection.Detector` loads.

    The graph is put together here, node by node: this takes no time, gives the same bytes
    always, and leaves height and width free, which tracing makes a matter of luck.

    Args:
        network: A trained network; it is exported as it answers in eval mode.
        path: The file to write.
        max_side: Working size: larger pictures are shrunk to this longer side, in pixels.
        min_score: Least score of a face.
        max_overlap: Greatest intersection over union of two faces.
    """
    graph = _Graph()
    _add_decoding(graph, _add_network(graph, network))
    images = helper.make_tensor_value_info("images", FLOAT, [1, 3, "H", "W"])
    shapes: dict[str, list[str | int | None]] = {
        "scores": [1, "K"],
        "boxes": [1, "K", 4],
        "eyes": [1, "K", 4],
    }
    outputs = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in shapes.items()]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "detector", [images], outputs, graph.tensors),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    values = (max_side, MULTIPLE, min_score, max_overlap)
    properties = {key: str(value) for key, value in zip(METADATA_KEYS, values, strict=True)}
    helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    write_bytes(path, model.SerializeToString(deterministic=True))


def load_exported(path: Path, images: Tensor) -> DetectorNetwork:
    """Read an exported network back, to train it further.

    The export folds each batch norm into its convolution. Here each gets the statistics of
    `images` and the scale and shift that undo them, so that the network answers as before.

    Args:
        path: A file that `export_detector` wrote.
        images: Typical images, [N, 3, H, W].

    Returns:
        The network, in eval mode.

    Raises:
        ModelFileError: If the file is unreadable or holds another network.
    """
    network = DetectorNetwork().eval()
    try:
        tensors = onnx.load(path).graph.initializer
        weights = {t.name: torch.tensor(numpy_helper.to_array(t)).float() for t in tensors}
        with torch.no_grad():
            for name, module in network.named_modules():
                if isinstance(module, nn.Conv2d):
                    module.weight.copy_(weights[f"{name}.weight"])
                    if module.bias is not None:
                        module.bias.copy_(weights[f"{name}.bias"])
                elif isinstance(module, ConvBlock):
                    module.norm.bias.copy_(weights[f"{name}.conv.bias"])
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


class _Graph:
    """Nodes and constant tensors, collected while a graph is put together."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        output = output or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def constant(self, values: Any, dtype: Any = np.float32, name: str = "") -> str:
        """Add a constant tensor and return its name."""
        name = name or f"constant_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def channels(self, x: str, start: int, stop: int) -> str:
        """Add a node that takes channels start to stop - 1."""
        ends = (self.constant([value], np.int64) for value in (start, stop, 1))
        return self.add("Slice", x, *ends)

    def conv(self, x: str, name: str, conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> str:
        """Add a convolution with the given weights, kept in half precision: half the file."""
        tensors = [
            self.add("Cast", self.constant(t.detach(), np.float16, f"{name}.{part}"), to=FLOAT)
            for part, t in (("weight", weight), ("bias", bias))
        ]
        pads, strides = [*conv.padding, *conv.padding], [*conv.stride]
        return self.add("Conv", x, *tensors, pads=pads, strides=strides)

    def block(self, x: str, name: str, block: ConvBlock) -> str:
        """Add a convolution with its batch norm folded in, and what follows it."""
        norm = block.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        weight = block.conv.weight * scale[:, None, None, None]
        bias = norm.bias - norm.running_mean * scale
        return self.add("Relu", self.conv(x, f"{name}.conv", block.conv, weight, bias))

    def double(self, x: str) -> str:
        """Add a node that doubles height and width by repeating."""
        scales = self.constant([1, 1, 2, 2])
        kinds = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.add("Resize", x, "", scales, mode="nearest", **kinds)


def _add_network(graph: _Graph, network: DetectorNetwork) -> str:
    """Add what `DetectorNetwork.forward` computes; return the name of the grid."""

    def level(x: str, name: str) -> str:
        return _add_sequence(graph, x, name, getattr(network, name))

    level4 = level(level("images", "stem"), "level4")
    level8 = level(level4, "level8")
    level16 = level(level8, "level16")
    level32 = level(level16, "level32")
    level32 = graph.add("Add", level32, graph.double(level(level32, "level64")))
    level16 = graph.add("Add", level16, graph.double(level(level32, "down32")))
    level8 = graph.add("Add", level8, graph.double(level(level16, "down16")))
    level4 = graph.add("Add", level4, graph.double(level(level8, "down8")))
    return level(level4, "head")


def _add_sequence(graph: _Graph, x: str, name: str, module: nn.Module) -> str:
    """Add a module of the network, which may be made of others."""
    if isinstance(module, ConvBlock):
        return graph.block(x, name, module)
    if isinstance(module, nn.Conv2d):
        assert module.bias is not None
        return graph.conv(x, name, module, module.weight, module.bias)
    result = x
    for part, child in module.named_children():
        result = _add_sequence(graph, result, f"{name}.{part}", child)
    return graph.add("Add", x, result) if isinstance(module, Residual) else result


def _add_decoding(graph: _Graph, grid: str) -> None:
    """Add what `decode` computes: the outputs scores, boxes and eyes."""
    add, constant = graph.add, graph.constant
    heat = add("Sigmoid", graph.channels(grid, 0, 1))
    highest = add("MaxPool", heat, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    is_peak = add("Cast", add("Equal", heat, highest), to=FLOAT)
    low, high = (constant(limit) for limit in SIDE_LIMITS)
    side = add("Exp", add("Clip", graph.channels(grid, 1, 2), low, high))
    side = add("Mul", side, constant(UNIT_SIDE))
    half = add("Mul", side, constant(0.5))
    stride = constant(STRIDE)
    ones = add("Add", add("Mul", heat, constant(0)), constant(1))

    def middle(axis: int) -> str:
        count = add("CumSum", ones, constant(axis, np.int64))
        return add("Mul", add("Sub", count, constant(0.5)), stride)

    x, y = middle(3), middle(2)
    center_x = add("Add", x, add("Mul", graph.channels(grid, 2, 3), stride))
    center_y = add("Add", y, add("Mul", graph.channels(grid, 3, 4), stride))
    corners = [add(op, c, half) for op in ("Sub", "Add") for c in (center_x, center_y)]
    boxes = add("Concat", *corners, axis=1)
    middles = add("Concat", x, y, x, y, axis=1)
    eyes = add("Add", middles, add("Mul", graph.channels(grid, 4, 8), side))
    peaks = add("Mul", heat, is_peak)
    add("Reshape", peaks, constant([1, -1], np.int64), output="scores")
    for name, value in (("boxes", boxes), ("eyes", eyes)):
        flat = add("Reshape", value, constant([1, 4, -1], np.int64))
        add("Transpose", flat, output=name, perm=[0, 2, 1])
