"""Which files an edit is about, and what their results are called."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nfe.errors import PictureError, SourceError
from nfe.picture_files import SUFFIXES, sniff_picture

__all__ = ["Found", "find_files", "plan_outputs"]

PICTURE_SUFFIXES = {*SUFFIXES.values(), ".jpeg", ".jpe", ".tif", ".gif"}


@dataclass(frozen=True)
class Found:
    """A file to look at.

    Attributes:
        path: Where it is.
        name: Its place below the input, e.g. `sub/a.jpg`.
        output: Its result's place below the output folder; "" when it is no picture.
        problem: Why it cannot be edited; "" when it can.
        stray: It is no picture and does not pretend to be one, such as a README in a folder.
        kind: Its format, such as "PNG"; "" when it is no picture.
        num_pixels: Width times height, by its header.
    """

    path: Path
    name: str
    output: str = ""
    problem: str = ""
    stray: bool = False
    kind: str = ""
    num_pixels: int = 0


def find_files(inputs: Sequence[str], out_dir: Path, lines: Iterable[str]) -> list[Found]:
    """List the files that the inputs mean, each once, in order.

    Args:
        inputs: Files, folders (recursive, sorted, linked folders and hidden files left out),
            globs, list files (`.txt`, one path a line) or `-` for `lines`.
        out_dir: Not searched, in case it lies inside an input.
        lines: One path a line, taken for `-`.

    Raises:
        SourceError: If an input means no file.
    """
    found: list[Found] = []
    for given in inputs:
        path = Path(given)
        if given == "-":
            found += _listed(lines, Path())
        elif path.is_dir():
            found += _in_folder(path, out_dir)
        elif path.is_file() and path.suffix.lower() == ".txt":
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            found += _listed(text.splitlines(), path.parent)
        elif path.is_file():
            found.append(Found(path, path.name))
        elif matches := sorted(glob.glob(given, recursive=True)):  # noqa: PTH207
            found += _globbed(given, [Path(m) for m in matches], out_dir)
        else:
            raise SourceError(f"input must be a file, a folder or a glob, got {given!r}; check it")
    unique = {os.path.realpath(item.path): item for item in reversed(found)}
    result = [item for item in found if unique.get(os.path.realpath(item.path)) is item]
    if not result:
        raise SourceError(f"input must hold at least one file, {', '.join(inputs)} holds none")
    return result


def plan_outputs(
    found: Sequence[Found], picture_format: str, max_pixels: int, taken: Iterable[str]
) -> list[Found]:
    """Give each picture the name of its result, no two alike.

    The sub-folder and stem are kept. Pictures that would share a name keep their own suffix in
    it (`a.jpg.png`, `a.png.png`); those that still do are numbered (`a-2.png`).

    Args:
        found: Files, of whatever content.
        picture_format: keep, png, jpg or webp.
        max_pixels: Largest width times height.
        taken: Output names that belong to other inputs.

    Returns:
        The same files with output, or with problem and stray.
    """
    planned = [_sniffed(item, picture_format, max_pixels) for item in found]
    used = {name.casefold() for name in taken}
    counts = Counter(item.output.casefold() for item in planned if item.output)
    result = []
    for item in planned:
        output = item.output
        if output and (counts[output.casefold()] > 1 or output.casefold() in used):
            output = item.name + PurePosixPath(output).suffix
        path, number = PurePosixPath(output), 2
        while output and output.casefold() in used:
            output = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
            number += 1
        used.add(output.casefold())
        result.append(replace(item, output=output))
    return result


def _in_folder(folder: Path, out_dir: Path) -> list[Found]:
    skipped, found = os.path.realpath(out_dir), []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(Path(parent) / name) != skipped
        )
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(parent) / name
                found.append(Found(path, path.relative_to(folder).as_posix()))
    return sorted(found, key=lambda item: PurePosixPath(item.name).parts)


def _globbed(pattern: str, matches: list[Path], out_dir: Path) -> list[Found]:
    """Name what a glob matched from the folder where its wildcards begin."""
    parts = Path(pattern).parts
    base = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
    found = []
    for match in matches:
        if match.is_dir() and "**" not in pattern:
            found += [
                Found(item.path, f"{match.relative_to(base).as_posix()}/{item.name}")
                for item in _in_folder(match, out_dir)
            ]
        elif match.is_file():
            found.append(Found(match, match.relative_to(base).as_posix()))
    return found


def _listed(lines: Iterable[str], base: Path) -> list[Found]:
    """Name listed files from the folder that all of them share."""
    paths = [base / line.rstrip("\r\n") for line in lines if line.strip()]
    if not paths:
        return []
    shared = os.path.commonpath([os.path.abspath(path.parent) for path in paths])  # noqa: PTH100
    return [Found(path, Path(os.path.relpath(path, shared)).as_posix()) for path in paths]


def _sniffed(item: Found, picture_format: str, max_pixels: int) -> Found:
    try:
        kind, (width, height) = sniff_picture(item.path, max_pixels)
    except PictureError as error:
        looks = item.path.suffix.lower() in PICTURE_SUFFIXES or "must have at most" in str(error)
        return replace(item, problem=str(error), stray=not looks)
    suffix = SUFFIXES[kind] if picture_format == "keep" else f".{picture_format}"
    output = str(PurePosixPath(item.name).with_suffix(suffix))
    return replace(item, output=output, kind=kind, num_pixels=width * height)
