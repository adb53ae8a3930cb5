import os
import sys
import threading
import time
from pathlib import Path

from flows.processes import Ended, Processes

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def run(processes: Processes, script: str, on_output: object = None) -> tuple[Ended, bytes]:
    pieces: list[bytes] = []

    def take(piece: bytes) -> None:
        pieces.append(piece)
        if callable(on_output):
            on_output(piece)

    ended = processes.run([sys.executable, "-c", script], Path(), os.environ, take)
    return ended, b"".join(pieces)


def test_output_and_exit_code_come_back() -> None:
    ended, output = run(Processes(), "import sys; print(1, file=sys.stderr); sys.exit(3)")
    assert (ended.code, output) == (3, b"1\n")
    assert ended.seconds > 0
    assert 1 < ended.peak_mib < 4096


def test_stop_ends_the_whole_group_even_a_stubborn_one() -> None:
    processes = Processes()
    ended, output = run(
        processes, STUBBORN, lambda _: threading.Thread(target=processes.stop_all).start()
    )
    assert ended.code < 0
    for _ in range(100):  # the grandchild is reaped by init, some moments later
        if not alive(int(output)):
            break
        time.sleep(0.05)
    assert not alive(int(output))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends while it is read
        return False
    return state != "Z"


def test_nothing_starts_after_a_stop() -> None:
    processes = Processes()
    processes.stop_all()
    ended, output = run(processes, "print(1)")
    assert ended.code < 0
    assert output == b""
