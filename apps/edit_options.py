"""The options of `nfe edit`: how they are asked for, and what they mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from apps.options import Inputs, Limit, MaxPixels, check_model
from nfe.errors import ParamsError

if TYPE_CHECKING:
    from nfe.folder_editing.settings import EditSettings, Limits

__all__ = [
    "Animate",
    "BatchSize",
    "Device",
    "DryRun",
    "EditOptions",
    "Faces",
    "Format",
    "Frames",
    "Inputs",
    "Json",
    "Keep",
    "Largest",
    "Limit",
    "MaxMegabytes",
    "MaxPixels",
    "NoFace",
    "NoProvenance",
    "Out",
    "Overwrite",
    "PasteBack",
    "Quiet",
    "Redraw",
    "Set",
    "Sheet",
    "Steps",
    "Strength",
    "Strict",
    "Strip",
    "Timeout",
]

Out = Annotated[Path, typer.Option(metavar="DIR", help="Where the results go.")]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="ATTRIBUTE=VALUE", help="What to change; can be repeated."),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="ATTRIBUTE", help="What must stay as it is; can be repeated."),
]
Strength = Annotated[
    str, typer.Option(metavar="auto|NUMBER", help="How far: just enough, or a distance.")
]
Steps = Annotated[
    int | None, typer.Option(min=0, help="Refinement steps; 0 is fastest (default: the model's).")
]
Faces = Annotated[
    Literal["auto", "detect", "whole"],
    typer.Option(help="Detect faces, or take each picture as a whole face."),
]
Largest = Annotated[
    bool, typer.Option("--largest", help="Of several faces in a picture only the largest.")
]
PasteBack = Annotated[
    bool | None,
    typer.Option(
        "--paste-back/--no-paste-back",
        help="Blend faces into their picture, or write the face alone, of several the largest "
        "(default: blend, but replace pictures that are faces).",
    ),
]
Redraw = Annotated[
    bool,
    typer.Option(
        "--redraw",
        help="Draw the whole face anew; else the change is laid over the picture's own lines.",
    ),
]
Frames = Annotated[
    Literal["first", "all"],
    typer.Option(help="Of an animation, or pages of a TIFF; `all` are written as one."),
]
NoFace = Annotated[
    Literal["copy", "skip"], typer.Option(help="What to do with a picture without a face.")
]
Format = Annotated[
    Literal["keep", "png", "jpg", "webp"], typer.Option("--format", help="Of the results.")
]
Strip = Annotated[
    bool,
    typer.Option("--strip", help="Also write 7 steps of each face, from -3 to 3, beside it."),
]
Sheet = Annotated[
    Path | None,
    typer.Option(metavar="FILE.png", help="Also write the first 48 faces before and after."),
]
Animate = Annotated[
    Path | None,
    typer.Option(metavar="FILE.webp", help="Also write the first 16 faces in motion."),
]
NoProvenance = Annotated[
    bool,
    typer.Option("--no-provenance", help="Do not write into results how they were made."),
]
BatchSize = Annotated[int, typer.Option(min=1, max=1024, help="Faces at a time.")]
MaxMegabytes = Annotated[float, typer.Option(min=0.001, help="Largest size of a file.")]
Timeout = Annotated[
    float, typer.Option(min=0.001, metavar="SECONDS", help="Longest time to open a file.")
]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1 ... (default: cuda if there is one).")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do again what is done already.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first bad file.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON on standard output.")]


@dataclass(frozen=True)
class EditOptions:
    """Everything that `nfe edit` was asked for, as it was given; see the types above."""

    inputs: list[str]
    out: Path
    set_: list[str]
    keep: list[str] | None
    model: Path
    strength: str
    steps: int | None
    faces: Literal["auto", "detect", "whole"]
    largest: bool
    paste_back: bool | None
    redraw: bool
    frames: Literal["first", "all"]
    no_face: Literal["copy", "skip"]
    picture_format: Literal["keep", "png", "jpg", "webp"]
    strip: bool
    sheet: Path | None
    animate: Path | None
    no_provenance: bool
    limit: int | None
    batch_size: int
    max_pixels: int
    max_megabytes: float
    timeout: float
    device: str | None
    overwrite: bool
    strict: bool
    dry_run: bool
    quiet: bool
    json_: bool

    def settings(self) -> "EditSettings":
        """Return what to do to each picture, checked against the model before anything slow.

        Raises:
            ModelFileError: If the model is damaged.
            ParamsError: If the model cannot make such an edit, or an option is wrong.
        """
        changes, strength = _parse_changes(self.set_), _parse_strength(self.strength)
        if self.frames == "all" and self.picture_format == "jpg":
            raise ParamsError("--frames all must not go with --format jpg; take webp or png")
        check_model(self.model)
        from nfe.boundaries import load_boundaries
        from nfe.bundle import read_description
        from nfe.editing import check_edit
        from nfe.folder_editing.settings import EditSettings

        description = read_description(self.model)
        keep = sorted(set(self.keep or []))
        check_edit(load_boundaries(self.model / "boundaries"), changes, keep)
        usual = description["refinement"]["num_steps"]
        return EditSettings(
            changes=changes,
            keep=keep,
            strength=strength,
            num_steps=usual if self.steps is None else self.steps,
            faces=self.faces,
            largest=self.largest,
            paste_back=self.paste_back,
            redraw=self.redraw,
            all_frames=self.frames == "all",
            no_face=self.no_face,
            strip=self.strip,
            provenance=not self.no_provenance,
        )

    def limits(self) -> "Limits":
        """Return what one file may take."""
        from nfe.folder_editing.settings import Limits

        return Limits(self.max_pixels, round(self.max_megabytes * 1e6), self.timeout)


def _parse_changes(given: Sequence[str]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for item in given:
        attribute, equals, value = item.partition("=")
        if not (attribute and equals and value):
            raise ParamsError(f"--set must be ATTRIBUTE=VALUE, got {item!r}; see `nfe edit --help`")
        if changes.setdefault(attribute, value) != value:
            raise ParamsError(f"--set must name {attribute} once, got two values; remove one")
    return changes


def _parse_strength(given: str) -> Any:
    try:
        strength = "auto" if given == "auto" else float(given)
    except ValueError:
        strength = math.nan
    if strength != "auto" and not math.isfinite(float(strength)):
        raise ParamsError(f"--strength must be auto or a number, got {given!r}; see --help")
    return strength
