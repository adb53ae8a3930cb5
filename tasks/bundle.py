"""Gather the models into one folder that edits pictures by itself."""

import importlib.metadata
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from ruamel.yaml import YAML

from tasks.params import parse_params
from tasks.stage import StageParams, write_metrics

FOLDER = Path("data/bundle")
# Whose parameters and figures say where the models came from.
STAGES = (
    "crop",
    "curate",
    "train_tagger",
    "train_gan",
    "evaluate_gan",
    "sample",
    "tag",
    "fit_boundaries",
    "train_encoder",
    "evaluate_encoder",
    "invert",
    "edit",
)
PACKAGES = ("neural-face-editor", "torch", "numpy", "scikit-learn", "onnxruntime")


class Params(StageParams):
    """Section `bundle` of params.yaml.

    Attributes:
        name: What the model calls itself.
        notes: What people should know before they use the model, for its card.
        feather: Soft border of a face that is put back, as a share of its side.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)]
    notes: list[Annotated[str, Field(min_length=1, max_length=1000)]]
    feather: Annotated[float, Field(gt=0, le=0.5)]


def run(params: Params) -> None:
    """Write model/."""
    from nfe.bundle import write_bundle

    values = YAML(typ="safe").load(Path("params.yaml"))
    invert = parse_params("invert", values).model_dump()
    edit = parse_params("edit", values).model_dump()
    detector = Path(invert["detector"])
    model = FOLDER / "model"
    write_bundle(
        model,
        generator_dir=Path("data/train_gan/model"),
        encoder_dir=Path("data/train_encoder/model"),
        tagger_dir=Path("data/train_tagger/tagger"),
        judge_dir=Path("data/train_tagger/judge"),
        boundaries_dir=Path("data/fit_boundaries/boundaries"),
        detector_path=detector if detector.is_file() else None,
        description={
            "name": params.name,
            "notes": params.notes,
            "alignment": {
                "margin": invert["margin"],
                "max_angle": invert["max_angle"],
                "feather": params.feather,
                "visible_change": edit["visible_change"],
                "recolour": edit["recolour"],
            },
            "attribute_tags": edit["attributes"],
            "editing": {name: edit[name] for name in ("scales", "first_layers", "min_confidence")},
            "guard": edit["guard"],
            "refinement": invert["refinement"],
            "provenance": {
                "params": {
                    name: values[name] for name in ("attributes", *STAGES) if name in values
                },
                "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
            },
            "metrics": read_metrics(Path("data")),
        },
    )
    files = [file for file in model.rglob("*") if file.is_file()]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    write_metrics(FOLDER, {"num_files": len(files), "megabytes": round(megabytes, 3)})


def read_metrics(data: Path) -> dict[str, Any]:
    """Return the metrics of every stage that has some."""
    files = {stage: data / stage / "metrics.json" for stage in STAGES}
    return {stage: json.loads(file.read_bytes()) for stage, file in files.items() if file.is_file()}
