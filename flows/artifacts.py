"""What Prefect's page shows of a run: progress, figures and pictures of each stage.

These functions must be called within a run of Prefect. They never fail: a page that cannot be
drawn is no reason to stop the work.
"""

import functools
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec

from flows.history import StageResult, format_results

__all__ = ["ProgressBoard", "parse_progress", "publish_run", "publish_stage"]

PROGRESS = re.compile(
    r"^(?:\r|\033\[K|[█░]+ )*(?P<stage>\w+): (?P<done>[\d,]+)/(?P<total>[\d,]+)(?P<note>.*)$"
)
SECONDS_BETWEEN_UPDATES = 2.0
MOST_WIDTH, QUALITY = 900, 75  # of the pictures: some 50 kB each, kept by the server

Given = ParamSpec("Given")


def _harmless(function: Callable[Given, None]) -> Callable[Given, None]:
    """Let no error out of a function that only shows something; tell of it in the output."""

    @functools.wraps(function)
    def call(*arguments: Given.args, **named: Given.kwargs) -> None:
        try:
            function(*arguments, **named)
        except Exception as error:
            print(f"{function.__name__}: not shown by Prefect: {error}", flush=True)

    return call


def parse_progress(line: str) -> tuple[float, str] | None:
    """Read a stage's line of progress: the percentage and the note after it.

    Examples:
        >>> parse_progress("train_gan: 29,000/58,000  300 s left  64 px")
        (50.0, '29,000 of 58,000, 300 s left  64 px')
        >>> parse_progress("train_gan: seconds = 3.2")
    """
    found = PROGRESS.match(line.rstrip())
    if not found:
        return None
    done, total = (int(found[name].replace(",", "")) for name in ("done", "total"))
    note = found["note"].strip()
    told = f"{found['done']} of {found['total']}" + (f", {note}" if note else "")
    return min(100.0, 100 * done / max(total, 1)), told


class ProgressBoard:
    """A progress artifact per stage, updated now and then from the lines that the stage prints.

    After the first fault it shows nothing more: a server that is gone must not slow the work.
    """

    def __init__(self) -> None:
        self._artifacts: dict[str, Any] = {}
        self._shown: dict[str, float] = {}
        self._broken = False

    def __call__(self, stage: str, line: str) -> None:
        """Take a line of a stage's output."""
        progress = parse_progress(line)
        if progress is None or self._broken:
            return
        now = time.monotonic()
        waited = now - self._shown.get(stage, -SECONDS_BETWEEN_UPDATES)
        if waited < SECONDS_BETWEEN_UPDATES and progress[0] < 100:
            return
        self._shown[stage] = now
        try:
            self._show(stage, *progress)
        except Exception as error:
            self._broken = True
            print(f"progress: not shown by Prefect: {error}", flush=True)

    def _show(self, stage: str, percentage: float, note: str) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        if stage in self._artifacts:
            update_progress_artifact(self._artifacts[stage], percentage, note)
        else:
            key = f"{_key(stage)}-progress"
            self._artifacts[stage] = create_progress_artifact(percentage, key, note)


@_harmless
def publish_stage(root: Path, result: StageResult) -> None:
    """Show a stage's figures as a table, and its pictures."""
    from prefect.artifacts import create_image_artifact, create_table_artifact

    from nfe.reporting.figures import flatten, spoken
    from nfe.reporting.pictures import embed_picture

    folder = root / "data" / result.stage
    metrics = folder / "metrics.json"
    if metrics.exists():
        figures = flatten(json.loads(metrics.read_text(encoding="utf-8")))
        rows = [{"figure": name, "value": value} for name, value in figures]
        create_table_artifact(rows, f"{_key(result.stage)}-figures", f"Why it ran: {result.why}")
    for path in sorted(folder.glob("*.png")):
        picture = embed_picture(path.read_bytes(), path.stem, QUALITY, most_width=MOST_WIDTH)
        told = f"data/{result.stage}/{path.name}"
        key = f"{_key(result.stage)}-{_key(spoken(path.stem))}"
        create_image_artifact(picture.url, key, told)


@_harmless
def publish_run(root: Path, results: Sequence[StageResult]) -> None:
    """Show what ran and what was unchanged, and the figures that matter."""
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    from nfe.reporting.summary import read_metrics, summarise

    page = root / "data" / "report" / "report.html"
    lines = ["```", format_results(results), "```", ""]
    lines += [f"Report: `{page}`"] if page.is_file() else []
    create_markdown_artifact("\n".join(lines), "pipeline-stages", "What ran, what was unchanged.")
    headlines = summarise(read_metrics(root / "data"))
    rows = [{"figure": h.label, "value": h.value, "says": h.sentence} for h in headlines]
    if rows:
        create_table_artifact(rows, "pipeline-summary", "The figures that matter.")


def _key(name: str) -> str:
    """Return a name as Prefect wants keys: lower case, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
