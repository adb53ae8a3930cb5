import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apps.cli import app
from flows.history import StageResult, save_results
from nfe.files import write_json, write_text

REPO = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which only curate has run."""
    shutil.copy(REPO / "dvc.yaml", tmp_path / "dvc.yaml")
    own = {"num_faces": 1100, "num_train": 900, "num_holdout": 100}
    write_json(tmp_path / "data/curate/metrics.json", own)
    monkeypatch.setattr("sys.path", [*os.sys.path])
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["report", *arguments])
    return result.exit_code, result.output


def test_text_tells_the_figures_and_the_last_run(project: Path) -> None:
    code, text = call("--text")
    assert code == 0
    assert (
        "       900  Faces to learn from  [curate]\n            Of 1,100 faces found 1,000" in text
    )
    assert max(map(len, text.splitlines())) <= 72
    assert text.endswith("Last run: not known\n")
    results = [StageResult("draw", "Cached", "unchanged"), StageResult("crop", "Completed", "x", 3)]
    save_results(project, results)
    write_text(project / "data/report/report.html", "<p>")
    text = call("--text")[1]
    assert "draw              Cached              -      -  unchanged\n" in text
    assert text.endswith(f"\n{project / 'data/report/report.html'}\n")


def test_the_page_is_named_or_its_absence(project: Path) -> None:
    code, text = call()
    assert code == 1
    assert "`nfe run --until report` makes it" in text
    write_text(project / "data/report/report.html", "<p>")
    assert call() == (0, f"{project / 'data/report/report.html'}\n")


def test_without_figures_it_says_what_to_do(project: Path) -> None:
    shutil.rmtree(project / "data/curate")
    code, text = call("--text")
    assert code == 1
    assert "run `nfe run`" in text


def test_a_damaged_record_of_the_last_run_is_no_record(project: Path) -> None:
    write_text(project / ".nfe/last_run.json", '[{"stage": "x", "colour": 3}]')
    assert "Last run: not known" in call("--text")[1]
