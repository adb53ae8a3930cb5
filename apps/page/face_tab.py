"""New faces: a face per seed, and on to its editing."""

import hashlib
import random
from functools import partial
from typing import Any

import gradio as gr
import numpy as np

from apps.page.edit_tab import EditTab
from apps.page.edit_work import Opened, show_opened
from apps.page.parts import (
    QUIET,
    Page,
    download_path,
    for_screen,
    sentences,
    stage_image,
    truncation_slider,
)
from apps.page.seeds import MAX_SHOWN_SEED, check_seed, seed_number
from nfe.exploring import render_pixels, w_from_seeds
from nfe.images import encode_png
from nfe.picture_editing import picture_of_code

__all__ = ["build_face_tab"]


def build_face_tab(page: Page, tabs: gr.Tabs, edit: EditTab, edit_id: str) -> list[Any]:
    """Lay the tab out and connect it; return function, inputs, outputs to call at the start."""
    with gr.Row():
        with gr.Column(scale=7, min_width=320):
            stage = stage_image("Face", "face")
        with gr.Column(scale=4, min_width=300, elem_classes="controls"):
            seed = seed_number("Seed", 1, "face-seed")
            truncation = truncation_slider(page)
            again = gr.Button("Another face", variant="primary", elem_id="another-face")
            with gr.Row():
                to_edit = gr.Button("Edit this face", elem_id="edit-face")
                download = gr.DownloadButton("Download", elem_id="face-download")
    draw = [sentences(partial(_draw, page)), [seed, truncation], [stage, download]]
    gr.on([seed.input, truncation.input], *draw, **QUIET)
    again.click(lambda: random.randrange(MAX_SHOWN_SEED), None, seed, **QUIET).success(
        *draw, **QUIET
    )
    to_edit.click(
        sentences(partial(_hand_over, page, edit_id)),
        [seed, truncation],
        [tabs, *edit.outputs],
        **QUIET,
    ).success(*edit.preview, **QUIET).success(*edit.finish, **QUIET)
    return draw


def _draw(page: Page, seed: float, truncation: float) -> list[Any]:
    number = check_seed(seed)
    pixels = _face(page, number, truncation)
    path = download_path(encode_png(pixels), f"{number:04d}.png")
    return [for_screen(pixels), path]


def _face(page: Page, seed: int, truncation: float) -> np.ndarray:
    generator, device = page.bundle.generator, page.bundle.device
    w = w_from_seeds(generator, [seed], truncation, device)
    return render_pixels(generator, generator.broadcast(w), device)[0]


def _hand_over(page: Page, edit_id: str, seed: float, truncation: float) -> list[Any]:
    number, generator = check_seed(seed), page.bundle.generator
    w = w_from_seeds(generator, [number], truncation, page.bundle.device)
    w_plus = generator.broadcast(w)[0].numpy()
    inverted = picture_of_code(w_plus, f"{number:04d}.png", page.bundle)
    sha256 = hashlib.sha256(encode_png(inverted.frame.picture.pixels)).hexdigest()
    return [gr.Tabs(selected=edit_id), *show_opened(Opened(inverted, sha256, {}))]
