"""Edits of many pictures at once, made by boundaries and a tagger, and seen by a judge."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nfe.boundaries import Boundary
from nfe.editing import Strength, edit_codes, extend_edits
from nfe.metrics.edit_quality import measure_edit
from nfe.shown import are_shown, shown_labels
from nfe.tagging.attributes import Attributes
from nfe.tagging.tagger import Tagger

__all__ = ["Studio", "Synthesise"]

Synthesise = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Codes [M, num_ws, w_dim], and which pictures they are of, [M] -> pixels, [M, H, W, 3]."""


@dataclass(frozen=True)
class Studio:
    """How edits are made and seen.

    Attributes:
        boundaries: All of one space.
        tagger: Decides how far an automatic edit goes.
        judge: Says what pictures show.
        attributes: The attribute table.
        strength: "auto", or a distance in W units.
        scales: Rising multiples of an automatic edit to try until the tagger sees the change.
        min_confidence: How sure the tagger must be that it sees it, in [0, 1].
    """

    boundaries: Sequence[Boundary]
    tagger: Tagger
    judge: Tagger
    attributes: Attributes
    strength: Strength
    scales: Sequence[float]
    min_confidence: float

    def look(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return the judge's value of every attribute it knows, [N] each, for N pictures."""
        labels = shown_labels(pixels, self.judge, self.attributes)
        return {name: np.array(label.names()) for name, label in labels.items()}

    def edit(
        self,
        w_plus: np.ndarray,
        synthesise: Synthesise,
        changes: Mapping[str, str],
        keep: Sequence[str],
    ) -> np.ndarray:
        """Edit codes.

        Args:
            w_plus: [N, num_ws, w_dim].
            synthesise: Makes pictures of them and of edited ones.
            changes: Attribute -> target value.
            keep: Attributes whose distances must not change.

        Returns:
            Edited codes, [N, num_ws, w_dim].

        Raises:
            ParamsError: If these boundaries cannot make such an edit.
        """
        edited = edit_codes(w_plus, self.boundaries, changes, keep, self.strength)
        if self.strength != "auto":
            return edited

        def shows(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
            labels = shown_labels(synthesise(codes, places), self.tagger, self.attributes)
            return are_shown(labels, changes, self.min_confidence)

        return extend_edits(w_plus, edited, self.scales, shows)

    def measure(
        self,
        before: Mapping[str, np.ndarray],
        after: Mapping[str, np.ndarray],
        changes: Mapping[str, str],
        keep: Sequence[str],
    ) -> dict[str, float]:
        """Return what `measure_edit` says of two answers of `look`, as far as the judge knows.

        Where the judge does not know an attribute that changes, no picture counts.
        """
        if not {*changes} <= {*before}:
            return {"num_images": 0.0}
        figures = measure_edit(before, after, changes, [name for name in keep if name in before])
        return {name: round(value, 4) for name, value in figures.items()}
