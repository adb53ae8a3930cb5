"""The options that several commands share, and their checks."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from nfe.errors import ParamsError, StorageError

__all__ = [
    "BOX",
    "DEFAULT_MODEL",
    "DEFAULT_TRUNCATION",
    "MAX_SEED",
    "OWN_MODEL",
    "Inputs",
    "Limit",
    "MaxPixels",
    "Model",
    "Overwrite",
    "Truncation",
    "check_device",
    "check_empty",
    "check_model",
    "check_new",
    "check_range",
    "check_suffix",
    "check_truncation",
    "name_model",
    "parse_layers",
    "parse_seeds",
]

BOX = Path("models/anime64")  # the model that comes with the project
DEFAULT_MODEL = Path(__file__).parents[1] / BOX
OWN_MODEL = Path("data/bundle/model")
DEFAULT_TRUNCATION = 0.7
MAX_SEED = 2**63 - 1
SHOWN_LENGTH = 40

Model = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        help=f"Model folder; your own is {OWN_MODEL}, where `nfe run` leaves it.",
        show_default=str(BOX),
    ),
]
Truncation = Annotated[
    float, typer.Option(help="1: all faces there are; towards 0 they become alike and cleaner.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that exist already.")]
Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Files, folders, globs, list files (.txt, one path a line), or - for such a list.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Take only the first files.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Largest width times height of a picture.")]


def check_device(device: str | None) -> None:
    """Refuse a device that this machine has not.

    Raises:
        ParamsError: If torch does not know it or cannot use it.
    """
    if device is None:
        return
    import torch

    try:
        torch.empty(1, device=device)
    except Exception as error:  # of several kinds
        reason = str(error).splitlines()[0]
        raise ParamsError(
            f"--device must be one of this machine, such as cpu, got {device!r}: {reason}"
        ) from error


def check_model(model: Path, option: str = "--model") -> None:
    """Refuse what is no folder; `option` is how errors call it.

    Raises:
        ParamsError: If `model` is no folder.
    """
    if not model.is_dir():
        raise ParamsError(
            f"{option} must be a model folder, got {model}; {BOX} comes with the project, "
            f"`nfe run` makes {OWN_MODEL}"
        )


def name_model(model: Path) -> Path:
    """Return how to tell others of a model: of the one in the box not where this machine has it."""
    return BOX if model == DEFAULT_MODEL else model


def check_truncation(truncation: float) -> None:
    """Refuse a truncation outside [0, 1].

    Raises:
        ParamsError: If it is outside, or NaN.
    """
    if not (math.isfinite(truncation) and 0 <= truncation <= 1):
        raise ParamsError(
            f"--truncation must be between 0 and 1, got {truncation:g}; "
            f"{DEFAULT_TRUNCATION} is usual"
        )


def check_range(value: float, low: float, high: float, option: str) -> None:
    """Refuse a number outside [low, high]; `option` is how errors call it.

    Raises:
        ParamsError: If it is outside, or NaN.
    """
    if not low <= value <= high:
        raise ParamsError(f"{option} must be {low:g} to {high:g}, got {value:g}; see --help")


def check_suffix(path: Path, *suffixes: str) -> None:
    """Refuse a file that is called after another format.

    Raises:
        ParamsError: If `path` does not end in one of the suffixes.
    """
    if path.suffix.lower() not in suffixes:
        names = " or ".join(suffixes)
        raise ParamsError(f"OUT must end in {names}, got {path}; call it {path.stem}{suffixes[0]}")


def check_empty(folder: Path, overwrite: bool) -> None:
    """Refuse to write among files that are there, unless asked to; hidden ones do not count.

    Raises:
        StorageError: If `folder` is a file, or holds something and `overwrite` is not set.
    """
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} must be a folder, got a file; choose another name")
    taken = [] if overwrite or not folder.is_dir() else list(folder.iterdir())
    if any(not entry.name.startswith(".") for entry in taken):
        raise StorageError(
            f"{folder} must be empty or not exist yet, it holds {taken[0].name}; choose another "
            "folder or add --overwrite"
        )


def check_new(paths: Iterable[Path], overwrite: bool) -> None:
    """Refuse to replace files that are there, unless asked to.

    Raises:
        StorageError: If a file exists and `overwrite` is not set, or is a folder.
    """
    for path in paths:
        if path.is_dir():
            raise StorageError(f"{path} must be a file, got a folder; choose another name")
        if path.exists() and not overwrite:
            raise StorageError(
                f"{path} must not exist yet, it does; choose another place or add --overwrite"
            )


def parse_seeds(text: str, option: str, max_seeds: int) -> list[int]:
    """Read seeds such as `0-15` or `1,2,8-10`, in the order given.

    Args:
        text: What was given.
        option: How to call it in errors.
        max_seeds: Most seeds that the command takes.

    Raises:
        ParamsError: If it is something else, too many, or names a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]{1,19})(?:-([0-9]{1,19}))?", part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last or last > MAX_SEED:
            raise ParamsError(
                f"{option} must be seeds such as 0-15 or 1,2,3, got {_shorten(text)}; see --help"
            )
        if len(seeds) + last - first + 1 > max_seeds:
            raise ParamsError(
                f"{option} must be at most {max_seeds} seeds, got {_shorten(text)}; ask for fewer"
            )
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise ParamsError(f"{option} must name each seed once, got {_shorten(text)}; remove one")
    return seeds


def parse_layers(text: str, num_ws: int) -> range:
    """Read layers such as `4`, `0-3`, `4-` (to the last) or `-3` (from the first).

    Raises:
        ParamsError: If it is something else, or outside the model's layers.
    """
    found = re.fullmatch(r"([0-9]{0,4})(?:(-)([0-9]{0,4}))?", text.strip())
    if not found or not (found[1] or found[3]):
        raise ParamsError(
            f"--layers must be like 4, 0-3, 4- or -3, got {_shorten(text)}; see --help"
        )
    first = int(found[1] or 0)
    last = int(found[3] or num_ws - 1) if found[2] else first
    if not first <= last < num_ws:
        raise ParamsError(
            f"--layers must be within 0-{num_ws - 1}, got {_shorten(text)}; "
            f"the model has {num_ws} layers"
        )
    return range(first, last + 1)


def _shorten(text: str) -> str:
    return repr(text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "...")
