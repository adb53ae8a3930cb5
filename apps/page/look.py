"""How the page looks: neutral greys, one accent, the fonts of the system."""

import gradio as gr

__all__ = ["CSS", "make_theme"]

FONTS = ("Segoe UI", "Helvetica Neue", "Noto Sans", "Liberation Sans", "Arial", "sans-serif")

CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto; padding: 0 20px !important; }
.gradio-container main { padding: 12px 0 28px !important; }
footer { display: none !important; }
#title h1 { font-size: 20px; font-weight: 650; margin: 4px 0 0; letter-spacing: -0.01em; }
#title p { color: var(--body-text-color-subdued); margin: 0 0 4px; font-size: 13px; }
.stage img { width: 100% !important; height: 100% !important; object-fit: contain !important; }
.controls { gap: 14px !important; }
.controls .form { border: none; background: none; box-shadow: none; gap: 10px; }
.controls .form > * { border-radius: var(--block-radius); min-width: 150px !important; }
.note { color: var(--body-text-color-subdued); font-size: 13px; line-height: 1.45; }
.note b { color: var(--body-text-color); font-weight: 600; }
.pictures { display: flex; gap: 8px; }
.pictures figure { margin: 0; min-width: 0; flex: 1 1 0; }
.pictures img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px;
  display: block; }
.pictures figcaption { font-size: 12px; color: var(--body-text-color-subdued); text-align: center;
  padding-top: 3px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.pictures.few figure { flex: 0 1 116px; }
.pictures.few figcaption { text-align: left; }
table.plain { border-collapse: collapse; width: 100%; font-size: 14px; }
table.plain td { padding: 7px 14px 7px 0; vertical-align: top; overflow-wrap: anywhere;
  border-bottom: 1px solid var(--border-color-primary); }
table.plain td:first-child { color: var(--body-text-color-subdued); white-space: nowrap; }
@media (max-width: 640px) {
  .gradio-container { padding: 0 12px !important; }
  .pictures { gap: 4px; }
  .stage { min-height: 0 !important; }
}
"""


def make_theme() -> gr.themes.Base:
    """The theme, with no font that would have to be fetched."""
    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.zinc,
        spacing_size=gr.themes.sizes.spacing_md,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
        font=FONTS,
        font_mono=("Consolas", "Liberation Mono", "monospace"),
    )
    return theme.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*body_text_color_subdued",
        block_label_text_size="*text_sm",
        block_title_text_size="*text_sm",
        block_title_text_color="*body_text_color_subdued",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        slider_color="*primary_600",
        slider_color_dark="*primary_500",
    )
