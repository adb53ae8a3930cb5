"""A project folder whose samples, labels, boundaries, codes and bundle belong to tiny models."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import torch
from onnx import TensorProto, helper, numpy_helper

from nfe.boundaries import Boundary, save_boundaries
from nfe.boundary_fitting import FittingSettings, fit_boundaries, fit_whitening
from nfe.bundle import write_bundle
from nfe.files import write_npz, write_stored_zip
from nfe.gan.networks import Generator
from nfe.images import encode_png
from nfe.tagging.groups import Group
from nfe.tagging.network import TaggerNetwork
from nfe.tagging.storage import write_tagger

from .inversion_project import REFINEMENT, make_project

ATTRIBUTES = {
    "hair": {"red": ["red_hair"], "blue": ["blue_hair"], "green": ["green_hair"]},
    "smile": {"yes": ["smile"], "no": []},
}
GROUPS = [
    Group("hair", ("red", "blue", "green"), ("red_hair", "blue_hair", "green_hair")),
    Group("smile", ("yes", "no"), ("smile", "")),
]
NUM_SAMPLES = 600


def make_editing_project(root: Path) -> Generator:
    """Write everything that fit_boundaries, edit and bundle read under `root`."""
    generator = make_project(root, with_encoder=True)
    for seed, name in enumerate(("tagger", "judge")):
        torch.manual_seed(seed)
        network = TaggerNetwork(resolution=16, width=4, num_tags=4).eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_tagger(root / f"data/train_tagger/{name}", network, GROUPS, {}, {})
    codes = sample_codes(generator)
    write_npz(root / "data/sample/codes.npz", codes)
    labels = planted_labels(codes["w"])
    (root / "data/tag").mkdir(parents=True)
    labels.to_parquet(root / "data/tag/labels.parquet", index=False)
    save_boundaries(root / "data/fit_boundaries/boundaries", fit(codes["w"], labels))
    write_npz(
        root / "data/invert/codes.npz", {"w_plus": np.repeat(codes["w"][:5, None], 6, axis=1)}
    )
    names = [f"sub/{i}.png" for i in range(5)]
    pd.DataFrame({"name": names}).to_parquet(root / "data/invert/index.parquet", index=False)
    face = encode_png(np.zeros((16, 16, 3), dtype=np.uint8))
    write_stored_zip(root / "data/invert/faces.zip", [(name, face) for name in names])
    write_detector(root / "models/detector/detector.onnx")
    return generator


def make_bundle(root: Path, folder: Path) -> Path:
    """Make a project under `root` and gather its models in `folder`."""
    make_editing_project(root)
    write_bundle(
        folder,
        generator_dir=root / "data/train_gan/model",
        encoder_dir=root / "data/train_encoder/model",
        tagger_dir=root / "data/train_tagger/tagger",
        judge_dir=root / "data/train_tagger/judge",
        boundaries_dir=root / "data/fit_boundaries/boundaries",
        detector_path=root / "models/detector/detector.onnx",
        description={
            "name": "tiny",
            "attribute_tags": ATTRIBUTES,
            "editing": {"scales": [1.0, 2.0], "first_layers": [0, 2], "min_confidence": 0.5},
            "guard": {"attributes": ["smile"], "factor": 1.5},
            "alignment": {
                "margin": 0.0,
                "max_angle": 25.0,
                "feather": 0.2,
                "visible_change": [4, 8],
                "recolour": ["hair"],
            },
            "refinement": {**REFINEMENT, "num_steps": 2},
            "notes": [],
            "metrics": {},
            "provenance": {"params": {}, "packages": {}},
        },
    )
    return folder


def sample_codes(generator: Generator) -> dict[str, np.ndarray]:
    """Return seeds, z and w of some samples."""
    z = torch.randn(NUM_SAMPLES, 16, generator=torch.Generator().manual_seed(1))
    w = generator.mapping(z).detach().numpy()
    return {"seeds": np.arange(NUM_SAMPLES), "z": z.numpy(), "w": w}


def planted_labels(w: np.ndarray) -> pd.DataFrame:
    """Return labels that follow planted directions of w."""
    rng = np.random.default_rng(2)
    white = (w - w.mean(axis=0)) / w.std(axis=0)
    hair = (white @ rng.standard_normal((16, 3))).argmax(axis=1)
    smile = white @ rng.standard_normal(16)
    return pd.DataFrame(
        {
            "seed": np.arange(len(w)),
            "hair": np.array(["red", "blue", "green"])[hair],
            "hair_confidence": 1.0,
            "smile": np.where(smile > 0, "yes", "no"),
            "smile_confidence": np.abs(smile),
        }
    )


def fit(w: np.ndarray, labels: pd.DataFrame) -> list[Boundary]:
    """Fit a boundary per value."""
    codes = w.astype(np.float64)
    settings = FittingSettings(
        confident_share=1.0,
        train_share=0.7,
        regularisations=[0.1],
        shared_penalty=1.0,
        num_folds=3,
        centre_share=1.0,
        min_examples=4,
    )
    boundaries = []
    for attribute, values in ATTRIBUTES.items():
        fitted, _ = fit_boundaries(
            codes,
            labels[attribute].to_numpy(dtype=str),
            labels[f"{attribute}_confidence"].to_numpy(),
            fit_whitening(codes, 1e-6),
            settings,
            attribute=attribute,
            values=[*values],
            space="w",
            rng=np.random.default_rng(3),
        )
        boundaries += fitted
    return boundaries


def write_detector(
    path: Path, boxes: Sequence[tuple[int, int, int, int]] = ((8, 6, 28, 26),)
) -> None:
    """Write a detector that sees these faces in every picture brighter than grey, best first."""
    factors = np.array([0.9**index for index in range(len(boxes))], np.float32)
    fixed = {"boxes": np.array([boxes], np.float32), "axes": np.array([1, 2, 3])}
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["images", "axes"], ["mean"], keepdims=0),
            helper.make_node("Sigmoid", ["mean"], ["probability"]),
            helper.make_node("Unsqueeze", ["probability", "one"], ["column"]),
            helper.make_node("Mul", ["column", "factors"], ["scores"]),
            helper.make_node("Identity", ["fixed_boxes"], ["boxes"]),
        ],
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, len(boxes)]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, len(boxes), 4]),
        ],
        [
            numpy_helper.from_array(fixed["boxes"], "fixed_boxes"),
            numpy_helper.from_array(fixed["axes"], "axes"),
            numpy_helper.from_array(np.array([1]), "one"),
            numpy_helper.from_array(factors, "factors"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    values = {"max_side": "512", "multiple": "1", "min_score": "0.5", "max_overlap": "0.3"}
    helper.set_model_props(model, values)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
