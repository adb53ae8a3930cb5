"""Open picture files and cut out their faces; nothing that a file does raises."""

from dataclasses import dataclass, field
from pathlib import Path

from nfe.bundle import Bundle
from nfe.edit_records import Records, Row, matches
from nfe.errors import PictureError
from nfe.faces.cutting import Choose, FaceCutter
from nfe.file_discovery import Found
from nfe.files import sha256_file
from nfe.folder_editing.settings import EditSettings, Limits
from nfe.picture_faces import Frame, cut_frame
from nfe.picture_files import read_frames, read_picture

__all__ = ["Opened", "Opener"]


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
        cutter = self._cutter()
        return [cut_frame(picture, name, cutter) for picture in pictures]

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

    def _cutter(self) -> FaceCutter:
        bundle, settings = self.bundle, self.settings
        one = settings.largest or settings.paste_back is False
        choose: Choose = "largest" if one else "all"
        return FaceCutter.of_model(bundle.description, bundle.detector, settings.faces, choose)
