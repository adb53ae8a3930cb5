"""A model folder that edits pictures by itself: write, check, load.

README.md               the model card, for people
model.json              what it is: architecture, attributes, settings, provenance, metrics
manifest.json           sha256 of every file but the card
generator/ encoder/ tagger/ judge/ boundaries/ detector/     one model folder each
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from nfe.boundaries import Boundary, load_boundaries
from nfe.errors import ModelFileError
from nfe.faces.detection import Detector
from nfe.files import (
    atomic_folder,
    check_manifest,
    read_json,
    sha256_file,
    write_json,
    write_manifest,
    write_text,
)
from nfe.gan.networks import Generator
from nfe.gan.storage import load_generator
from nfe.inversion.encoders import Encoder
from nfe.inversion.storage import load_encoder
from nfe.reporting.card import write_card
from nfe.tagging.network import TaggerNetwork
from nfe.tagging.storage import load_tagger_network
from nfe.tagging.tagger import Tagger

__all__ = [
    "Bundle",
    "describe_attributes",
    "load_bundle",
    "load_detector",
    "read_description",
    "write_bundle",
]

FORMAT = 6
DESCRIPTION = "model.json"
CARD = "README.md"
DETECTOR = Path("detector") / "detector.onnx"


@dataclass(frozen=True)
class Bundle:
    """Everything that editing a picture needs.

    Attributes:
        generator, encoder, features: Frozen networks on one device; `features` is the tagger's
            network, whose feature maps the refinement compares.
        tagger: Says what an edited face shows; edits go by it.
        judge: Says the same without having had a part in the edit; None where there is none.
        detector: Face detector; None where every picture must be a face already.
        boundaries: One per attribute value that can be edited.
        description: Content of model.json.
        sha256: Hash of the manifest, and so of everything.
        device: Where the networks are.
        bf16: Whether the refinement runs in bfloat16.
    """

    generator: Generator
    encoder: Encoder
    features: TaggerNetwork
    tagger: Tagger
    judge: Tagger | None
    detector: Detector | None
    boundaries: Sequence[Boundary]
    description: Mapping[str, Any]
    sha256: str
    device: str
    bf16: bool


def write_bundle(
    folder: Path,
    *,
    generator_dir: Path,
    encoder_dir: Path,
    tagger_dir: Path,
    judge_dir: Path,
    boundaries_dir: Path,
    detector_path: Path | None,
    description: Mapping[str, Any],
) -> None:
    """Gather checked models into one folder, in place of an older one.

    Args:
        folder: The folder to write.
        generator_dir, encoder_dir, tagger_dir, judge_dir, boundaries_dir: Model folders of the
            stages.
        detector_path: ONNX file of the face detector; None for none.
        description: What model.json shall say beside format, architecture and attributes:
            name, attribute_tags (the attribute table), alignment, refinement, editing, guard,
            notes, provenance, metrics.

    Raises:
        ModelFileError: If a part is missing or damaged.
        StorageError: If the folder cannot be written.
    """
    parts = {
        "generator": generator_dir,
        "encoder": encoder_dir,
        "tagger": tagger_dir,
        "judge": judge_dir,
        "boundaries": boundaries_dir,
    }
    for source in parts.values():
        check_manifest(source)
    if detector_path is not None and not detector_path.is_file():
        raise ModelFileError(f"{detector_path} must be a detector, it is missing; restore it")
    with atomic_folder(folder) as partial:
        for name, source in parts.items():
            files = _manifest_files(source)
            if name == "judge":  # it answers by its ONNX network; only of the tagger are maps asked
                files = [file for file in files if not file.endswith(".safetensors")]
            _copy(source, partial / name, files)
            if name == "encoder":
                _halve(partial / name / "encoder.safetensors")
            write_manifest(partial / name)
        if detector_path is not None:
            (partial / DETECTOR).parent.mkdir()
            shutil.copyfile(detector_path, partial / DETECTOR)
        whole = {
            "format": FORMAT,
            "architecture": {
                "generator": read_json(partial / "generator/networks.json")["generator"],
                "encoder": read_json(partial / "encoder/encoder.json")["encoder"],
            },
            "attributes": describe_attributes(load_boundaries(partial / "boundaries")),
            **description,
        }
        write_json(partial / DESCRIPTION, whole)
        write_manifest(partial)
        write_text(partial / CARD, write_card(whole))  # people may add to it


def read_description(folder: Path) -> dict[str, Any]:
    """Check a bundle's files against its manifest and return its model.json.

    Raises:
        ModelFileError: If a file is missing or damaged, or the format is another.
    """
    folder = Path(folder)
    if not (folder / DESCRIPTION).is_file():
        raise ModelFileError(
            f"{folder} must be a model folder with a {DESCRIPTION}, it has none; "
            "models/anime64 comes with the project, `nfe run` makes data/bundle/model"
        )
    check_manifest(folder)
    description = read_json(folder / DESCRIPTION)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ModelFileError(
            f"{folder / DESCRIPTION} must be of format {FORMAT}; make the bundle again"
        )
    return description


def load_bundle(folder: Path, device: str, bf16: bool) -> Bundle:
    """Check and load a bundle.

    Args:
        folder: What `write_bundle` wrote.
        device: Where to put the networks.
        bf16: Whether the refinement shall run in bfloat16.

    Raises:
        ModelFileError: If a file is missing, damaged, or of another architecture or format.
    """
    folder = Path(folder)
    description = read_description(folder)
    return Bundle(
        generator=load_generator(folder / "generator", device),
        encoder=load_encoder(folder / "encoder", device),
        features=load_tagger_network(folder / "tagger", device),
        tagger=Tagger.load(folder / "tagger"),
        judge=Tagger.load(folder / "judge") if (folder / "judge").is_dir() else None,
        detector=load_detector(folder),
        boundaries=load_boundaries(folder / "boundaries"),
        description=description,
        sha256=sha256_file(folder / "manifest.json"),
        device=device,
        bf16=bf16,
    )


def load_detector(folder: Path) -> Detector | None:
    """Load a bundle's face detector; None if it has none.

    Raises:
        ModelFileError: If the file is damaged.
    """
    path = Path(folder) / DETECTOR
    return Detector.load(path) if path.is_file() else None


def describe_attributes(boundaries: Sequence[Boundary]) -> dict[str, dict[str, dict[str, float]]]:
    """Attribute -> value -> accuracies of its boundary, rounded."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for boundary in boundaries:
        figures = {
            key: round(value, 4)
            for key, value in boundary.statistics.items()
            if key.endswith("accuracy")
        }
        table.setdefault(boundary.attribute, {})[boundary.value] = figures
    return table


def _manifest_files(folder: Path) -> list[str]:
    return sorted(read_json(folder / "manifest.json")["sha256"])


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _halve(path: Path) -> None:
    """Keep the float32 weights of a file in float16; loading makes them float32 again.

    For the encoder, the largest network: its answer is where a refinement begins, and moves by
    less than a step of that. Weights too large for float16 stay as they are.
    """
    tensors = load_file(path)
    for name, tensor in tensors.items():
        half = tensor.half()
        if tensor.dtype == torch.float32 and half.isfinite().all():
            tensors[name] = half
    path.write_bytes(save(tensors))
