"""What the tabs share: pictures for the screen, files to download, errors as sentences."""

import base64
import functools
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from nfe.bundle import Bundle
from nfe.errors import NFEError, PictureError
from nfe.images import encode_png

__all__ = [
    "BATCH_SIZE",
    "DROP",
    "LAST",
    "QUIET",
    "SHOWN",
    "STAGE_HEIGHT",
    "Page",
    "download_path",
    "figures",
    "for_screen",
    "sentences",
    "stage_image",
    "take_upload",
    "truncation_slider",
]

BATCH_SIZE = 16
STAGE_HEIGHT = 560  # of the large picture of a tab, in pixels of the page
# What is asked for again while it runs, runs again after that; gradio would drop it.
LAST: dict[str, Any] = {"trigger_mode": "always_last"}
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", **LAST}
SHOWN: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
DROP = "Drop a picture with a face here"
LEAST_SIDE, MOST_SIDE = 640, 1280  # of a large picture on the screen


@dataclass(frozen=True)
class Page:
    """What every tab works with.

    Attributes:
        folder: The model's folder.
        bundle: The model.
        max_pixels: Largest width times height of a picture.
        max_bytes: Largest size of a file.
        truncation: Where sliders of truncation start.
    """

    folder: Path
    bundle: Bundle
    max_pixels: int
    max_bytes: int
    truncation: float


def sentences(work: Callable[..., Any]) -> Callable[..., Any]:
    """Let an error that has a remedy reach the page as its sentence alone."""

    @functools.wraps(work)
    def told(*values: Any) -> Any:
        try:
            return work(*values)
        except NFEError as error:
            raise gr.Error(html.escape(str(error)), title="", print_exception=False) from None
        except MemoryError:
            raise gr.Error(
                "picture must fit into memory, it does not; make it smaller",
                title="",
                print_exception=False,
            ) from None

    return told


def for_screen(pixels: np.ndarray) -> np.ndarray:
    """Resize a picture ([H, W, 3], uint8) so that it looks well large, without its seams."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    scale = min(max(longest, LEAST_SIDE), MOST_SIDE) / longest
    if scale == 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def figures(pixels: Sequence[np.ndarray], captions: Sequence[str], few: bool = False) -> str:
    """A row of pictures with captions, as HTML that needs no files."""
    cells = []
    for picture, caption in zip(pixels, captions, strict=True):
        data = base64.b64encode(encode_png(picture)).decode()
        name = html.escape(caption)
        cells.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{name}">'
            f"<figcaption>{name}</figcaption></figure>"
        )
    return f'<div class="pictures{" few" if few else ""}">{"".join(cells)}</div>'


def download_path(data: bytes, name: str) -> str:
    """Put a file to download where the page's files are; it is deleted with them."""
    return str(save_bytes_to_cache(data, name, get_upload_folder()))


def stage_image(name: str, elem_id: str) -> gr.Image:
    """The large picture of a tab."""
    return gr.Image(
        format="png",
        label=name,
        show_label=False,
        height=STAGE_HEIGHT,
        interactive=False,
        buttons=["fullscreen"],
        elem_classes="stage",
        elem_id=elem_id,
    )


def truncation_slider(page: Page) -> gr.Slider:
    """How far from the mean face."""
    return gr.Slider(0, 1, page.truncation, step=0.05, label="Variety", info="Lower is cleaner")


def take_upload(sent: Mapping[str, Any] | None) -> list[Any]:
    """Take an uploaded file, which nobody has opened yet, off the place where it was dropped.

    That place is then free for the next file, whatever becomes of this one.

    Args:
        sent: What the browser says of the picture, as it comes with `preprocess=False`;
            otherwise gradio would decode the file, whatever its size.

    Returns:
        Values of: the file's path, the place.

    Raises:
        PictureError: If it is no file that was uploaded.
    """
    path = Path(str((sent or {}).get("path"))).resolve()
    if not (path.is_relative_to(Path(get_upload_folder()).resolve()) and path.is_file()):
        raise PictureError("picture must be a file from the page, got another; drop it again")
    return [str(path), gr.Image(value=None, placeholder="Looking for faces")]
