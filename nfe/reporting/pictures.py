"""Pictures inside a page: small files as data URLs."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

__all__ = ["Picture", "embed_picture", "whole_scale"]


@dataclass(frozen=True)
class Picture:
    """A picture that is part of the page.

    Attributes:
        url: Data URL.
        alt: What it shows, for who cannot see it.
        width, height: To show it at, in CSS pixels.
    """

    url: str
    alt: str
    width: int
    height: int


def embed_picture(
    data: bytes, alt: str, quality: int, scale: int = 1, most_width: int | None = None
) -> Picture:
    """Encode a picture as WebP for a page.

    Args:
        data: A file of any format that Pillow reads.
        alt: What it shows.
        quality: Of WebP, in [0, 100].
        scale: Size to show it at, over its own.
        most_width: Shrink it to this width if it is wider.
    """
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    if most_width is not None:
        picture.thumbnail((most_width, 4 * most_width), Image.Resampling.LANCZOS)
    picture.save(buffer, "webp", quality=quality, method=6)
    width, height = picture.size
    url = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Picture(url, alt, width * scale, height * scale)


def whole_scale(width: int, room: int) -> int:
    """Return the largest whole number of times that `width` fits into `room`, at least 1.

    Examples:
        >>> whole_scale(400, 1000), whole_scale(1200, 1000)
        (2, 1)
    """
    return max(1, room // width)
