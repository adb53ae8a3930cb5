"""The command `nfe info`: what is in a model folder, or how an edited picture was made."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.exits import errors_to_exit_codes, fail
from apps.options import BOX, DEFAULT_MODEL, check_model

if TYPE_CHECKING:
    from nfe.provenance import Provenance

__all__ = ["info", "model_lines"]

NOTHING_FOUND = 1


def info(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|FILE", help="Model folder, or a picture.", show_default=str(BOX)
        ),
    ] = DEFAULT_MODEL,
    json_: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Say what a model folder offers and how good it is: `nfe info models/anime64`.

    Of a picture that `nfe edit` wrote: how, and the command that makes it again.
    """
    if model.is_file():
        _tell_picture(model, json_)
        return
    with errors_to_exit_codes():
        check_model(model, "DIR")
        from nfe.model_folders import describe_model

        content = describe_model(model)
    if json_:
        typer.echo(json.dumps(content, indent=2))
        return
    for name, line in model_lines(content):
        typer.echo(f"{name:<18}{line}".rstrip())


def _tell_picture(path: Path, as_json: bool) -> None:
    """Print where a picture comes from."""
    with errors_to_exit_codes():
        from nfe.provenance import command_of, read_provenance

        provenance = read_provenance(path)
    if provenance is None:
        fail(NOTHING_FOUND, f"{path.name} must be a result of `nfe edit`, it does not say it is")
    command = command_of(provenance)
    if as_json:
        typer.echo(json.dumps({**asdict(provenance), "command": command}, indent=2))
        return
    for name, line in _picture_lines(provenance):
        typer.echo(f"{name:<18}{line}".rstrip())
    typer.echo(f"\n{command}")


def _picture_lines(provenance: "Provenance") -> Iterator[tuple[str, str]]:
    from nfe.provenance import shell_quote  # also keeps a terminal safe from what a file holds

    yield "version", shell_quote(provenance.version)
    yield "model", f"{shell_quote(provenance.model)} (sha256 {provenance.model_sha256[:12]})"
    yield "input", f"{shell_quote(provenance.input)} (sha256 {provenance.input_sha256[:12]})"
    for attribute, value in provenance.changes.items():
        yield "set", shell_quote(f"{attribute}={value}")
    if provenance.keep:
        yield "keep", " ".join(map(shell_quote, provenance.keep))
    yield "strength", str(provenance.strength)
    for option, given in provenance.parameters.items():
        yield option, shell_quote(str(given))
    for number, face in enumerate(provenance.faces, start=1):
        moved = ", ".join(
            f"{shell_quote(name)} from {before:.2f} to {face.after[name]:.2f}"
            for name, before in face.before.items()
            if name in face.after
        )
        yield f"face {number}", moved


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
