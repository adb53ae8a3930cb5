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
from apps.page.parts import LAST, QUIET, SHOWN, STAGE_HEIGHT, Page, sentences, uploaded_path

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


def build_edit_tab(page: Page) -> EditTab:
    """Lay the tab out and connect it."""
    path, opened, refined, result = (gr.State(None) for _ in range(4))
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
                usual = page.bundle.description["refinement"]["num_steps"]
                steps = gr.Slider(
                    0,
                    max(usual, MAX_STEPS),
                    usual,
                    step=1,
                    label="Steps to redraw the face",
                    elem_id="steps",
                )
    tab = EditTab(
        [opened, upload, stage, faces, another],
        (
            sentences(partial(preview_edit, page, controls.attributes)),
            [opened, *controls.inputs],
            [result, stage, note, download],
        ),
        (sentences(partial(finish_edit, page)), [opened, result], [strip, download]),
    )
    uploading = upload.upload(sentences(uploaded_path), upload, path, preprocess=False, **QUIET)
    opening = uploading.success(
        sentences(partial(open_picture, page)),
        [path, whole, steps],
        tab.outputs,
        show_progress_on=upload,
        **SHOWN,
        **LAST,
    )
    for event in (uploading, opening):
        event.failure(lambda: None, None, upload, **QUIET)
    another.click(close_picture, None, [*tab.outputs, result, note, strip, download], **QUIET)
    changing = gr.on([c.input for c in controls.inputs], *tab.preview, **QUIET)
    loading = settings.upload(
        sentences(partial(load_settings, page, controls.attributes)),
        settings,
        controls.inputs,
        **QUIET,
    )
    changing.success(*tab.finish, **QUIET)
    refining = opening.success(*tab.preview, **QUIET).success(
        sentences(partial(refine_opened, page)),
        [opened, steps],
        refined,
        show_progress_on=faces,
        **SHOWN,
        **LAST,
    )
    refining = refining.success(show_refined, [opened, refined], [opened, faces], **QUIET)
    for event in (refining, loading):
        event.success(*tab.preview, **QUIET).success(*tab.finish, **QUIET)
    return tab


def _stage() -> tuple[gr.Image, gr.ImageSlider]:
    """The large place: first to drop a picture on, then to see it before and after."""
    upload = gr.Image(
        sources=["upload", "clipboard"],
        label="Picture",
        show_label=False,
        placeholder="Drop a picture with a face here",
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
