"""Which files a command that takes pictures is about."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nfe.errors import ParamsError, SourceError

if TYPE_CHECKING:
    from nfe.file_discovery import Found

__all__ = ["plan_pictures"]


def plan_pictures(
    inputs: Sequence[str], out: Path, limit: int | None, max_pixels: int
) -> "list[Found]":
    """Find the files that INPUT... means and name their results, PNGs below `out`.

    What a killed run left half-written where results go is removed.

    Raises:
        ParamsError: If an input means no file.
    """
    from nfe.file_discovery import find_files, plan_outputs
    from nfe.files import sweep_leftovers

    try:
        found = find_files(inputs, out, sys.stdin if "-" in inputs else [])[:limit]
    except SourceError as error:
        raise ParamsError(str(error)) from error
    planned = plan_outputs(found, "png", max_pixels, ())
    for folder in {(out / item.output).parent for item in planned}:
        sweep_leftovers(folder)
    return planned
