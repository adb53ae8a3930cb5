"""Which files an edit is about, and what their results are called."""

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nfe.errors import PictureError, SourceError
from nfe.picture_files import SUFFIXES, sniff_picture

__all__ = ["Found", "find_files", "plan_outputs"]

MAX_NAME_BYTES = 230  # of the 255 of usual file systems; the rest is for what is added to a name
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
        SourceError: If an input means no file, or is `out_dir` itself.
    """
    found: list[Found] = []
    for given in inputs:
        path = Path(given)
        if given == "-":
            found += _listed(lines, Path())
        elif path.is_dir():
            if os.path.realpath(path) == os.path.realpath(out_dir):
                raise SourceError(f"--out must be another folder than the input, got {out_dir}")
            found += _in_folder(path, out_dir)
        elif _is_list(path):
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            found += _listed(text.split("\n"), path.parent)
        elif path.is_file() or path.is_symlink():
            found.append(Found(path, path.name))
        elif matches := sorted(glob.glob(given, recursive=True)):  # noqa: PTH207
            found += _globbed(given, [Path(m) for m in matches], out_dir)
        else:
            raise SourceError(f"input must be a file, a folder or a glob, got {given!r}; check it")
    unique = {_place(item.path): item for item in reversed(found)}
    result = [item for item in found if unique[_place(item.path)] is item]
    if not result:
        raise SourceError(f"input must hold at least one file, {', '.join(inputs)} holds none")
    return result


def plan_outputs(
    found: Sequence[Found],
    picture_format: str,
    max_pixels: int,
    taken: Iterable[str],
    companions: Sequence[str] = (),
) -> list[Found]:
    """Give each picture the name of its result, no two alike.

    The sub-folder and stem are kept. Pictures that would share a name keep their own suffix in
    it (`a.jpg.png`, `a.png.png`); those that still do are numbered (`a-2.png`). Names too long for
    a file system end in a hash instead of their last letters.

    Args:
        found: Files, of whatever content.
        picture_format: keep, png, jpg or webp.
        max_pixels: Largest width times height.
        taken: Output names that belong to other inputs.
        companions: Suffixes of files that will stand beside each result, such as `.strip.png`
            for `a.png.strip.png`; no result gets the name of one.

    Returns:
        The same files with output, or with problem and stray.
    """
    planned = [_sniffed(item, picture_format, max_pixels) for item in found]
    used = {name.casefold() for name in taken}
    used |= {
        (item.output + suffix).casefold()
        for item in planned
        if item.output
        for suffix in companions
    }
    counts = Counter(item.output.casefold() for item in planned if item.output)
    result = []
    for item in planned:
        output = item.output
        if output and (counts[output.casefold()] > 1 or output.casefold() in used):
            output = _fitting(_inside(item.name) + PurePosixPath(output).suffix)
        path, number = PurePosixPath(output), 2
        while output and output.casefold() in used:
            output = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
            number += 1
        used |= {(output + suffix).casefold() for suffix in ("", *companions)}
        result.append(replace(item, output=output))
    return result


def _place(path: Path) -> str:
    """Say where a file is, by one name; a link is another file than what it leads to."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _is_list(path: Path) -> bool:
    if path.suffix.lower() != ".txt" or not path.is_file():
        return False
    with path.open("rb") as file:
        return b"\0" not in file.read(4096)  # no picture of that name


def _inside(name: str) -> str:
    """Return a relative name without ways out of a folder."""
    parts = PurePosixPath(os.path.normpath(name)).parts
    return str(PurePosixPath(*(part for part in parts if part not in ("/", ".."))))


def _fitting(name: str) -> str:
    """Shorten the last part of a name where a file system would refuse it."""
    path = PurePosixPath(name)
    if len(os.fsencode(path.name)) <= MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    room = MAX_NAME_BYTES - len(digest) - 1 - len(path.suffix)
    stem = os.fsencode(path.stem)[:room].decode("utf-8", "ignore")
    return str(path.with_name(f"{stem}-{digest}{path.suffix}"))


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
        elif match.is_file() and os.path.realpath(out_dir) not in map(
            os.path.realpath, match.parents
        ):
            found.append(Found(match, match.relative_to(base).as_posix()))
    return found


def _listed(lines: Iterable[str], base: Path) -> list[Found]:
    """Name listed files from the folder that all of them share."""
    lines = list(lines)
    if any("\0" in line for line in lines):
        raise SourceError("a list must be of one path a line, got a null character; check it")
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
    output = _fitting(str(PurePosixPath(_inside(item.name)).with_suffix(suffix)))
    return replace(item, output=output, kind=kind, num_pixels=width * height)
