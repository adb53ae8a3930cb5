"""Cut the faces out of picture files into a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from nfe.face_tables import COLUMNS, Row, face_row, faceless_row, write_table
from nfe.faces.cutting import FaceCutter, cut_files, name_faces
from nfe.file_discovery import Found
from nfe.files import write_bytes
from nfe.images import encode_png

__all__ = ["CROP_TABLE", "crop_files"]

CROP_TABLE = "crop.csv"


def crop_files(
    planned: Sequence[Found],
    cutter: FaceCutter,
    out_dir: Path,
    max_pixels: int,
    num_threads: int,
    on_progress: Callable[[int, int, str], None],
) -> list[Row]:
    """Write each face as a PNG, and crop.csv; a bad file does not stop the others.

    Args:
        planned: Files with the names of their results.
        cutter: Finds and cuts faces.
        out_dir: Where to.
        max_pixels: Largest width times height of a picture.
        num_threads: Files that are read side by side.
        on_progress: Called with files done, in all, and a note.

    Returns:
        The rows of the table.

    Raises:
        StorageError: If a result cannot be written.
    """
    rows: list[Row] = []
    used = {found.output.casefold() for found in planned}
    cuts = cut_files(planned, cutter.cut, max_pixels, num_threads)
    for done, cut in enumerate(cuts, start=1):
        names = name_faces(cut.found.output, len(cut.faces), used)
        for name, face in zip(names, cut.faces, strict=True):
            write_bytes(out_dir / name, encode_png(face.pixels))
            rows.append(face_row(name, cut, face))
        rows += [] if cut.faces else [faceless_row(cut)]
        on_progress(done, len(planned), cut.found.name)
    write_table(out_dir / CROP_TABLE, rows, COLUMNS)
    return rows
