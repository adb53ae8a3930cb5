"""Pictures of evaluate_encoder: codes among sampled ones, and distortion against editability."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

__all__ = ["draw_overlap", "draw_trade_off", "spread_labels"]

PANELS_PER_ROW = 4
SAMPLED, INVERTED = "#b8bcc4", "#d1495b"


def draw_overlap(path: Path, codes: "Mapping[str, np.ndarray]", sampled: "np.ndarray") -> None:
    """Draw inverted over sampled codes, a panel per method, in the two main axes of the sampled.

    Args:
        path: PNG to write.
        codes: Method -> codes of each layer of each picture, [K, w_dim].
        sampled: [M, w_dim].
    """
    from matplotlib.figure import Figure
    from sklearn.decomposition import PCA

    pca = PCA(2, random_state=0).fit(sampled)
    flat = pca.transform(sampled)
    columns = min(len(codes), PANELS_PER_ROW)
    rows = -(-len(codes) // columns)
    figure = Figure(figsize=(3.4 * columns, 3.4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (method, own) in zip(axes, codes.items(), strict=False):
        axis.scatter(*flat.T, s=4, color=SAMPLED, label="sampled", linewidths=0)
        axis.scatter(
            *pca.transform(own).T, s=6, color=INVERTED, alpha=0.6, label="inverted", linewidths=0
        )
        axis.set_title(method.replace("_", " "))
    for axis in axes[len(codes) :]:
        axis.set_axis_off()
    figure.supxlabel("first axis of sampled w")
    figure.supylabel("second axis of sampled w")
    axes[0].legend(loc="upper left", frameon=False)
    _save(figure, path)


def draw_trade_off(path: Path, errors: Mapping[str, float], successes: Mapping[str, float]) -> None:
    """Draw a point per method: the error of reconstruction against the success of edits.

    Args:
        path: PNG to write.
        errors: Method -> mean squared error.
        successes: Method -> share of edits that succeed, in [0, 1].
    """
    from matplotlib.figure import Figure

    names = sorted(successes, key=lambda name: (successes[name], -errors[name]))
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.set_ylim(-0.05, 1.05)
    heights = [successes[name] for name in names]
    for i, (name, beside) in enumerate(zip(names, spread_labels(heights, 0.06), strict=True)):
        colour, point = f"C{i % 10}", (errors[name], heights[i])
        axis.scatter(*point, s=40, color=colour, zorder=3)
        axis.annotate(
            name.replace("_", " "),
            point,
            xytext=(1.03, beside),
            textcoords=axis.get_yaxis_transform(),
            va="center",
            color=colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "alpha": 0.5},
        )
    axis.set_xlabel("mean squared error of the reconstruction (left is better)")
    axis.set_ylabel("edits that the judge sees (up is better)")
    axis.grid(color="#ececf0")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def spread_labels(heights: list[float], gap: float) -> list[float]:
    """Return heights, rising, at least `gap` apart and near the given rising ones."""
    low = list(heights)
    for i in range(1, len(low)):
        low[i] = max(low[i], low[i - 1] + gap)
    over = max(0.0, low[-1] - 1.0) if low else 0.0
    if over:
        low[-1] -= over
        for i in range(len(low) - 2, -1, -1):
            low[i] = min(low[i], low[i + 1] - gap)
    return low


def _save(figure: "Figure", path: Path) -> None:
    from nfe.files import atomic_path

    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110, format="png", metadata={"Software": None})
