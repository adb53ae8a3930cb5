"""Edit one picture: open it, say what to change, see it at once, download it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from apps.page.choices import EditControls
from apps.page.edit_work import (
    close_picture,
    finish_edit,
    load_settings,
    open_picture,
    preview_edit,
    refine_opened,
    show_refined,
)
from apps.page.parts import DROP, LAST, QUIET, SHOWN, STAGE_HEIGHT, Page, sentences, take_upload

__all__ = ["EditTab", "build_edit_tab"]

MAX_STEPS = 1000


@dataclass(frozen=True)
class EditTab:
    """What another tab needs to hand a face to this one.

    Attributes:
        outputs: What `show_opened` has values for.
        preview: Function, inputs and outputs that show the edit.
        finish: The same for what follows unhurried: the strip and the file to download.
    """

    outputs: list[Any]
    preview: tuple[Callable[..., Any], list[Any], list[Any]]
    finish: tuple[Callable[..., Any], list[Any], list[Any]]


@dataclass(frozen=True)
class _Parts:
    """What is on the tab, from the large place to the settings, and what it remembers."""

    upload: gr.Image
    stage: gr.ImageSlider
    strip: gr.HTML
    faces: gr.HTML
    controls: EditControls
    note: gr.HTML
    download: gr.DownloadButton
    another: gr.Button
    settings: gr.UploadButton
    whole: gr.Checkbox
    steps: gr.Slider
    opened: gr.State
    result: gr.State


def build_edit_tab(page: Page) -> EditTab:
    """Lay the tab out and connect it."""
    on = _lay_out(page)
    tab = EditTab(
        [on.opened, on.upload, on.stage, on.faces, on.another],
        (
            sentences(partial(preview_edit, page, on.controls.attributes)),
            [on.opened, *on.controls.inputs],
            [on.result, on.stage, on.note, on.download],
        ),
        (
            sentences(partial(finish_edit, page)),
            [on.opened, on.result],
            [on.strip, on.download],
        ),
    )
    _connect_pictures(page, on, tab)
    _connect_edits(page, on, tab)
    return tab


def _lay_out(page: Page) -> _Parts:
    with gr.Row():
        with gr.Column(scale=7, min_width=320):
            upload, stage = _stage()
            strip = gr.HTML(elem_id="strip")
        with gr.Column(scale=4, min_width=300, elem_classes="controls"):
            faces = gr.HTML(elem_id="faces")
            controls = EditControls(page, "edit")
            note = gr.HTML(elem_id="note")
            with gr.Row():
                download = gr.DownloadButton(
                    "Download", variant="primary", interactive=False, elem_id="download"
                )
                another = gr.Button("Another picture", interactive=False, elem_id="another")
            with gr.Accordion("More", open=False, elem_id="more"):
                settings = gr.UploadButton("Settings from a picture", elem_id="settings")
                whole = gr.Checkbox(False, label="The whole picture is one face")
                steps = _steps(page)
    return _Parts(
        upload=upload,
        stage=stage,
        strip=strip,
        faces=faces,
        controls=controls,
        note=note,
        download=download,
        another=another,
        settings=settings,
        whole=whole,
        steps=steps,
        opened=gr.State(None),
        result=gr.State(None),
    )


def _connect_pictures(page: Page, on: _Parts, tab: EditTab) -> None:
    """Open what is dropped on the tab, show it as it is, redraw its faces, edit it; close it."""
    path, refined = gr.State(None), gr.State(None)
    uploading = on.upload.upload(
        sentences(take_upload), on.upload, [path, on.upload], preprocess=False, **QUIET
    )
    opening = uploading.success(
        sentences(partial(open_picture, page)),
        [path, on.whole, on.steps],
        tab.outputs,
        show_progress_on=on.upload,
        **SHOWN,
        **LAST,
    )
    uploading.failure(lambda: None, None, on.upload, **QUIET)
    opening.failure(lambda: gr.Image(placeholder=DROP), None, on.upload, **QUIET)
    refining = opening.success(*tab.preview, **QUIET).success(
        sentences(partial(refine_opened, page)),
        [on.opened, on.steps],
        refined,
        show_progress_on=on.faces,
        **SHOWN,
        **LAST,
    )
    showing = refining.success(show_refined, [on.opened, refined], [on.opened, on.faces], **QUIET)
    showing.success(*tab.preview, **QUIET).success(*tab.finish, **QUIET)
    outputs = [*tab.outputs, on.result, on.note, on.strip, on.download]
    on.another.click(close_picture, None, outputs, **QUIET)


def _connect_edits(page: Page, on: _Parts, tab: EditTab) -> None:
    """Show the edit when a choice changes, or when choices come with a picture."""
    changing = gr.on([c.input for c in on.controls.inputs], *tab.preview, **QUIET)
    changing.success(*tab.finish, **QUIET)
    loading = on.settings.upload(
        sentences(partial(load_settings, page, on.controls.attributes)),
        on.settings,
        on.controls.inputs,
        **QUIET,
    )
    loading.success(*tab.preview, **QUIET).success(*tab.finish, **QUIET)


def _steps(page: Page) -> gr.Slider:
    usual = page.bundle.description["refinement"]["num_steps"]
    most, label = max(usual, MAX_STEPS), "Steps to redraw the face"
    return gr.Slider(0, most, usual, step=1, label=label, elem_id="steps")


def _stage() -> tuple[gr.Image, gr.ImageSlider]:
    """The large place: first to drop a picture on, then to see it before and after."""
    upload = gr.Image(
        sources=["upload", "clipboard"],
        label="Picture",
        show_label=False,
        placeholder=DROP,
        height=STAGE_HEIGHT,
        elem_classes="stage",
        elem_id="upload",
    )
    stage = gr.ImageSlider(
        format="png",
        label="Before and after",
        show_label=False,
        height=STAGE_HEIGHT,
        max_height=STAGE_HEIGHT,
        interactive=False,
        visible=False,
        buttons=["fullscreen"],
        elem_classes="stage",
        elem_id="stage",
    )
    return upload, stage
