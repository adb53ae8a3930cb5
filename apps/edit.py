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
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from apps import edit_options as o
from apps.exits import fail
from apps.options import (
    DEFAULT_MODEL,
    Model,
    check_device,
    check_new,
    check_suffix,
    name_model,
)
from nfe.errors import NFEError, ParamsError, SourceError, StorageError

if TYPE_CHECKING:
    from nfe.file_discovery import Found
    from nfe.folder_editing.folder import FolderEditor
    from nfe.folder_editing.settings import EditSettings

__all__ = ["edit"]

LOCK = ".nfe-edit.lock"
ALL_DONE, NOTHING_DONE, USAGE, SOME_FAILED, LOCKED, INTERRUPTED = 0, 1, 2, 3, 4, 130
Rows = list[dict[str, Any]]


class LockedError(NFEError):
    """Another run writes into the same folder."""


def edit(
    inputs: o.Inputs,
    out: o.Out,
    set_: o.Set,
    keep: o.Keep = None,
    model: Model = DEFAULT_MODEL,
    strength: o.Strength = "auto",
    steps: o.Steps = None,
    faces: o.Faces = "auto",
    largest: o.Largest = False,
    paste_back: o.PasteBack = None,
    redraw: o.Redraw = False,
    frames: o.Frames = "first",
    no_face: o.NoFace = "copy",
    picture_format: o.Format = "keep",
    strip: o.Strip = False,
    sheet: o.Sheet = None,
    animate: o.Animate = None,
    no_provenance: o.NoProvenance = False,
    limit: o.Limit = None,
    batch_size: o.BatchSize = 32,
    max_pixels: o.MaxPixels = 64_000_000,
    max_megabytes: o.MaxMegabytes = 256,
    timeout: o.Timeout = 60,
    device: o.Device = None,
    overwrite: o.Overwrite = False,
    strict: o.Strict = False,
    dry_run: o.DryRun = False,
    quiet: o.Quiet = False,
    json_: o.Json = False,
) -> None:
    """Edit the faces in pictures: `nfe edit photos --out edited --set hair_color=blue`.

    Exit code: 0 all done, 1 nothing done, 2 wrong usage, 3 some files failed, 4 another run
    writes into DIR, 130 interrupted. What is done already is not done again.
    """
    options = o.EditOptions(**locals())  # the parameters, and nothing else yet
    started = time.monotonic()
    try:
        rows = _dry_run(options) if dry_run else _run(options)
    except KeyboardInterrupt:
        fail(INTERRUPTED, "interrupted; the same command continues")
    except (ParamsError, SourceError) as error:
        fail(USAGE, str(error))
    except LockedError as error:
        fail(LOCKED, str(error))
    except NFEError as error:
        fail(NOTHING_DONE, str(error))
    _report(options, rows, time.monotonic() - started)


def _dry_run(options: o.EditOptions) -> Rows:
    """Say what would be done, and write nothing."""
    options.settings()
    rows = []
    for item in _plan(options):
        status = ("skipped" if item.stray else "failed") if item.problem else "edited"
        rows.append(
            {
                "input": str(item.path),
                "output": item.output,
                "status": status,
                "reason": item.problem,
            }
        )
        if not (options.quiet or options.json_):
            _say(f"{item.path} -> {item.output or item.problem}")
    return rows


def _run(options: o.EditOptions) -> Rows:
    settings = options.settings()
    check_device(options.device)
    for path, suffix in ((options.sheet, ".png"), (options.animate, ".webp")):
        if path is not None:
            check_suffix(path, suffix)
            check_new([path], options.overwrite)
    with _locked(options.out):
        planned = _plan(options)
        editor = _load(options, settings, planned)
        rows = _edit(options, editor, planned)
        _write_album(options, editor, rows)
    return rows


def _plan(options: o.EditOptions) -> "list[Found]":
    """List the files and the names of their results."""
    from nfe.edit_records import Records
    from nfe.file_discovery import find_files, plan_outputs
    from nfe.folder_editing.folder import STRIP_SUFFIX

    lines = map(os.fsdecode, sys.stdin.buffer) if "-" in options.inputs else []
    found = find_files(options.inputs, options.out, lines)[: options.limit]
    taken = Records(options.out).outputs_except([item.path for item in found])
    for path in (options.sheet, options.animate):
        if path is not None:
            taken.append(os.path.relpath(path, options.out))
    companions = [STRIP_SUFFIX] if options.strip else []
    return plan_outputs(found, options.picture_format, options.max_pixels, taken, companions)


def _load(
    options: o.EditOptions, settings: "EditSettings", planned: "Sequence[Found]"
) -> "FolderEditor":
    """Load the model, and sweep what a killed run left half-written."""
    from nfe.bundle import load_bundle
    from nfe.edit_records import Records
    from nfe.files import sweep_leftovers
    from nfe.folder_editing.folder import FolderEditor
    from nfe.folder_editing.opening import Opener
    from tasks.stage import has_bf16, pick_device

    for folder in {options.out, *((options.out / item.output).parent for item in planned)}:
        sweep_leftovers(folder)
    device = options.device or pick_device()
    bundle = load_bundle(options.model, device, has_bf16(device))
    records = Records(options.out)
    opener = Opener(options.out, bundle, settings, options.limits(), records, options.overwrite)
    return FolderEditor(opener, name_model(options.model), options.batch_size)


def _edit(options: o.EditOptions, editor: "FolderEditor", planned: "Sequence[Found]") -> Rows:
    from nfe.folder_editing.folder import edit_files
    from tasks.stage import Progress

    progress = (lambda *_: None) if options.quiet else Progress("edit")
    try:
        return list(edit_files(planned, editor, options.strict, progress))
    finally:
        editor.opener.records.finish()


def _write_album(options: o.EditOptions, editor: "FolderEditor", rows: Rows) -> None:
    """Write the sheet and the animation that were asked for, if a face was edited."""
    if options.sheet is None and options.animate is None:
        return
    from nfe.files import write_bytes
    from nfe.folder_editing.album import animate_edits, before_after_sheet, read_pairs
    from nfe.images import encode_png

    bundle, settings = editor.opener.bundle, editor.opener.settings
    side = bundle.generator.resolution
    pairs = read_pairs(rows, options.out, settings, side, options.max_pixels)
    if pairs and options.sheet is not None:
        write_bytes(options.sheet, encode_png(before_after_sheet(pairs)))
    if pairs and options.animate is not None:
        loop = animate_edits(pairs, bundle, settings, options.batch_size)
        write_bytes(options.animate, loop)


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the output folder for this run; a lock of a dead run is no lock."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = _open_lock(out / LOCK)
    except OSError as error:
        raise StorageError(
            f"--out must be a folder to write to, got {out}: {error.strerror}; choose another"
        ) from error
    with lock as file:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            (out / LOCK).unlink(missing_ok=True)


def _open_lock(path: Path) -> Any:
    """Open and lock the file that is at `path` also once it is locked."""
    while True:
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise LockedError(
                f"{path.parent} must not be in use, run {holder} writes into it; wait for it"
            ) from None
        # Its holder may have removed it between our two calls.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return file
        file.close()


def _report(options: o.EditOptions, rows: Rows, seconds: float) -> NoReturn:
    """Print what became of the files and end with the exit code for it."""
    counts = Counter("unchanged" if row.get("unchanged") else row["status"] for row in rows)
    for row in rows:
        if row["status"] == "failed" and not options.dry_run:
            _say(f"failed: {row['input']}: {row['reason']}", err=True)
    if options.json_:
        summary = {"out": str(options.out), "seconds": round(seconds, 2), "counts": dict(counts)}
        if options.dry_run:
            summary["files"] = rows
        typer.echo(json.dumps(summary))
    elif not options.quiet:
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        if options.dry_run:
            _say(f"would be: {told}", err=True)
        else:
            _say(f"{told} in {seconds:.1f} s; {options.out / 'edit.jsonl'}", err=True)
    done = counts["edited"] + counts["unchanged"] + counts["no_face"]
    if not done:
        raise typer.Exit(NOTHING_DONE)
    raise typer.Exit(SOME_FAILED if counts["failed"] else ALL_DONE)


def _say(text: str, err: bool = False) -> None:
    """Print a line; what a name must not do to a terminal is escaped."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    typer.echo(shown, err=err)
