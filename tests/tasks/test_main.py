"""How a stage is run by DVC: exit codes, one line of error, inputs that must not change."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nfe.errors import ParamsError
from tasks.inputs import changed_inputs, fingerprint, input_paths
from tasks.params import load_model, parse_params
from tests.flows.toy import Project, make_toy


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_toy(tmp_path_factory.mktemp("stages"))


def run_stage(toy: Project, stage: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tasks", stage], cwd=toy.root, capture_output=True, text=True
    )


def test_a_stage_runs_by_itself_and_sweeps_leftovers(toy: Project) -> None:
    leftover = toy.root / "data" / "make" / ".partial-x"
    leftover.mkdir(parents=True)
    assert run_stage(toy, "make").returncode == 0
    assert not leftover.exists()
    assert (toy.root / "data/make/out.txt").read_text() == "xa"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fail: false", "fail: true", "make: source must be good, got a bad one; take another"),
        ("source: in.txt", "source: none.txt", "make: [Errno 2] No such file or directory"),
        ("text: a", "text: 3", "make: make.text must be a valid string, got 3"),
        ("text: a", "tex: a", "make: make.text must be given, it is missing"),
        ("make:\n", "mak:\n", "make: params.yaml must have a section make"),
        ("make:\n", "make: [\n", "make: params.yaml must be YAML, got: while parsing"),
    ],
)
def test_an_error_is_one_line_and_code_1(toy: Project, old: str, new: str, message: str) -> None:
    toy.edit("params.yaml", old, new)
    done = run_stage(toy, "make")
    toy.edit("params.yaml", new, old)
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"error: {message}")
    assert "\n" not in done.stderr.strip()


def test_a_fault_of_the_program_keeps_its_traceback(toy: Project) -> None:
    toy.edit("tasks/report.py", "def run(params):", "def run(params):\n    1 / 0")
    done = run_stage(toy, "report")
    toy.edit("tasks/report.py", "def run(params):\n    1 / 0", "def run(params):")
    assert done.returncode == 1
    assert "report: ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" not in done.stderr
    kept = toy.root / ".nfe/logs/report.traceback.txt"
    assert "1 / 0" in kept.read_text()


def test_an_unknown_stage(toy: Project) -> None:
    done = run_stage(toy, "paint")
    assert (done.returncode, "got paint" in done.stderr) == (1, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(toy: Project, number: signal.Signals, code: int) -> None:
    toy.edit("params.yaml", "seconds: 0.0", "seconds: 60.0")
    child = subprocess.Popen(
        [sys.executable, "-m", "tasks", "make"], cwd=toy.root, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    child.send_signal(number)
    child.communicate(timeout=30)
    toy.edit("params.yaml", "seconds: 60.0", "seconds: 0.0")
    assert child.returncode == code


def test_inputs_are_those_of_the_graph_with_values_filled_in() -> None:
    pipeline = {"stages": {"crop": {"deps": ["a.py", "${crop.source}", "x/${crop.n.m}/y"]}}}
    values = {"crop": {"source": "some/folder", "n": {"m": 3}}}
    expected = [Path("a.py"), Path("some/folder"), Path("x/3/y")]
    assert input_paths("crop", pipeline, values) == expected


def test_fingerprints_see_content_absence_and_parameters(tmp_path: Path) -> None:
    inner = tmp_path / "folder" / "inner"
    inner.mkdir(parents=True)
    (inner / "a.txt").write_text("1")
    paths = [tmp_path / "folder", tmp_path / "file"]
    before = fingerprint(paths, {"seed": 1})
    assert changed_inputs(before, fingerprint(paths, {"seed": 1})) == []
    assert changed_inputs(before, fingerprint(paths, {"seed": 2})) == ["params.yaml"]
    (inner / "a.txt").write_text("2")
    (tmp_path / "file").write_text("new")
    after = fingerprint(paths, {"seed": 1})
    assert changed_inputs(before, after) == [str(tmp_path / "file"), str(inner / "a.txt")]
    (inner / ".gitignore").write_text("/a.txt")
    assert changed_inputs(after, fingerprint(paths, {"seed": 1})) == []


def test_parameters_are_refused() -> None:
    with pytest.raises(ParamsError, match=r"one of dvc\.yaml, got paint"):
        load_model("paint")
    with pytest.raises(ParamsError, match="must be a mapping of keys to values, got 3"):
        parse_params("report", {"report": 3})
