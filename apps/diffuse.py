"""The command `nfe diffuse`: a part of one face becomes part of another."""

import re
from pathlib import Path
from typing import Annotated

import typer

from apps.exits import errors_to_exit_codes
from apps.options import (
    DEFAULT_MODEL,
    Model,
    Overwrite,
    check_model,
    check_new,
    check_range,
    check_suffix,
)
from nfe.errors import ParamsError, PictureError

__all__ = ["diffuse"]

MAX_STEPS = 100_000
MAX_PIXELS = 64_000_000

Box = tuple[int, int, int, int]


def diffuse(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Face that gives the part.")],
    context: Annotated[Path, typer.Argument(metavar="CONTEXT", help="Face that gets it.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="Picture to write.")],
    box: Annotated[
        str, typer.Option(metavar="LEFT,TOP,RIGHT,BOTTOM", help="The part, in pixels of TARGET.")
    ],
    model: Model = DEFAULT_MODEL,
    steps: Annotated[int, typer.Option(help="Steps of the search.")] = 100,
    learning_rate: Annotated[
        float, typer.Option(help="At the first step; a high one changes the face around the part.")
    ] = 0.01,
    overwrite: Overwrite = False,
) -> None:
    """Blend in: `nfe diffuse a.png b.png out.png --box 16,24,48,48` gives b the eyes of a.

    Both pictures are squares with one face, of equal size. The part is pasted at its place, and
    the search goes on from there, looking at the part alone. OUT is of the model's size.
    """
    with errors_to_exit_codes():
        check_suffix(out, ".png")
        part = _parse_box(box)
        check_range(steps, 0, MAX_STEPS, "--steps")
        check_range(learning_rate, 1e-6, 10, "--learning-rate")
        check_model(model)
        for name, path in (("TARGET", target), ("CONTEXT", context)):
            if not path.is_file():
                raise ParamsError(f"{name} must be a picture, got {path}; check it")
        check_new([out], overwrite)
        _write(out, target, context, part, model, steps, learning_rate)
    typer.echo(f"1 picture in {out}")


def _parse_box(text: str) -> Box:
    """Read a box such as `16,24,48,48`.

    Raises:
        ParamsError: If it is something else, or empty.
    """
    found = re.fullmatch(r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})", text.replace(" ", ""))
    left, top, right, bottom = (int(number) for number in found.groups()) if found else (0,) * 4
    if left >= right or top >= bottom:
        raise ParamsError(
            f"--box must be LEFT,TOP,RIGHT,BOTTOM such as 16,24,48,48, got {text!r}; see --help"
        )
    return left, top, right, bottom


def _write(
    out: Path,
    target: Path,
    context: Path,
    box: Box,
    model: Path,
    steps: int,
    learning_rate: float,
) -> None:
    from nfe.bundle import load_bundle
    from nfe.files import write_bytes
    from nfe.folder_restoring import read_on_white
    from nfe.images import encode_png, resize_pixels
    from nfe.picture_restoring import check_face, diffuse_patch, scale_box
    from tasks.stage import Progress, pick_device

    faces = [read_on_white(path, path.name, MAX_PIXELS) for path in (target, context)]
    for path, face in zip((target, context), faces, strict=True):
        check_face(face, path.name)
    side, other = (len(face) for face in faces)
    if side != other:
        raise PictureError(
            f"CONTEXT must be as large as TARGET, {side} x {side}, got {other} x {other}; "
            "resize one of them"
        )
    if max(box) > side:
        given = ",".join(map(str, box))
        raise ParamsError(f"--box must lie within {side} x {side}, got {given}; make it smaller")
    bundle = load_bundle(model, pick_device(), bf16=False)
    resolution = bundle.generator.resolution
    result = diffuse_patch(
        resize_pixels(faces[0], resolution),
        resize_pixels(faces[1], resolution),
        scale_box(box, side, resolution),
        bundle,
        steps,
        learning_rate,
        Progress("diffuse"),
    )
    write_bytes(out, encode_png(result))
