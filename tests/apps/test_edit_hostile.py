"""The folder editor against two hundred files, good and bad, and against being killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from .hostile_corpus import LONG_NAME, NUM_FILES, add_bad, make_good, visible_files

MAX_MEGABYTES = 1500
COMMAND = """
import json, resource, sys, typer
from apps.edit import edit
runs, options, codes = json.loads(sys.argv[1]), json.loads(sys.argv[2]), []
for folder, out in runs:
    sys.argv[1:] = [folder, "--out", out, *options]
    try:
        typer.run(edit)
    except SystemExit as end:
        codes.append(end.code)
print(json.dumps([codes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def start(bundle: Path, *runs: tuple[Path, Path]) -> subprocess.Popen:
    """Edit folders one after the other in one process of one thread."""
    options = ["--set", "hair=blue", "--steps", "0", "--batch-size", "8", "--quiet"]
    told = [[str(path) for path in run] for run in runs], [*options, "--model", str(bundle)]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(json.dumps, told)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def rows(out: Path, folder: Path) -> dict[str, dict]:
    lines = (out / "edit.jsonl").read_text(encoding="utf-8").split("\n")
    table = {}
    for row in map(json.loads, filter(None, lines)):
        table[os.path.relpath(row["input"], folder)] = {**row, "seconds": 0, "input": ""}
    return table


def results(out: Path) -> dict[str, bytes]:
    """Every file below but the records; a file left half-written would be one more."""
    files = [file for file in out.rglob("*") if file.is_file() and file.suffix != ".jsonl"]
    return {os.fspath(file.relative_to(out)): file.read_bytes() for file in files}


@dataclass(frozen=True)
class Runs:
    """A folder with bad files among the good ones, and what two uninterrupted runs made."""

    folder: Path
    good: list[str]
    good_out: Path
    out: Path
    megabytes: int


@pytest.fixture(scope="module")
def runs(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    root = tmp_path_factory.mktemp("hostile")
    good = make_good(root / "good")
    shutil.copytree(root / "good", root / "in", symlinks=True)
    add_bad(root / "in")
    assert len(visible_files(root / "in")) == NUM_FILES
    pairs = (root / "good", root / "good-out"), (root / "in", root / "out")
    stdout, stderr = start(bundle, *pairs).communicate()
    codes, megabytes = json.loads(stdout)
    assert codes == [0, 3]
    assert b"Traceback" not in stderr
    return Runs(root / "in", good, root / "good-out", root / "out", megabytes)


def test_every_file_has_a_row_and_only_the_bad_ones_fail(runs: Runs) -> None:
    table, good = rows(runs.out, runs.folder), runs.good
    assert sorted(table) == visible_files(runs.folder)
    assert sorted(name for name, row in table.items() if row["status"] == "edited") == good
    bad = {name: row for name, row in table.items() if name not in good}
    assert all(row["reason"] and not row["output"] for row in bad.values())
    skipped = sorted(name for name, row in bad.items() if row["status"] == "skipped")
    assert skipped == ["bad data.json", "bad notes.txt", "bad read me.md"]


def test_names_are_those_of_the_contract(runs: Runs) -> None:
    table = rows(runs.out, runs.folder)
    expected = {
        "same.png": "same.png-2.png",
        "same.gif": "same.gif.png",
        "SAME.png": "SAME.png.png",
        "same.jpg": "same.jpg",
        "wrong.txt.jpg": "wrong.txt.png",
        "no-suffix": "no-suffix.png",
        "odd/-dash.png": "odd/-dash.png",
        "folder.png/inside.png": "folder.png/inside.png",
        "link.png": "link.jpg",
        "camera.jpg": "camera.jpg",
        "moving/a.gif": "moving/a.gif.png",
        "turned/6.webp": "turned/6.webp",
    }
    assert {name: table[name]["output"] for name in expected} == expected
    long = Path(table[f"odd/{LONG_NAME}"]["output"]).name
    assert long.startswith("长长长") and long.endswith(".png") and len(long.encode()) < 245


def test_memory_stays_small(runs: Runs) -> None:
    assert runs.megabytes < MAX_MEGABYTES


def test_good_files_come_out_as_without_the_bad_ones(runs: Runs) -> None:
    assert len(results(runs.good_out)) == len(runs.good)
    assert results(runs.out) == results(runs.good_out)


def test_a_run_killed_three_times_ends_the_same(runs: Runs, bundle: Path, tmp_path: Path) -> None:
    folder, out = runs.folder, tmp_path / "out"
    for num_results in (20, 60, 100):
        run = start(bundle, (folder, out))
        deadline = time.monotonic() + 120
        while len(list(out.rglob("*.*"))) < num_results and time.monotonic() < deadline:
            assert run.poll() is None
            time.sleep(0.002)
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
    run = start(bundle, (folder, out))
    assert json.loads(run.communicate()[0])[0] == [3]
    assert results(out) == results(runs.out)
    assert rows(out, folder) == rows(runs.out, folder)
