"""The command `nfe`: run the pipeline, ask for its state; the other commands have their own files.

No file of this folder imports anything heavy before its command runs: `nfe --help` is instant.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from apps.bot import bot
from apps.crop import crop
from apps.diffuse import diffuse
from apps.directions import directions
from apps.doctor import doctor
from apps.edit import edit
from apps.exits import errors_to_exit_codes, fail
from apps.export import export
from apps.import_weights import import_weights
from apps.info import info
from apps.interpolate import interpolate
from apps.invert import invert
from apps.mix import mix
from apps.models import models
from apps.projects import enter_project
from apps.report import report
from apps.restore import restore
from apps.sample import sample
from apps.tag import tag
from apps.ui import ui
from apps.verify import verify
from nfe.errors import ParamsError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Edit anime faces: train on pictures, invert pictures, edit pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # fills paragraphs, and leaves [ui] as it is
)


@app.command()
def run(
    profile: Annotated[
        str | None,
        typer.Option(help="Write profiles/NAME.yaml into params.yaml; `default` takes it back."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Write a value to params.yaml."),
    ] = None,
    force: Annotated[
        list[str] | None, typer.Option(metavar="STAGE", help="Run this stage from its beginning.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Run this stage and those it needs.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Stages side by side (1 on 2 cores, else 2).")
    ] = None,
) -> None:
    """Bring every stage up to date, or those that one needs: `nfe run --until sample`.

    What did not change is not run.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    root = enter_project()
    from flows.lock import run_lock
    from flows.params import prepare_params, stage_names, write_params

    with _errors_to_exit_codes():
        for stage in [*(force or []), *([until] if until else [])]:
            _check_stage(stage, stage_names(root))
        values, remembered = prepare_params(root, profile, set_ or [])
        with run_lock(root):
            if profile or set_:
                write_params(root, values, remembered)
            _run(root, until, frozenset(force or []), jobs)


@app.command()
def status(
    json_: Annotated[bool, typer.Option("--json", help="Print a list of JSON objects.")] = False,
) -> None:
    """Show which stages are unchanged, changed (and why), or never run: `nfe status --json`."""
    root = enter_project()
    with _errors_to_exit_codes():
        from flows.dvc_graph import needed_stages, read_graph, read_status
        from flows.server import quiet_environment

        quiet_environment(root)
        graph = read_graph(root)
        rows = list(read_status(root, list(graph)).values())
        if json_:
            typer.echo(json.dumps([vars(row) for row in rows], indent=2))
            return
        needed = needed_stages(graph)
        for row in rows:
            note = row.why if row.stage in needed else f"not needed with this source; {row.why}"
            typer.echo(f"{row.stage:<18}{row.state:<11}{note}".rstrip())


for command in (
    *(edit, ui, bot, invert, tag, crop, restore, diffuse),
    *(sample, interpolate, mix, directions),
    *(models, info, report, export, import_weights, verify, doctor),
):
    app.command()(command)


def main() -> None:
    """Entry point of `nfe`."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime reads it when it is imported
    app()


def _check_stage(name: str, stages: list[str]) -> None:
    from flows.params import suggest

    if name not in stages:
        meant = suggest(name, stages)
        hint = f"did you mean {meant}?" if meant else f"stages are {', '.join(stages)}"
        raise ParamsError(f"stage must be one of dvc.yaml, got {name}; {hint}")


@contextlib.contextmanager
def _errors_to_exit_codes() -> Iterator[None]:
    from flows.lock import LockedError

    with errors_to_exit_codes():
        try:
            yield
        except LockedError as error:
            fail(4, str(error))


def _run(root: Path, until: str | None, force: frozenset[str], jobs: int | None) -> None:
    from flows.server import quiet_environment

    quiet_environment(root)
    from flows.history import format_results
    from flows.pipeline import Run, default_jobs
    from flows.supervise import end_process, supervise

    started = time.monotonic()
    run = Run(root, until, force, jobs or default_jobs(), write=_write_to_terminal)
    code, message = supervise(run)
    typer.echo(f"\n{format_results(run.results)}")
    typer.echo(f"{len(run.results)} stages in {time.monotonic() - started:.1f} s")
    if message:
        typer.echo(f"error: {message}", err=True)
    end_process(code)


def _write_to_terminal(piece: bytes) -> None:
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()


if __name__ == "__main__":
    main()
