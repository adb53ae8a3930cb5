"""Contact sheets: many faces on one picture, in named groups."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nfe.images import make_grid, resize_pixels

__all__ = ["evenly_spaced", "labelled_sheet"]

FONT_SIZE = 20
GAP = 2


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most `most` indices spread evenly over `count`, the first among them.

    Examples:
        >>> evenly_spaced(10, 4)
        [0, 2, 5, 7]
        >>> evenly_spaced(2, 4)
        [0, 1]
    """
    shown = min(count, most)
    return [index * count // shown for index in range(shown)]


def labelled_sheet(
    groups: Mapping[str, Sequence[np.ndarray]], columns: int, side: int
) -> np.ndarray:
    """Lay groups of faces out below each other, each under its label.

    Args:
        groups: Label -> faces, uint8, [H, W, 3] each.
        columns: Faces per row.
        side: Side to show each face at, in pixels.

    Returns:
        The sheet, uint8, [H, W, 3].
    """
    width = columns * (side + GAP) - GAP
    parts = []
    for label, faces in groups.items():
        parts.append(_label(label, width))
        if len(faces):
            grid = make_grid(np.stack([resize_pixels(f, side) for f in faces]), columns, GAP)
            parts.append(np.pad(grid, ((0, 3 * GAP), (0, 0), (0, 0)), constant_values=255))
    return np.concatenate(parts) if parts else _label("", width)


def _label(text: str, width: int) -> np.ndarray:
    strip = Image.new("RGB", (width, FONT_SIZE + 10), "white")
    font = ImageFont.load_default(FONT_SIZE)
    ImageDraw.Draw(strip).text((4, 2), text, fill="black", font=font)
    return np.array(strip)
