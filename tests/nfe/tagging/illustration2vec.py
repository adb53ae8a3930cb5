"""A tagger in Illustration2Vec's layout with known weights, and a slow reference of its scores."""

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

MEAN_BGR = (164.76139251, 167.47864617, 181.13838569)
NUM_TAGS = 1539


def write_illustration2vec(folder, weights, batch, features=False):
    """Write an ONNX file in Illustration2Vec's layout: sigmoid(weights @ mean of 16 x 16 tiles)."""
    folder.mkdir(exist_ok=True)
    outputs = [helper.make_tensor_value_info("prob", TensorProto.FLOAT, [batch, NUM_TAGS, 1, 1])]
    nodes = [
        helper.make_node(
            "AveragePool", ["data"], ["tiles"], kernel_shape=[16, 16], strides=[16, 16]
        ),
        helper.make_node("Flatten", ["tiles"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["logits"], transB=1),
        helper.make_node("Sigmoid", ["logits"], ["flat_prob"]),
        helper.make_node("Unsqueeze", ["flat_prob", "axes"], ["prob"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([2, 3]), "axes"),
    ]
    name = "illust2vec_tag_ver200.onnx"
    if features:
        outputs = [helper.make_tensor_value_info("encode1", TensorProto.FLOAT, [batch, 588])]
        nodes = [*nodes[:1], helper.make_node("Flatten", ["tiles"], ["encode1"])]
        constants, name = [], "illust2vec_ver200.onnx"
    data = helper.make_tensor_value_info("data", TensorProto.FLOAT, [batch, 3, 224, 224])
    graph = helper.make_graph(nodes, "illust2vec", [data], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / name)


def write_tag_list(folder: Path) -> None:
    """Write 1,539 tags with some known words, and the ratings."""
    words = [f"tag {i}" for i in range(NUM_TAGS)]
    words[:3], words[1536:] = (
        ["long hair", "blue hair", "smile"],
        ["safe", "questionable", "explicit"],
    )
    (folder / "tag_list.json").write_text(json.dumps(words))


def reference_scores(picture, weights):
    """Illustration2Vec's preparation pixel by pixel with torch, and the network in NumPy."""
    levels = np.asarray(picture, dtype=np.float64)
    levels = np.stack([levels] * 3, axis=2) if levels.ndim == 2 else levels[:, :, :3]
    image = torch.from_numpy(levels).permute(2, 0, 1)[None]
    image = torch.nn.functional.interpolate(image, (224, 224), mode="bilinear", align_corners=False)
    blue_green_red = image.flip(1) - torch.tensor(MEAN_BGR).double()[:, None, None]
    tiles = torch.nn.functional.avg_pool2d(blue_green_red, 16).flatten(1).numpy()
    return 1 / (1 + np.exp(-tiles @ weights.T))[0]
