"""The faces of a picture: cut them out, put them back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nfe.faces.alignment import Transform, paste_back
from nfe.faces.cutting import FaceCutter
from nfe.images import resize_pixels
from nfe.picture_files import Picture

__all__ = ["Frame", "cut_frame", "edited_frame", "paste_in_bands"]

BAND_PIXELS = 4_000_000  # of the face's square blended at once; it takes 100 bytes for each


@dataclass(frozen=True)
class Frame:
    """A picture, or a frame of one, and its faces.

    Attributes:
        picture: Decoded.
        transforms: Where its F faces lie.
        whole: The picture is a face itself.
        faces: uint8, [R, R, 3], F of them.
    """

    picture: Picture
    transforms: Sequence[Transform]
    whole: bool
    faces: Sequence[np.ndarray]


def cut_frame(picture: Picture, name: str, cutter: FaceCutter) -> Frame:
    """Find the faces of a picture and cut them out.

    Args:
        picture: Where to look; transparent parts are seen as white.
        name: What to call it in errors.
        cutter: Which faces, and how large.

    Raises:
        PictureError: If faces must be found and the cutter has no detector.
    """
    seen = picture.on_white
    found = cutter.cut(seen, name)
    transforms = [face.transform for face in found]
    return Frame(picture, transforms, cutter.is_whole(seen), [face.pixels for face in found])


def edited_frame(
    frame: Frame, edited: Sequence[np.ndarray], paste: bool | None, feather: float
) -> Picture:
    """Return a picture with its faces edited.

    Args:
        frame: The picture and where its faces lie.
        edited: The faces edited, uint8, [R, R, 3] each.
        paste: As `EditSettings.paste_back`.
        feather: Soft border of a face, as a share of its side.

    Returns:
        The picture as large as it was, outside the faces' squares with every value as it was, or
        with `paste` False the first face alone. A picture without faces stays as it is.
    """
    picture = frame.picture
    if not len(edited):
        return picture
    if paste is False:
        return Picture(edited[0], None, picture.milliseconds)
    height, width = picture.pixels.shape[:2]
    if frame.whole and paste is None and height == width:
        return replace(picture, pixels=resize_pixels(edited[0], height))
    pixels = picture.pixels
    for face, transform in zip(edited, frame.transforms, strict=True):
        pixels = paste_in_bands(pixels, face, transform, feather, BAND_PIXELS)
    return replace(picture, pixels=pixels)


def paste_in_bands(
    pixels: np.ndarray,
    face: np.ndarray,
    transform: Transform,
    feather: float,
    band_pixels: int,
) -> np.ndarray:
    """Blend a face into its picture, few rows at a time where it is large.

    Args:
        pixels: The picture, uint8, [H, W, 3].
        face: uint8, [R, R, 3].
        transform: Where it lies.
        feather: As `paste_back` takes it.
        band_pixels: Of the square blended at once.

    Returns:
        uint8, [H, W, 3]. Outside the square not one value differs.
    """
    height, width = pixels.shape[:2]
    reach = min(2 * transform.side, width)  # of a square turned as far as can be
    step = max(1, int(band_pixels // max(reach, 1)))
    if step >= height or transform.side**2 <= band_pixels:
        return paste_back(pixels, face, transform, feather)
    (x, y), result = transform.center, np.empty_like(pixels)
    for top in range(0, height, step):
        moved = replace(transform, center=(x, y - top))
        result[top : top + step] = paste_back(pixels[top : top + step], face, moved, feather)
    return result
