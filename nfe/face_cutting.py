"""Find the faces of a picture with a model's detector and cut them out, upright."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nfe.bundle import Bundle
from nfe.errors import PictureError
from nfe.faces.alignment import Transform, align, face_transform, whole_picture_transform

__all__ = ["CutFaces", "cut_faces"]


@dataclass(frozen=True)
class CutFaces:
    """The faces of one picture.

    Attributes:
        faces: uint8, [R, R, 3] each.
        transforms: Where each lies.
        whole: The picture is a face itself.
    """

    faces: Sequence[np.ndarray]
    transforms: Sequence[Transform]
    whole: bool


def cut_faces(pixels: np.ndarray, bundle: Bundle, faces: str, name: str) -> CutFaces:
    """Cut faces out at the model's side.

    Args:
        pixels: uint8, [H, W, 3].
        bundle: Whose detector, alignment and side to use.
        faces: "detect", "whole" (the picture is a face), or "auto": whole where it is a square
            of at most twice the model's side, else detect.
        name: What to call the picture in errors.

    Raises:
        PictureError: If faces must be detected and the model has no detector.
    """
    height, width = pixels.shape[:2]
    side = bundle.generator.resolution
    whole = faces == "whole" or (faces == "auto" and height == width <= 2 * side)
    if whole:
        transforms = [whole_picture_transform(pixels)]
    elif bundle.detector is None:
        raise PictureError(
            f"{name} must be a face itself, as the model has no face detector; "
            "cut the face out and give --faces whole"
        )
    else:
        alignment = bundle.description["alignment"]
        transforms = [
            face_transform(face, alignment["margin"], alignment["max_angle"])
            for face in bundle.detector.detect(pixels)
        ]
    return CutFaces([align(pixels, t, side) for t in transforms], transforms, whole)
