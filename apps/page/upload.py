"""The place for a picture; alone in its file, beside which gradio writes a stub for editors."""

from typing import Any

import gradio as gr

__all__ = ["PictureUpload"]


class PictureUpload(gr.Image):
    """A place for a picture that hands on the path of the file, which nobody has opened yet."""

    is_template = True  # in the browser it is a plain gr.Image

    def preprocess(self, payload: Any) -> str | None:
        """Return the path; gr.Image would decode the file, whatever its size."""
        return None if payload is None else payload.path
