"""Edit a list of picture files: open, find faces, edit them together, put back, keep a record."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nfe.edit_records import Row
from nfe.editing import check_edit
from nfe.errors import PictureError
from nfe.face_editing import (
    STRIP_OFFSETS,
    EditedFaces,
    edit_faces,
    invert_faces,
    strip_faces,
)
from nfe.file_discovery import Found
from nfe.files import sha256_file, write_bytes
from nfe.folder_editing.ahead import open_ahead
from nfe.folder_editing.opening import Opened, Opener
from nfe.images import encode_png
from nfe.picture_faces import Blending, Frame, edited_frame
from nfe.picture_files import SUFFIXES, Picture, encode_frames
from nfe.picture_tables import picture_table, shown_side
from nfe.provenance import FaceDistances, Provenance, embed, package_version

__all__ = ["STRIP_SUFFIX", "FolderEditor", "edit_files"]

STRIP_SUFFIX = ".strip.png"
MAX_PIXELS = 32_000_000  # of the pictures edited together, and as many of those opened ahead


@dataclass(frozen=True)
class FolderEditor:
    """Edits opened files into one folder.

    Attributes:
        opener: With which the files were opened: model, settings, records and folder.
        model_dir: The model's folder, as provenance tells it.
        batch_size: Faces at a time.
    """

    opener: Opener
    model_dir: Path
    batch_size: int

    def edit(self, batch: Sequence[Opened]) -> Iterator[Row]:
        """Edit all faces of a batch of files together; write file after file, yield its row."""
        started = time.monotonic()
        faces: list[np.ndarray] = []
        if any(opened.frames and opened.num_faces for opened in batch):
            faces = [face for opened in batch for face in self._faces(opened)]
        edited, strips = self._edit_faces(np.stack(faces)) if faces else (None, None)
        seconds = (time.monotonic() - started) / max(len(faces), 1)
        place = 0
        for opened in batch:
            own = slice(place, place := place + opened.num_faces)
            if opened.last is not None:
                yield {**opened.last, "unchanged": True}
                continue
            row = self._describe(opened, edited, own, seconds)
            if row["output"]:
                row = self._write(opened, row, edited, own)
                if strips is not None and opened.num_faces:
                    row["strip"] = self._write_strip(opened.found, strips[own])
            self.opener.records.append(row)
            opened.frames = []
            yield row

    def _faces(self, opened: Opened) -> list[np.ndarray]:
        """Return the faces of a file; also of one done before, if another of its batch was not.

        So the same faces are edited together again, whose results agree in every bit then.
        """
        frames = opened.frames
        if opened.last is not None and opened.num_faces:
            try:
                frames = self.opener.cut(opened.found)
            except (OSError, PictureError):  # changed this very moment; its place stays
                side = self.opener.bundle.generator.resolution
                return [np.zeros((side, side, 3), dtype=np.uint8)] * opened.num_faces
        return [face for frame in frames for face in frame.faces]

    def _edit_faces(self, faces: np.ndarray) -> tuple[EditedFaces, np.ndarray | None]:
        chosen, bundle = self.opener.settings, self.opener.bundle
        w_plus = invert_faces(faces, bundle, chosen.num_steps, self.batch_size, lambda *_: None)
        edit = (chosen.changes, chosen.keep)
        edited = edit_faces(
            faces, w_plus, bundle, *edit, chosen.strength, chosen.redraw, self.batch_size
        )
        strips = strip_faces(w_plus, bundle, *edit, self.batch_size) if chosen.strip else None
        return edited, strips

    def _describe(
        self, opened: Opened, edited: EditedFaces | None, own: slice, seconds: float
    ) -> Row:
        """Return the row of a file as it will be once its result is written."""
        found, settings = opened.found, self.opener.settings
        status, reason, output = "edited", "", found.output
        if opened.problem:
            status, reason, output = "skipped" if found.stray else "failed", opened.problem, ""
        elif not opened.num_faces:
            status, reason = "no_face", "no face was found"
            output = output if settings.no_face == "copy" else ""
        transforms = [
            (index, t) for index, frame in enumerate(opened.frames) for t in frame.transforms
        ]
        return {
            "input": os.path.abspath(found.path),  # noqa: PTH100, links stay as they are
            "sha256": opened.sha256,
            "output": output,
            "output_sha256": "",
            "status": status,
            "reason": reason,
            "changes": dict(settings.changes) if status == "edited" else {},
            "faces": [
                {"frame": frame, "box": [round(v, 2) for v in t.box], "angle": round(t.angle, 2)}
                | (edited.figures(own.start + i) if edited is not None else {})
                for i, (frame, t) in enumerate(transforms)
            ],
            "num_frames": len(opened.frames),
            "strip": "",
            "seconds": round(seconds * len(transforms), 3),
            "settings": settings.sha256,
            "model": self.opener.bundle.sha256,
            "version": package_version(),
        }

    def _write(self, opened: Opened, row: Row, edited: EditedFaces | None, own: slice) -> Row:
        """Write the result and return its row, which says why if it could not be encoded."""
        path = self.opener.out_dir / row["output"]
        try:
            data = self._encode(opened, row, edited, own)
        except (PictureError, OSError, ValueError) as error:  # such as too large for the format
            reason = f"{opened.found.name} must fit the format {path.suffix}, got: {error}"
            return {**row, "output": "", "status": "failed", "reason": reason, "changes": {}}
        self.opener.records.append({**row, "status": "started"})
        write_bytes(path, data)
        return {**row, "output_sha256": sha256_file(path)}

    def _encode(self, opened: Opened, row: Row, edited: EditedFaces | None, own: slice) -> bytes:
        """Return the bytes of the result; of a picture without faces its own, if they fit."""
        found, suffix = opened.found, Path(opened.found.output).suffix
        if not opened.num_faces and suffix == SUFFIXES[found.kind] and found.kind != "GIF":
            return found.path.read_bytes()
        settings, extra = self.opener.settings, {}
        if settings.provenance and opened.num_faces:
            extra = embed(self._provenance(row, found.path.name), suffix)
        place, frames = own.start, []
        for frame in opened.frames:
            faces = slice(place, place := place + len(frame.faces))
            if frame.faces or settings.paste_back is not False or not opened.num_faces:
                frames.append(self._edited_frame(frame, edited, faces))
        return encode_frames(frames, suffix, extra)

    def _edited_frame(self, frame: Frame, edited: EditedFaces | None, faces: slice) -> Picture:
        if edited is None:
            return frame.picture
        settings = self.opener.settings
        blending = Blending.of_model(self.opener.bundle.description, settings.changes)
        before = None if settings.redraw else list(edited.drawn_before[faces])
        return edited_frame(
            frame, list(edited.pixels[faces]), before, settings.paste_back, blending
        )

    def _provenance(self, row: Row, name: str) -> Provenance:
        settings = self.opener.settings
        return Provenance(
            version=row["version"],
            model=str(self.model_dir),
            model_sha256=row["model"],
            input=name,
            input_sha256=row["sha256"],
            changes=settings.changes,
            keep=settings.keep,
            strength=settings.strength,
            parameters=settings.parameters,
            faces=[
                FaceDistances(face["distance_before"], face["distance_after"])
                for face in row["faces"]
            ],
        )

    def _write_strip(self, found: Found, strips: np.ndarray) -> str:
        """Write a row of steps per face; return the file's name."""
        names = [f"face {i + 1}" for i in range(len(strips))] if len(strips) > 1 else [""]
        table = picture_table(
            strips,
            names,
            [f"{o:+g}" if o else "0" for o in STRIP_OFFSETS],
            shown_side(strips.shape[2]),
        )
        name = found.output + STRIP_SUFFIX
        write_bytes(self.opener.out_dir / name, encode_png(table))
        return name


def edit_files(
    planned: Sequence[Found],
    editor: FolderEditor,
    strict: bool,
    on_progress: Callable[[int, int, str], None],
) -> Iterator[Row]:
    """Edit files in order and yield the row of each; the next ones are opened meanwhile.

    A file whose last row fits its bytes, the settings, the model and its result is not done
    again: its row has `unchanged`. A bad file gets the status `failed`, and the others go on.
    Which faces are edited together depends on the good files alone, so that neither bad ones
    nor an earlier run that was stopped change a result.

    Args:
        planned: Files with the names of their results.
        editor: Where to, with which model and settings.
        strict: Stop after the first file that fails.
        on_progress: Called with files done, in all, and a note.

    Raises:
        ParamsError: If the model cannot make such an edit.
        StorageError: If a result cannot be written.
    """
    opener = editor.opener
    check_edit(opener.bundle.boundaries, opener.settings.changes, opener.settings.keep)
    all_opened = open_ahead(
        planned,
        opener.open,
        opener.too_late,
        weigh=lambda found: MAX_PIXELS if opener.settings.all_frames else found.num_pixels,
        max_weight=MAX_PIXELS,
        num_ahead=2 * editor.batch_size,
        num_threads=min(4, os.cpu_count() or 1),
        seconds=opener.limits.seconds,
    )
    done = 0
    for batch in _batches(all_opened, editor.batch_size, strict):
        for row in editor.edit(batch):
            done += 1
            name = "".join(c if c.isprintable() else "?" for c in Path(row["input"]).name)
            on_progress(done, len(planned), name)
            yield row
            if strict and row["status"] == "failed":
                return


def _batches(all_opened: Iterable[Opened], batch_size: int, strict: bool) -> Iterator[list[Opened]]:
    """Group files in order: about `batch_size` faces and at most about `MAX_PIXELS` each.

    Bad files count nothing. A picture without a face counts as one.
    """
    batch: list[Opened] = []
    for opened in all_opened:
        batch.append(opened)
        counts = [max(item.num_faces, 1) for item in batch if not item.problem]
        full = sum(counts) >= batch_size or sum(item.num_pixels for item in batch) >= MAX_PIXELS
        if full or (strict and opened.problem):
            yield batch
            batch = []
    if batch:
        yield batch
