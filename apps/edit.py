"""The command `nfe edit`: pictures in, edited pictures out. Without Prefect."""

import contextlib
import fcntl
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from apps.exits import fail
from apps.options import DEFAULT_MODEL, Model, check_model
from nfe.errors import NFEError, ParamsError, SourceError

if TYPE_CHECKING:
    from nfe.file_discovery import Found
    from nfe.folder_editing import EditSettings

__all__ = ["edit"]

LOCK = ".nfe-edit.lock"
ALL_DONE, NOTHING_DONE, USAGE, SOME_FAILED, LOCKED, INTERRUPTED = 0, 1, 2, 3, 4, 130


class LockedError(NFEError):
    """Another run writes into the same folder."""


def edit(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files, folders, globs, list files (.txt, one path a line), or - for such a list.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results go.")],
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="ATTRIBUTE=VALUE", help="What to change; can be repeated."),
    ],
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="ATTRIBUTE", help="What must stay as it is; can be repeated."),
    ] = None,
    model: Model = DEFAULT_MODEL,
    strength: Annotated[
        str, typer.Option(metavar="auto|NUMBER", help="How far: just enough, or a distance.")
    ] = "auto",
    steps: Annotated[
        int | None,
        typer.Option(min=0, help="Refinement steps; 0 is fastest (default: the model's)."),
    ] = None,
    faces: Annotated[
        Literal["auto", "detect", "whole"],
        typer.Option(help="Detect faces, or take each picture as a whole face."),
    ] = "auto",
    no_face: Annotated[
        Literal["copy", "skip"], typer.Option(help="What to do with a picture without a face.")
    ] = "copy",
    picture_format: Annotated[
        Literal["keep", "png", "jpg", "webp"], typer.Option("--format", help="Of the results.")
    ] = "keep",
    strip: Annotated[
        bool, typer.Option("--strip", help="Also write 7 steps of each face to DIR/strips.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first files.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=1024, help="Pictures at a time.")] = 32,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Largest width times height of a picture.")
    ] = 64_000_000,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1 ... (default: cuda if there is one).")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do again what is done already.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad file.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON on standard output.")
    ] = False,
) -> None:
    """Edit the faces in pictures: `nfe edit photos --out edited --set hair_color=blue`.

    Exit code: 0 all done, 1 nothing done, 2 wrong usage, 3 some files failed, 4 another run
    writes into DIR, 130 interrupted. What is done already is not done again.
    """
    started = time.monotonic()
    try:
        changes = _parse_changes(set_)
        lines = sys.stdin if "-" in inputs else []
        if dry_run:
            rows = _dry_run(_plan(inputs, out, lines, picture_format, max_pixels, limit), model)
        else:
            settings = _settings(
                changes, keep or [], strength, steps, faces, no_face, max_pixels, strip, model
            )
            with _locked(out):
                planned = _plan(inputs, out, lines, picture_format, max_pixels, limit)
                rows = _edit(
                    planned, out, model, settings, batch_size, device, overwrite, strict, quiet
                )
    except KeyboardInterrupt:
        fail(INTERRUPTED, "interrupted; the same command continues")
    except (ParamsError, SourceError) as error:
        fail(USAGE, str(error))
    except LockedError as error:
        fail(LOCKED, str(error))
    except NFEError as error:
        fail(NOTHING_DONE, str(error))
    _report(rows, out, time.monotonic() - started, dry_run, quiet, json_)


def _parse_changes(given: Sequence[str]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for item in given:
        attribute, equals, value = item.partition("=")
        if not (attribute and equals and value):
            raise ParamsError(f"--set must be ATTRIBUTE=VALUE, got {item!r}; see `nfe edit --help`")
        if changes.setdefault(attribute, value) != value:
            raise ParamsError(f"--set must name {attribute} once, got two values; remove one")
    return changes


def _settings(
    changes: dict[str, str],
    keep: Sequence[str],
    strength: str,
    steps: int | None,
    faces: str,
    no_face: str,
    max_pixels: int,
    strip: bool,
    model: Path,
) -> "EditSettings":
    """Check what was asked against the model, before anything slow."""
    try:
        distance: Any = "auto" if strength == "auto" else float(strength)
    except ValueError:
        raise ParamsError(f"--strength must be auto or a number, got {strength!r}") from None
    check_model(model)
    from nfe.bundle import read_description
    from nfe.folder_editing import EditSettings

    description = read_description(model)
    return EditSettings(
        changes=changes,
        keep=sorted(set(keep)),
        strength=distance,
        num_steps=description["refinement"]["num_steps"] if steps is None else steps,
        faces=faces,
        no_face=no_face,
        max_pixels=max_pixels,
        strip=strip,
    )


def _plan(
    inputs: Sequence[str],
    out: Path,
    lines: Any,
    picture_format: str,
    max_pixels: int,
    limit: int | None,
) -> "list[Found]":
    from nfe.edit_records import Records
    from nfe.file_discovery import find_files, plan_outputs

    found = find_files(inputs, out, lines)[:limit]
    taken = Records(out).outputs_except([item.path for item in found])
    return plan_outputs(found, picture_format, max_pixels, taken)


def _dry_run(planned: "Sequence[Found]", model: Path) -> list[dict[str, Any]]:
    check_model(model)
    rows = []
    for item in planned:
        status = ("skipped" if item.stray else "failed") if item.problem else "edited"
        rows.append({"input": str(item.path), "status": status, "reason": item.problem})
        typer.echo(f"{item.path} -> {item.output or item.problem}")
    return rows


def _edit(
    planned: "Sequence[Found]",
    out: Path,
    model: Path,
    settings: "EditSettings",
    batch_size: int,
    device: str | None,
    overwrite: bool,
    strict: bool,
    quiet: bool,
) -> list[dict[str, Any]]:
    from nfe.bundle import load_bundle
    from nfe.edit_records import Records
    from nfe.files import sweep_leftovers
    from nfe.folder_editing import FolderEditor, edit_files
    from tasks.stage import Progress, has_bf16, pick_device

    for folder in {(out / item.output).parent for item in planned}:
        sweep_leftovers(folder)
    device = device or pick_device()
    bundle = load_bundle(model, device, has_bf16(device))
    records = Records(out)
    editor = FolderEditor(out, bundle, settings, records, batch_size, overwrite)
    progress = (lambda *_: None) if quiet else Progress("edit")
    try:
        return list(edit_files(planned, editor, strict, progress))
    finally:
        records.finish()


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the output folder for this run; a lock of a dead run is no lock."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LockedError(
                f"{out} must not be in use, run {file.read().strip()} writes into it; wait for it"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            (out / LOCK).unlink(missing_ok=True)


def _report(
    rows: Sequence[dict[str, Any]],
    out: Path,
    seconds: float,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> NoReturn:
    """Print what became of the files and end with the exit code for it."""
    counts = Counter("unchanged" if row.get("unchanged") else row["status"] for row in rows)
    for row in rows:
        if row["status"] == "failed" and not dry_run:
            typer.echo(f"failed: {row['input']}: {row['reason']}", err=True)
    if as_json:
        summary = {"out": str(out), "seconds": round(seconds, 2), "counts": dict(counts)}
        typer.echo(json.dumps(summary))
    elif not quiet:
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        would = "would be: " if dry_run else ""
        typer.echo(f"{would}{told} in {seconds:.1f} s; {out / 'edit.jsonl'}", err=True)
    done = counts["edited"] + counts["unchanged"] + counts["no_face"]
    if not done:
        raise typer.Exit(NOTHING_DONE)
    raise typer.Exit(SOME_FAILED if counts["failed"] else ALL_DONE)
