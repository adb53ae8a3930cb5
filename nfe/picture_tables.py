"""Tables of pictures with a name before each row and over each column; loops of pictures."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nfe.images import make_grid, resize_pixels

__all__ = ["contact_sheet", "encode_loop", "numbered_strip", "picture_table", "shown_side"]

GAP = 2
LINE_HEIGHT = 15
FONT_SIZE = 12
STRIP_FONT_SIZE, STRIP_LINE = 30, 42
INK = (40, 40, 60)
SMALLEST_SIDE = 96


def shown_side(resolution: int) -> int:
    """Return the side to show pictures at in tables: their own, or 96 pixels if that is larger."""
    return max(SMALLEST_SIDE, resolution)


def picture_table(
    pixels: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], side: int
) -> np.ndarray:
    """Lay pictures out as a table on white.

    Args:
        pixels: uint8, [R, C, H, W, 3].
        row_names: R names, of one line or several; they stand left of the rows.
        column_names: C names; they stand over the columns.
        side: Side to show each picture at, in pixels.

    Returns:
        The table, uint8, [height, width, 3].
    """
    num_rows, num_columns = pixels.shape[:2]
    cells = [resize_pixels(picture, side) for row in pixels for picture in row]
    grid = make_grid(np.stack(cells), columns=num_columns, gap=GAP)
    margin, header = _name_width(row_names), LINE_HEIGHT + 6
    table = Image.new("RGB", (margin + grid.shape[1], header + grid.shape[0]), "white")
    table.paste(Image.fromarray(grid), (margin, header))
    for index in range(num_rows):
        middle = header + index * (side + GAP) + side / 2
        _write(table, (margin - 6, middle), row_names[index], "rm")
    for index in range(num_columns):
        _write(table, (margin + index * (side + GAP) + side / 2, 2), column_names[index], "ma")
    return np.array(table)


def contact_sheet(pixels: np.ndarray, names: Sequence[str], columns: int, side: int) -> np.ndarray:
    """Lay pictures out row by row on white, each over its name.

    Args:
        pixels: uint8, [N, H, W, 3].
        names: N names of one line.
        columns: Pictures per row.
        side: Height to show each picture at, in pixels.

    Returns:
        The sheet, uint8, [height, width, 3].
    """
    cards = []
    width = round(side * pixels.shape[2] / pixels.shape[1])
    for picture, name in zip(pixels, names, strict=True):
        card = Image.new("RGB", (width, side + LINE_HEIGHT + 4), "white")
        shown = Image.fromarray(picture).resize((width, side), Image.Resampling.LANCZOS)
        card.paste(shown)
        _write(card, (width / 2, side + 1), name, "ma")
        cards.append(np.array(card))
    return make_grid(np.stack(cards), columns=min(columns, len(cards)), gap=GAP)


def numbered_strip(pixels: np.ndarray, names: Sequence[str], side: int) -> np.ndarray:
    """Lay pictures out in one row on white, each over its name in letters read on a small screen.

    Args:
        pixels: uint8, [N, H, W, 3].
        names: N names of one line, numbers mostly.
        side: Side to show each picture at, in pixels.

    Returns:
        The strip, uint8, [height, N * (side + 2) - 2, 3].
    """
    cards = []
    for picture, name in zip(pixels, names, strict=True):
        card = Image.new("RGB", (side, side + STRIP_LINE), "white")
        card.paste(Image.fromarray(resize_pixels(picture, side)))
        _write(card, (side / 2, side + STRIP_LINE / 2), name, "mm", STRIP_FONT_SIZE)
        cards.append(np.array(card))
    return make_grid(np.stack(cards), columns=len(cards), gap=GAP)


def encode_loop(pixels: np.ndarray, frames_per_second: int) -> bytes:
    """Encode frames ([N, H, W, 3], uint8) as a lossless WebP animation that runs for ever."""
    first, *others = [Image.fromarray(frame) for frame in pixels]
    buffer = io.BytesIO()
    first.save(
        buffer,
        "webp",
        save_all=True,
        append_images=others,
        duration=round(1000 / frames_per_second),
        loop=0,
        lossless=True,
        quality=50,  # of the packing: the pixels are exact at any
    )
    return buffer.getvalue()


def _name_width(names: Sequence[str]) -> int:
    font = ImageFont.load_default(FONT_SIZE)
    lines = [line for name in names for line in name.split("\n")]
    return 12 + round(max(font.getlength(line) for line in lines))


def _write(
    picture: Image.Image,
    place: tuple[float, float],
    text: str,
    anchor: str,
    size: int = FONT_SIZE,
) -> None:
    ImageDraw.Draw(picture).multiline_text(
        place, text, INK, ImageFont.load_default(size), anchor, align="center"
    )
