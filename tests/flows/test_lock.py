import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.lock import LockedError, run_lock

HOLD = """
import sys, time
from pathlib import Path
from flows.lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_living_holder_is_named_and_a_dead_one_is_succeeded(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=f"process {holder.pid} "), run_lock(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    with run_lock(tmp_path):
        assert (tmp_path / ".nfe" / "run.lock").read_text() == f"{os.getpid()}\n"
    with run_lock(tmp_path):
        pass
