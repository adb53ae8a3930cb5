"""Edits that go as far as a tagger sees the change, and leave the rest as much as they can."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from nfe.boundaries import Boundary
from nfe.editing import edit_codes
from nfe.errors import ParamsError
from nfe.shown import rate_edits, shown_labels
from nfe.tagging.attributes import Attributes
from nfe.tagging.tagger import Tagger

__all__ = ["AutoEditor", "Show"]

Show = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Codes [M, num_ws, w_dim], and which pictures they are of, [M] -> pixels, [M, H, W, 3]."""


@dataclass(frozen=True)
class AutoEditor:
    """How an automatic edit is found.

    Codes of real pictures lie aside of where the generator's own codes lie; there an edit that
    suffices for the boundary may not yet be seen, and one that goes too far leaves what the
    generator can draw. So several edits are tried, and a tagger looks at each.

    Attributes:
        boundaries: All of one space.
        tagger: Says what pictures show; whoever judges the edits must be another one.
        attributes: The attribute table.
        scales: Rising multiples of the edit to where codes with the value lie.
        first_layers: An edit is tried from each of these layers to the last: colours are a
            matter of the later ones, which leave the shape.
        min_confidence: How sure the tagger must be that it sees the change, in [0, 1].
    """

    boundaries: Sequence[Boundary]
    tagger: Tagger
    attributes: Attributes
    scales: Sequence[float]
    first_layers: Sequence[int]
    min_confidence: float

    def edit(
        self, w_plus: np.ndarray, show: Show, changes: Mapping[str, str], keep: Sequence[str]
    ) -> np.ndarray:
        """Edit codes.

        What keeps some attributes is tried as asked, and with all others kept too. Of each of
        these and of each range of layers the first multiple that shows the change is taken; of
        those the one that leaves the other attributes most as they were. Where none shows it, it
        is the one with the greatest product of the tagger's sureness and the share of the others
        that stay: so a change that a face does not take does not spoil it.

        Args:
            w_plus: [N, num_ws, w_dim].
            show: What people see of codes.
            changes: Attribute -> target value.
            keep: Attributes whose distances must not change.

        Returns:
            Edited codes, [N, num_ws, w_dim], of the same dtype.

        Raises:
            ParamsError: If these boundaries cannot make such an edit, or a layer does not exist.
        """
        everyone = np.arange(len(w_plus))
        labels = shown_labels(show(w_plus, everyone), self.tagger, self.attributes)
        others = {a: np.array(own.names()) for a, own in labels.items() if a not in changes}
        result, best = w_plus.copy(), np.full(len(w_plus), -1.0)
        ranges = [(first, w_plus.shape[1]) for first in self.first_layers]
        for edited in self._whole_edits(w_plus, changes, keep, ranges):
            waiting = everyone
            for scale in self.scales:
                shift = scale * (edited[waiting] - w_plus[waiting])
                tried = (w_plus[waiting] + shift).astype(w_plus.dtype)
                own = {name: values[waiting] for name, values in others.items()}
                seen = show(tried, waiting)
                sure, stays = rate_edits(seen, self.tagger, self.attributes, changes, own)
                shown = sure >= self.min_confidence
                # Any that shows comes before any that does not.
                worth = np.where(shown, 1 + stays, sure * stays)
                better = worth > best[waiting]
                result[waiting[better]] = tried[better]
                best[waiting[better]] = worth[better]
                waiting = waiting[~shown]
                if not len(waiting):
                    break
        return result

    def _whole_edits(
        self,
        w_plus: np.ndarray,
        changes: Mapping[str, str],
        keep: Sequence[str],
        ranges: Sequence[tuple[int, int]],
    ) -> Iterator[np.ndarray]:
        """Edit codes to where codes with the values lie, in every way that is tried."""
        for layers in ranges:
            yield edit_codes(w_plus, self.boundaries, changes, keep, "auto", layers)
        every = sorted({b.attribute for b in self.boundaries} - {*changes})
        if not keep or {*keep} == {*every}:
            return
        with suppress(ParamsError):  # all kept may leave no way to change
            for layers in ranges:
                yield edit_codes(w_plus, self.boundaries, changes, every, "auto", layers)
