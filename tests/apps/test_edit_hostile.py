"""The folder editor against two hundred files, good and bad, and against being killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .hostile_corpus import LONG_NAME, NUM_FILES, add_bad, make_good, visible_files

MAX_MEGABYTES = 1500
COMMAND = """
import atexit, resource, sys, typer
from apps.edit import edit
atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
typer.run(edit)
"""


def start(bundle: Path, folder: Path, out: Path) -> subprocess.Popen:
    options = ["--set", "hair=blue", "--steps", "0", "--batch-size", "8", "--quiet"]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, folder, "--out", out, "--model", bundle, *options],
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


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("hostile") / "in"
    return folder, make_good(folder)


@pytest.fixture(scope="module")
def good_results(corpus, bundle, tmp_path_factory) -> dict[str, bytes]:
    folder, good = corpus
    out = tmp_path_factory.mktemp("good") / "out"
    run = start(bundle, folder, out)
    assert run.communicate()[1] == b""
    assert run.returncode == 0
    assert {row["status"] for row in rows(out, folder).values()} == {"edited"}
    assert sorted(rows(out, folder)) == good
    return results(out)


@pytest.fixture(scope="module")
def whole_run(corpus, good_results, bundle, tmp_path_factory):
    folder, _ = corpus
    add_bad(folder)
    assert len(visible_files(folder)) == NUM_FILES
    out = tmp_path_factory.mktemp("whole") / "out"
    run = start(bundle, folder, out)
    stdout, stderr = run.communicate()
    assert run.returncode == 3
    assert b"Traceback" not in stderr
    return out, int(stdout)


def test_every_file_has_a_row_and_only_the_bad_ones_fail(corpus, whole_run) -> None:
    folder, good = corpus
    table = rows(whole_run[0], folder)
    assert sorted(table) == visible_files(folder)
    assert sorted(name for name, row in table.items() if row["status"] == "edited") == good
    bad = {name: row for name, row in table.items() if name not in good}
    assert all(row["reason"] and not row["output"] for row in bad.values())
    skipped = sorted(name for name, row in bad.items() if row["status"] == "skipped")
    assert skipped == ["bad data.json", "bad notes.txt", "bad read me.md"]


def test_names_are_those_of_the_contract(corpus, whole_run) -> None:
    table = rows(whole_run[0], corpus[0])
    expected = {
        "same.png": "same.png.png",
        "same.gif": "same.gif.png",
        "SAME.png": "SAME.png-2.png",
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


def test_memory_stays_small(whole_run) -> None:
    assert whole_run[1] < MAX_MEGABYTES


def test_good_files_come_out_as_without_the_bad_ones(good_results, whole_run) -> None:
    assert results(whole_run[0]) == good_results


def test_a_run_killed_three_times_ends_the_same(corpus, whole_run, bundle, tmp_path) -> None:
    folder, out = corpus[0], tmp_path / "out"
    for num_results in (20, 60, 100):
        run = start(bundle, folder, out)
        deadline = time.monotonic() + 120
        while len(list(out.rglob("*.*"))) < num_results and time.monotonic() < deadline:
            assert run.poll() is None
            time.sleep(0.002)
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
    run = start(bundle, folder, out)
    run.communicate()
    assert run.returncode == 3
    assert results(out) == results(whole_run[0])
    assert rows(out, folder) == rows(whole_run[0], folder)
