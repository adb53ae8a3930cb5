"""The faces of a picture: cut them out, put them back."""

from dataclasses import dataclass

import numpy as np

from nfe.bundle import Bundle
from nfe.errors import PictureError
from nfe.faces.alignment import (
    Transform,
    align,
    face_transform,
    paste_back,
    whole_picture_transform,
)
from nfe.images import resize_pixels
from nfe.picture_files import Picture

__all__ = ["CutFaces", "cut_faces", "put_faces_back"]


@dataclass(frozen=True)
class CutFaces:
    """The N faces of a picture.

    Attributes:
        transforms: Where they lie, N.
        pixels: uint8, [R, R, 3] each, N.
        whole: The picture is a face itself.
    """

    transforms: list[Transform]
    pixels: list[np.ndarray]
    whole: bool


def cut_faces(picture: Picture, name: str, faces: str, bundle: Bundle) -> CutFaces:
    """Find the faces of a picture and cut them out at the model's resolution, best first.

    Args:
        picture: Where to look.
        name: What to call it in errors.
        faces: "detect", "whole" (the picture is a face), or "auto": whole where it is a square
            of at most twice the model's side, else detect.
        bundle: The model.

    Raises:
        PictureError: If faces are to be detected and the model has no detector.
    """
    seen, side = picture.on_white, bundle.generator.resolution
    height, width = seen.shape[:2]
    whole = faces == "whole" or (faces == "auto" and height == width <= 2 * side)
    if whole:
        transforms = [whole_picture_transform(seen)]
    elif bundle.detector is None:
        raise PictureError(
            f"{name} must be a face itself, as the model has no face detector; "
            "cut the face out and give --faces whole"
        )
    else:
        alignment = bundle.description["alignment"]
        transforms = [
            face_transform(face, alignment["margin"], alignment["max_angle"])
            for face in bundle.detector.detect(seen)
        ]
    return CutFaces(transforms, [align(seen, t, side) for t in transforms], whole)


def put_faces_back(picture: Picture, edited: np.ndarray, cut: CutFaces, feather: float) -> Picture:
    """Put edited faces where they were cut out; the alpha of the picture stays.

    Args:
        picture: Where the faces come from.
        edited: Faces, uint8, [N, R, R, 3].
        cut: What `cut_faces` said of the picture.
        feather: As `paste_back` takes it.

    Returns:
        A picture of the same size. A square that is a face itself is replaced whole; elsewhere
        not one value outside the faces' squares differs.
    """
    pixels = picture.pixels
    if cut.whole and pixels.shape[0] == pixels.shape[1]:
        return Picture(resize_pixels(edited[0], pixels.shape[0]), picture.alpha)
    for face, transform in zip(edited, cut.transforms, strict=True):
        pixels = paste_back(pixels, face, transform, feather)
    return Picture(pixels, picture.alpha)
