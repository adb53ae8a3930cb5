"""Edit a list of picture files: open, find faces, edit them together, put back, keep a record."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nfe.bundle import Bundle
from nfe.edit_records import Records, Row, matches
from nfe.editing import Strength, check_edit
from nfe.errors import PictureError
from nfe.face_cutting import cut_faces
from nfe.face_editing import EditedFaces, edit_faces, invert_faces, strip_faces
from nfe.faces.alignment import Transform, paste_back
from nfe.file_discovery import Found
from nfe.files import sha256_file, write_bytes
from nfe.images import encode_png, make_grid, resize_pixels
from nfe.picture_files import SUFFIXES, Picture, encode_picture, read_picture

__all__ = ["EditSettings", "FolderEditor", "edit_files"]

CHUNK_PIXELS = 32_000_000  # opened at once, so that memory stays bounded; twice with those ahead


@dataclass(frozen=True)
class EditSettings:
    """What to do to each picture.

    Attributes:
        changes: Attribute -> value.
        keep: Attributes that must stay.
        strength: "auto" or a distance in W units.
        num_steps: Steps of refinement after the encoder; 0 for none.
        faces: "detect", "whole" (each picture is a face), or "auto": whole where a picture is a
            square of at most twice the model's side, else detect.
        no_face: "copy" or "skip" a picture without a face.
        max_pixels: Largest width times height of a picture.
        strip: Also write a row of steps from -3 to 3 of each face, below `strips/`.
    """

    changes: Mapping[str, str]
    keep: Sequence[str]
    strength: Strength
    num_steps: int
    faces: str
    no_face: str
    max_pixels: int
    strip: bool

    @property
    def sha256(self) -> str:
        """Hash of the settings, for the record of each picture."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass
class Opened:
    """A picture on its way: its faces cut out, or why there are none.

    Attributes:
        found: The file.
        sha256: Of the file.
        picture: None when it could not be read.
        transforms: Where its faces lie.
        whole: The picture is a face itself.
        faces: uint8, [R, R, 3] each.
        problem: Why it failed; "" when it did not.
        last: Its row, when it was done before and nothing changed.
    """

    found: Found
    sha256: str = ""
    picture: Picture | None = None
    transforms: Sequence[Transform] = ()
    whole: bool = False
    faces: Sequence[np.ndarray] = ()
    problem: str = ""
    last: Row | None = None


@dataclass(frozen=True)
class FolderEditor:
    """Edits files into one folder with one model and one set of settings."""

    out_dir: Path
    bundle: Bundle
    settings: EditSettings
    records: Records
    batch_size: int
    overwrite: bool

    def open(self, chunk: Sequence[Found]) -> list[Opened]:
        """Read files and cut out their faces; nothing that a file does raises."""
        return [self._open(found) for found in chunk]

    def _open(self, found: Found) -> Opened:
        opened = Opened(found, problem=found.problem)
        try:
            opened.sha256 = sha256_file(found.path)
            opened.last = self._done_before(opened)
            if not opened.problem and opened.last is None:
                self._check_target(found)
                self._cut_faces(opened)
        except OSError as error:
            opened.problem = f"{found.name} must be readable, got: {error.strerror or error}"
        except MemoryError:
            opened.problem = f"{found.name} must fit into memory, it does not; make it smaller"
        except PictureError as error:
            opened.problem = str(error)
        return opened

    def _done_before(self, opened: Opened) -> Row | None:
        row = self.records.last(opened.found.path)
        if self.overwrite or row is None:
            return None
        expected = {
            "sha256": opened.sha256,
            "settings": self.settings.sha256,
            "model": self.bundle.sha256,
        }
        return row if matches(row, expected, self.out_dir) else None

    def _check_target(self, found: Found) -> None:
        target = self.out_dir / found.output
        if target.exists() and not self.overwrite and not self.records.owns(found.output):
            raise PictureError(
                f"{target} must not exist, it does and is not in this folder's record; "
                "move it, or give --overwrite"
            )

    def _cut_faces(self, opened: Opened) -> None:
        found = opened.found
        picture = read_picture(found.path.read_bytes(), found.name, self.settings.max_pixels)
        opened.picture = picture
        cut = cut_faces(picture.on_white, self.bundle, self.settings.faces, found.name)
        opened.whole, opened.transforms, opened.faces = cut.whole, cut.transforms, cut.faces

    def edit(self, chunk: Sequence[Opened]) -> Iterator[Row]:
        """Edit all faces of opened files together; write file after file, yield its row."""
        started = time.monotonic()
        faces = [face for opened in chunk for face in opened.faces]
        edited, strips = self._edit_faces(np.stack(faces)) if faces else (None, None)
        seconds = (time.monotonic() - started) / max(len(faces), 1)
        place = 0
        for opened in chunk:
            if opened.last is not None:
                yield {**opened.last, "unchanged": True}
                continue
            own = slice(place, place := place + len(opened.faces))
            row = self._describe(opened, edited, own, seconds)
            if row["output"]:
                self.records.append({**row, "status": "started"})
                self._write(opened, edited.pixels[own] if edited else np.empty(0))
                row["output_sha256"] = sha256_file(self.out_dir / row["output"])
                if strips is not None and opened.faces:
                    self._write_strip(opened.found, strips[own])
            self.records.append(row)
            yield row

    def _edit_faces(self, faces: np.ndarray) -> tuple[EditedFaces, np.ndarray | None]:
        chosen, bundle = self.settings, self.bundle
        w_plus = invert_faces(faces, bundle, chosen.num_steps, self.batch_size, lambda *_: None)
        edit = (chosen.changes, chosen.keep)
        edited = edit_faces(faces, w_plus, bundle, *edit, chosen.strength, self.batch_size)
        strips = strip_faces(w_plus, bundle, *edit, self.batch_size) if chosen.strip else None
        return edited, strips

    def _describe(
        self, opened: Opened, edited: EditedFaces | None, own: slice, seconds: float
    ) -> Row:
        """Return the row of a file as it will be once its result is written."""
        found, status, reason, output = opened.found, "edited", "", opened.found.output
        if opened.problem:
            status, reason, output = "skipped" if found.stray else "failed", opened.problem, ""
        elif not opened.faces:
            status, reason = "no_face", "no face was found"
            output = output if self.settings.no_face == "copy" else ""
        return {
            "input": str(found.path),
            "sha256": opened.sha256,
            "output": output,
            "output_sha256": "",
            "status": status,
            "reason": reason,
            "changes": dict(self.settings.changes) if status == "edited" else {},
            "faces": [
                {"box": [round(v, 2) for v in t.box], "angle": round(t.angle, 2)}
                | (edited.figures(own.start + i) if edited is not None else {})
                for i, t in enumerate(opened.transforms)
            ],
            "seconds": round(seconds * len(opened.faces), 3),
            "settings": self.settings.sha256,
            "model": self.bundle.sha256,
        }

    def _write(self, opened: Opened, edited: np.ndarray) -> None:
        """Put the edited faces into their picture and write it; without faces copy the file."""
        found, path = opened.found, self.out_dir / opened.found.output
        assert opened.picture is not None
        if not opened.faces and path.suffix == SUFFIXES[found.kind] and found.kind != "GIF":
            write_bytes(path, found.path.read_bytes())
            return
        pixels = opened.picture.pixels
        if opened.whole and pixels.shape[0] == pixels.shape[1]:
            pixels = resize_pixels(edited[0], pixels.shape[0])
        else:
            feather = self.bundle.description["alignment"]["feather"]
            for face, transform in zip(edited, opened.transforms, strict=True):
                pixels = paste_back(pixels, face, transform, feather)
        write_bytes(path, encode_picture(Picture(pixels, opened.picture.alpha), path.suffix))

    def _write_strip(self, found: Found, strips: np.ndarray) -> None:
        sheet = make_grid(strips.reshape(-1, *strips.shape[2:]), columns=strips.shape[1])
        write_bytes(self.out_dir / "strips" / f"{found.output}.png", encode_png(sheet))


def edit_files(
    planned: Sequence[Found],
    editor: FolderEditor,
    strict: bool,
    on_progress: Callable[[int, int, str], None],
) -> Iterator[Row]:
    """Edit files in order and yield the row of each; the next ones are opened meanwhile.

    A file whose last row fits its bytes, the settings, the model and its result is not done
    again: its row has `unchanged`. A bad file gets the status `failed`, and the others go on.

    Args:
        planned: Files with the names of their results.
        editor: Where to, with which model and settings.
        strict: Stop after the first file that fails.
        on_progress: Called with files done, in all, and a note.

    Raises:
        ParamsError: If the model cannot make such an edit.
        StorageError: If a result cannot be written.
    """
    check_edit(editor.bundle.boundaries, editor.settings.changes, editor.settings.keep)
    chunks, done = _chunks(planned, editor.batch_size), 0
    with ThreadPoolExecutor(1) as ahead:
        opening = [ahead.submit(editor.open, chunk) for chunk in chunks[:1]]
        for following in [*chunks[1:], None]:
            opened = opening.pop().result()
            if following is not None:
                opening.append(ahead.submit(editor.open, following))
            for row in editor.edit(opened):
                done += 1
                on_progress(done, len(planned), Path(row["input"]).name)
                yield row
                if strict and row["status"] == "failed":
                    return


def _chunks(planned: Sequence[Found], batch_size: int) -> list[list[Found]]:
    """Split files into runs of at most `batch_size` files and about `CHUNK_PIXELS` pixels."""
    chunks: list[list[Found]] = [[]]
    pixels = 0
    for found in planned:
        full = len(chunks[-1]) == batch_size or pixels + found.num_pixels > CHUNK_PIXELS
        if chunks[-1] and full:
            chunks.append([])
            pixels = 0
        chunks[-1].append(found)
        pixels += found.num_pixels
    return chunks
