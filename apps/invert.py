"""The command `nfe invert`: the codes of the faces in pictures."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from apps.exits import errors_to_exit_codes
from apps.options import (
    DEFAULT_MODEL,
    Inputs,
    Limit,
    MaxPixels,
    Model,
    Overwrite,
    check_empty,
    check_model,
    check_range,
)
from apps.outcomes import finish
from apps.pictures import plan_pictures

if TYPE_CHECKING:
    from nfe.faces.cutting import Choose, Faces
    from nfe.folder_inverting import FolderInverter

__all__ = ["invert"]


def invert(
    inputs: Inputs,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results go.")],
    model: Model = DEFAULT_MODEL,
    steps: Annotated[
        int | None,
        typer.Option(help="Refinement steps; 0 for the encoder alone (default: the model's)."),
    ] = None,
    faces: Annotated[
        Literal["auto", "detect", "whole"],
        typer.Option(help="Detect faces, or take each picture as a whole face."),
    ] = "auto",
    largest: Annotated[
        bool, typer.Option("--largest", help="Of several faces in a picture only the largest.")
    ] = False,
    limit: Limit = None,
    batch_size: Annotated[int, typer.Option(help="Faces at a time.")] = 32,
    max_pixels: MaxPixels = 64_000_000,
    overwrite: Overwrite = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Find the codes of faces: `nfe invert photos --out codes --steps 100`.

    Writes DIR/codes.npz with w_plus and names, the reconstruction of each face as a PNG, and
    DIR/invert.csv with the place and the error of each. Faces are found as by `nfe edit`.

    Exit code: 0 all done, 1 nothing done, 2 wrong usage, 3 some files failed.
    """
    with errors_to_exit_codes():
        check_range(batch_size, 1, 1024, "--batch-size")
        if steps is not None:
            check_range(steps, 0, 100_000, "--steps")
        check_model(model)
        check_empty(out, overwrite)
        from tasks.stage import Progress

        choose: Choose = "largest" if largest else "all"
        inverter = _load(out, model, steps, faces, choose, batch_size, max_pixels)
        planned = plan_pictures(inputs, out, limit, max_pixels)
        rows = inverter.invert(planned, Progress("invert"))
    finish(rows, "face", str(out), json_)


def _load(
    out: Path,
    model: Path,
    steps: int | None,
    faces: "Faces",
    choose: "Choose",
    batch_size: int,
    max_pixels: int,
) -> "FolderInverter":
    from nfe.bundle import load_bundle
    from nfe.faces.cutting import FaceCutter
    from nfe.folder_inverting import FolderInverter
    from tasks.stage import has_bf16, pick_device

    device = pick_device()
    bundle = load_bundle(model, device, has_bf16(device))
    cutter = FaceCutter.of_model(bundle.description, bundle.detector, faces, choose)
    num_steps = bundle.description["refinement"]["num_steps"] if steps is None else steps
    num_threads = os.cpu_count() or 1
    return FolderInverter(out, bundle, cutter, num_steps, batch_size, max_pixels, num_threads)
