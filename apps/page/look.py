"""How the page looks: neutral greys, one accent, the fonts of the system."""

import gradio as gr

__all__ = ["CSS", "make_theme"]

FONTS = ("Segoe UI", "Helvetica Neue", "Noto Sans", "Liberation Sans", "Arial", "sans-serif")

CSS = """
.gradio-container { max-width: 1240px !important; min-width: 0 !important; width: 100%;
  margin: 0 auto; padding: 0 20px !important; }
.gradio-container .main.app { padding: 10px 0 !important; }
.gradio-container main { padding: 0 0 24px !important; }
.html-container { padding: 0 !important; }
footer { display: none !important; }
#title h1 { font-size: 19px; font-weight: 650; margin: 0; letter-spacing: -0.01em; }
.stage img { width: 100% !important; height: 100% !important; object-fit: contain !important; }
.controls { gap: 16px !important; }
.controls .form { border: none; background: none; box-shadow: none; gap: 12px 14px; }
.choices { display: block !important; }
.choices .form { display: grid !important; grid-template-columns: 1fr 1fr; }
.controls .form .block { background: none !important; border: none !important;
  padding: 0 !important; min-width: 0 !important; }
.choices .wrap-inner { background: var(--block-background-fill);
  border: 1px solid var(--border-color-primary); border-radius: var(--input-radius); }
#faces:not(:has(img)), #strip:not(:has(img)), #note:not(:has(b)) { display: none; }
.note { color: var(--body-text-color-subdued); font-size: 13px; line-height: 1.45; }
.note b { color: var(--body-text-color); font-weight: 600; }
.pictures { display: flex; gap: 8px; }
.pictures figure { margin: 0; min-width: 0; flex: 1 1 0; }
.pictures img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px;
  display: block; margin: 0; }
.pictures figcaption { font-size: 12px; color: var(--body-text-color-subdued);
  text-align: center; padding-top: 3px; white-space: nowrap; }
.pictures.few figure { flex: 0 1 128px; }
.pictures.few figcaption { text-align: left; }
table.plain { border-collapse: collapse; width: 100%; font-size: 14px; border: none !important; }
table.plain td { padding: 7px 14px 7px 0; vertical-align: top; overflow-wrap: anywhere;
  border: none; border-bottom: 1px solid var(--border-color-primary); }
table.plain td:first-child { color: var(--body-text-color-subdued); white-space: nowrap; }
@media (max-width: 640px) {
  .gradio-container { padding: 0 12px !important; }
  .tab-container button { padding: 0 9px !important; }
  .pictures { gap: 4px; }
  .stage { height: 390px !important; }
  table.plain { font-size: 13px; }
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
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*body_text_color_subdued",
        block_label_text_color_dark="*body_text_color_subdued",
        block_label_text_size="*text_sm",
        block_title_text_size="*text_sm",
        block_title_text_color="*body_text_color_subdued",
        block_title_text_color_dark="*body_text_color_subdued",
        block_info_text_color="*body_text_color_subdued",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        slider_color="*primary_600",
        slider_color_dark="*primary_500",
    )
