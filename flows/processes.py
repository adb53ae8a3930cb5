"""Child processes in groups of their own, and a registry to stop all of them at once."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "Processes"]

GRACE_SECONDS = 2.5  # between the request to end and the end


@dataclass(frozen=True)
class Ended:
    """How a child ended: exit code (negative: the signal), seconds, peak memory in MiB."""

    code: int
    seconds: float
    peak_mib: float


class Processes:
    """Runs children, each the leader of its own session, and stops whole groups."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[int, subprocess.Popen[bytes]] = {}
        self.stopped = False

    def run(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        on_output: Callable[[bytes], None],
    ) -> Ended:
        """Run a command to its end and hand over what it prints, as it prints it.

        Args:
            command: The program and its arguments.
            cwd: Folder to run in.
            env: The whole environment.
            on_output: Called with each piece of stdout and stderr, in order.
        """
        started = time.monotonic()
        child = self._start(command, cwd, env)
        if child is None:
            return Ended(-signal.SIGINT, 0.0, 0.0)
        assert child.stdout is not None
        try:
            while piece := os.read(child.stdout.fileno(), 1 << 16):
                on_output(piece)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            with self._lock:
                del self._live[child.pid]
            child.stdout.close()
        return Ended(child.returncode, time.monotonic() - started, usage.ru_maxrss / 1024)

    def _start(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str]
    ) -> subprocess.Popen[bytes] | None:
        with self._lock:  # a stop either prevents the start or sees the child
            if self.stopped:
                return None
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                bufsize=0,
            )
            self._live[child.pid] = child
            return child

    def stop_all(self) -> None:
        """Interrupt every group, kill after a grace period what is left; start nothing any more."""
        with self._lock:
            self.stopped = True
            leaders = list(self._live)
        for leader in leaders:
            _signal_group(leader, signal.SIGINT)
        deadline = time.monotonic() + GRACE_SECONDS
        while any(map(_group_lives, leaders)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for leader in leaders:
            _signal_group(leader, signal.SIGKILL)


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
