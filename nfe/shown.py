"""What pictures show, as a tagger sees them."""

from collections.abc import Mapping

import numpy as np

from nfe.tagging.attributes import Attributes, Labels, label_attributes, value_scores
from nfe.tagging.tagger import Tagger

__all__ = ["are_shown", "rate_edits", "shown_labels"]


def shown_labels(pixels: np.ndarray, tagger: Tagger, attributes: Attributes) -> dict[str, Labels]:
    """Return the most probable value of each attribute that the tagger knows, however unsure.

    Args:
        pixels: uint8, [N, H, W, 3].
        tagger: Whose answer it is.
        attributes: The attribute table.
    """
    scores = tagger.tag_scores(pixels)
    return label_attributes(scores, tagger.tags, attributes, min_confidence=0.0, min_score=0.0)


def are_shown(labels: Mapping[str, Labels], changes: Mapping[str, str]) -> np.ndarray:
    """Tell which of N pictures show all values asked for.

    Args:
        labels: What they show, of one attribute at least.
        changes: Attribute -> value; attributes without labels are taken as shown.

    Returns:
        bool, [N].
    """
    shown = np.ones(len(next(iter(labels.values())).index), dtype=bool)
    for attribute, value in changes.items():
        if attribute in labels:
            shown &= np.array(labels[attribute].names()) == value
    return shown


def rate_edits(
    pixels: np.ndarray,
    tagger: Tagger,
    attributes: Attributes,
    changes: Mapping[str, str],
    others: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Tell how sure a tagger is that edited pictures show what they shall, and only that.

    It looks at each picture, at its mirror image and at a blurred copy: generators that learn from
    a tagger find details that only this tagger, and only so, takes for the change.

    Args:
        pixels: uint8, [N, H, W, 3].
        tagger: Whose answer it is.
        attributes: The attribute table.
        changes: Attribute -> value; those that the tagger does not know count as shown.
        others: Attribute -> the value that each picture had before, "" where it is not known, [N].

    Returns:
        Certainty: the least probability of the values of `changes` in any of the three, in [0, 1],
        [N]; and how much stayed: the mean probability of the values of `others`, in [0, 1], [N],
        1 without any.
    """
    wanted = {name: np.full(len(pixels), value) for name, value in changes.items()}
    sure, stays = [np.ones(len(pixels))], []
    for view in (pixels, pixels[:, :, ::-1], _blurred(pixels)):
        scores = tagger.tag_scores(np.ascontiguousarray(view))
        sure += [_shares(scores, tagger, attributes, *pair) for pair in wanted.items()]
        stays += [_shares(scores, tagger, attributes, *pair) for pair in others.items()]
    return np.min(sure, axis=0), np.mean(stays or [np.ones(len(pixels))], axis=0)


def _blurred(pixels: np.ndarray) -> np.ndarray:
    """Blur pictures [N, H, W, 3] a little: binomial weights 1, 2, 1 along both axes."""
    padded = np.pad(pixels.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    blurred = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    return blurred.round().astype(np.uint8)


def _shares(
    scores: np.ndarray, tagger: Tagger, attributes: Attributes, name: str, values: np.ndarray
) -> np.ndarray:
    """Probability of a picture's own value of an attribute, [N]; 1 where it is not known."""
    known, own = value_scores(scores, tagger.tags, name, attributes.get(name, {}))
    shares = np.ones(len(scores))
    if len(known) > 1:
        total = own.sum(axis=1)
        for place, value in enumerate(known):
            chosen = (values == value) & (total > 0)
            shares[chosen] = own[chosen, place] / total[chosen]
    return shares
