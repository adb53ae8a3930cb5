"""The deployments of prefect.yaml are sound, and their flows do what the commands do."""

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from flows.history import load_results
from tests.flows.toy import REPO, Project
from tests.tasks.editing_project import make_bundle

DEPLOYMENTS = YAML(typ="safe").load(REPO / "prefect.yaml")["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["name"])
def test_deployments_name_flows_and_give_the_parameters_these_take(
    deployment: dict[str, Any],
) -> None:
    from prefect.flows import load_flow_from_entrypoint

    flow = load_flow_from_entrypoint(str(REPO / deployment["entrypoint"]))
    given = deployment.get("parameters", {})
    flow.validate_parameters(inspect.signature(flow.fn).bind(**given).arguments)
    assert deployment["schedules"]


def test_the_pipeline_runs_as_a_deployment_does(
    toy: Project, server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.deployed import pipeline

    monkeypatch.chdir(toy.root)
    state = pipeline(until="join", return_state=True)
    assert (state.name, state.is_completed()) == ("Completed", True)
    results = load_results(toy.root)
    assert [(r.stage, r.state) for r in results] == [("make", "Completed"), ("join", "Completed")]
    state = pipeline(until="joy", return_state=True)
    assert state.is_failed()
    assert "stage must be one of" in str(state.message)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model."""
    root = tmp_path_factory.mktemp("tiny")
    make_bundle(root, root / "model")
    return root


@pytest.mark.slow
def test_only_what_is_new_in_a_folder_is_edited(
    project: Path, server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.deployed import edit_folder

    monkeypatch.chdir(project)

    def run() -> tuple[str, str]:
        given = {"folder": "in", "out": "out", "changes": {"hair": "blue"}, "keep": ["smile"]}
        state = edit_folder(**given, model="model", return_state=True)
        return state.name, str(state.message)

    assert run() == ("Empty", "nothing is in in")
    face = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(face).save("in/a.png")
    assert run() == ("Completed", "1 new files")
    first = Path("out/a.png").stat().st_mtime_ns
    (Path("in") / "b.png").write_bytes(b"no picture")
    shutil.copy("in/a.png", "in/c.png")
    assert run() == ("SomeFailed", "of 2 new files not all were edited")
    rows = map(json.loads, Path("out/edit.jsonl").read_text().splitlines())
    expected = {"a.png": "edited", "b.png": "failed", "c.png": "edited"}
    assert {Path(row["input"]).name: row["status"] for row in rows} == expected
    assert Path("out/a.png").stat().st_mtime_ns == first


@pytest.mark.parametrize(
    ("code", "num_new", "state", "message"),
    [
        (0, 0, "Unchanged", "no new files"),
        (3, 0, "Unchanged", "no new files"),
        (4, 0, "Busy", "another run edits into the same folder"),
        (1, 2, "Failed", "error: x must be y"),
        (2, 0, "Failed", "error: x must be y"),
    ],
)
def test_exit_codes_become_states(code: int, num_new: int, state: str, message: str) -> None:
    from flows.deployed import folder_state

    found = folder_state(code, num_new, "started\nerror: x must be y\n\n")
    assert (found.name, found.message) == (state, message)
