"""Mix two faces: the early layers of one, the late layers of the other."""

from functools import partial
from typing import Any

import gradio as gr

from apps.page.parts import (
    QUIET,
    Page,
    download_path,
    figures,
    for_screen,
    sentences,
    stage_image,
    truncation_slider,
)
from apps.page.seeds import check_seed, seed_number
from nfe.exploring import render_mixtures, w_from_seeds
from nfe.images import encode_png

__all__ = ["build_mix_tab"]


def build_mix_tab(page: Page) -> list[Any]:
    """Lay the tab out and connect it; return function, inputs, outputs to call at the start."""
    num_ws = page.bundle.generator.num_ws
    with gr.Row():
        with gr.Column(scale=7, min_width=320):
            stage = stage_image("Mixture", "mixture")
        with gr.Column(scale=4, min_width=300, elem_classes="controls"):
            sources = gr.HTML()
            with gr.Row():
                shape = seed_number("Shape from seed", 1, "mix-shape")
                colours = seed_number("Colours from seed", 2, "mix-colours")
            split = gr.Slider(
                1,
                num_ws - 1,
                num_ws // 2,
                step=1,
                label="Layers of the first face",
                info="More: only the colours of the second remain",
            )
            truncation = truncation_slider(page)
            download = gr.DownloadButton("Download", variant="primary")
    inputs: list[Any] = [shape, colours, split, truncation]
    draw = [sentences(partial(_mix, page)), inputs, [stage, sources, download]]
    gr.on([c.input for c in inputs], *draw, **QUIET)
    return draw


def _mix(page: Page, shape: float, colours: float, split: float, truncation: float) -> list[Any]:
    generator, device = page.bundle.generator, page.bundle.device
    seeds = [check_seed(shape), check_seed(colours)]
    first, second = w_from_seeds(generator, seeds, truncation, device).split(1)
    layers = range(int(split), generator.num_ws)
    table = render_mixtures(generator, first, second, layers, device)
    mixed, captions = table[1, 1], ["shape", "colours"]
    path = download_path(encode_png(mixed), f"mix-{seeds[0]}-{seeds[1]}.png")
    return [for_screen(mixed), figures([table[1, 0], table[0, 1]], captions, few=True), path]
