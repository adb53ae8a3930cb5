"""Edit aligned faces: invert, move the codes, synthesise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nfe.auto_editing import AutoEditor
from nfe.boundaries import measure_distances
from nfe.bundle import Bundle
from nfe.editing import Strength, edit_codes, edit_strip
from nfe.guarding import Guard
from nfe.images import images_from_pixels, pixels_from_images
from nfe.inversion.optimise import refine
from nfe.picture_faces import Laying, lay_over
from nfe.shown import shown_labels
from nfe.tagging.tagger import Tagger

__all__ = [
    "STRIP_OFFSETS",
    "EditedFaces",
    "auto_editor",
    "edit_faces",
    "invert_faces",
    "strip_faces",
    "synthesise",
]

STRIP_OFFSETS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # in standard deviations


@dataclass(frozen=True)
class EditedFaces:
    """N edited faces.

    Attributes:
        pixels: As the generator draws them, uint8, [N, R, R, 3].
        drawn_before: As it draws them before the edit, uint8, [N, R, R, 3].
        w_plus: Their codes, [N, num_ws, w_dim].
        reconstruction_mse: Mean squared error of the inversion, images in [-1, 1], [N].
        distances_before, distances_after: `attribute=value` -> distance of each code from that
            target's boundary, [N].
        shown: Attribute -> value that the model's tagger sees in each result, [N].
        judged: The same of the model's judge, which no edit goes by; empty for a model without.
    """

    pixels: np.ndarray
    drawn_before: np.ndarray
    w_plus: np.ndarray
    reconstruction_mse: np.ndarray
    distances_before: Mapping[str, np.ndarray]
    distances_after: Mapping[str, np.ndarray]
    shown: Mapping[str, Sequence[str]]
    judged: Mapping[str, Sequence[str]]

    def figures(self, index: int) -> dict[str, Any]:
        """What is known about one face, rounded, for a record."""
        return {
            "reconstruction_mse": round(float(self.reconstruction_mse[index]), 6),
            "distance_before": _rounded(self.distances_before, index),
            "distance_after": _rounded(self.distances_after, index),
            "shown": {attribute: values[index] for attribute, values in self.shown.items()},
            "judged": {attribute: values[index] for attribute, values in self.judged.items()},
        }


def invert_faces(
    faces: np.ndarray,
    bundle: Bundle,
    num_steps: int,
    batch_size: int,
    on_progress: Callable[[int, int, str], None],
) -> np.ndarray:
    """Find the codes of faces: the encoder's answer, refined.

    Args:
        faces: uint8, [N, R, R, 3], N at least 1.
        bundle: The model.
        num_steps: Steps of refinement; 0 for the encoder alone.
        batch_size: Faces per pass.
        on_progress: Called as `refine` does.

    Returns:
        w_plus, float32, [N, num_ws, w_dim].
    """
    images = images_from_pixels(faces).to(bundle.device)
    with torch.no_grad():
        w_plus = torch.cat([bundle.encoder(part) for part in images.split(batch_size)])
    if num_steps:
        w_plus = refine(
            images,
            w_plus,
            bundle.generator,
            bundle.encoder,
            bundle.features.feature_maps,
            **{**bundle.description["refinement"], "num_steps": num_steps},
            batch_size=batch_size,
            bf16=bundle.bf16,
            on_progress=on_progress,
        )
    return w_plus.cpu().numpy()


def edit_faces(
    faces: np.ndarray,
    w_plus: np.ndarray,
    bundle: Bundle,
    changes: Mapping[str, str],
    keep: Sequence[str],
    strength: Strength,
    redraw: bool,
    batch_size: int,
) -> EditedFaces:
    """Edit faces by their codes.

    Args:
        faces: uint8, [N, R, R, 3]: what was inverted.
        w_plus: Their codes, [N, num_ws, w_dim].
        bundle: The model.
        changes, keep, strength: As `nfe.editing.edit_codes` takes them; "auto" goes as far as
            the model's tagger sees the change in what people get.
        redraw: Whether results are the generator's pictures, or the faces themselves with the
            change laid over them: what `shown` and `judged` are about.
        batch_size: Faces per pass.

    Raises:
        ParamsError: If the model cannot make such an edit.
    """
    drawn = synthesise(w_plus, bundle, batch_size)
    before_pixels = pixels_from_images(drawn)
    laying = Laying.of_model(bundle.description, changes)
    guard, boundaries = Guard.of_model(bundle.description), bundle.boundaries

    def draw(codes: np.ndarray) -> np.ndarray:
        return pixels_from_images(synthesise(codes, bundle, batch_size))

    levels = guard.places(w_plus, before_pixels, draw, boundaries, changes, keep)

    def draw_guarded(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
        return guard.hold_back(before_pixels[places], draw(codes), levels[places])

    def show(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
        made = draw_guarded(codes, places)
        if redraw:
            return made
        return lay_over(faces[places], before_pixels[places], made, laying)

    if strength == "auto":
        edited = auto_editor(bundle).edit(w_plus, show, changes, keep)
    else:
        edited = edit_codes(w_plus, boundaries, changes, keep, strength)
    targets = [b for b in boundaries if changes.get(b.attribute) == b.value]
    before, after = (
        dict(zip([b.name for b in targets], d.T, strict=True))
        for d in (measure_distances(codes.mean(axis=1), targets) for codes in (w_plus, edited))
    )
    errors = drawn - images_from_pixels(faces)
    everyone = np.arange(len(edited))
    seen = show(edited, everyone)
    return EditedFaces(
        draw_guarded(edited, everyone),
        before_pixels,
        edited,
        errors.square().mean(dim=(1, 2, 3)).numpy(),
        before,
        after,
        _names(seen, bundle.tagger, bundle),
        {} if bundle.judge is None else _names(seen, bundle.judge, bundle),
    )


def auto_editor(bundle: Bundle) -> AutoEditor:
    """Return the model's way to find automatic edits."""
    description = bundle.description
    return AutoEditor(
        bundle.boundaries, bundle.tagger, description["attribute_tags"], **description["editing"]
    )


def strip_faces(
    w_plus: np.ndarray,
    bundle: Bundle,
    changes: Mapping[str, str],
    keep: Sequence[str],
    batch_size: int,
) -> np.ndarray:
    """Show each face moved along an edit from -3 to 3 standard deviations.

    Args:
        w_plus: Codes, [N, num_ws, w_dim].
        bundle, changes, keep, batch_size: As in `edit_faces`.

    Returns:
        uint8, [N, 7, R, R, 3].
    """
    targets = [b for b in bundle.boundaries if changes.get(b.attribute) == b.value]
    kept = [b for b in bundle.boundaries if b.attribute in keep]
    steps = edit_strip(w_plus, targets, STRIP_OFFSETS, kept)  # [N, 7, num_ws, w_dim]
    pixels = pixels_from_images(synthesise(steps.reshape(-1, *steps.shape[2:]), bundle, batch_size))
    return pixels.reshape(*steps.shape[:2], *pixels.shape[1:])


def synthesise(w_plus: np.ndarray, bundle: Bundle, batch_size: int) -> torch.Tensor:
    """Images of codes [N, num_ws, w_dim]: [N, 3, R, R], on the CPU."""
    codes = torch.from_numpy(w_plus).float().to(bundle.device)
    with torch.no_grad():
        parts = [bundle.generator.synthesis(part).float() for part in codes.split(batch_size)]
    return torch.cat(parts).cpu()


def _names(pixels: np.ndarray, tagger: Tagger, bundle: Bundle) -> dict[str, Sequence[str]]:
    """Attribute -> value that a tagger sees in each face."""
    labels = shown_labels(pixels, tagger, bundle.description["attribute_tags"])
    return {attribute: label.names() for attribute, label in labels.items()}


def _rounded(distances: Mapping[str, np.ndarray], index: int) -> dict[str, float]:
    return {name: round(float(values[index]), 4) for name, values in distances.items()}
