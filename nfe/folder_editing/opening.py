"""Open picture files and cut out their faces; nothing that a file does raises."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nfe.bundle import Bundle
from nfe.edit_records import Records, Row, matches
from nfe.errors import PictureError
from nfe.faces.alignment import Transform, align, face_transform, whole_picture_transform
from nfe.faces.detection import Face
from nfe.file_discovery import Found
from nfe.files import sha256_file
from nfe.folder_editing.settings import EditSettings, Limits
from nfe.picture_files import Picture, read_frames, read_picture

__all__ = ["Frame", "Opened", "Opener"]


@dataclass(frozen=True)
class Frame:
    """A picture, or a frame of one, and its faces.

    Attributes:
        picture: Decoded.
        transforms: Where its F faces lie.
        whole: The picture is a face itself.
        faces: uint8, [R, R, 3], F of them.
    """

    picture: Picture
    transforms: Sequence[Transform]
    whole: bool
    faces: Sequence[np.ndarray]


@dataclass
class Opened:
    """A file on its way.

    Attributes:
        found: The file.
        sha256: Of its bytes.
        frames: Empty when it could not be read, or was done before.
        problem: Why it failed; "" when it did not.
        last: Its row, when it was done before and nothing changed.
    """

    found: Found
    sha256: str = ""
    frames: list[Frame] = field(default_factory=list)
    problem: str = ""
    last: Row | None = None

    @property
    def num_faces(self) -> int:
        """Faces in all frames; also of a file that was done before."""
        if self.last is not None:
            return len(self.last["faces"])
        return sum(len(frame.faces) for frame in self.frames)

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames; also of a file that was done before."""
        if self.problem:
            return 0
        num_frames = self.last["num_frames"] if self.last is not None else len(self.frames)
        return self.found.num_pixels * num_frames


@dataclass(frozen=True)
class Opener:
    """Opens files for edits into one folder."""

    out_dir: Path
    bundle: Bundle
    settings: EditSettings
    limits: Limits
    records: Records
    overwrite: bool

    def open(self, found: Found) -> Opened:
        """Read a file and cut out its faces, unless it was done before."""
        opened = Opened(found, problem=found.problem)
        try:
            self._check_file(found)
            opened.sha256 = sha256_file(found.path)
            opened.last = self._done_before(opened)
            if not opened.problem and opened.last is None:
                self._check_target(found)
                opened.frames = self.cut(found)
        except OSError as error:
            opened.problem = (
                opened.problem or f"{found.name} must be readable, got: {error.strerror or error}"
            )
        except MemoryError:
            opened.problem = f"{found.name} must fit into memory, it does not; make it smaller"
        except PictureError as error:
            opened.problem = opened.problem or str(error)
        return opened

    def too_late(self, found: Found) -> Opened:
        """Return what a file is that took too long to open."""
        return Opened(
            found,
            problem=f"{found.name} must be opened within {self.limits.seconds:g} s, it was not; "
            "make it smaller or raise --timeout",
        )

    def cut(self, found: Found) -> list[Frame]:
        """Read a file and cut the faces out of its frames.

        Raises:
            OSError: If it cannot be read.
            PictureError: If it is no picture, or too large.
        """
        data, name = found.path.read_bytes(), found.name
        if self.settings.all_frames:
            pictures = read_frames(data, name, self.limits.max_pixels)
        else:
            pictures = [read_picture(data, name, self.limits.max_pixels)]
        return [self._frame(picture, name) for picture in pictures]

    def _check_file(self, found: Found) -> None:
        """Refuse what is no regular file (hashing a pipe has no end), or too large a one."""
        size = found.path.stat().st_size
        if not found.path.is_file():
            raise PictureError(f"{found.name} must be a file, it is none; leave it out")
        if size > self.limits.max_bytes:
            raise PictureError(
                f"{found.name} must have at most {self.limits.max_bytes / 1e6:g} MB, got "
                f"{size / 1e6:.1f}; make it smaller or raise --max-megabytes"
            )

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
        if not target.exists():
            return
        if target.samefile(found.path):
            raise PictureError(f"{found.name} must not be its own result; choose another --out")
        if not self.overwrite and not self.records.owns(found.output):
            raise PictureError(
                f"{target} must not exist, it does and is not in this folder's record; "
                "move it, or give --overwrite"
            )

    def _frame(self, picture: Picture, name: str) -> Frame:
        seen, side = picture.on_white, self.bundle.generator.resolution
        height, width = seen.shape[:2]
        whole = self.settings.faces == "whole" or (
            self.settings.faces == "auto" and height == width <= 2 * side
        )
        transforms = [whole_picture_transform(seen)] if whole else self._detect(seen, name)
        return Frame(picture, transforms, whole, [align(seen, t, side) for t in transforms])

    def _detect(self, seen: np.ndarray, name: str) -> list[Transform]:
        if self.bundle.detector is None:
            raise PictureError(
                f"{name} must be a face itself, as the model has no face detector; "
                "cut the face out and give --faces whole"
            )
        faces = self.bundle.detector.detect(seen)
        if self.settings.largest or self.settings.paste_back is False:
            faces = sorted(faces, key=_area, reverse=True)[:1]
        alignment = self.bundle.description["alignment"]
        margin, max_angle = alignment["margin"], alignment["max_angle"]
        return [face_transform(face, margin, max_angle) for face in faces]


def _area(face: Face) -> float:
    x0, y0, x1, y1 = face.box
    return (x1 - x0) * (y1 - y0)
