import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tasks.editing_project import write_detector

from .conftest import BOX, SCENE, Nfe


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "detector.onnx"
    write_detector(path)
    return path


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / "crop.csv").open(newline="", encoding="utf-8") as file:
        return {row["input"].rpartition("in/")[2]: row for row in csv.DictReader(file)}


def test_faces_are_cut_out_with_names_kept(
    nfe: Nfe, detector: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (pictures / "sub/scene.jpg").write_bytes((pictures / "scene.png").read_bytes())
    result = nfe("crop", pictures, "--out", out, "--detector", detector, "--size", 20, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["counts"] == {"done": 2, "no_face": 2}
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {"crop.csv", "scene.png", "sub/scene.png"}
    x0, y0, x1, y1 = BOX
    assert (np.asarray(Image.open(out / "scene.png")) == SCENE[y0:y1, x0:x1]).all()
    rows = table(out)
    assert [float(rows["scene.png"][key]) for key in ("x0", "y0", "x1", "y1")] == list(BOX)
    assert 0.5 < float(rows["scene.png"]["score"]) < 1
    assert rows["dark.png"]["reason"] == "no face was found"


def test_the_size_is_that_of_the_squares(
    nfe: Nfe, detector: Path, pictures: Path, tmp_path: Path
) -> None:
    arguments = ("crop", pictures / "scene.png", "--out", tmp_path / "out", "--detector", detector)
    assert nfe(*arguments, "--size", 10).exit_code == 0
    small = Image.fromarray(SCENE).resize((10, 10), Image.Resampling.LANCZOS, BOX)
    found = np.asarray(Image.open(tmp_path / "out/scene.png")).astype(int)
    assert np.abs(found - np.asarray(small)).max() <= 3  # beyond the box the cut sees 2 pixels


def test_a_bad_file_is_told_and_the_others_go_on(
    nfe: Nfe, detector: Path, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "broken.png").write_bytes((pictures / "scene.png").read_bytes()[:60])
    (pictures / "notes.md").write_text("no picture")
    result = nfe("crop", pictures, "--out", tmp_path / "out", "--detector", detector)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith("error: broken.png must be a readable picture")
    statuses = {name: row["status"] for name, row in table(tmp_path / "out").items()}
    assert statuses["broken.png"] == "failed"
    assert statuses["notes.md"] == "skipped"
    assert statuses["scene.png"] == "done"


def test_a_name_that_is_no_utf8_is_kept_and_told_escaped(
    nfe: Nfe, detector: Path, pictures: Path, tmp_path: Path
) -> None:
    name, out = os.fsdecode(b"\xff\n"), tmp_path / "out"
    (pictures / f"{name}.png").write_bytes((pictures / "scene.png").read_bytes())
    (pictures / f"{name}-bad.png").write_bytes(b"")
    result = nfe("crop", pictures, "--out", out, "--detector", detector)
    assert result.exit_code == 3
    assert (out / f"{name}.png").read_bytes() == (out / "scene.png").read_bytes()
    assert "error: \\udcff\\n-bad.png must be a readable picture" in result.stderr
    assert table(out)["\\udcff\n.png"]["status"] == "done"


def test_a_folder_in_use_is_left_alone(
    nfe: Nfe, detector: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "scene.png").write_bytes(b"mine")
    arguments = ("crop", pictures, "--out", out, "--detector", detector)
    refused = nfe(*arguments)
    assert refused.exit_code == 1
    assert "must be empty or not exist yet, it holds scene.png" in refused.stderr
    assert [path.name for path in out.iterdir()] == ["scene.png"]
    assert (out / "scene.png").read_bytes() == b"mine"
    assert nfe(*arguments, "--overwrite").exit_code == 0
    assert (out / "scene.png").read_bytes() != b"mine"


def test_a_folder_without_a_face_is_exit_code_1(
    nfe: Nfe, detector: Path, pictures: Path, tmp_path: Path
) -> None:
    arguments = ("crop", pictures / "dark.png", "--out", tmp_path / "out", "--detector", detector)
    result = nfe(*arguments)
    assert result.exit_code == 1
    assert result.stdout == f"0 faces in {tmp_path / 'out'}, 1 without a face\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "5000"], "--size must be 8 to 4096, got 5000"),
        (["--detector", "nowhere.onnx"], "--detector must be an ONNX face detector, got nowhere"),
        (["nowhere"], "input must be a file, a folder or a glob, got 'nowhere'"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe, detector: Path, pictures: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = ["--detector", detector, *arguments]
    result = nfe("crop", pictures, "--out", tmp_path / "out", *given)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
