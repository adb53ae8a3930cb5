"""Edit a few files into one zip, with the same code and record as a folder."""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from nfe.bundle import Bundle
from nfe.edit_records import RECORD, Records, Row
from nfe.file_discovery import Found, plan_outputs
from nfe.files import write_stored_zip
from nfe.folder_editing.folder import STRIP_SUFFIX, FolderEditor, edit_files
from nfe.folder_editing.opening import Opener
from nfe.folder_editing.settings import EditSettings, Limits

__all__ = ["edit_into_zip"]


def edit_into_zip(
    paths: Sequence[Path],
    zip_path: Path,
    bundle: Bundle,
    model_dir: Path,
    settings: EditSettings,
    limits: Limits,
    batch_size: int,
    on_progress: Callable[[int, int, str], None],
) -> list[Row]:
    """Edit files; write the results and their record, edit.jsonl, into a zip.

    A bad file gets the status `failed`, and the others go on.

    Args:
        paths: Files, each taken once; results are named after them, no two alike.
        zip_path: The zip to write.
        bundle: The model.
        model_dir: Its folder, as provenance tells it.
        settings: What to do to each.
        limits: What one file may take.
        batch_size: Faces at a time.
        on_progress: Called with files done, in all, and a note.

    Returns:
        A row per file, as in edit.jsonl; `input` is the file's name without its folder.

    Raises:
        ParamsError: If the model cannot make such an edit.
        StorageError: If a result cannot be written.
    """
    found = [Found(path, path.name) for path in dict.fromkeys(paths)]
    companions = [STRIP_SUFFIX] if settings.strip else []
    planned = plan_outputs(found, "keep", limits.max_pixels, (), companions)
    with tempfile.TemporaryDirectory(dir=zip_path.parent) as folder:
        out = Path(folder)
        opener = Opener(out, bundle, settings, limits, Records(out), overwrite=False)
        editor = FolderEditor(opener, model_dir, batch_size)
        rows = [
            {**row, "input": Path(row["input"]).name}
            for row in edit_files(planned, editor, strict=False, on_progress=on_progress)
        ]
        names = [row[kind] for row in rows for kind in ("output", "strip") if row.get(kind)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        members = [(name, (out / name).read_bytes()) for name in names]
        write_stored_zip(zip_path, [*members, (RECORD, lines.encode())])
    return rows
