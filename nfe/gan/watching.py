"""Watching a run: how near its images are to the data, and whether it is in trouble."""

from dataclasses import dataclass

__all__ = ["Evaluation", "WatchLimits", "find_trouble"]


@dataclass(frozen=True)
class Evaluation:
    """One look at a generator's images.

    Attributes:
        frechet: Frechet distance of their features from the data's.
        diversity: Variance of their features, as a share of the data's; about 1 when as varied.
    """

    frechet: float
    diversity: float


@dataclass(frozen=True)
class WatchLimits:
    """What counts as trouble.

    Attributes:
        min_diversity: Least diversity, as a share of the greatest of the run so far.
        max_logit: Greatest mean logit of the discriminator, without its sign.
        max_rollbacks: Times that a run may go back to an earlier checkpoint.
    """

    min_diversity: float
    max_logit: float
    max_rollbacks: int


def find_trouble(history: list[dict[str, float]], limits: WatchLimits) -> str | None:
    """Tell what is wrong with the last row of a run's history, or None.

    Args:
        history: Rows with `diversity`, `real_logits` and `fake_logits`, oldest first.
        limits: What counts as trouble.
    """
    last = history[-1]
    for logit in (last["real_logits"], last["fake_logits"]):
        if not abs(logit) <= limits.max_logit:  # nor NaN
            return f"mean logits must stay within {limits.max_logit:g}, got {logit:.1f}"
    least = limits.min_diversity * max(row["diversity"] for row in history)
    if last["diversity"] < least:
        return f"diversity must stay above {least:.3f}, got {last['diversity']:.3f} (collapse)"
    return None
