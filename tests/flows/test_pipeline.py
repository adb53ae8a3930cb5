import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.dvc_graph import needed_stages, read_graph, read_status
from flows.pipeline import Relay, Run, StageError
from tests.flows.toy import Project, make_toy


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A toy project whose stages have run, without the engine."""
    project = make_toy(tmp_path_factory.mktemp("made"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        run = Run(project.root)
        for stage in ("make", "join", "report"):
            assert run.run_stage(stage).state == "Completed"
        yield project


def state_of(project: Project, stage: str, **options: frozenset[str]) -> tuple[str, str]:
    result = Run(project.root, **options).run_stage(stage)
    return result.state, result.why


def test_graph_is_in_order_and_leads_to_the_results(made: Project) -> None:
    graph = read_graph(made.root)
    assert graph["join"] == ("make",)
    assert list(graph).index("make") < list(graph).index("join") < list(graph).index("report")
    assert needed_stages(graph) == ["make", "join", "report"]
    assert needed_stages(graph, ["join"]) == ["make", "join"]


def test_status_tells_why(made: Project) -> None:
    stages = ["make", "join", "report", "aside"]
    states = {s: status.state for s, status in read_status(made.root, stages).items()}
    assert states == dict.fromkeys(stages[:3], "unchanged") | {"aside": "never_run"}
    made.edit("params.yaml", "times: 2", "times: 3")
    made.edit("tasks/report.py", "Writes a word", "Writes one word")
    try:
        found = read_status(made.root, stages)
    finally:
        made.edit("params.yaml", "times: 3", "times: 2")
        made.edit("tasks/report.py", "Writes one word", "Writes a word")
    assert (found["join"].state, found["join"].why) == ("changed", "join.times 2 -> 3")
    assert found["report"].why == "tasks/report.py modified"
    assert found["make"].state == "unchanged"


def test_a_changed_value_runs_its_stage_and_the_old_value_restores_it(made: Project) -> None:
    assert state_of(made, "join") == ("Cached", "unchanged")
    made.edit("params.yaml", "times: 2", "times: 3")
    assert state_of(made, "join") == ("Completed", "join.times 2 -> 3")
    made.edit("params.yaml", "times: 3", "times: 2")
    assert state_of(made, "join") == ("Restored", "join.times 3 -> 2")
    assert (made.root / "data/join/out.txt").read_text() == "xaxa"


def test_force_begins_without_checkpoints(made: Project) -> None:
    count = made.root / "data/make/checkpoints/count"
    made.edit("params.yaml", "text: a", "text: d")
    assert state_of(made, "make")[0] == "Completed"
    assert count.read_text() == "2"
    made.edit("params.yaml", "text: d", "text: a")
    assert state_of(made, "make", force=frozenset({"make"})) == ("Completed", "forced")
    assert count.read_text() == "1"


def test_a_failure_is_one_line(made: Project) -> None:
    made.edit("params.yaml", "fail: false", "fail: true")
    shown: list[bytes] = []
    run = Run(made.root, write=shown.append)
    try:
        with pytest.raises(
            StageError, match=r"^make: source must be good, got a bad one"
        ) as caught:
            run.run_stage("make")
    finally:
        made.edit("params.yaml", "fail: true", "fail: false")
    assert "\n" not in str(caught.value)
    assert b"started" in b"".join(shown)
    assert b"ERROR" not in b"".join(shown)
    assert [result.state for result in run.results] == ["Failed"]
    with pytest.raises(StageError, match="stopped before"):
        run.run_stage("join")


@pytest.mark.parametrize("name", ["in.txt", "tasks/make.py", "params.yaml"])
def test_an_input_that_changes_meanwhile_fails_the_stage(made: Project, name: str) -> None:
    made.edit("params.yaml", "seconds: 0.0", "seconds: 0.5")
    run = Run(made.root)
    path = made.root / name
    kept = path.read_bytes()

    def meddle(piece: bytes) -> None:
        if b"started" in piece:
            path.write_bytes(kept.replace(b"x", b"y").replace(b"text: a", b"text: q") + b"\n")

    run.write = meddle
    try:
        with pytest.raises(StageError, match=f"{name} changed meanwhile"):
            run.run_stage("make")
        assert read_status(made.root, ["make"])["make"].state == "changed"
    finally:
        path.write_bytes(kept)
        made.edit("params.yaml", "seconds: 0.5", "seconds: 0.0")


def test_stop_ends_the_stage(made: Project) -> None:
    made.edit("params.yaml", "seconds: 0.0", "seconds: 60.0")
    run = Run(made.root)
    run.write = lambda piece: (
        threading.Thread(target=run.processes.stop_all).start() if b"started" in piece else None
    )
    try:
        with pytest.raises(StageError, match="make: stopped"):
            run.run_stage("make")
    finally:
        made.edit("params.yaml", "seconds: 60.0", "seconds: 0.0")
    assert state_of(made, "make")[0] in ("Completed", "Restored")


def test_relay_shows_bars_at_once_and_hides_what_dvc_says(tmp_path: Path) -> None:
    shown: list[bytes] = []
    with Relay(shown.append, tmp_path / "log") as relay:
        for piece in (b"Running stage 'a':\n> python\n", b"\rbar 1", b"\rbar 2\nli", b"ne\n"):
            relay(piece)
        assert shown == [b"\rbar 1", b"\rbar 2\n", b"line\n"]
        relay(b"Stage 'a' is cached - skipping run, checking out outputs\n")
        relay(b"error: a: x must be y\nERROR: failed to reproduce 'a'")
    assert relay.restored
    assert relay.error(1) == "a: x must be y"
    assert b"".join(shown) == b"\rbar 1\rbar 2\nline\n"


def test_whole_run_twice_then_until(toy: Project, server: None) -> None:
    first = toy.nfe("run")
    assert toy.states(first) == dict.fromkeys(["make", "join", "report"], "Completed")
    assert not (toy.root / "data/aside").exists()
    assert (toy.root / "data/report/out.txt").read_text() == "b"
    options = ("--until", "join", "--jobs", "2", "--force", "aside")
    second = toy.nfe("run", "--set", "report.text=q", *options)
    expected = {**dict.fromkeys(["make", "join"], "Cached"), "aside": "Completed"}
    assert toy.states(second) == expected
    assert (toy.root / "data/report/out.txt").read_text() == "b"
    failed = toy.nfe("run", "--set", "make.fail=true", "--set", "report.text=b", code=1)
    assert failed.splitlines()[-1].startswith("error: make: source must be good")
    assert toy.states(failed) == {"make": "Failed"}
    toy.edit("params.yaml", "fail: true", "fail: false")


def test_interrupt_ends_everything_and_a_second_run_is_refused(toy: Project, server: None) -> None:
    toy.edit("params.yaml", "seconds: 0.0", "seconds: 60.0")
    command = toy.command("run")
    first = subprocess.Popen(command, cwd=toy.root, stderr=subprocess.PIPE, text=True)
    assert first.stderr is not None
    while "started" not in first.stderr.readline():
        assert first.poll() is None
    refused = toy.nfe("run", code=4)
    assert str(first.pid) in refused
    assert "going on" in toy.nfe("status")
    first.send_signal(signal.SIGINT)
    assert first.wait(30) == 130
    assert "goes on from here" in first.stderr.read()
    first.stderr.close()
    assert processes_in(toy.root) == []
    toy.edit("params.yaml", "seconds: 60.0", "seconds: 0.0")


@pytest.mark.slow
def test_a_killed_run_leaves_no_server_and_no_lock(
    toy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)  # a server of its own
    toy.edit("params.yaml", "seconds: 0.0", "seconds: 3.0")
    first = subprocess.Popen(toy.command("run"), cwd=toy.root, stderr=subprocess.PIPE, text=True)
    assert first.stderr is not None
    while "started" not in first.stderr.readline():
        assert first.poll() is None
    first.kill()
    first.wait()
    first.stderr.close()
    for _ in range(200):
        if not processes_in(toy.root):
            break
        time.sleep(0.1)
    assert processes_in(toy.root) == []
    states = toy.states(toy.nfe("run"))
    assert set(states.values()) <= {"Completed", "Cached", "Restored"}
    toy.edit("params.yaml", "seconds: 3.0", "seconds: 0.0")


def processes_in(root: Path) -> list[str]:
    """Return the living processes whose current folder is in `root`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").readlink().is_relative_to(root):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [command for command in found if command]
