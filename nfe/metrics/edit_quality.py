"""Does an edit do what it was asked, and only that? As a judge sees it, before and after."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

__all__ = ["mean_over_edits", "measure_edit"]


def measure_edit(
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
    changes: Mapping[str, str],
    keep: Collection[str],
) -> dict[str, float]:
    """Measure success and preservation of one edit.

    Success is measured on the images that did not show all target values before: the share of
    them that does after. Preservation is the share of answers about the attributes that were
    not to change which stayed the same, over the same images.

    Args:
        before: Attribute -> the judge's value for each image, [N] each.
        after: The same for the edited images.
        changes: Attribute -> target value.
        keep: Attributes the edit was asked to keep.

    Returns:
        `num_images` (those that could change) and, when there are any, `success` and, where there
        are such attributes, `preservation` (mean over the attributes not changed), `kept` (mean
        over those of `keep`) and `preservation_<attribute>`.

    Raises:
        ValueError: If the judge does not know an attribute.
    """
    unknown = {*changes, *keep} - {*before}
    if unknown:
        raise ValueError(f"attributes must be known to the judge, got {sorted(unknown)}")
    had = np.all([before[attribute] == value for attribute, value in changes.items()], axis=0)
    has = np.all([after[attribute] == value for attribute, value in changes.items()], axis=0)
    chosen = ~had
    figures = {"num_images": float(chosen.sum())}
    if not chosen.any():
        return figures
    figures["success"] = float(has[chosen].mean())
    stayed = {
        attribute: float((before[attribute] == after[attribute])[chosen].mean())
        for attribute in before
        if attribute not in changes
    }
    if stayed:
        figures["preservation"] = float(np.mean([*stayed.values()]))
    if keep:
        figures["kept"] = float(np.mean([stayed[attribute] for attribute in keep]))
    return figures | {f"preservation_{name}": share for name, share in stayed.items()}


def mean_over_edits(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means of success and preservation of several edits, weighted by their images.

    Args:
        figures: What `measure_edit` returned of each.

    Returns:
        `success` and `preservation`, each left out where no edit has it.
    """
    means = {}
    for name in ("success", "preservation"):
        own = [each for each in figures if name in each]
        total = sum(each["num_images"] for each in own)
        if total:
            means[name] = sum(each[name] * each["num_images"] for each in own) / total
    return means
