"""Pictures and their tags from a folder, a zip, or one file."""

import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nfe.errors import SourceError

__all__ = ["SourcePicture", "list_source", "parse_tags"]

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")
TAG_COLUMNS = ("tags", "tag_string_general", "tag_string", "text")
SIDECAR_SUFFIXES = {".txt", ".json", ".jsonl", ".csv", ".parquet", ".html", ".md", ".dvc"}

Reader = Callable[[], bytes]


@dataclass(frozen=True)
class SourcePicture:
    """One file of a source that may be a picture; it is read and decoded later.

    Attributes:
        name: Path inside the source, with `/`, unique in it.
        tags: Tags with underscores inside a tag, in the order of the source.
    """

    name: str
    tags: tuple[str, ...]
    open: Reader = field(repr=False, compare=False)

    def read(self) -> bytes:
        """Read the file's bytes.

        Raises:
            SourceError: If the file is gone, unreadable, or damaged in its zip.
        """
        try:
            return self.open()
        except (OSError, EOFError, RuntimeError, NotImplementedError, *_ZIP_ERRORS) as error:
            raise SourceError(f"{self.name} must be a readable file, got: {error}") from error


def list_source(path: Path) -> list[SourcePicture]:
    """List every file of a source that may be a picture, sorted by name, with its tags.

    Files are told apart by content when they are decoded, so every file counts except hidden
    ones and notes (`.txt`, `.json`, `.csv` ...). Linked files are followed, linked folders not.
    Tags come from a sidecar (`a.txt` beside `a.png`), else from metadata.csv or metadata.jsonl
    in the source's root (columns file_name and one of tags, tag_string_general, tag_string,
    text); a picture named by none of them has no tags.

    Args:
        path: A folder, a zip, or one picture.

    Raises:
        SourceError: If `path` is missing, is a damaged zip or holds no file to look at, or if
            a file of tags cannot be read.
    """
    path = Path(path)
    readers = _readers(path)
    tags_of = _metadata_tags(readers, path)
    pictures = []
    for name in sorted(readers):
        pure = PurePosixPath(name)
        if pure.suffix.lower() in SIDECAR_SUFFIXES:
            continue
        sidecar = readers.get(pure.with_suffix(".txt").as_posix()) if pure.stem else None
        tags = tags_of.get(name, ())
        if sidecar is not None:
            tags = parse_tags(_text(sidecar, f"{path}: {pure.with_suffix('.txt')}"))
        pictures.append(SourcePicture(name, tags, readers[name]))
    if not pictures:
        raise SourceError(f"{path} must hold at least one picture, it holds none; add pictures")
    return pictures


def parse_tags(text: str) -> tuple[str, ...]:
    """Split a tag text: at commas and new lines if it has any, else at spaces.

    Examples:
        >>> parse_tags("1girl, Blue Hair, long hair")
        ('1girl', 'blue_hair', 'long_hair')
        >>> parse_tags("1girl blue_hair")
        ('1girl', 'blue_hair')
    """
    text = text.strip().lower()
    parts = re.split(r"[,\n]", text) if re.search(r"[,\n]", text) else text.split()
    tags = ("_".join(part.split()) for part in parts)
    return tuple(dict.fromkeys(tag for tag in tags if tag))


_ZIP_ERRORS = (zipfile.BadZipFile, zipfile.LargeZipFile)


def _readers(path: Path) -> dict[str, Reader]:
    """Return name -> reader of every visible file of the source."""
    if path.is_dir():
        return {_printable(f.relative_to(path)): f.read_bytes for f in _visible_files(path)}
    if not path.is_file():
        raise SourceError(f"{path} must be a folder, a zip or a picture, it does not exist")
    if not zipfile.is_zipfile(path):
        if path.suffix.lower() == ".zip":
            raise SourceError(f"{path} must be a readable zip, it is damaged; copy it again")
        return {_printable(Path(path.name)): path.read_bytes}
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, *_ZIP_ERRORS) as error:
        raise SourceError(f"{path} must be a readable zip, got: {error}") from error
    return {
        info.filename: _member_reader(archive, info)
        for info in archive.infolist()
        if not info.is_dir() and not _is_hidden(PurePosixPath(info.filename).parts)
    }


def _member_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Reader:
    return lambda: archive.read(info)


def _visible_files(folder: Path) -> Iterator[Path]:
    """Walk a folder: visible files, linked ones too; linked folders are not entered."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden([name]))
        for name in sorted(files):
            file = Path(root) / name
            if not _is_hidden([name]) and file.is_file():
                yield file


def _is_hidden(parts: Iterable[str]) -> bool:
    return any(
        (part.startswith(".") and part != "..") or part in ("__MACOSX", "Thumbs.db")
        for part in parts
    )


def _printable(path: Path) -> str:
    """Return the path with `/`; bytes that are no UTF-8 become backslash escapes."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _text(reader: Reader, name: str) -> str:
    try:
        return reader().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, *_ZIP_ERRORS) as error:
        raise SourceError(f"{name} must be readable UTF-8 text, got: {error}") from error


def _metadata_tags(readers: Mapping[str, Reader], path: Path) -> dict[str, tuple[str, ...]]:
    """Read the first metadata file there is: file name -> tags."""
    for name in METADATA_NAMES:
        if name not in readers:
            continue
        text, place = _text(readers[name], f"{path}: {name}"), f"{path}: {name}"
        rows = _jsonl_rows(text, place) if name.endswith("l") else csv.DictReader(io.StringIO(text))
        try:
            return dict(_row_tags(row, place) for row in rows)
        except csv.Error as error:
            raise SourceError(f"{place} must be a readable table, got: {error}") from error
    return {}


def _jsonl_rows(text: str, place: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{place} line {number} must be JSON, got: {error}") from error
        if not isinstance(row, dict):
            raise SourceError(f"{place} line {number} must be a JSON object, got: {line[:40]}")
        yield row


def _row_tags(row: Mapping[str, Any], place: str) -> tuple[str, tuple[str, ...]]:
    name = row.get("file_name")
    if not isinstance(name, str):
        raise SourceError(
            f"{place} must have a column file_name in every row, got columns "
            f"{', '.join(map(str, row))}; add it or remove the file"
        )
    value = next((row[column] for column in TAG_COLUMNS if row.get(column)), "")
    return name, parse_tags(", ".join(map(str, value)) if isinstance(value, list) else str(value))
