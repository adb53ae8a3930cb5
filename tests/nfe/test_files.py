"""Files are whole or absent, and equal contents give equal bytes."""

import json
from pathlib import Path

import numpy as np
import pytest

from nfe.errors import ModelFileError, StorageError
from nfe.files import (
    atomic_folder,
    atomic_path,
    check_manifest,
    read_json,
    read_npz,
    sha256_file,
    sweep_leftovers,
    write_json,
    write_manifest,
    write_npz,
    write_stored_zip,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="stop"), atomic_path(path) as partial:
        partial.write_text("half")
        raise RuntimeError("stop")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with atomic_folder(folder) as partial:
        write_text(partial / "a", "old")
    with pytest.raises(RuntimeError, match="stop"), atomic_folder(folder) as partial:
        write_text(partial / "a", "new")
        raise RuntimeError("stop")
    assert (folder / "a").read_text() == "old"
    with atomic_folder(folder) as partial:
        write_text(partial / "b", "new")
    assert [p.name for p in folder.iterdir()] == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".partial-1").write_text("half")
    (tmp_path / ".partial-2").mkdir()
    (tmp_path / "whole").write_text("whole")
    sweep_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["whole"]


def test_zips_and_arrays_are_equal_to_the_byte(tmp_path: Path) -> None:
    arrays = {"x": np.arange(5), "y": np.ones((2, 3), dtype=np.float32)}
    for name in ("a", "b"):
        write_npz(tmp_path / f"{name}.npz", arrays)
        assert write_stored_zip(tmp_path / f"{name}.zip", [("one.txt", b"1")]) == 1
    assert sha256_file(tmp_path / "a.npz") == sha256_file(tmp_path / "b.npz")
    assert sha256_file(tmp_path / "a.zip") == sha256_file(tmp_path / "b.zip")
    loaded = read_npz(tmp_path / "a.npz")
    assert {k: v.tolist() for k, v in loaded.items()} == {k: v.tolist() for k, v in arrays.items()}


def test_a_pickle_in_an_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ModelFileError, match=r"a\.npz"):
        read_npz(tmp_path / "a.npz")


def test_json_refuses_nan_and_names_damage(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(ModelFileError, match=r"b\.json"):
        read_json(tmp_path / "b.json")


def test_a_manifest_finds_changed_and_missing_files(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "1")
    write_text(tmp_path / "sub/b", "2")
    write_manifest(tmp_path)
    check_manifest(tmp_path)
    write_text(tmp_path / "sub/b", "3")
    with pytest.raises(ModelFileError, match="sub/b"):
        check_manifest(tmp_path)
    (tmp_path / "sub/b").unlink()
    with pytest.raises(ModelFileError, match="missing"):
        check_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps([1]))
    with pytest.raises(ModelFileError, match="sha256"):
        check_manifest(tmp_path)
