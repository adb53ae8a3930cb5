"""Edits of many pictures at once, and what a judge sees of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nfe.auto_editing import AutoEditor, Show
from nfe.editing import Strength, edit_codes
from nfe.metrics.edit_quality import measure_edit
from nfe.shown import shown_labels
from nfe.tagging.tagger import Tagger

__all__ = ["Studio"]


@dataclass(frozen=True)
class Studio:
    """How edits are made and seen.

    Attributes:
        editor: Makes automatic edits.
        judge: Says what pictures show.
        strength: "auto", or a distance in W units.
    """

    editor: AutoEditor
    judge: Tagger
    strength: Strength

    def look(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return the judge's value of every attribute it knows, [N] each, for N pictures."""
        labels = shown_labels(pixels, self.judge, self.editor.attributes)
        return {name: np.array(label.names()) for name, label in labels.items()}

    def edit(
        self, w_plus: np.ndarray, show: Show, changes: Mapping[str, str], keep: Sequence[str]
    ) -> np.ndarray:
        """Edit codes.

        Args:
            w_plus: [N, num_ws, w_dim].
            show: What people see of them and of edited ones.
            changes: Attribute -> target value.
            keep: Attributes whose distances must not change.

        Returns:
            Edited codes, [N, num_ws, w_dim].

        Raises:
            ParamsError: If these boundaries cannot make such an edit.
        """
        if self.strength == "auto":
            return self.editor.edit(w_plus, show, changes, keep)
        return edit_codes(w_plus, self.editor.boundaries, changes, keep, self.strength)

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
