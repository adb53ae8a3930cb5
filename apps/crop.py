"""The command `nfe crop`: faces out of full pictures."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.exits import errors_to_exit_codes
from apps.options import (
    Inputs,
    Limit,
    MaxPixels,
    Overwrite,
    check_empty,
    check_range,
)
from apps.outcomes import finish
from apps.pictures import plan_pictures
from nfe.errors import ParamsError

if TYPE_CHECKING:
    from nfe.faces.cutting import FaceCutter

__all__ = ["crop"]

DEFAULT_DETECTOR = Path("models/detector/detector.onnx")


def crop(
    inputs: Inputs,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the faces.")],
    size: Annotated[int, typer.Option(help="Side of the faces, in pixels.")] = 256,
    largest: Annotated[
        bool, typer.Option("--largest", help="Of several faces in a picture only the largest.")
    ] = False,
    margin: Annotated[
        float, typer.Option(help="Space around the face, as a share of its side.")
    ] = 0.0,
    max_angle: Annotated[
        float, typer.Option(help="Most degrees to turn a face so that its eyes lie level.")
    ] = 25.0,
    detector: Annotated[
        Path, typer.Option(metavar="FILE", help="ONNX face detector.")
    ] = DEFAULT_DETECTOR,
    limit: Limit = None,
    max_pixels: MaxPixels = 64_000_000,
    overwrite: Overwrite = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Cut out the faces of pictures, upright and square: `nfe crop photos --out faces`.

    Sub-folders and names are kept; a second face of a.jpg is a-2.png. DIR/crop.csv says of each
    face where it was and how sure the detector is, and of each picture without one why.

    Exit code: 0 all done, 1 nothing done, 2 wrong usage, 3 some files failed.
    """
    with errors_to_exit_codes():
        check_range(size, 8, 4096, "--size")
        check_range(margin, -0.4, 2, "--margin")
        check_range(max_angle, 0, 180, "--max-angle")
        check_empty(out, overwrite)
        cutter = _cutter(detector, largest, margin, max_angle, size)
        rows = _crop(inputs, out, cutter, limit, max_pixels)
    finish(rows, "face", str(out), json_)


def _cutter(
    detector: Path, largest: bool, margin: float, max_angle: float, size: int
) -> "FaceCutter":
    if not detector.is_file():
        raise ParamsError(
            f"--detector must be an ONNX face detector, got {detector}; name the one of a "
            "project, models/detector/detector.onnx, or of a model, DIR/detector/detector.onnx"
        )
    from nfe.faces.cutting import FaceCutter
    from nfe.faces.detection import Detector

    return FaceCutter(
        Detector.load(detector), "detect", "largest" if largest else "all", margin, max_angle, size
    )


def _crop(
    inputs: list[str], out: Path, cutter: "FaceCutter", limit: int | None, max_pixels: int
) -> list[dict[str, Any]]:
    from nfe.folder_cropping import crop_files
    from tasks.stage import Progress

    planned = plan_pictures(inputs, out, limit, max_pixels)
    num_threads = os.cpu_count() or 1
    return crop_files(planned, cutter, out, max_pixels, num_threads, Progress("crop"))
