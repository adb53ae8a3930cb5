"""Which values of which attributes a tagger learns, and how its outputs are laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from nfe.errors import ModelFileError, TagsError
from nfe.tagging.attributes import Attributes

__all__ = ["Group", "choose_groups", "log_probabilities", "probabilities", "tags_of"]


@dataclass(frozen=True)
class Group:
    """The values of one attribute, of which a picture has exactly one.

    Attributes:
        attribute: Name of the attribute.
        values: Names of the values, in the order of the classes.
        tags: The output tag of each value; "" for the value without tags, which has no output:
            its logit is 0.
    """

    attribute: str
    values: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def num_outputs(self) -> int:
        """Number of the network's outputs that belong to the group."""
        return sum(tag != "" for tag in self.tags)

    @classmethod
    def from_json(cls, value: Any) -> "Group":
        """Read a group from a tagger's description.

        Raises:
            ModelFileError: If it is not one.
        """
        try:
            return cls(str(value["attribute"]), tuple(value["values"]), tuple(value["tags"]))
        except (KeyError, TypeError) as error:
            raise ModelFileError(
                f"group must have attribute, values and tags, got {value!r}; train the tagger again"
            ) from error


def tags_of(groups: Sequence[Group]) -> tuple[str, ...]:
    """Return the tags of all groups in the order of the network's outputs."""
    return tuple(tag for group in groups for tag in group.tags if tag)


def choose_groups(
    attributes: Attributes,
    labels: Mapping[str, np.ndarray],
    min_pictures: int,
) -> tuple[list[Group], dict[str, np.ndarray], dict[str, str]]:
    """Keep the values that occur often enough and the attributes with two such values.

    Args:
        attributes: Attribute -> value -> its tags.
        labels: Attribute -> index of the value, [N], -1 where it is not known.
        min_pictures: Fewest pictures of a value.

    Returns:
        The groups, the labels in terms of their values (attribute -> [N]), and what was left
        out: `attribute` or `attribute=value` -> reason.

    Raises:
        TagsError: If no attribute has two values that occur often enough.
    """
    groups: list[Group] = []
    kept_labels: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    taken: set[str] = set()
    for attribute, values in attributes.items():
        counts = np.bincount(labels[attribute] + 1, minlength=len(values) + 1)[1:]
        kept = [i for i in range(len(values)) if counts[i] >= min_pictures]
        few = {f"{attribute}={v}": int(counts[i]) for i, v in enumerate(values) if i not in kept}
        left_out.update({v: f"{n} pictures, fewer than {min_pictures}" for v, n in few.items()})
        if len(kept) < 2:
            left_out[attribute] = f"{len(kept)} values with {min_pictures} pictures, two are needed"
            continue
        names = [list(values)[i] for i in kept]
        tags = [_output_tag(attribute, name, attributes, taken) for name in names]
        taken.update(tags)
        groups.append(Group(attribute, tuple(names), tuple(tags)))
        place = np.full(len(values) + 1, -1)
        place[kept] = np.arange(len(kept))  # the last entry, index -1, stays unknown
        kept_labels[attribute] = place[labels[attribute]]
    if not groups:
        reasons = "; ".join(f"{n}: {r}" for n, r in left_out.items() if "=" not in n)
        raise TagsError(
            f"tags must tell two values of an attribute apart, each on {min_pictures} pictures or "
            f"more, got {reasons}; name other tagged pictures in train_tagger.source, or a ready "
            "tagger in train_tagger.teacher"
        )
    return groups, kept_labels, left_out


def _output_tag(attribute: str, value: str, attributes: Attributes, taken: set[str]) -> str:
    """Return the value's first tag, unless that tag means something else elsewhere."""
    words = attributes[attribute][value]
    if not words:
        return ""
    elsewhere = {
        word
        for other, values in attributes.items()
        if other != attribute
        for tags in values.values()
        for word in tags
    }
    plain = words[0] not in taken and (len(words) == 1 or not elsewhere & set(words))
    return words[0] if plain else f"{attribute}={value}"


def log_probabilities(logits: torch.Tensor, groups: Sequence[Group]) -> list[torch.Tensor]:
    """Return the log-probability of every value of each group: softmax within the group.

    Args:
        logits: [N, T], T as `tags_of(groups)`.
        groups: The groups in the order of the outputs.

    Returns:
        Per group [N, V]. A value without tags has logit 0, so that a group of one tag and
        such a value is a logistic sigmoid.
    """
    results = []
    start = 0
    for group in groups:
        columns = []
        for tag in group.tags:
            columns.append(logits[:, start : start + 1] if tag else torch.zeros_like(logits[:, :1]))
            start += tag != ""
        results.append(F.log_softmax(torch.cat(columns, dim=1), dim=1))
    return results


def probabilities(logits: torch.Tensor, groups: Sequence[Group]) -> torch.Tensor:
    """Return the probabilities of the tags, [N, T], from logits, [N, T]."""
    parts = []
    for group, values in zip(groups, log_probabilities(logits, groups), strict=True):
        parts += [values[:, i : i + 1] for i, tag in enumerate(group.tags) if tag]
    return torch.cat(parts, dim=1).exp()
