"""What a run looks like: faces before and after on one sheet, and an animation between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nfe.bundle import Bundle
from nfe.edit_records import Row
from nfe.errors import PictureError
from nfe.face_editing import edit_faces, invert_faces, synthesise
from nfe.faces.alignment import Transform, align
from nfe.folder_editing.settings import EditSettings
from nfe.images import make_grid, pixels_from_images, resize_pixels
from nfe.picture_files import read_picture
from nfe.picture_tables import contact_sheet, encode_loop, shown_side

__all__ = ["Pair", "animate_edits", "before_after_sheet", "read_pairs"]

SHEET_FACES, SHEET_COLUMNS = 48, 4
LOOP_FACES, LOOP_COLUMNS = 16, 4
LOOP_FRAMES, FRAMES_PER_SECOND = 48, 24
NAME_LENGTH = 28
CARD_GAP = 8


@dataclass(frozen=True)
class Pair:
    """A face before and after: its file's name, and uint8, [R, R, 3] each."""

    name: str
    before: np.ndarray
    after: np.ndarray


def read_pairs(
    rows: Sequence[Row], out_dir: Path, settings: EditSettings, side: int, max_pixels: int
) -> list[Pair]:
    """Cut the first faces of a run out of its inputs and results again.

    Args:
        rows: Of `edit.jsonl`.
        out_dir: Where the results are.
        settings: Of the run.
        side: Side of the faces, in pixels.
        max_pixels: Largest width times height of a picture.

    Returns:
        At most 48, one per file: its first face. A file that changed meanwhile is left out.
    """
    pairs: list[Pair] = []
    for row in rows:
        if row["status"] != "edited" or len(pairs) == SHEET_FACES:
            continue
        x0, y0, x1, y1 = row["faces"][0]["box"]
        transform = Transform(((x0 + x1) / 2, (y0 + y1) / 2), x1 - x0, row["faces"][0]["angle"])
        try:
            before, after = (
                read_picture(path.read_bytes(), path.name, max_pixels).on_white
                for path in (Path(row["input"]), out_dir / row["output"])
            )
        except (OSError, PictureError):
            continue
        if settings.paste_back is False:
            edited = resize_pixels(after, side)
        else:
            edited = align(after, transform, side)
        pairs.append(Pair(Path(row["input"]).name, align(before, transform, side), edited))
    return pairs


def before_after_sheet(pairs: Sequence[Pair]) -> np.ndarray:
    """Lay faces out in columns, each before on the left, after on the right, over its name.

    Args:
        pairs: One at least.

    Returns:
        uint8, [H, W, 3].
    """
    side = shown_side(len(pairs[0].before))
    pictures = np.stack([[pair.before, pair.after] for pair in pairs])
    grids = [make_grid(np.stack([resize_pixels(p, side) for p in two]), 2) for two in pictures]
    cards = [
        np.pad(g, ((CARD_GAP, 0), (CARD_GAP, CARD_GAP), (0, 0)), "constant", constant_values=255)
        for g in grids
    ]
    names = [_shorten(pair.name) for pair in pairs]
    return contact_sheet(np.stack(cards), names, SHEET_COLUMNS, side + CARD_GAP)


def animate_edits(
    pairs: Sequence[Pair], bundle: Bundle, settings: EditSettings, batch_size: int
) -> bytes:
    """Show the first faces on their way from their reconstruction to their edit and back.

    Args:
        pairs: One at least; their faces before, of the model's side.
        bundle, settings, batch_size: Of the run.

    Returns:
        A lossless WebP that runs for ever: 48 frames of at most 16 faces.
    """
    faces = np.stack([pair.before for pair in pairs[:LOOP_FACES]])
    w_plus = invert_faces(faces, bundle, settings.num_steps, batch_size, lambda *_: None)
    edit = (settings.changes, settings.keep, settings.strength, settings.redraw)
    edited = edit_faces(faces, w_plus, bundle, *edit, batch_size).w_plus
    shares = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(LOOP_FRAMES) / LOOP_FRAMES)
    frames, side = [], shown_side(faces.shape[1])
    for share in shares[: LOOP_FRAMES // 2 + 1]:  # the way back shows the same
        codes = (w_plus + share * (edited - w_plus)).astype(w_plus.dtype)
        shown = pixels_from_images(synthesise(codes, bundle, batch_size))
        large = np.stack([resize_pixels(face, side) for face in shown])
        frames.append(make_grid(large, min(LOOP_COLUMNS, len(large))))
    return encode_loop(np.stack([*frames, *frames[-2:0:-1]]), FRAMES_PER_SECOND)


def _shorten(name: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= NAME_LENGTH else shown[: NAME_LENGTH - 1] + "…"
