from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfe.directions import sefa_directions, style_weights
from nfe.files import read_npz
from nfe.gan.storage import load_generator

from .conftest import Nfe


def test_directions_and_their_pictures_are_written(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    arguments = ["--num", "3", "--layers", "1-2", "--seeds", "5,6"]
    result = nfe("directions", tmp_path / "out", "--model", bundle, *arguments)
    assert result.exit_code == 0, result.output
    arrays = read_npz(tmp_path / "out/directions.npz")
    assert {name: array.shape for name, array in arrays.items()} == {
        "directions": (3, 16),
        "scales": (3,),
        "mean": (16,),
        "method": (),
        "layers": (2,),
    }
    assert (arrays["method"].item(), arrays["layers"].tolist()) == ("sefa", [1, 2])
    weights = style_weights(load_generator(bundle / "generator", "cpu"), range(1, 3))
    np.testing.assert_array_equal(arrays["directions"], sefa_directions(weights, 3))
    table = np.asarray(Image.open(tmp_path / "out/directions.png"))
    assert table.shape[0] == 3 * (21 + 2 * 98 - 2)
    assert table[:, -7 * 98 + 2 :].shape[1] == 7 * 98 - 2


def test_pca_gives_falling_scales_and_the_middle_column_is_the_face(
    nfe: Nfe, bundle: Path, tmp_path: Path
) -> None:
    arguments = ["--method", "pca", "--num", "2", "--seeds", "5"]
    result = nfe("directions", tmp_path / "out", "--model", bundle, *arguments)
    assert result.exit_code == 0, result.output
    arrays = read_npz(tmp_path / "out/directions.npz")
    assert arrays["scales"][0] > arrays["scales"][1] > 0
    assert arrays["layers"].tolist() == [0, 1, 2, 3, 4, 5]
    table = np.asarray(Image.open(tmp_path / "out/directions.png"))
    start = table.shape[1] - 7 * 98 + 2
    rows = [table[21:117, start:], table[117 + 21 :, start:]]
    middle = [row[:, 3 * 98 :][:, :96] for row in rows]
    assert (middle[0] == middle[1]).all()
    assert (rows[0][:, :96] != middle[0]).any()


def test_a_folder_of_networks_will_do_and_gives_the_same(
    nfe: Nfe, bundle: Path, project: Path, tmp_path: Path
) -> None:
    for name, model in (("a", bundle), ("b", project / "data/train_gan/model")):
        arguments = ["--model", model, "--num", "1", "--seeds", "0"]
        assert nfe("directions", tmp_path / name, *arguments).exit_code == 0
    for name in ("directions.npz", "directions.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "ica"], "--method must be sefa or pca, got 'ica'"),
        (["--num", "0"], "--num must be 1 to 16, got 0"),
        (["--num", "17"], "--num must be 1 to 16, got 17"),
        (["--layers", "0-6"], "--layers must be within 0-5, got '0-6'"),
        (["--seeds", "0-32"], "--seeds must be at most 32 seeds"),
        (["--model", "nowhere"], "--model must be a model folder"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe, bundle: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = nfe("directions", tmp_path / "out", "--model", bundle, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_files_of_the_user_stay(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "directions.png").write_bytes(b"mine")
    arguments = ["directions", tmp_path, "--model", bundle, "--num", "1", "--seeds", "0"]
    assert nfe(*arguments).exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["directions.png"]
    assert (tmp_path / "directions.png").read_bytes() == b"mine"
    assert nfe(*arguments, "--overwrite").exit_code == 0
