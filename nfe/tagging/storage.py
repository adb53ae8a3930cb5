"""A tagger as a model folder: weights, description, list of tags, ONNX, manifest."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nfe.errors import ModelFileError
from nfe.files import atomic_folder, check_manifest, read_json, write_json, write_manifest
from nfe.tagging.groups import Group, probabilities, tags_of
from nfe.tagging.inputs import InputFormat
from nfe.tagging.network import TaggerNetwork
from nfe.weights import load_weights, save_weights

__all__ = ["export_onnx", "load_groups", "load_tagger_network", "write_tagger"]

DESCRIPTION = "tagger.json"
OPSET = 18


class ExportedTagger(nn.Module):
    """What the ONNX file computes: images to probabilities of tags and embedding."""

    def __init__(self, network: TaggerNetwork, groups: Sequence[Group]) -> None:
        super().__init__()
        self.network = network
        self.groups = groups

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return probabilities [N, T] and embedding [N, F] of images [N, 3, R, R]."""
        embedding = self.network.embedding(images)
        return probabilities(self.network.head(embedding), self.groups), embedding


def export_onnx(path: Path, network: TaggerNetwork, groups: Sequence[Group]) -> None:
    """Write the tagger as ONNX: `images` [N, 3, R, R] to `probabilities`, `embedding`; any N.

    By the exporter that traces: for a network without control flow it writes the same
    operations as the newer one, in 0.3 s in place of 6, with norms folded into convolutions.
    """
    device = next(network.parameters()).device
    example = torch.zeros(2, 3, network.resolution, network.resolution, device=device)
    outputs = ["probabilities", "embedding"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is the older one; that the size is constant
        torch.onnx.export(
            ExportedTagger(network, groups).eval(),
            (example,),
            str(path),
            input_names=["images"],
            output_names=outputs,
            opset_version=OPSET,
            dynamic_axes={name: {0: "num_images"} for name in ("images", *outputs)},
            dynamo=False,
        )


def write_tagger(
    folder: Path,
    network: TaggerNetwork,
    groups: Sequence[Group],
    thresholds: Mapping[str, Sequence[float]],
    notes: Mapping[str, Any],
) -> None:
    """Write a model folder that Tagger and load_tagger_network read.

    Args:
        folder: Written whole, in place of an older one.
        network: In eval mode, with its temperatures applied.
        groups: The groups of its outputs.
        thresholds: Tag -> best thresholds for f0.5, f1 and f2.
        notes: What else to say in tagger.json: temperatures, figures, provenance.
    """
    tags = tags_of(groups)
    ours = InputFormat(network.resolution, "RGB", (127.5,) * 3, 1 / 127.5, "lanczos")
    description = {
        "network": network.config,
        "groups": [asdict(group) for group in groups],
        "input": asdict(ours),
        "outputs": {"probabilities": len(tags), "embedding": network.num_features},
        "ranges": {
            "general": [0, len(tags)],
            **{c: [len(tags)] * 2 for c in ("character", "copyright", "rating")},
        },
        "thresholds": {tag: list(values) for tag, values in thresholds.items()},
        **notes,
    }
    with atomic_folder(folder) as partial:
        save_weights(partial / "tagger.safetensors", network)
        export_onnx(partial / "tagger.onnx", network, groups)
        write_json(partial / "tag_list.json", list(tags))
        write_json(partial / DESCRIPTION, description)
        write_manifest(partial)


def load_tagger_network(folder: Path, device: str) -> TaggerNetwork:
    """Read the network of a tagger of ours, frozen, ready to use, its norms folded.

    Raises:
        ModelFileError: If a file is missing, damaged, or does not fit its description.
    """
    folder = Path(folder)
    check_manifest(folder)
    description = read_json(folder / DESCRIPTION)
    try:
        network = TaggerNetwork(**description["network"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{folder / DESCRIPTION} must describe a tagger of this program, got: {error}; "
            "train the tagger again"
        ) from error
    load_weights(folder / "tagger.safetensors", network, device)
    network.fold_norms()
    return network


def load_groups(folder: Path) -> tuple[Group, ...]:
    """Read the groups of the outputs of a tagger of ours.

    Raises:
        ModelFileError: If the description is missing or lacks them.
    """
    description = read_json(Path(folder) / DESCRIPTION)
    groups = description.get("groups") if isinstance(description, dict) else None
    if not isinstance(groups, list):
        raise ModelFileError(f"{Path(folder) / DESCRIPTION} must list groups; train it again")
    return tuple(Group.from_json(group) for group in groups)
