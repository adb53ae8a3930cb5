"""What the bot keeps of each user: one file, whole or absent, in a folder of its own."""

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from apps.telegram_bot.keyboard import Choices
from nfe.errors import ModelFileError, ParamsError, StorageError
from nfe.files import read_npz, sweep_leftovers, write_npz

__all__ = ["Damaged", "States", "UserState", "private_folder"]

DAY = 86_400.0


class Damaged(Exception):  # noqa: N818 - what is told to the user
    """A user's file cannot be used. The message is for the user."""


@dataclass(frozen=True)
class UserState:
    """What is known of a user.

    Attributes:
        strip: Name of the strip that the codes belong to; "" before the first.
        codes: Of its faces, float32, [F, num_ws, w_dim].
        place: Which of them is the user's face.
        choices: What shall change.
    """

    strip: str = ""
    codes: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))
    place: int = 0
    choices: Choices = field(default_factory=Choices)

    @property
    def face(self) -> np.ndarray | None:
        """Code of the user's face, [1, num_ws, w_dim]; None before the first."""
        return self.codes[self.place, None] if len(self.codes) else None


@dataclass(frozen=True)
class States:
    """The states of all users of one model.

    Attributes:
        folder: Where the files are.
        model: Hash of the model; codes of another are of no use.
        shape: num_ws and w_dim of its codes.
    """

    folder: Path
    model: str
    shape: tuple[int, int]

    def load(self, user_id: int) -> UserState:
        """Read a user's state; an empty one if there is none.

        Raises:
            Damaged: If the file cannot be read, or belongs to another model.
        """
        path = self._path(user_id)
        if not path.exists():
            return UserState()
        try:
            arrays = read_npz(path)
            about, codes = json.loads(bytes(arrays["about"])), arrays["codes"]
            if about["model"] == self.model:
                return self._state(about, codes)
        except (ModelFileError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Damaged("What I had kept of you could not be read. We begin anew.") from error
        raise Damaged("I have a new model since you were here, so your face is gone.")

    def save(self, user_id: int, state: UserState) -> None:
        """Replace a user's state.

        Raises:
            StorageError: If it cannot be written; the previous state is then intact.
        """
        about = {
            "model": self.model,
            "strip": state.strip,
            "place": state.place,
            "changes": dict(state.choices.changes),
            "keep": sorted(state.choices.keep),
        }
        text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
        write_npz(self._path(user_id), {"about": text, "codes": state.codes})

    def delete(self, user_id: int) -> None:
        """Remove all that is kept of a user."""
        self._path(user_id).unlink(missing_ok=True)

    def sweep(self, now: float, days: int) -> None:
        """Remove files that were not written for so many days; `now` is in seconds."""
        for path in self.folder.glob("*.npz"):
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > days * DAY:
                    path.unlink()

    def _path(self, user_id: int) -> Path:
        return self.folder / f"{int(user_id)}.npz"

    def _state(self, about: Mapping[str, Any], codes: np.ndarray) -> UserState:
        """Build a state from a file's content; a ValueError or the like if it is not one."""
        strip, place = about["strip"], about["place"]
        changes = {str(name): str(value) for name, value in about["changes"].items()}
        choices = Choices(changes, frozenset(map(str, about["keep"])))
        if not (isinstance(strip, str) and isinstance(place, int)):
            raise TypeError("strip must be a string and place an integer; begin anew")
        if codes.shape != (0, 0, 0):
            fits = codes.ndim == 3 and codes.shape[1:] == self.shape
            if not (fits and codes.dtype == np.float32 and 0 <= place < len(codes)):
                raise ValueError("codes must be of the model's shape; begin anew")
            if not np.isfinite(codes).all():
                raise ValueError("codes must be finite; begin anew")
        return UserState(strip, codes, place, choices)


def private_folder(folder: Path) -> Path:
    """Make a folder that only its owner can look into, and clear away half-written files.

    Raises:
        ParamsError: If it is no folder, or is there already and open to others.
        StorageError: If it cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        about = folder.stat()
    except OSError as error:
        raise StorageError(
            f"--state must be a folder that can be made, got {folder}: "
            f"{error.strerror or error}; choose another"
        ) from error
    if not stat.S_ISDIR(about.st_mode):
        raise ParamsError(f"--state must be a folder, got the file {folder}; choose another")
    if about.st_mode & 0o077 or about.st_uid != os.getuid():
        raise ParamsError(
            f"--state must be private to you, got {folder} with mode "
            f"{stat.S_IMODE(about.st_mode):o}; chmod 700 {folder}, or choose a new folder"
        )
    sweep_leftovers(folder)
    return folder
