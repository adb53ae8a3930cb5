"""The command `nfe tag`: what a tagger sees in pictures."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from apps.exits import errors_to_exit_codes
from apps.options import DEFAULT_MODEL, Inputs, Limit, MaxPixels, Model, check_model, check_range
from apps.outcomes import NOTHING_DONE, SOME_FAILED, printable
from apps.pictures import plan_pictures
from nfe.errors import ParamsError

if TYPE_CHECKING:
    from nfe.faces.cutting import Faces
    from nfe.file_tagging import FileTagger, Rule

__all__ = ["tag"]


def tag(
    inputs: Inputs,
    model: Model = DEFAULT_MODEL,
    tagger: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Another tagger: a folder with illust2vec_tag_ver200.onnx and tag_list.json, "
            "or an ONNX file. It sees the whole picture.",
        ),
    ] = None,
    attributes: Annotated[
        bool, typer.Option("--attributes", help="Give the model's attributes in place of tags.")
    ] = False,
    threshold: Annotated[float, typer.Option(help="Least score of a tag.")] = 0.25,
    rule: Annotated[
        Literal["constant", "f0.5", "f1", "f2"],
        typer.Option(help="constant: --threshold; else the tagger's own for each tag."),
    ] = "constant",
    faces: Annotated[
        Literal["auto", "detect", "whole"],
        typer.Option(help="Detect faces, or take each picture as a whole face."),
    ] = "auto",
    limit: Limit = None,
    max_pixels: MaxPixels = 64_000_000,
    json_: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Say what faces show: `nfe tag photos --attributes`.

    A line per face on standard output: file, tags and scores. With --tagger a line per picture.

    Exit code: 0 all done, 1 nothing done, 2 wrong usage, 3 some files failed.
    """
    statuses = []
    with errors_to_exit_codes():
        check_range(threshold, 0, 1, "--threshold")
        if tagger is not None and faces != "auto":
            raise ParamsError(
                f"--faces must be left out with --tagger, got {faces}; it sees the whole picture"
            )
        file_tagger = _load(model, tagger, attributes, threshold, rule, faces, max_pixels)
        for row in file_tagger.tag(plan_pictures(inputs, Path(os.devnull), limit, max_pixels)):
            statuses.append(row["status"])
            _print(row, json_)
    if "done" not in statuses:
        raise typer.Exit(NOTHING_DONE)
    if "failed" in statuses:
        raise typer.Exit(SOME_FAILED)


def _load(
    model: Path,
    tagger_path: Path | None,
    attributes: bool,
    threshold: float,
    rule: "Rule",
    faces: "Faces",
    max_pixels: int,
) -> "FileTagger":
    from nfe.bundle import load_detector, read_description
    from nfe.faces.cutting import FaceCutter, take_whole
    from nfe.file_tagging import FileTagger
    from nfe.tagging.tagger import Tagger

    description: Mapping[str, Any] = {}
    if attributes or tagger_path is None:
        check_model(model)
        description = read_description(model)
    table = description["attribute_tags"] if attributes else None
    num_threads = os.cpu_count() or 1
    if tagger_path is not None:
        if not tagger_path.exists():
            raise ParamsError(f"--tagger must be a folder or a file, got {tagger_path}; check it")
        seen = Tagger.load(tagger_path), take_whole
    else:
        cutter = FaceCutter.of_model(description, load_detector(model), faces, "all")
        seen = Tagger.load(model / "tagger"), cutter.cut
    return FileTagger(*seen, table, threshold, rule, max_pixels, num_threads)


def _print(row: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(row))
    elif row["status"] == "failed":
        typer.echo(f"error: {printable(row['reason'])}", err=True)
    elif row["status"] == "no_face":
        typer.echo(f"{printable(row['input'])}: no face was found")
    elif row["status"] == "done":
        typer.echo(f"{printable(row['input'])}: {', '.join(_told(row)) or 'no tags'}")


def _told(row: Mapping[str, Any]) -> Iterator[str]:
    for attribute, found in row.get("attributes", {}).items():
        yield f"{attribute}={found['value']} {found['confidence']:.2f}"
    for tags in row.get("tags", {}).values():
        yield from (f"{tag} {score:.2f}" for tag, score in tags.items())
