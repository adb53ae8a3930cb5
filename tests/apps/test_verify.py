import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.lock import run_lock
from nfe.files import write_bytes, write_manifest
from tests.flows.toy import make_repository

from .conftest import Nfe

WRITE = """
from pathlib import Path
for name in ("out/a", "out/sub/b", "single.txt", "metrics.json"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(name * 50)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC repository whose one stage has run: a folder, a file, a figure outside the cache."""
    root = tmp_path_factory.mktemp("project") / "project"
    root.mkdir()
    make_repository(root)
    (root / "write.py").write_text(WRITE)
    outs = "    outs: [out, single.txt]\n    metrics: [{metrics.json: {cache: false}}]\n"
    command = f"{sys.executable} write.py"
    (root / "dvc.yaml").write_text(f"stages:\n  make:\n    cmd: {command}\n{outs}")
    command_line = [sys.executable, "-m", "dvc", "repro", "--quiet"]
    subprocess.run(command_line, cwd=root, check=True, capture_output=True)
    write_bytes(root / "models/spare/weights", b"w" * 100)
    write_manifest(root / "models/spare")
    return root


@pytest.fixture
def repository(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    shutil.copytree(made, root, symlinks=True)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.chdir(root)
    return root


def flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def differences(nfe: Nfe) -> dict[str, str]:
    result = nfe("verify", "--json")
    rows = json.loads(result.stdout)["differences"]
    assert result.exit_code == (1 if rows else 0), result.output
    return {row["path"]: row["problem"] for row in rows}


def test_a_whole_project(nfe: Nfe, repository: Path) -> None:
    result = nfe("verify")
    assert result.exit_code == 0, result.output
    # Cached: a, b, single.txt and the list of `out`; outputs: those three and metrics.json.
    assert result.stdout == "9 files, none of them not as recorded\n"


@pytest.mark.parametrize("name", ["out/a", "out/sub/b", "single.txt", "metrics.json"])
def test_a_flipped_bit_of_an_output_is_named(nfe: Nfe, repository: Path, name: str) -> None:
    flip(repository / name)
    assert differences(nfe) == {name: "differs from dvc.lock, output of make"}


def test_a_flipped_bit_of_each_object_of_the_cache_is_named(nfe: Nfe, repository: Path) -> None:
    cache = repository / ".dvc/cache/files/md5"
    write_bytes(cache / "00" / ("0" * 30), b"of an earlier run, already damaged")
    objects = [path for path in cache.rglob("*") if path.is_file()]
    held = set()
    for path in objects:
        original = path.read_bytes()
        flip(path)
        found = differences(nfe)
        assert len(found) == 1 + (path.name != "0" * 30)
        holds = found[path.relative_to(repository).as_posix()].partition("copy for ")[2]
        held.add(holds.removesuffix("; delete it, it is made again when needed"))
        path.write_bytes(original)
    assert held == {"out", "out/a", "out/sub/b", "single.txt", "an earlier run"}


def test_missing_and_foreign_files(nfe: Nfe, repository: Path) -> None:
    (repository / "out/a").unlink()
    (repository / "out/new").write_text("x")
    (repository / "out/.gitignore").write_text("not seen by DVC")
    (repository / "single.txt").unlink()
    flip(repository / "models/spare/weights")
    assert differences(nfe) == {
        "out/a": "missing, output of make",
        "out/new": "not in dvc.lock, output of make",
        "single.txt": "missing, output of make",
        "models/spare/weights": "differs from manifest.json",
    }


def test_without_the_cache_a_folder_is_compared_as_dvc_does(nfe: Nfe, repository: Path) -> None:
    shutil.rmtree(repository / ".dvc/cache")
    assert differences(nfe) == {}
    flip(repository / "out/sub/b")
    assert differences(nfe) == {"out": "differs from dvc.lock, output of make"}


def test_before_any_run_and_during_one(nfe: Nfe, repository: Path) -> None:
    with run_lock(repository):
        result = nfe("verify")
    assert result.exit_code == 4
    assert result.stderr.startswith("error: project must have one run at a time")
    for name in ("dvc.lock", "models", ".dvc/cache"):
        path = repository / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert nfe("verify").stdout == "0 files, none of them not as recorded\n"


def test_model_folders(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        shutil.copytree(bundle, folder)
    assert nfe("verify", good).exit_code == 0
    flip(bad / "generator/generator.safetensors")
    (bad / "tagger/tag_list.json").unlink()
    result = nfe("verify", good, bad)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        f"{bad}/generator/generator.safetensors: differs from manifest.json",
        f"{bad}/tagger/tag_list.json: missing",
    ]
    nowhere = nfe("verify", tmp_path / "nowhere")
    assert nowhere.exit_code == 2 and nowhere.stderr.startswith("error: DIR must be a model folder")
    assert nfe("verify", tmp_path).exit_code == 1


def test_outside_a_project(nfe: Nfe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert nfe("verify").exit_code == 2
