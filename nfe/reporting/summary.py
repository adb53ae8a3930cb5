"""The handful of figures that matter, with one honest sentence each."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nfe.errors import SourceError
from nfe.reporting.figures import percent, readable

__all__ = ["Headline", "read_metrics", "summarise"]

Metrics = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Headline:
    """One figure.

    Attributes:
        stage: Whose figure it is.
        label: What it is.
        value: The figure.
        sentence: What it says, and what it does not.
    """

    stage: str
    label: str
    value: str
    sentence: str


def summarise(metrics: Metrics) -> list[Headline]:
    """Return the figures that matter, of those stages that have run.

    Args:
        metrics: Stage -> content of its metrics.json.
    """
    return [line for make in MAKERS for line in make(metrics)]


def read_metrics(data: Path) -> dict[str, Any]:
    """Return stage -> content of its metrics.json, of all stages with a folder in `data`.

    Raises:
        SourceError: If one is damaged.
    """
    metrics = {}
    for path in sorted(Path(data).glob("*/metrics.json")):
        try:
            metrics[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{path} must be readable JSON, got: {error}; "
                f"run `nfe run --force {path.parent.name}`"
            ) from error
    return metrics


def _faces(metrics: Metrics) -> Iterator[Headline]:
    own = metrics.get("curate", {})
    if "num_faces" in own:
        kept = own["num_train"] + own["num_holdout"]
        yield Headline(
            "curate",
            "Faces to learn from",
            readable(own["num_train"]),
            f"Of {own['num_faces']:,} faces found {kept:,} were kept; {own['num_holdout']:,} of "
            "these are held out, and nothing is trained on them.",
        )


def _generator(metrics: Metrics) -> Iterator[Headline]:
    own = metrics.get("evaluate_gan", {})
    if "fd_judge" in own:
        alike, covered = percent(own["precision_judge"]), percent(own["recall_judge"])
        yield Headline(
            "evaluate_gan",
            "Fréchet distance of samples",
            readable(float(own["fd_judge"])),
            f"Over the judge's features, which training never saw; {alike} of the samples look "
            f"like data, {covered} of the data is covered. It compares runs of this project and "
            "is not FID.",
        )
    if "fid" in own:
        yield Headline("evaluate_gan", "FID", readable(float(own["fid"])), "By pytorch-fid.")


def _judge(metrics: Metrics) -> Iterator[Headline]:
    own = metrics.get("train_tagger", {}).get("judge", {})
    shares = {k: v["accuracy"] for k, v in own.items() if isinstance(v, Mapping)}
    if shares:
        worst = min(shares, key=lambda name: shares[name])
        yield Headline(
            "train_tagger",
            "The judge is right",
            percent(sum(shares.values()) / len(shares)),
            f"Mean of {len(shares)} attributes on held-out pictures of the data; the hardest is "
            f"{worst.replace('_', ' ')} with {percent(shares[worst])}. On edited pictures nobody "
            "has checked the judge.",
        )


def _boundaries(metrics: Metrics) -> Iterator[Headline]:
    own = metrics.get("fit_boundaries", {})
    shares = [
        (v["remaining_balanced_accuracy"], v["num_values"])
        for v in own.values()
        if isinstance(v, Mapping) and "remaining_balanced_accuracy" in v
    ]
    if shares:
        total = sum(count for _, count in shares)
        left_out = own["num_skipped"]
        yield Headline(
            "fit_boundaries",
            "Boundaries are right",
            percent(sum(share * count for share, count in shares) / total),
            f"Balanced accuracy of {own['num_boundaries']} boundaries on samples they were not "
            f"fitted on, the unsure ones among them; half would be chance. "
            f"{left_out or 'No'} value{'' if left_out == 1 else 's'} had to be left out.",
        )


def _inversion(metrics: Metrics) -> Iterator[Headline]:
    own = metrics.get("invert", {})
    if "psnr" in own:
        yield Headline(
            "invert",
            "Reconstruction, PSNR",
            f"{own['psnr']:.1f} dB",
            f"Mean of {own['num_images']} pictures, {own['seconds_per_image']:.2g} s each; "
            f"the encoder alone reaches {own['encoder_psnr']:.1f} dB. Details that the generator "
            "cannot draw are lost.",
        )


def _edits(metrics: Metrics) -> Iterator[Headline]:
    own = metrics.get("edit", {})
    if "conditional_inverted_success" in own:
        success, sampled = (
            own[f"conditional_{kind}_success"] for kind in ("inverted", "generated")
        )
        yield Headline(
            "edit",
            "Edits succeed",
            percent(success),
            f"{percent(1 - success)} miss: the judge does not see the wanted value afterwards. Of "
            f"{own['num_inverted']} inverted pictures those count that did not show it before. On "
            f"generated faces {percent(sampled)} succeed.",
        )
    if "conditional_inverted_preservation" in own:
        free = own["unconditional_inverted_preservation"]
        yield Headline(
            "edit",
            "Other attributes stay",
            percent(own["conditional_inverted_preservation"]),
            "Share of the judge's answers about other attributes that an edit leaves as they were; "
            f"{percent(free)} when nothing is asked to stay.",
        )


MAKERS: tuple[Callable[[Metrics], Iterator[Headline]], ...] = (
    _edits,
    _inversion,
    _boundaries,
    _generator,
    _judge,
    _faces,
)
