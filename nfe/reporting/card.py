"""A model card: what a model is, what made it, how good it is, what it cannot do, as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nfe.reporting.figures import flatten, percent, readable, spoken
from nfe.reporting.summary import summarise

__all__ = ["write_card"]

TRAINED = ("train_tagger", "train_gan", "train_encoder")
COSTS = ("kimg", "num_pictures", "seconds", "device", "num_threads", "num_processes")


def write_card(description: Mapping[str, Any]) -> str:
    """Write the card of a model.

    Args:
        description: Content of model.json: name, architecture, attributes, metrics, provenance
            and notes, sentences of those who made it.
    """
    lines = [
        f"# {description['name']}",
        "",
        "A model of Neural Face Editor. With this folder, offline:",
        "",
        "```",
        "nfe edit PICTURES --out edited --set ATTRIBUTE=VALUE --model THIS_FOLDER",
        "```",
        "",
        f"It works on faces of {description['architecture']['generator']['resolution']} pixels and "
        "knows these attributes. In brackets: how often the value's boundary is right about "
        "samples that it was not fitted on, the unsure ones among them; half would be chance.",
        "",
        *_attributes(description["attributes"]),
        "",
    ]
    if description["notes"]:
        lines += ["## To know before use", "", *(f"* {note}" for note in description["notes"]), ""]
    lines += ["## What made it", "", *_origin(description), ""]
    headlines = summarise(description["metrics"])
    if headlines:
        rows = [(f"{h.label} ({h.stage})", h.value, h.sentence) for h in headlines]
        lines += ["## How good it is", "", *_table(("", "figure", "what it says"), rows), ""]
    lines += ["## Every figure", ""]
    for stage, metrics in description["metrics"].items():
        figures = [figure for figure in flatten(metrics) if figure[1]]
        lines += [f"### {stage}", "", *_table(("figure", "value"), figures), ""]
    return "\n".join(lines)


def _attributes(attributes: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    for attribute, values in attributes.items():
        known = (f"{value}{_rate(figures)}" for value, figures in values.items())
        yield f"* **{spoken(attribute)}**: {', '.join(known)}"


def _rate(figures: Mapping[str, float]) -> str:
    rate = figures.get("remaining_balanced_accuracy")
    return "" if rate is None else f" ({percent(rate)})"


def _origin(description: Mapping[str, Any]) -> Iterator[str]:
    """Sources, cost of each training, and versions."""
    params = description["provenance"]["params"]
    for stage, use in (("crop", "faces"), ("train_tagger", "tags")):
        if "source" in params.get(stage, {}):
            yield f"* {use}: `{params[stage]['source']}`"
    for stage in TRAINED:
        metrics = description["metrics"].get(stage, {})
        costs = [f"{spoken(name)} {readable(metrics[name])}" for name in COSTS if name in metrics]
        if costs:
            yield f"* {stage}: {', '.join(costs)}"
    if params.get("train_gan", {}).get("start"):
        yield f"* train_gan went on from `{params['train_gan']['start']}`"
    packages = description["provenance"]["packages"]
    yield f"* versions: {', '.join(f'{name} {version}' for name, version in packages.items())}"
    yield "* every parameter: `provenance` in `model.json`"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
