import base64
import io

import numpy as np
import pytest
from PIL import Image

from nfe.images import encode_png
from nfe.reporting.pictures import Picture, embed_picture, whole_scale

PIXELS = np.full((20, 40, 3), (200, 40, 90), dtype=np.uint8)


def decoded(picture: Picture) -> Image.Image:
    kind, _, data = picture.url.partition(";base64,")
    assert kind == "data:image/webp"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_picture_keeps_its_pixels_and_is_shown_larger() -> None:
    picture = embed_picture(encode_png(PIXELS), "a face", quality=90, scale=3)
    assert (picture.width, picture.height, picture.alt) == (120, 60, "a face")
    seen = np.asarray(decoded(picture).convert("RGB")).astype(int)
    assert seen.shape == PIXELS.shape
    assert np.abs(seen - PIXELS).max() < 8


def test_only_a_wider_picture_is_shrunk() -> None:
    data = encode_png(PIXELS)
    assert decoded(embed_picture(data, "", 80, most_width=20)).size == (20, 10)
    assert decoded(embed_picture(data, "", 80, most_width=60)).size == (40, 20)


@pytest.mark.parametrize(("width", "scale"), [(300, 3), (500, 2), (501, 1), (1001, 1)])
def test_scales_are_whole(width: int, scale: int) -> None:
    assert whole_scale(width, 1000) == scale
