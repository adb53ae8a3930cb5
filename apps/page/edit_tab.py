"""Edit one picture: open it, say what to change, see it at once, download it."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from apps.page.choices import EditControls, chosen_edit
from apps.page.parts import (
    BATCH_SIZE,
    QUIET,
    SHOWN,
    STAGE_HEIGHT,
    Page,
    PictureUpload,
    download_path,
    figures,
    for_screen,
    sentences,
)
from nfe.face_editing import STRIP_OFFSETS, EditedFaces, strip_faces
from nfe.picture_editing import InvertedPicture, edit_picture, invert_picture
from nfe.picture_files import Picture, encode_picture, read_picture

__all__ = ["EditTab", "build_edit_tab"]

SHOWN_FACES = 2  # of a picture with many
MAX_STEPS = 1000


@dataclass(frozen=True)
class EditTab:
    """What another tab needs to hand a face to this one.

    Attributes:
        show: InvertedPicture -> values for `outputs`.
        outputs: Components that show an opened picture.
        preview: Function, inputs and outputs that show its edit.
    """

    show: Callable[[InvertedPicture], list[Any]]
    outputs: list[Any]
    preview: tuple[Callable[..., Any], list[Any], list[Any]]


def build_edit_tab(page: Page) -> EditTab:
    """Lay the tab out and connect it."""
    opened, result = gr.State(None), gr.State(None)
    with gr.Row():
        with gr.Column(scale=7, min_width=320):
            upload = PictureUpload(
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
            strip = gr.HTML(elem_id="strip")
        with gr.Column(scale=4, min_width=300, elem_classes="controls"):
            faces = gr.HTML(_hint(page), elem_id="faces")
            controls = EditControls(page, "edit")
            note = gr.HTML(elem_id="note")
            with gr.Row():
                download = gr.DownloadButton(
                    "Download", variant="primary", interactive=False, elem_id="download"
                )
                another = gr.Button("Another picture", interactive=False, elem_id="another")
            with gr.Accordion("More", open=False):
                whole = gr.Checkbox(False, label="The whole picture is one face")
                usual = page.bundle.description["refinement"]["num_steps"]
                steps = gr.Slider(
                    0, max(usual, MAX_STEPS), usual, step=1, label="Steps to find the face again"
                )
    tab = EditTab(
        _show,
        [opened, upload, stage, faces, another],
        (
            sentences(partial(_preview, page, controls.attributes)),
            [opened, *controls.inputs],
            [result, stage, note, download],
        ),
    )
    _connect(page, controls, tab, upload, another, whole, steps, opened, result, strip, download)
    return tab


def _connect(
    page: Page,
    controls: EditControls,
    tab: EditTab,
    upload: gr.Image,
    another: gr.Button,
    whole: gr.Checkbox,
    steps: gr.Slider,
    opened: gr.State,
    result: gr.State,
    strip: gr.HTML,
    download: gr.DownloadButton,
) -> None:
    """Open on upload; edit on every change of a control; then, unhurried, strip and download."""
    finish = sentences(partial(_finish, page, controls.attributes))
    finishing = (finish, [opened, result, *controls.inputs], [strip, download])
    opening = upload.upload(
        sentences(partial(_open, page)), [upload, whole, steps], tab.outputs, **SHOWN
    )
    opening.failure(lambda: None, None, upload, **QUIET)
    opening.success(*tab.preview, **QUIET).success(*finishing, **QUIET)
    gr.on(
        [control.input for control in controls.inputs],
        *tab.preview,
        trigger_mode="always_last",
        **QUIET,
    ).success(*finishing, trigger_mode="always_last", **QUIET)
    another.click(
        lambda: (None, gr.Image(visible=True, value=None), gr.ImageSlider(visible=False), "", ""),
        None,
        [opened, upload, tab.outputs[2], strip, tab.outputs[3]],
        **QUIET,
    )


def _hint(page: Page) -> str:
    side = page.bundle.generator.resolution
    return (
        f'<div class="note">The model draws faces of {side} px. Nothing leaves this machine.</div>'
    )


def _open(page: Page, path: str | None, whole: bool, num_steps: float) -> list[Any]:
    if path is None:
        return [gr.skip()] * 5
    name = Path(path).name
    picture = read_picture(Path(path).read_bytes(), name, page.max_pixels)
    faces = "whole" if whole else "auto"
    return _show(invert_picture(picture, name, page.bundle, faces, int(num_steps), BATCH_SIZE))


def _show(opened: InvertedPicture) -> list[Any]:
    seen = for_screen(opened.picture.on_white)
    pixels, captions = [], []
    for index in range(min(SHOWN_FACES, len(opened.mse))):
        pixels += [opened.cut.pixels[index], opened.reconstructions[index]]
        captions += ["found", f"again, error {opened.mse[index]:.3f}"]
    return [
        opened,
        gr.Image(visible=False, value=None),
        gr.ImageSlider(visible=True, value=(seen, seen)),
        figures(pixels, captions, few=True),
        gr.Button(interactive=True),
    ]


def _preview(
    page: Page,
    attributes: list[str],
    opened: InvertedPicture | None,
    auto: bool,
    distance: float,
    *choices: str,
) -> list[Any]:
    changes, keep, strength = chosen_edit(attributes, auto, distance, choices)
    unfinished = gr.DownloadButton(interactive=False)
    if opened is None:
        return [None, gr.skip(), "", unfinished]
    seen = for_screen(opened.picture.on_white)
    if not changes:
        return [None, (seen, seen), "", unfinished]
    edited, faces = edit_picture(opened, page.bundle, changes, keep, strength, BATCH_SIZE)
    return [edited, (seen, for_screen(edited.on_white)), _note(changes, faces), unfinished]


def _note(changes: dict[str, str], faces: EditedFaces) -> str:
    """Say what the model's tagger sees now."""
    told = []
    for attribute, value in changes.items():
        if attribute in faces.shown:
            seen = faces.shown[attribute][0]
            not_yet = "" if seen == value else f", not yet {value}"
            told.append(f"{attribute.replace('_', ' ')} <b>{html.escape(seen)}</b>{not_yet}")
    return f'<div class="note">Now seen: {"; ".join(told)}</div>' if told else ""


def _finish(
    page: Page,
    attributes: list[str],
    opened: InvertedPicture | None,
    result: Picture | None,
    auto: bool,
    distance: float,
    *choices: str,
) -> list[Any]:
    """The strip from -3 to 3 of the first face, and the file to download."""
    changes, keep, _ = chosen_edit(attributes, auto, distance, choices)
    if opened is None or result is None or not changes:
        return ["", gr.DownloadButton(interactive=False)]
    steps = strip_faces(opened.w_plus[:1], page.bundle, changes, keep, BATCH_SIZE)[0]
    captions = [f"{offset:+g}" if offset else "0" for offset in STRIP_OFFSETS]
    path = download_path(encode_picture(result, ".png"), f"{Path(opened.name).stem}-edited.png")
    return [figures(list(steps), captions), gr.DownloadButton(value=path, interactive=True)]
