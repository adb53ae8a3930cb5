"""The record of an edited folder: edit.jsonl, a row per input, safe against being killed."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nfe.errors import StorageError
from nfe.files import sha256_file, write_text

__all__ = ["RECORD", "Records", "Row", "matches"]

RECORD = "edit.jsonl"
METADATA = "metadata.jsonl"
DONE = ("edited", "no_face")
Row = dict[str, Any]


class Records:
    """Rows of edit.jsonl by input; the last row of an input counts.

    While a run is under way rows are appended, one before a result is written (status `started`:
    the name is ours) and one after. A row cut off by a kill is ignored.
    """

    def __init__(self, out_dir: Path) -> None:
        self.path = Path(out_dir) / RECORD
        self.rows: dict[str, Row] = {}
        if self.path.is_file():
            # Not splitlines: names may hold characters that it takes for ends of lines.
            for line in self.path.read_text(encoding="utf-8", errors="replace").split("\n"):
                row = _parse(line)
                if row is not None:
                    self.rows[row["input"]] = row

    def last(self, path: Path) -> Row | None:
        """Return the last row of an input, if there is one."""
        return self.rows.get(_key(path))

    def owns(self, output: str) -> bool:
        """Tell whether a result of this name was written by a run of this record."""
        return any(row["output"] == output for row in list(self.rows.values()))

    def outputs_except(self, inputs: Sequence[Path]) -> list[str]:
        """Return the names of results that belong to other inputs."""
        names = {_key(path) for path in inputs}
        return [r["output"] for name, r in self.rows.items() if name not in names and r["output"]]

    def append(self, row: Row) -> None:
        """Add a row to the file at once.

        Raises:
            StorageError: If it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._is_torn() + _line(row))
        except OSError as error:
            raise StorageError(
                f"{self.path} must be writable, got: {error.strerror}; free space or choose "
                "another folder"
            ) from error
        self.rows[row["input"]] = row

    def finish(self) -> None:
        """Write edit.jsonl with one row per input, and metadata.jsonl of the imagefolder form.

        A row `started` stays where an interrupted run left a result: the name is still ours.
        """
        rows = [
            row
            for row in self.rows.values()
            if row["status"] != "started" or (self.path.parent / row["output"]).exists()
        ]
        write_text(self.path, "".join(map(_line, rows)))
        described = [
            {"file_name": row["output"], "input": row["input"], "status": row["status"]}
            | row["changes"]
            for row in rows
            if row["output"]
        ]
        described += [
            {"file_name": row["strip"], "input": row["input"], "status": "strip"} | row["changes"]
            for row in rows
            if row.get("strip")
        ]
        write_text(self.path.with_name(METADATA), "".join(map(_line, described)))

    def _is_torn(self) -> bool:
        """Tell whether the file ends within a row that a kill cut off."""
        if not self.path.is_file() or self.path.stat().st_size == 0:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) != b"\n"


def matches(row: Mapping[str, Any], expected: Mapping[str, str], out_dir: Path) -> bool:
    """Tell whether a row is of a finished file with these hashes whose result is still whole."""
    if row["status"] not in DONE or any(row.get(key) != value for key, value in expected.items()):
        return False
    out_dir, strip = Path(out_dir), row.get("strip")
    if strip and not (out_dir / strip).is_file():
        return False
    if not row["output"]:
        return True
    result = out_dir / row["output"]
    return result.is_file() and sha256_file(result) == row["output_sha256"]


def _key(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100, links stay as they are


def _line(row: Row) -> str:
    line = json.dumps(row, ensure_ascii=False) + "\n"
    if line.isascii() or _is_utf8(line):
        return line
    return json.dumps(row) + "\n"  # a name of bytes that are no UTF-8, escaped


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    needed = {"input": str, "output": str, "status": str, "changes": dict, "faces": list}
    whole = isinstance(row, dict) and all(
        isinstance(row.get(key), kind) for key, kind in needed.items()
    )
    return row if whole else None
