"""Write one HTML page with the pictures, curves and figures of every stage."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tasks.report_sections import INPUTS, SECTIONS
from tasks.stage import Progress, StageParams, write_metrics

__all__ = ["INPUTS", "Params", "run"]

DATA = Path("data")
FOLDER = DATA / "report"


class Params(StageParams):
    """Section `report` of params.yaml."""

    title: Annotated[str, Field(min_length=1, max_length=200)]


def run(params: Params) -> None:
    """Write report.html."""
    from nfe.files import write_text
    from nfe.reporting.page import render_page
    from nfe.reporting.summary import summarise

    progress = Progress("report")
    metrics = {
        stage: json.loads((DATA / stage / "metrics.json").read_text(encoding="utf-8"))
        for stage in INPUTS
    }
    sections = []
    for done, (stage, make) in enumerate(SECTIONS.items(), start=1):
        sections.append(make(metrics[stage]))
        progress(done, len(SECTIONS), stage)
    page = render_page(params.title, summarise(metrics), sections)
    write_text(FOLDER / "report.html", page)
    size = len(page.encode())
    write_metrics(FOLDER, {"num_sections": len(sections), "megabytes": round(size / 1e6, 2)})
