"""The command `nfe models`: the model folders at hand, and the card of one."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from apps.exits import errors_to_exit_codes, fail
from apps.info import model_lines
from apps.options import DEFAULT_MODEL, check_model
from apps.outcomes import printable
from nfe.errors import ParamsError

__all__ = ["models"]


def models(
    action: Annotated[
        Literal["list", "show"], typer.Argument(help="List them, or show one of them.")
    ] = "list",
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Of show: its name or folder.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say which models there are: `nfe models list`, `nfe models show anime64`.

    Looks at data/bundle/model and models/ of this folder, and at the model that comes with the
    project. show prints what `nfe info` does, and
    the model's README.md.
    """
    with errors_to_exit_codes():
        from nfe.model_folders import list_models

        if action == "show":
            _show(_find(model), json_)
            return
        if model is not None:
            raise ParamsError(f"MODEL must be left out for list, got {model}; use show")
        found = list_models(Path(), DEFAULT_MODEL)
    if json_:
        typer.echo(json.dumps(found, indent=2))
        return
    if not found:
        fail(1, "models must be in data/bundle/model or models/, there are none; `nfe run`")
    for row in found:
        typer.echo(f"{row['folder']:<24}{_line(row)}")


def _line(row: dict[str, Any]) -> str:
    if row["problem"]:
        return f"damaged: {printable(row['problem'])}"
    attributes = ", ".join(row["attributes"]) or "no attributes"
    name = printable(row["name"] or "")
    return f"{name:<16}{row['resolution']} px, {row['megabytes']:.1f} MB, {attributes}"


def _find(model: str | None) -> Path:
    """Return the folder of a model: itself a folder, or the name of one that list shows."""
    from nfe.model_folders import list_models

    if model is None:
        raise ParamsError("MODEL must be given for show, got none; see `nfe models list`")
    found = list_models(Path(), DEFAULT_MODEL)
    named = [row for row in found if model in (row["name"], Path(row["folder"]).name)]
    if named and not Path(model).is_dir():
        return Path(named[0]["folder"])
    check_model(Path(model), "MODEL")
    return Path(model)


def _show(folder: Path, as_json: bool) -> None:
    from nfe.model_folders import describe_model, read_card

    content = {"folder": str(folder), **describe_model(folder), "card": read_card(folder)}
    if as_json:
        typer.echo(json.dumps(content, indent=2))
        return
    for name, line in model_lines(content):
        typer.echo(f"{name:<18}{printable(line)}".rstrip())
    if content["card"]:
        typer.echo("\n" + "\n".join(map(printable, content["card"].splitlines())))
