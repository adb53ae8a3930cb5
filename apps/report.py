"""The command `nfe report`: where the report is, and its summary as text."""

import shutil
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from apps.exits import errors_to_exit_codes
from apps.projects import enter_project
from nfe.errors import SourceError

__all__ = ["report"]

DATA = Path("data")
PAGE = DATA / "report" / "report.html"
WIDEST = 100


def report(
    text: Annotated[
        bool, typer.Option("--text", help="Print the summary and what the last run did.")
    ] = False,
) -> None:
    """Say where the report is, or print its summary as text: `nfe report --text`."""
    root = enter_project()
    with errors_to_exit_codes():
        if not text:
            typer.echo(_find_page())
            return
        from flows.history import format_results, load_results
        from nfe.reporting.summary import read_metrics, summarise

        metrics = read_metrics(DATA)
        if not metrics:
            raise SourceError("data must hold the metrics of a stage, got none; run `nfe run`")
        width = min(shutil.get_terminal_size().columns, WIDEST)
        for line in summarise(metrics):
            typer.echo(f"{line.value:>10}  {line.label}  [{line.stage}]")
            typer.echo(_indent(line.sentence, width) + "\n")
        results = load_results(root)
        typer.echo(f"Last run\n{format_results(results)}" if results else "Last run: not known")
        if PAGE.is_file():
            typer.echo(f"\n{_find_page()}")


def _indent(sentence: str, width: int) -> str:
    margin = " " * 12
    return textwrap.fill(sentence, width, initial_indent=margin, subsequent_indent=margin)


def _find_page() -> Path:
    if not PAGE.is_file():
        raise SourceError(f"{PAGE} must exist, it does not; `nfe run --until report` makes it")
    return PAGE.resolve()
