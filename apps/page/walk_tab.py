"""Walk from face to face: a loop of pictures."""

from functools import partial
from typing import Any

import gradio as gr

from apps.options import parse_seeds
from apps.page.parts import SHOWN, Page, download_path, sentences, stage_image, truncation_slider
from nfe.errors import ParamsError
from nfe.exploring import interpolate_loop, render_pixels, w_from_seeds
from nfe.picture_tables import encode_loop

__all__ = ["build_walk_tab"]

MAX_FACES, MAX_FRAMES = 12, 48
FRAMES_PER_SECOND = 24


def build_walk_tab(page: Page) -> None:
    """Lay the tab out and connect it."""
    with gr.Row():
        with gr.Column(scale=7, min_width=320):
            stage = stage_image("Walk", "walk")
        with gr.Column(scale=4, min_width=300, elem_classes="controls"):
            seeds = gr.Textbox("1,2,3", label="Seeds", info="Such as 1,2,3 or 0-5", max_lines=1)
            frames = gr.Slider(4, MAX_FRAMES, 24, step=1, label="Pictures from face to face")
            truncation = truncation_slider(page)
            start = gr.Button("Walk", variant="primary", elem_id="start-walk")
            download = gr.DownloadButton("Download", interactive=False)
    gr.on(
        [start.click, seeds.submit],
        sentences(partial(_walk, page)),
        [seeds, frames, truncation],
        [stage, download],
        show_progress_on=stage,
        **SHOWN,
    )


def _walk(page: Page, text: str, frames: float, truncation: float) -> list[Any]:
    generator, device = page.bundle.generator, page.bundle.device
    seeds = parse_seeds(text, "seeds", MAX_FACES)
    if len(seeds) < 2:
        raise ParamsError(f"seeds must be two at least, got {text!r}; add one")
    w = interpolate_loop(w_from_seeds(generator, seeds, truncation, device), int(frames))
    pixels = render_pixels(generator, generator.broadcast(w), device)
    path = download_path(encode_loop(pixels, FRAMES_PER_SECOND), "walk.webp")
    return [path, gr.DownloadButton(value=path, interactive=True)]
