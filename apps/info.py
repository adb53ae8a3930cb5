"""The command `nfe info`: what is in a model folder."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.exits import errors_to_exit_codes
from apps.options import DEFAULT_MODEL, check_model

__all__ = ["info", "model_lines"]


def info(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="Model folder.")] = DEFAULT_MODEL,
    json_: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Say what a model folder offers and how good it is: `nfe info data/bundle/model`."""
    with errors_to_exit_codes():
        check_model(model, "DIR")
        from nfe.model_folders import describe_model

        content = describe_model(model)
    if json_:
        typer.echo(json.dumps(content, indent=2))
        return
    for name, line in model_lines(content):
        typer.echo(f"{name:<18}{line}".rstrip())


def model_lines(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What `describe_model` says, as pairs of a name and a line."""
    if content["name"]:
        yield "name", content["name"]
    yield "resolution", f"{content['resolution']} px, {content['num_ws']} layers of w"
    yield "parameters", f"{content['num_parameters']:,} of the generator"
    for attribute, values in content["attributes"].items():
        yield attribute, ", ".join(values)
    for stage, metrics in content["metrics"].items():
        figures = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
        if figures:
            yield stage, ", ".join(f"{name} {value:.6g}" for name, value in figures.items())
    sizes = content["bytes"]
    for part, size in sizes.items():
        yield part, f"{size / 1e6:.2f} MB"
    yield "in all", f"{sum(sizes.values()) / 1e6:.2f} MB"
