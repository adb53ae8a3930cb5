from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Nfe

SIDE, STEP = 96, 98  # how large a small face is shown, and with its gap


def cells(path: Path, num_rows: int, num_columns: int) -> np.ndarray:
    table = np.asarray(Image.open(path))
    table = table[-(num_rows * STEP - 2) :, -(num_columns * STEP - 2) :]
    return np.stack(
        [
            [table[r * STEP :][:SIDE, c * STEP :][:, :SIDE] for c in range(num_columns)]
            for r in range(num_rows)
        ]
    )


def mix(nfe: Nfe, bundle: Path, out: Path, layers: str) -> np.ndarray:
    arguments = ["--rows", "1,2", "--columns", "3,4,5", "--layers", layers]
    result = nfe("mix", out, "--model", bundle, *arguments)
    assert result.exit_code == 0, result.output
    return cells(out, 3, 4)


def test_all_layers_make_the_face_of_the_column(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    table = mix(nfe, bundle, tmp_path / "all.png", "0-")
    assert (table[0, 0] == 255).all()
    assert (table[1:, 1:] == table[0, 1:]).all()
    assert (table[1, 0] != table[2, 0]).any()


def test_some_layers_make_a_face_between(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    table = mix(nfe, bundle, tmp_path / "some.png", "2-3")
    assert (table[1, 1] != table[0, 1]).any()
    assert (table[1, 1] != table[1, 0]).any()
    assert (table[0] == mix(nfe, bundle, tmp_path / "all.png", "0-")[0]).all()


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("a.jpg", {}, "OUT must end in .png"),
        ("a.png", {"--rows": "a"}, "--rows must be seeds such as"),
        ("a.png", {"--columns": "3,3"}, "--columns must name each seed once"),
        ("a.png", {"--columns": "0-32"}, "--columns must be at most 32 seeds"),
        ("a.png", {"--layers": "6"}, "--layers must be within 0-5, got '6'"),
        ("a.png", {"--layers": "late"}, "--layers must be like 4, 0-3, 4- or -3"),
        ("a.png", {"--truncation": "-1"}, "--truncation must be between 0 and 1"),
        ("a.png", {"--model": "nowhere"}, "--model must be a model folder"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe, bundle: Path, tmp_path: Path, name: str, changed: dict[str, str], message: str
) -> None:
    right = {"--rows": "1", "--columns": "2", "--layers": "4-", "--model": str(bundle)}
    given = [part for pair in {**right, **changed}.items() for part in pair]
    result = nfe("mix", tmp_path / name, *given)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_user_stays(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "mix.png"
    out.write_bytes(b"mine")
    arguments = ["mix", out, "--model", bundle, "--rows", "1", "--columns", "2", "--layers", "1"]
    assert nfe(*arguments).exit_code == 1
    assert out.read_bytes() == b"mine"
    assert nfe(*arguments, "--overwrite").exit_code == 0
