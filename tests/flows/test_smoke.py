"""The real project, whole way through, on a tiny profile and a real DVC repository."""

import json
import shutil
from pathlib import Path

import pytest

from tests.flows.toy import REPO, Project, make_repository

pytestmark = pytest.mark.slow

CODE = ("apps", "flows", "nfe", "tasks", "profiles", "models", "dvc.yaml", "params.yaml")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project without data, as a repository of its own."""
    root = tmp_path_factory.mktemp("project")
    for name in CODE:
        if (REPO / name).is_dir():
            shutil.copytree(REPO / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (REPO / name).is_file():
            shutil.copy(REPO / name, root / name)
    shutil.copy(REPO / ".gitignore", root / ".gitignore")
    make_repository(root)
    return Project(root)


def statuses(project: Project) -> dict[str, str]:
    return {row["stage"]: row["state"] for row in json.loads(project.nfe("status", "--json"))}


def test_everything_then_nothing_then_what_changed(project: Project) -> None:
    first = project.nfe("run", "--profile", "smoke", limit_s=900)
    stages = list(statuses(project))
    assert len(stages) == 15
    assert project.states(first) == dict.fromkeys(stages, "Completed")
    assert set(statuses(project).values()) == {"unchanged"}

    second = project.nfe("run", "--profile", "smoke")
    assert project.states(second) == dict.fromkeys(stages, "Cached")

    third = project.nfe("run", "--set", "report.title=Another title", limit_s=300)
    expected = dict.fromkeys(stages, "Cached") | {"report": "Completed"}
    assert project.states(third) == expected

    project.edit("params.yaml", "title: Another title", "title: One more")
    project.edit("tasks/tag.py", '"""', '"""In our own words: ')
    changed = {stage for stage, state in statuses(project).items() if state == "changed"}
    assert changed == {"tag", "report"}


def test_results_are_there(project: Project) -> None:
    data = project.root / "data"
    assert (data / "report" / "report.html").stat().st_size > 10_000
    assert (data / "bundle" / "model" / "manifest.json").is_file()
    for folder in data.iterdir():
        if folder.is_dir():
            assert json.loads(Path(folder, "metrics.json").read_text())
            assert not list(folder.glob(".partial-*"))
