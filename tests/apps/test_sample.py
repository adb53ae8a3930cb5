from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfe.gan.storage import load_generator
from nfe.images import pixels_from_images
from nfe.sampling import sample_batches

from .conftest import Nfe


def test_one_picture_per_seed_and_nothing_else(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces"
    result = nfe("sample", out, "--model", bundle, "--seeds", "3,0-1")
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {"0000.png", "0001.png", "0003.png"}
    generator = load_generator(bundle / "generator", "cpu")
    _, _, images = next(sample_batches(generator, [3], 1, 0.7, "cpu"))
    assert (np.asarray(Image.open(out / "0003.png")) == pixels_from_images(images)[0]).all()


def test_a_sheet_of_all(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "faces", tmp_path / "sheet.png"
    arguments = ("sample", out, "--model", bundle, "--seeds", "0-9")
    assert nfe(*arguments, "--sheet", sheet).exit_code == 0
    faces = np.asarray(Image.open(sheet))
    assert faces.shape[1] > 8 * 16  # eight in a row, and a second row
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "sheet.png"]
    sheet.write_bytes(b"mine")
    refused = nfe(*arguments[:4], "--seeds", "20", "--sheet", sheet)
    assert refused.exit_code == 1 and sheet.read_bytes() == b"mine"
    assert "must end in .png" in nfe(*arguments, "--sheet", tmp_path / "sheet.jpg").stderr


def test_a_seed_is_the_same_file_alone_and_among_others(
    nfe: Nfe, bundle: Path, project: Path, tmp_path: Path
) -> None:
    nfe("sample", tmp_path / "many", "--model", bundle, "--seeds", "0-9")
    nfe("sample", tmp_path / "one", "--model", project / "data/train_gan/model", "--seeds", "7")
    one, many = ((tmp_path / name / "0007.png").read_bytes() for name in ("one", "many"))
    assert one == many


def test_truncation_zero_is_the_mean_face(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    nfe("sample", tmp_path, "--model", bundle, "--seeds", "1,2", "--truncation", "0")
    assert (tmp_path / "0001.png").read_bytes() == (tmp_path / "0002.png").read_bytes()


def test_files_of_the_user_stay(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "0001.png").write_bytes(b"mine")
    (tmp_path / "other.txt").write_bytes(b"mine")
    arguments = ("sample", tmp_path, "--model", bundle, "--seeds", "0-1")
    refused = nfe(*arguments)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: ") and refused.stderr.count("\n") == 1
    assert "--overwrite" in refused.stderr
    assert not (tmp_path / "0000.png").exists()
    assert (tmp_path / "0001.png").read_bytes() == b"mine"
    assert nfe(*arguments, "--overwrite").exit_code == 0
    assert (tmp_path / "0001.png").read_bytes() != b"mine"
    assert (tmp_path / "other.txt").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "x"], "--seeds must be seeds such as 0-15"),
        (["--truncation", "2"], "--truncation must be between 0 and 1, got 2"),
        (["--model", "nowhere"], "--model must be a model folder, got nowhere"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe, bundle: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = nfe("sample", tmp_path / "out", "--model", bundle, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_model_is_named(nfe: Nfe, tmp_path: Path) -> None:
    result = nfe("sample", tmp_path / "out", "--model", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {tmp_path} must be a model folder with a generator")
    assert result.stderr.count("\n") == 1


def test_a_place_that_cannot_be_written_is_named(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = nfe("sample", tmp_path / "file", "--model", bundle, "--seeds", "0")
    assert result.exit_code == 1
    assert "must be writable" in result.stderr
    assert "Traceback" not in result.output
