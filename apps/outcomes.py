"""How the commands that take many files say what became of them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import typer

__all__ = ["NOTHING_DONE", "SOME_FAILED", "finish", "printable"]

NOTHING_DONE = 1
SOME_FAILED = 3


def finish(rows: Sequence[Mapping[str, Any]], what: str, place: str, as_json: bool) -> None:
    """Print what became of the files and end with the exit code for it.

    Args:
        rows: One per face, or per file without one, with input, status (done, no_face, failed,
            skipped) and reason.
        what: One of what was done, such as "face".
        place: Where the results are.
        as_json: Print the counts as JSON on standard output.

    Raises:
        typer.Exit: With 1 if nothing was done, 3 if some files failed.
    """
    counts = Counter(row["status"] for row in rows)
    for row in rows:
        if row["status"] == "failed":
            typer.echo(f"error: {printable(row['reason'])}", err=True)
    if as_json:
        typer.echo(json.dumps({"out": place, "counts": dict(counts)}))
    else:
        others = [f"{n} {status}" for status, n in counts.items() if status != "done"]
        plural = "" if counts["done"] == 1 else "s"
        told = ", ".join([f"{counts['done']} {what}{plural} in {place}", *others])
        typer.echo(told.replace("no_face", "without a face"))
    if not counts["done"]:
        raise typer.Exit(NOTHING_DONE)
    if counts["failed"]:
        raise typer.Exit(SOME_FAILED)


def printable(text: str) -> str:
    """Make text safe for a terminal: control characters and bytes of no UTF-8 are escaped."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped).encode("utf-8", "backslashreplace").decode()
