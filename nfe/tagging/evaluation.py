"""How right and how honest a tagger is, per attribute, on pictures it did not learn from."""

from collections.abc import Sequence

import numpy as np
import torch

from nfe.tagging.calibration import best_thresholds, expected_calibration_error
from nfe.tagging.groups import Group, log_probabilities, probabilities, tags_of

__all__ = ["attribute_figures", "label_ceilings", "tag_thresholds"]

NUM_BINS = 10
BETAS = (0.5, 1.0, 2.0)


def attribute_figures(
    logits: torch.Tensor, labels: np.ndarray, groups: Sequence[Group]
) -> dict[str, dict[str, float]]:
    """Return accuracy and calibration of each attribute, over the pictures whose value is known.

    Args:
        logits: [N, T].
        labels: Index of the value per group, [N, G], -1 where it is not known.
        groups: The G groups.

    Returns:
        Attribute -> `accuracy` of the most probable value, `accuracy_surer_half`: over the half
        with the greater confidence, `chance`: share of the commonest value,
        `calibration_error`: expected, over 10 bins, `num_pictures`. An attribute without any
        known picture is left out.
    """
    figures = {}
    for column, scores in enumerate(log_probabilities(logits, groups)):
        known = labels[:, column] >= 0
        if not known.any():
            continue
        shares, truth = scores.exp().numpy()[known], labels[known, column]
        confidence, correct = shares.max(axis=1), shares.argmax(axis=1) == truth
        surer = _surer_half(confidence)
        figures[groups[column].attribute] = {
            "accuracy": float(correct.mean()),
            "accuracy_surer_half": float(correct[surer].mean()),
            "chance": float(np.bincount(truth).max() / len(truth)),
            "calibration_error": expected_calibration_error(confidence, correct, NUM_BINS),
            "num_pictures": len(truth),
        }
    return figures


def label_ceilings(
    first: torch.Tensor, second: torch.Tensor, labels: np.ndarray, groups: Sequence[Group]
) -> dict[str, dict[str, float]]:
    """Estimate how right any tagger can be, per attribute, when some labels are wrong.

    Where two networks that learned from different labels agree on another value than the picture's
    label, the label is taken to be wrong: no tagger can be expected to find it.

    Args:
        first: Logits of one network, [N, T].
        second: Logits of the other, alike.
        labels: Index of the value per group, [N, G], -1 where it is not known.
        groups: The G groups.

    Returns:
        Attribute -> share of known labels that the two do not agree against, in [0, 1]:
        `accuracy` over all of them, `accuracy_surer_half` over those of the pictures that the
        first is surer of.
    """
    ceilings = {}
    pairs = zip(log_probabilities(first, groups), log_probabilities(second, groups), strict=True)
    for column, scores in enumerate(pairs):
        known = labels[:, column] >= 0
        if not known.any():
            continue
        one, other = (values.argmax(dim=1).numpy()[known] for values in scores)
        possible = (one != other) | (one == labels[known, column])
        confidence = scores[0].amax(dim=1).numpy()[known]
        ceilings[groups[column].attribute] = {
            "accuracy": float(possible.mean()),
            "accuracy_surer_half": float(possible[_surer_half(confidence)].mean()),
        }
    return ceilings


def _surer_half(confidence: np.ndarray) -> np.ndarray:
    """Indices of the greater half of the confidences, ties by index."""
    return np.argsort(-confidence, kind="stable")[: (len(confidence) + 1) // 2]


def tag_thresholds(
    logits: torch.Tensor, labels: np.ndarray, groups: Sequence[Group]
) -> dict[str, tuple[float, ...]]:
    """Return for each tag its best thresholds for F0.5, F1 and F2.

    Args:
        logits: [N, T].
        labels: Index of the value per group, [N, G], -1 where it is not known.
        groups: The G groups.
    """
    present = np.stack(
        [
            np.where(labels[:, column] < 0, -1, labels[:, column] == value)
            for column, group in enumerate(groups)
            for value, tag in enumerate(group.tags)
            if tag
        ],
        axis=1,
    )
    scores = probabilities(logits, groups).numpy()
    best = np.stack([best_thresholds(scores, present, beta) for beta in BETAS], axis=1)
    return {tag: tuple(row) for tag, row in zip(tags_of(groups), best.tolist(), strict=True)}
