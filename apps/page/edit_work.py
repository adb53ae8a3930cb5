"""What the tab Edit does: values of components in, values of components out."""

import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from apps.options import name_model
from apps.page.choices import chosen_edit, control_values
from apps.page.parts import BATCH_SIZE, DROP, Page, download_path, figures, for_screen
from nfe.editing import Strength
from nfe.errors import PictureError
from nfe.face_editing import STRIP_OFFSETS, EditedFaces, strip_faces
from nfe.faces.cutting import Faces
from nfe.picture_editing import InvertedPicture, edit_picture, invert_picture, refine_picture
from nfe.picture_files import Picture, encode_picture, read_picture
from nfe.provenance import FaceDistances, Provenance, embed, package_version, read_provenance

__all__ = [
    "Edited",
    "Opened",
    "Refined",
    "close_picture",
    "finish_edit",
    "load_settings",
    "open_picture",
    "preview_edit",
    "refine_opened",
    "show_opened",
    "show_refined",
]

SHOWN_FACES = 2  # of a picture with many


@dataclass(frozen=True)
class Opened:
    """A picture on the page.

    Attributes:
        inverted: The picture with the codes of its faces.
        sha256: Of its file.
        parameters: How its faces were found, as `Provenance` has it.
    """

    inverted: InvertedPicture
    sha256: str
    parameters: Mapping[str, str | int | bool]


@dataclass(frozen=True)
class Refined:
    """What a picture was before its faces were redrawn better, and after.

    Redrawing takes long enough for another picture to be opened meanwhile.
    """

    before: Opened
    after: Opened


@dataclass(frozen=True)
class Edited:
    """What became of an opened picture, and by which edit."""

    opened: Opened
    picture: Picture
    faces: EditedFaces
    changes: Mapping[str, str]
    keep: Sequence[str]
    strength: Strength


def open_picture(page: Page, path: str, whole: bool, num_steps: float) -> list[Any]:
    """Read an uploaded file and find its faces; `refine_opened` follows."""
    data, name, steps = Path(path).read_bytes(), Path(path).name, int(num_steps)
    picture = read_picture(data, name, page.max_pixels)
    faces: Faces = "whole" if whole else "auto"
    inverted = invert_picture(picture, name, page.bundle, faces, BATCH_SIZE)
    parameters: dict[str, str | int | bool] = {"faces": "whole"} if whole else {}
    if steps != page.bundle.description["refinement"]["num_steps"]:
        parameters["steps"] = steps
    return show_opened(Opened(inverted, hashlib.sha256(data).hexdigest(), parameters))


def refine_opened(page: Page, opened: Opened | None, num_steps: float) -> Refined | None:
    """Redraw its faces better; `show_refined` follows."""
    if opened is None or not num_steps:
        return None
    inverted = refine_picture(opened.inverted, page.bundle, int(num_steps), BATCH_SIZE)
    return Refined(opened, replace(opened, inverted=inverted))


def show_refined(opened: Opened | None, refined: Refined | None) -> list[Any]:
    """Values of: opened, faces. They stay where another picture has been opened meanwhile."""
    if refined is None or refined.before is not opened:
        return [gr.skip()] * 2
    return [refined.after, _faces(refined.after.inverted, "redrawn")]


def show_opened(opened: Opened) -> list[Any]:
    """Values of: opened, upload, stage, faces, another."""
    inverted = opened.inverted
    seen = for_screen(inverted.frame.picture.on_white)
    return [
        opened,
        gr.Image(visible=False, value=None),
        gr.ImageSlider(visible=True, value=(seen, seen), slider_position=_middle(inverted)),
        _faces(inverted, "first guess"),
        gr.Button(interactive=True),
    ]


def close_picture() -> list[Any]:
    """Values of: opened, upload, stage, faces, another, result, note, strip, download."""
    return [
        None,
        gr.Image(visible=True, value=None, placeholder=DROP),
        gr.ImageSlider(visible=False, value=None),
        "",
        gr.Button(interactive=False),
        None,
        "",
        "",
        gr.DownloadButton(interactive=False),
    ]


def preview_edit(
    page: Page,
    attributes: Sequence[str],
    opened: Opened | None,
    auto: bool,
    distance: float,
    *choices: str,
) -> list[Any]:
    """Values of: result, stage, note, download."""
    changes, keep, strength = chosen_edit(attributes, auto, distance, choices)
    unfinished = gr.DownloadButton(interactive=False)
    if opened is None:
        return [None, gr.skip(), "", unfinished]
    seen = for_screen(opened.inverted.frame.picture.on_white)
    if not changes:
        return [None, (seen, seen), "", unfinished]
    picture, faces = edit_picture(opened.inverted, page.bundle, changes, keep, strength, BATCH_SIZE)
    result = Edited(opened, picture, faces, changes, keep, strength)
    return [result, (seen, for_screen(picture.on_white)), _note(result), unfinished]


def finish_edit(page: Page, opened: Opened | None, result: Edited | None) -> list[Any]:
    """Values of: strip (-3 to 3, of the first face), download."""
    if result is None or result.opened is not opened:  # an edit of the picture before this one
        return ["", gr.DownloadButton(interactive=False)]
    inverted, edit = result.opened.inverted, (result.changes, result.keep)
    steps = strip_faces(inverted.w_plus[:1], page.bundle, *edit, BATCH_SIZE)[0]
    captions = [f"{offset:+g}" if offset else "0" for offset in STRIP_OFFSETS]
    data = encode_picture(result.picture, ".png", embed(_provenance(page, result), ".png"))
    path = download_path(data, f"{Path(inverted.name).stem}-edited.png")
    return [figures(list(steps), captions), gr.DownloadButton(value=path, interactive=True)]


def load_settings(page: Page, attributes: Sequence[str], path: str) -> list[Any]:
    """Take the edit out of a picture: values of the controls.

    Raises:
        PictureError: If the picture carries none.
        ParamsError: If this model cannot make it.
    """
    provenance = read_provenance(Path(path))
    if provenance is None:
        raise PictureError(
            f"{Path(path).name} must carry its settings, it has none; take a PNG that this page "
            "or `nfe edit` wrote"
        )
    edit = (provenance.changes, provenance.keep, provenance.strength)
    return control_values(page, attributes, *edit)


def _faces(inverted: InvertedPicture, how: str) -> str:
    pixels, captions = [], []
    for index in range(min(SHOWN_FACES, len(inverted.mse))):
        pixels += [inverted.frame.faces[index], inverted.reconstructions[index]]
        captions += ["found", f"{how}, error {inverted.mse[index]:.3f}"]
    return figures(pixels, captions, few=True)


def _middle(inverted: InvertedPicture) -> float:
    """Where the first face has its middle, in per cent of the picture's width."""
    x, _ = inverted.frame.transforms[0].center
    return 100 * min(max(x / inverted.frame.picture.pixels.shape[1], 0.05), 0.95)


def _note(result: Edited) -> str:
    """Say what the model's tagger sees now."""
    told = []
    for attribute, value in result.changes.items():
        if attribute in result.faces.shown:
            seen = result.faces.shown[attribute][0]
            not_yet = "" if seen == value else f", not yet {html.escape(value)}"
            name = html.escape(attribute.replace("_", " "))
            told.append(f"{name} <b>{html.escape(seen)}</b>{not_yet}")
    return f'<div class="note">Now seen: {"; ".join(told)}</div>' if told else ""


def _provenance(page: Page, result: Edited) -> Provenance:
    opened = result.opened
    figures = [result.faces.figures(index) for index in range(len(result.faces.pixels))]
    return Provenance(
        version=package_version(),
        model=str(name_model(page.folder)),
        model_sha256=page.bundle.sha256,
        input=opened.inverted.name,
        input_sha256=opened.sha256,
        changes=result.changes,
        keep=result.keep,
        strength=result.strength,
        parameters=opened.parameters,
        faces=[FaceDistances(own["distance_before"], own["distance_after"]) for own in figures],
    )
