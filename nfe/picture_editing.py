"""One picture, edited step by step: find and invert its faces once, then edit them often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nfe.bundle import Bundle
from nfe.editing import Strength
from nfe.errors import PictureError
from nfe.face_editing import EditedFaces, edit_faces, invert_faces, synthesise
from nfe.faces.alignment import whole_picture_transform
from nfe.faces.cutting import FaceCutter, Faces
from nfe.images import images_from_pixels, pixels_from_images
from nfe.picture_faces import Blending, Frame, cut_frame, edited_frame
from nfe.picture_files import Picture

__all__ = [
    "InvertedPicture",
    "edit_picture",
    "invert_picture",
    "picture_of_code",
    "refine_picture",
    "strength_range",
]


@dataclass(frozen=True)
class InvertedPicture:
    """A picture whose N faces have codes.

    Attributes:
        name: What to call it.
        frame: As it was opened, and its faces.
        w_plus: Their codes, [N, num_ws, w_dim].
        reconstructions: What the generator makes of the codes, uint8, [N, R, R, 3].
        mse: Mean squared error of each reconstruction, images in [-1, 1], [N].
    """

    name: str
    frame: Frame
    w_plus: np.ndarray
    reconstructions: np.ndarray
    mse: np.ndarray


def invert_picture(
    picture: Picture, name: str, bundle: Bundle, faces: Faces, batch_size: int
) -> InvertedPicture:
    """Find all faces of a picture and what the encoder says of them, without refinement.

    Args:
        picture: The picture.
        name: What to call it in errors.
        bundle: The model.
        faces: As `FaceCutter` takes it.
        batch_size: Faces per pass.

    Raises:
        PictureError: If no face is found.
    """
    cutter = FaceCutter.of_model(bundle.description, bundle.detector, faces, "all")
    frame = cut_frame(picture, name, cutter)
    if not frame.faces:
        raise PictureError(
            f"{name} must show a face, none was found; choose another picture, or cut the face out"
        )
    w_plus = invert_faces(np.stack(frame.faces), bundle, 0, batch_size, lambda *_: None)
    return _with_reconstructions(name, frame, w_plus, bundle, batch_size)


def refine_picture(
    inverted: InvertedPicture, bundle: Bundle, num_steps: int, batch_size: int
) -> InvertedPicture:
    """Find the codes of the same faces again, with `num_steps` steps of refinement."""
    pixels = np.stack(inverted.frame.faces)
    w_plus = invert_faces(pixels, bundle, num_steps, batch_size, lambda *_: None)
    return _with_reconstructions(inverted.name, inverted.frame, w_plus, bundle, batch_size)


def picture_of_code(w_plus: np.ndarray, name: str, bundle: Bundle) -> InvertedPicture:
    """Draw a code ([num_ws, w_dim]) as a picture that is one face; its inversion is exact."""
    pixels = pixels_from_images(synthesise(w_plus[None], bundle, 1))[0]
    frame = Frame(Picture(pixels, None), [whole_picture_transform(pixels)], True, [pixels])
    return _with_reconstructions(name, frame, w_plus[None], bundle, 1)


def edit_picture(
    inverted: InvertedPicture,
    bundle: Bundle,
    changes: Mapping[str, str],
    keep: Sequence[str],
    strength: Strength,
    batch_size: int,
) -> tuple[Picture, EditedFaces]:
    """Edit all faces of a picture and lay the change over it.

    Args:
        inverted: The picture.
        bundle, changes, keep, strength, batch_size: As `edit_faces` takes them.

    Raises:
        ParamsError: If the model cannot make such an edit.
    """
    faces = np.stack(inverted.frame.faces)
    edit = (changes, keep, strength, False)
    edited = edit_faces(faces, inverted.w_plus, bundle, *edit, batch_size)
    blending = Blending.of_model(bundle.description, changes)
    drawn = (list(edited.pixels), list(edited.drawn_before))
    return edited_frame(inverted.frame, *drawn, None, blending), edited


def strength_range(bundle: Bundle) -> tuple[float, float]:
    """Return a usual distance to edit to, and a large one: the boundaries' medians, in W units.

    The usual one is the median of the distances at which codes with a value lie; the large one
    is two standard deviations beyond the farthest of them.
    """
    centres = [boundary.centres[boundary.value] for boundary in bundle.boundaries]
    far = [c + 2 * b.sigma for c, b in zip(centres, bundle.boundaries, strict=True)]
    return float(np.median(centres)), float(max(far))


def _with_reconstructions(
    name: str,
    frame: Frame,
    w_plus: np.ndarray,
    bundle: Bundle,
    batch_size: int,
) -> InvertedPicture:
    images = synthesise(w_plus, bundle, batch_size).clamp(-1, 1)  # as it is shown
    errors = images - images_from_pixels(np.stack(frame.faces))
    mse = errors.square().mean(dim=(1, 2, 3)).numpy()
    return InvertedPicture(name, frame, w_plus, pixels_from_images(images), mse)
