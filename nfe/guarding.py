"""Keep an edit away from the places where kept attributes are shown."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from nfe.boundaries import Boundary
from nfe.editing import edit_codes
from nfe.errors import ParamsError

__all__ = ["Draw", "Guard", "change_levels"]

Draw = Callable[[np.ndarray], np.ndarray]
"""Codes [M, num_ws, w_dim] -> the generator's pictures, uint8, [M, H, W, 3]."""

BLUR = 1.0  # pixels, so that a place is no speckle
SHARPNESS = 4  # power of the levels: a soft step between what an edit may change and may not


@dataclass(frozen=True)
class Guard:
    """Which attributes have a place that edits keep away from where they are kept.

    The code's distance from a kept boundary stays as it is, and yet blue hair tints the eyes a
    little, for the generator draws both from one code. Where their own edits would change the
    picture more than the edit at hand does, there the edit is held back.

    Attributes:
        attributes: Those that show in one place, such as the colour of eyes.
        factor: How much more an edit must change a pixel than theirs do, to be let through.
    """

    attributes: Sequence[str]
    factor: float

    @classmethod
    def of_model(cls, description: Mapping[str, Any]) -> "Guard":
        """Read it from the content of a model's model.json."""
        return cls(**description["guard"])

    def places(
        self,
        w_plus: np.ndarray,
        drawn: np.ndarray,
        draw: Draw,
        boundaries: Sequence[Boundary],
        changes: Collection[str],
        keep: Sequence[str],
    ) -> np.ndarray:
        """Find where the guarded ones of the kept attributes show.

        Args:
            w_plus: Codes of N faces, [N, num_ws, w_dim].
            drawn: Their pictures, uint8, [N, H, W, 3].
            draw: Makes such pictures.
            boundaries: All of one space.
            changes: Attributes that the edit at hand changes.
            keep: Attributes whose distances it does not change.

        Returns:
            Levels by which edits of these attributes, to each value in turn, change a pixel: the
            median over the values, the most over the attributes, [N, H, W]; 0 where none is kept.
        """
        kept = sorted({*self.attributes} & {*keep})
        found = [_place(a, w_plus, drawn, draw, boundaries, changes) for a in kept]
        return np.max([np.zeros(drawn.shape[:3], dtype=np.float32), *found], axis=0)

    def hold_back(self, before: np.ndarray, after: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Take back what an edit changed in those places.

        Args:
            before: Pictures before the edit, uint8, [N, H, W, 3].
            after: The same after it.
            places: As `places` returns them, [N, H, W].

        Returns:
            uint8, [N, H, W, 3]: with e the levels of the edit and p those of the places, the share
            e^4 / (e^4 + (factor p)^4) of the change is left.
        """
        if not places.any():
            return after
        edit = change_levels(before, after) ** SHARPNESS
        share = edit / np.maximum(edit + (self.factor * places) ** SHARPNESS, 1e-6)
        held = before + share[..., None] * (after.astype(np.float32) - before)
        return np.clip(np.rint(held), 0, 255).astype(np.uint8)


def _place(
    attribute: str,
    w_plus: np.ndarray,
    drawn: np.ndarray,
    draw: Draw,
    boundaries: Sequence[Boundary],
    changes: Collection[str],
) -> np.ndarray:
    """Return the median, over an attribute's values, of what edits to them change, [N, H, W].

    The edits keep what `changes` changes; 0 where no value can be told from that.
    """
    found = []
    for value in [b.value for b in boundaries if b.attribute == attribute]:
        try:
            edited = edit_codes(w_plus, boundaries, {attribute: value}, list(changes), "auto")
        except ParamsError:  # this one cannot be told from what changes
            continue
        found.append(change_levels(drawn, draw(edited)))
    if not found:
        return np.zeros(drawn.shape[:3], dtype=np.float32)
    return np.median(found, axis=0)


def change_levels(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return by how many levels pictures differ, the most of the channels, slightly blurred.

    Args:
        before: uint8, [N, H, W, 3].
        after: The same shape.

    Returns:
        float32, [N, H, W].
    """
    levels = np.abs(after.astype(np.float32) - before).max(axis=3)
    return ndimage.gaussian_filter(levels, sigma=(0, BLUR, BLUR))
