"""One run per project: a lock that names its holder and dies with it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nfe.errors import NFEError

__all__ = ["LockedError", "run_lock"]


class LockedError(NFEError):
    """Another run of this project is going on."""


@contextmanager
def run_lock(root: Path) -> Iterator[None]:
    """Hold `.nfe/run.lock`, with our pid in it, while the block runs.

    The system frees the lock when its holder ends, however it ends.

    Raises:
        LockedError: If a living process holds the lock. The message names its pid.
    """
    path = root / ".nfe" / "run.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LockedError(
                f"project must have one run at a time, process {file.read().strip()} runs it; "
                "wait for it or stop it"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)
