"""The record of an edited folder: edit.jsonl, a row per input, safe against being killed."""

import json
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
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                row = _parse(line)
                if row is not None:
                    self.rows[row["input"]] = row

    def last(self, path: Path) -> Row | None:
        """Return the last row of an input, if there is one."""
        return self.rows.get(str(path))

    def owns(self, output: str) -> bool:
        """Tell whether a result of this name was written by a run of this record."""
        return any(row["output"] == output for row in list(self.rows.values()))

    def outputs_except(self, inputs: Sequence[Path]) -> list[str]:
        """Return the names of results that belong to other inputs."""
        names = {str(path) for path in inputs}
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
        """Write edit.jsonl with one row per input, and metadata.jsonl of the imagefolder form."""
        rows = [row for row in self.rows.values() if row["status"] != "started"]
        write_text(self.path, "".join(map(_line, rows)))
        described = [
            {"file_name": row["output"], "input": row["input"], "status": row["status"]}
            | row["changes"]
            for row in rows
            if row["output"]
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
    result = Path(out_dir) / row["output"]
    return result.is_file() and sha256_file(result) == row["output_sha256"]


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _parse(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    needed = {"input", "output", "status", "changes"}
    return row if isinstance(row, dict) and needed <= row.keys() else None
