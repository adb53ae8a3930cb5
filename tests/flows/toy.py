"""A small project of three trivial stages in a real DVC repository, to run flows on."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parents[2]
STATES = ("Completed", "Cached", "Restored", "Failed", "Interrupted")
SHARED_CODE = ("__init__.py", "__main__.py", "inputs.py", "params.py", "stage.py")

PIPELINE = """\
stages:
  make:
    cmd: python -m tasks make
    params: [make]
    deps: [tasks/make.py, "${make.source}"]
    outs: [data/make/out.txt]
  join:
    cmd: python -m tasks join
    params: [join]
    deps: [tasks/join.py, data/make/out.txt]
    outs: [data/join/out.txt]
    metrics: [{data/join/metrics.json: {cache: false}}]
  report:
    cmd: python -m tasks report
    params: [report]
    deps: [tasks/report.py, data/join/out.txt]
    outs: [data/report/out.txt]
  aside:
    cmd: python -m tasks aside
    params: [aside]
    deps: [tasks/aside.py, "${make.source}"]
    outs: [data/aside/out.txt]
"""
PARAMS = """\
# Values of the toy project.
make:
  source: in.txt   # a file
  seconds: 0.0     # to wait
  text: a
  fail: false
join: {times: 2}
report: {text: b}
aside: {text: c}
"""
MAKE = '''\
"""Waits, then writes."""
import time
from pathlib import Path
from nfe.errors import SourceError
from tasks.stage import StageParams


class Params(StageParams):
    source: str
    seconds: float
    text: str
    fail: bool


def run(params):
    checkpoint = Path("data/make/checkpoints/count")
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.write_text(str(int(checkpoint.read_text()) + 1 if checkpoint.exists() else 1))
    print("started", flush=True)
    time.sleep(params.seconds)
    if params.fail:
        raise SourceError("source must be good, got a bad one; take another")
    Path("data/make/out.txt").write_text(Path(params.source).read_text() + params.text)
'''
JOIN = '''\
"""Repeats."""
from pathlib import Path
from tasks.stage import StageParams, write_metrics


class Params(StageParams):
    times: int


def run(params):
    text = Path("data/make/out.txt").read_text() * params.times
    Path("data/join/out.txt").write_text(text)
    write_metrics(Path("data/join"), {"length": len(text)})
'''
WRITE = '''\
"""Writes a word."""
from pathlib import Path
from tasks.stage import StageParams


class Params(StageParams):
    text: str


def run(params):
    Path("data/STAGE/out.txt").write_text(params.text)
'''


@dataclass
class Project:
    """A project in a folder, and the commands on it."""

    root: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "apps.cli", *arguments]

    def nfe(self, *arguments: str, code: int = 0, limit_s: float = 120) -> str:
        """Run `nfe` to its end, check its exit code, return what it printed."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.root, capture_output=True, text=True, timeout=limit_s
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done.stdout + done.stderr

    def states(self, output: str) -> dict[str, str]:
        """Return stage -> state from the table at the end of a run."""
        table = output.partition("seconds    MiB")[2].splitlines()[1:]
        rows = [line.split() for line in table]
        return {
            row[0]: row[1]
            for row in rows
            if len(row) > 2 and row[0].isidentifier() and row[1] in STATES
        }

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def make_toy(root: Path) -> Project:
    """Write the toy project and make it a DVC repository."""
    tasks = root / "tasks"
    tasks.mkdir(parents=True)
    for name in SHARED_CODE:
        shutil.copy(REPO / "tasks" / name, tasks / name)
    (tasks / "make.py").write_text(MAKE)
    (tasks / "join.py").write_text(JOIN)
    for stage in ("report", "aside"):
        (tasks / f"{stage}.py").write_text(WRITE.replace("STAGE", stage))
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "params.yaml").write_text(PARAMS)
    (root / "in.txt").write_text("x")
    (root / "profiles").mkdir()
    (root / "profiles" / "long.yaml").write_text("join: {times: 3}\nreport:\n  text: z\n")
    make_repository(root)
    return Project(root)


def make_repository(root: Path) -> None:
    """Make a folder a git and DVC repository of its own."""
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    shutil.copytree(REPO / ".dvc", root / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(REPO / ".dvcignore", root / ".dvcignore")
    shutil.copy(REPO / "prefect.toml", root / "prefect.toml")
