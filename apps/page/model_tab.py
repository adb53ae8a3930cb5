"""The model card: what `nfe info` says, and the model's own README."""

import html

import gradio as gr

from apps.info import model_lines
from apps.page.parts import Page
from nfe.model_folders import describe_model

__all__ = ["build_model_tab"]


def build_model_tab(page: Page) -> None:
    """Lay the tab out."""
    lines = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(line)}</td></tr>"
        for name, line in model_lines(describe_model(page.folder))
    )
    gr.HTML(f'<table class="plain">{lines}</table>', elem_id="model")
    readme = page.folder / "README.md"
    if readme.is_file():
        gr.Markdown(readme.read_text(encoding="utf-8", errors="replace"))
