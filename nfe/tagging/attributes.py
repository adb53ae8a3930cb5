"""From tags, or their scores, to one value per attribute, with a confidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Attributes",
    "Labels",
    "contradict_themselves",
    "label_attributes",
    "labels_from_tags",
    "value_scores",
]

Attributes = Mapping[str, Mapping[str, Sequence[str]]]  # attribute -> value -> its tags


@dataclass(frozen=True)
class Labels:
    """One attribute of N pictures.

    Attributes:
        values: The values that could be told apart.
        index: Index into `values`, int64, [N]; -1 where the attribute is not known.
        confidence: Probability of the most probable value, float32, [N], known or not.
    """

    values: tuple[str, ...]
    index: np.ndarray
    confidence: np.ndarray

    def names(self) -> list[str]:
        """Return the value of each picture, "" where it is not known."""
        return [self.values[i] if i >= 0 else "" for i in self.index]


def label_attributes(
    tag_scores: np.ndarray,
    tags: Sequence[str],
    attributes: Attributes,
    min_confidence: float,
    min_score: float,
) -> dict[str, Labels]:
    """Take the most probable value of each attribute.

    The score of a value is the sum of its tags' scores, at most 1; of a value without tags
    1 minus the others' sum, at least 0. Scores are normalised within the attribute, which
    gives the confidence. A picture is not labelled (-1) below `min_confidence`, or where the
    score itself is below `min_score`: a tagger of independent tags may have seen none of them.

    Args:
        tag_scores: Probabilities of the tags, [N, T], in [0, 1].
        tags: The T tags, with underscores.
        attributes: Attribute -> value -> its tags.
        min_confidence: Least normalised probability of a label, in [0, 1].
        min_score: Least score of a label before normalisation, in [0, 1].

    Returns:
        Labels of every attribute of which the tagger knows two values or more. Values none
        of whose tags it knows are left out.
    """
    labels = {}
    for attribute, values in attributes.items():
        names, scores = value_scores(tag_scores, tags, attribute, values)
        if len(names) < 2:
            continue
        total = scores.sum(axis=1, keepdims=True)
        shares = np.divide(scores, total, out=np.zeros_like(scores), where=total > 0)
        best = shares.argmax(axis=1)
        rows = np.arange(len(best))
        sure = (shares[rows, best] >= min_confidence) & (scores[rows, best] >= min_score)
        sure &= total[:, 0] > 0
        confidence = shares[rows, best].astype(np.float32)
        labels[attribute] = Labels(names, np.where(sure, best, -1), confidence)
    return labels


def value_scores(
    tag_scores: np.ndarray, tags: Sequence[str], attribute: str, values: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the values of an attribute that the tagger knows, and their scores, [N, V].

    A tag named `attribute=value` is the score of exactly that value; other tags then do not
    count for it.
    """
    column = {tag: i for i, tag in enumerate(tags)}
    columns: dict[str, list[int]] = {}
    for value, words in values.items():
        own = column.get(f"{attribute}={value}")
        columns[value] = [column[w] for w in words if w in column] if own is None else [own]
    known = tuple(v for v, words in values.items() if columns[v] or not words)
    if not any(columns.values()):
        return (), np.zeros((len(tag_scores), 0))
    sums = np.stack(
        [tag_scores[:, columns[v]].sum(axis=1, dtype=np.float64) for v in known], axis=1
    )
    for place, value in enumerate(known):
        if not columns[value]:
            sums[:, place] = 1 - sums.sum(axis=1)
    return known, sums.clip(0, 1)


def labels_from_tags(
    picture_tags: Sequence[Sequence[str]], values: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """Read one attribute from pictures' tags, so that noisy tags teach nothing false.

    A picture with tags of two values is unknown; one with none of them has the value without
    tags if the attribute has such a value, else it is unknown; one without any tag is unknown.

    Returns:
        Index of the value, int64, [N]; -1 where it is not known.
    """
    absent = next((i for i, words in enumerate(values.values()) if not words), -1)
    labels = np.full(len(picture_tags), -1, dtype=np.int64)
    for row, found in enumerate(_values_found(picture_tags, values)):
        if len(found) == 1:
            labels[row] = found.pop()
        elif not found and picture_tags[row]:
            labels[row] = absent
    return labels


def contradict_themselves(
    picture_tags: Sequence[Sequence[str]], attributes: Attributes
) -> np.ndarray:
    """Tell which pictures have tags of two values of one attribute.

    Tags are of whole pictures: two colours of hair are two people's, and of whom the eyes are
    nobody can tell. So no tag of such a picture is to be learnt, whatever the attribute.

    Returns:
        bool, [N].
    """
    several = [
        [len(found) > 1 for found in _values_found(picture_tags, values)]
        for values in attributes.values()
    ]
    return np.any(several, axis=0)


def _values_found(
    picture_tags: Sequence[Sequence[str]], values: Mapping[str, Sequence[str]]
) -> list[set[int]]:
    """Return for each picture the indices of the values that its tags name."""
    value_of = {tag: i for i, words in enumerate(values.values()) for tag in words}
    return [{value_of[word] for word in words if word in value_of} for words in picture_tags]
