import json
import shutil
from pathlib import Path

import pytest

from apps.options import DEFAULT_MODEL
from nfe.files import write_text

from .conftest import Nfe


@pytest.fixture
def home(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a trained model, a committed one, a damaged one, and a detector."""
    for name in ("data/bundle/model", "models/spare", "models/torn"):
        shutil.copytree(bundle, tmp_path / name)
    (tmp_path / "models/torn/boundaries/boundaries.npz").write_bytes(b"x")
    (tmp_path / "models/detector").mkdir()
    write_text(tmp_path / "models/detector/model.json", "{}")
    write_text(tmp_path / "models/spare/README.md", "# Spare\n\nDrawn faces.\x1b[2J\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_names_all_and_what_is_damaged(nfe: Nfe, home: Path) -> None:
    result = nfe("models")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == [
        "data/bundle/model",
        "models/spare",
        "models/torn",
    ]
    assert lines[0].split(maxsplit=1)[1].startswith("tiny            16 px, ")
    assert lines[0].endswith(" MB, hair, smile")
    assert "damaged: " in lines[2] and "boundaries.npz must have the sha256" in lines[2]
    rows = json.loads(nfe("models", "list", "--json").stdout)
    assert rows[1]["attributes"] == {"hair": ["red", "blue", "green"], "smile": ["yes", "no"]}
    assert [bool(row["problem"]) for row in rows[:3]] == [False, False, True]


def test_a_generator_alone_is_listed(nfe: Nfe, home: Path, project: Path) -> None:
    shutil.copytree(project / "data/train_gan/model", home / "models/alone")
    lines = nfe("models").stdout.splitlines()
    assert [line.split()[0] for line in lines][1] == "models/alone"
    assert lines[1].endswith(" MB, no attributes")


def test_show_by_name_or_folder_prints_the_card(nfe: Nfe, home: Path) -> None:
    for name in ("spare", "models/spare"):
        result = nfe("models", "show", name)
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        assert ["name", "tiny"] in [line.split() for line in lines]
        assert lines[-3:] == ["# Spare", "", "Drawn faces.\\x1b[2J"]
    content = json.loads(nfe("models", "show", "tiny", "--json").stdout)
    assert content["card"].startswith("# tiny\n")
    assert (content["folder"], content["resolution"]) == (
        "data/bundle/model",
        16,
    )


def test_what_cannot_be_shown(nfe: Nfe, home: Path) -> None:
    for arguments, code, message in (
        (["show", "unknown"], 2, "MODEL must be a model folder, got unknown"),
        (["show"], 2, "MODEL must be given for show"),
        (["list", "spare"], 2, "MODEL must be left out for list, got spare"),
        (["show", "torn"], 1, "models/torn/boundaries/boundaries.npz must have the sha256"),
    ):
        result = nfe("models", *arguments)
        assert result.exit_code == code
        assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1


def test_the_model_in_the_box_is_known_everywhere(
    nfe: Nfe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (row,) = json.loads(nfe("models", "--json").stdout)
    assert (row["name"], row["problem"]) == ("anime64", "")
    assert Path(row["folder"]) == DEFAULT_MODEL


def test_without_any_model(nfe: Nfe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("apps.models.DEFAULT_MODEL", tmp_path / "none")
    assert nfe("models").exit_code == 1
    assert nfe("models", "--json").stdout == "[]\n"
