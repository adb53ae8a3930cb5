"""The faces of a picture: cut them out, put them back."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from nfe.faces.alignment import Transform
from nfe.faces.cutting import FaceCutter
from nfe.faces.pasting import add_back, paste_back
from nfe.line_following import change_of, fit_lines, fit_nothing
from nfe.picture_files import Picture

__all__ = [
    "Blending",
    "Frame",
    "Laying",
    "cut_frame",
    "edited_frame",
    "lay_over",
    "paste_in_bands",
    "visible_part",
]

Put = Callable[[np.ndarray, np.ndarray, Transform, float], np.ndarray]
Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
BAND_PIXELS = 2_000_000  # of the face's square blended at once; it takes 200 bytes for each


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


@dataclass(frozen=True)
class Laying:
    """How the change between two drawings of a face is laid over the face itself.

    Attributes:
        visible_change: Levels: what an edit changes by the first or less stays as it was, what it
            changes by the second or more changes whole.
        along_lines: Whether the change follows the lines of the face: for colours, not for shapes.
    """

    visible_change: tuple[float, float]
    along_lines: bool

    @classmethod
    def of_model(cls, description: Mapping[str, Any], changes: Collection[str]) -> "Laying":
        """Read it from the content of a model's model.json, for an edit of these attributes."""
        alignment = description["alignment"]
        low, high = alignment["visible_change"]
        return cls((low, high), {*changes} <= {*alignment["recolour"]})

    def fit(self, face: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the change as a function of the face, or of the picture that it was cut out of.

        Args:
            face: uint8, [R, R, 3].
            before, after: Drawings of it, in levels, [R, R, 3].

        Returns:
            As `nfe.line_following.change_of` takes it, [R, R, 6].
        """
        change = visible_part(after.astype(np.float32) - before, self.visible_change)
        return fit_lines(change, face) if self.along_lines else fit_nothing(change)


@dataclass(frozen=True)
class Blending:
    """How edited faces are put back.

    Attributes:
        feather: Soft border of a face, as a share of its side.
        laying: How a change is laid over a face.
    """

    feather: float
    laying: Laying

    @classmethod
    def of_model(cls, description: Mapping[str, Any], changes: Collection[str]) -> "Blending":
        """Read it from the content of a model's model.json, for an edit of these attributes."""
        laying = Laying.of_model(description, changes)
        return cls(description["alignment"]["feather"], laying)


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
    frame: Frame,
    edited: Sequence[np.ndarray],
    drawn_before: Sequence[np.ndarray] | None,
    paste: bool | None,
    blending: Blending,
) -> Picture:
    """Return a picture with its faces edited.

    Args:
        frame: The picture and where its faces lie.
        edited: The faces as the generator draws them edited, uint8, [R, R, 3] each.
        drawn_before: As it drew them before the edit: then only the change is laid over the
            picture, whose own detail stays. None to put the edited faces in place of the old.
        paste: As `EditSettings.paste_back`.
        blending: How to put them back.

    Returns:
        The picture as large as it was, outside the faces' squares with every value as it was, or
        with `paste` False the first face alone. A picture without faces stays as it is.
    """
    picture = frame.picture
    if not len(edited):
        return picture
    if drawn_before is None:
        return _with_faces(frame, edited, paste, blending.feather, paste_back, _replace)
    drawings = zip(frame.faces, drawn_before, edited, strict=True)
    fits = [blending.laying.fit(*drawing) for drawing in drawings]
    return _with_faces(frame, fits, paste, blending.feather, add_back, _add)


def _with_faces(
    frame: Frame,
    faces: Sequence[np.ndarray],
    paste: bool | None,
    feather: float,
    put: Put,
    fill: Fill,
) -> Picture:
    """Put faces, or what changes them, into their picture; as `edited_frame`.

    Args:
        frame: The picture and where its faces lie.
        faces: What `put` and `fill` take.
        paste, feather: As `edited_frame` takes them.
        put: For a part of the picture.
        fill: For all of it.
    """
    picture, pixels = frame.picture, frame.picture.pixels
    if paste is False:
        return Picture(fill(frame.faces[0], faces[0]), None, picture.milliseconds)
    height, width = pixels.shape[:2]
    if frame.whole and paste is None and height == width:
        return replace(picture, pixels=fill(pixels, _resize(faces[0], height)))
    for face, transform in zip(faces, frame.transforms, strict=True):
        pixels = paste_in_bands(pixels, face, transform, feather, BAND_PIXELS, put)
    return replace(picture, pixels=pixels)


def _replace(pixels: np.ndarray, face: np.ndarray) -> np.ndarray:
    return _levels(face)


def _add(pixels: np.ndarray, fit: np.ndarray) -> np.ndarray:
    return _levels(pixels + change_of(fit, pixels))


def lay_over(
    faces: np.ndarray, before: np.ndarray, after: np.ndarray, laying: Laying
) -> np.ndarray:
    """Add to faces what changed between two drawings of them, all uint8, [N, R, R, 3]."""
    drawings = zip(faces, before, after, strict=True)
    return np.stack([_add(face, laying.fit(face, old, new)) for face, old, new in drawings])


def visible_part(change: np.ndarray, visible_change: tuple[float, float]) -> np.ndarray:
    """Take out of a change what is too little to be meant.

    Args:
        change: In levels, float32, [R, R, 3].
        visible_change: Where, after a slight blur, the greatest change of the three channels is
            the first or less, nothing is left; from the second on all; smoothly between.

    Returns:
        float32, [R, R, 3].
    """
    low, high = visible_change
    size = ndimage.gaussian_filter(np.abs(change).max(axis=2), sigma=1.0)
    share = np.clip((size - low) / (high - low), 0, 1)
    return change * (share * share * (3 - 2 * share))[..., None]


def paste_in_bands(
    pixels: np.ndarray,
    face: np.ndarray,
    transform: Transform,
    feather: float,
    band_pixels: int,
    put: Put,
) -> np.ndarray:
    """Put a face into its picture, few rows at a time where it is large.

    Args:
        pixels: The picture, uint8, [H, W, 3].
        face: What `put` takes, [R, R, C].
        transform: Where it lies.
        feather: As `put` takes it.
        band_pixels: Of the square blended at once.
        put: `paste_back` or `add_back`.

    Returns:
        uint8, [H, W, 3]. Outside the square not one value differs.
    """
    height, width = pixels.shape[:2]
    reach = min(2 * transform.side, width)  # of a square turned as far as can be
    step = max(1, int(band_pixels // max(reach, 1)))
    if step >= height or transform.side**2 <= band_pixels:
        return put(pixels, face, transform, feather)
    (x, y), result = transform.center, np.empty_like(pixels)
    for top in range(0, height, step):
        moved = replace(transform, center=(x, y - top))
        result[top : top + step] = put(pixels[top : top + step], face, moved, feather)
    return result


def _resize(face: np.ndarray, side: int) -> np.ndarray:
    """Resize [R, R, C] to [side, side, C] by Lanczos, in float32."""
    channels = [Image.fromarray(c.astype(np.float32)) for c in np.moveaxis(face, 2, 0)]
    size = (side, side)
    return np.stack([np.array(c.resize(size, Image.Resampling.LANCZOS)) for c in channels], axis=2)


def _levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
