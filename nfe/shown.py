"""What pictures show, as a tagger sees them."""

from collections.abc import Mapping

import numpy as np

from nfe.tagging.attributes import Attributes, Labels, label_attributes
from nfe.tagging.tagger import Tagger

__all__ = ["are_shown", "shown_labels"]


def shown_labels(pixels: np.ndarray, tagger: Tagger, attributes: Attributes) -> dict[str, Labels]:
    """Return the most probable value of each attribute that the tagger knows, however unsure.

    Args:
        pixels: uint8, [N, H, W, 3].
        tagger: Whose answer it is.
        attributes: The attribute table.
    """
    scores = tagger.tag_scores(pixels)
    return label_attributes(scores, tagger.tags, attributes, min_confidence=0.0, min_score=0.0)


def are_shown(
    labels: Mapping[str, Labels], changes: Mapping[str, str], min_confidence: float
) -> np.ndarray:
    """Tell which of N pictures show all values asked for.

    Args:
        labels: What they show, of one attribute at least.
        changes: Attribute -> value; attributes without labels are taken as shown.
        min_confidence: How sure the answer must be, in [0, 1].

    Returns:
        bool, [N].
    """
    shown = np.ones(len(next(iter(labels.values())).index), dtype=bool)
    for attribute, value in changes.items():
        if attribute in labels:
            label = labels[attribute]
            shown &= (np.array(label.names()) == value) & (label.confidence >= min_confidence)
    return shown
