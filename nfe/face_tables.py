"""The table of a folder of faces: a row per face, or per file without one, as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nfe.faces.cutting import Cut, CutFace
from nfe.files import write_bytes

__all__ = ["COLUMNS", "Row", "face_row", "faceless_row", "write_table"]

Row = dict[str, Any]
COLUMNS = ("name", "input", "status", "reason", "x0", "y0", "x1", "y1", "angle", "score")


def face_row(name: str, cut: Cut, face: CutFace) -> Row:
    """Describe a face that was written as `name`; the square is in pixels of its picture."""
    values = (*face.transform.box, face.transform.angle)
    place = dict(zip(COLUMNS[4:], (round(value, 2) for value in values), strict=False))
    row = {"name": name, "input": str(cut.found.path), "status": "done", "reason": ""}
    return {**row, **place, "score": round(face.score, 4)}


def faceless_row(cut: Cut) -> Row:
    """Describe a file of which no face came: failed, skipped (no picture at all) or no_face."""
    status = "no_face"
    if cut.problem:
        status = "skipped" if cut.found.stray else "failed"
    reason = cut.problem or "no face was found"
    return {"name": "", "input": str(cut.found.path), "status": status, "reason": reason}


def write_table(path: Path, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Write rows as CSV; what a row lacks stays empty.

    Bytes of file names that are no UTF-8 become backslash escapes.

    Raises:
        StorageError: If it cannot be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, buffer.getvalue().encode("utf-8", "backslashreplace"))
