"""Edit several pictures with one setting, as `nfe edit` does, into a zip."""

import html
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from apps.options import name_model
from apps.page.choices import EditControls, chosen_edit
from apps.page.parts import BATCH_SIZE, SHOWN, Page, download_path, sentences
from nfe.errors import ParamsError
from nfe.folder_editing.settings import EditSettings, Limits
from nfe.zip_editing import edit_into_zip

__all__ = ["build_batch_tab"]

MAX_FILES = 100
MAX_SECONDS = 60.0  # to open one of them


def build_batch_tab(page: Page) -> None:
    """Lay the tab out and connect it."""
    with gr.Row():
        with gr.Column(scale=7, min_width=320):
            files = gr.File(
                file_count="multiple", label="Pictures", height=260, elem_id="batch-files"
            )
            table = gr.HTML(elem_id="batch-table")
        with gr.Column(scale=4, min_width=300, elem_classes="controls"):
            controls = EditControls(page, "batch")
            start = gr.Button("Edit all", variant="primary", elem_id="batch-start")
            download = gr.DownloadButton("Download zip", interactive=False, elem_id="batch-zip")
    start.click(
        sentences(partial(_edit_all, page, controls.attributes)),
        [files, *controls.inputs],
        [table, download],
        show_progress_on=table,
        **SHOWN,
    )


def _edit_all(
    page: Page,
    attributes: list[str],
    files: Sequence[str] | None,
    auto: bool,
    distance: float,
    *choices: str,
) -> list[Any]:
    paths = [Path(file) for file in files or ()]
    if not 1 <= len(paths) <= MAX_FILES:
        raise ParamsError(
            f"pictures must be 1 to {MAX_FILES} files, got {len(paths)}; "
            "`nfe edit` takes any number"
        )
    changes, keep, strength = chosen_edit(attributes, auto, distance, choices)
    if not changes:
        raise ParamsError("changes must name at least one attribute, got none; choose a value")
    settings = EditSettings(
        changes=changes,
        keep=keep,
        strength=strength,
        num_steps=page.bundle.description["refinement"]["num_steps"],
        faces="auto",
        largest=False,
        paste_back=None,
        redraw=False,
        all_frames=False,
        no_face="copy",
        strip=False,
        provenance=True,
    )
    limits = Limits(page.max_pixels, page.max_bytes, MAX_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        zip_path = Path(folder) / "edited.zip"
        rows = edit_into_zip(
            paths,
            zip_path,
            page.bundle,
            name_model(page.folder),
            settings,
            limits,
            BATCH_SIZE,
            lambda *_: None,
        )
        path = download_path(zip_path.read_bytes(), zip_path.name)
    return [_outcome(rows), gr.DownloadButton(value=path, interactive=True)]


def _outcome(rows: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(row["status"].replace("_", " ") for row in rows)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    lines = "".join(
        f"<tr><td>{html.escape(row['input'])}</td>"
        f"<td>{html.escape(row['reason'] or row['status'])}</td></tr>"
        for row in rows
    )
    return f'<p class="note"><b>{told}</b></p><table class="plain">{lines}</table>'
