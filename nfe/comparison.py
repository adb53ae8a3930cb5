"""Pictures beside what became of them: one row per picture, one named column per result."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nfe.images import make_grid, resize_pixels

__all__ = ["comparison_sheet"]

GAP = 2
LINE_HEIGHT = 15


def comparison_sheet(columns: Mapping[str, np.ndarray], num_rows: int, side: int) -> np.ndarray:
    """Lay sets of pictures side by side, under their names.

    Args:
        columns: Name -> pixels, uint8, [N, H, W, 3]; the same N in each. A name may have several
            lines.
        num_rows: Most rows to show.
        side: Side to show each picture at, in pixels.

    Returns:
        The sheet, uint8, [H, W, 3].
    """
    sets = [
        [resize_pixels(picture, side) for picture in own[:num_rows]] for own in columns.values()
    ]
    rows = [picture for row in zip(*sets, strict=True) for picture in row]
    grid = make_grid(np.stack(rows), columns=len(columns), gap=GAP)
    return np.concatenate([_header(list(columns), side, grid.shape[1]), grid])


def _header(names: list[str], side: int, width: int) -> np.ndarray:
    num_lines = max(name.count("\n") + 1 for name in names)
    strip = Image.new("RGB", (width, num_lines * LINE_HEIGHT + 6), "white")
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(12)
    for index, name in enumerate(names):
        center = index * (side + GAP) + side / 2
        draw.multiline_text(
            (center, 2), name, fill=(40, 40, 60), font=font, anchor="ma", align="center"
        )
    return np.array(strip)
