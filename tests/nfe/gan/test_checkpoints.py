"""Checkpoints survive damage and never load what is not theirs."""

import os
import pickle
from pathlib import Path

import torch

from nfe.files import sha256_file, write_json
from nfe.gan.checkpoints import fingerprint_of, load_latest_checkpoint, save_checkpoint


def _save(folder: Path, step: int, fingerprint: str = "a") -> None:
    save_checkpoint(folder, {"fingerprint": fingerprint, "x": torch.full((3,), step)}, step)


def test_the_newest_of_the_same_run_is_loaded_and_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        _save(tmp_path, step)
    state = load_latest_checkpoint(tmp_path, "a")
    assert state is not None
    assert state["x"].tolist() == [10, 10, 10]
    assert len(list(tmp_path.glob("*.pt"))) == 2
    assert load_latest_checkpoint(tmp_path, "b") is None
    assert load_latest_checkpoint(tmp_path / "missing", "a") is None


def test_a_new_run_replaces_the_checkpoints_of_one_that_went_farther(tmp_path: Path) -> None:
    for step in (8, 9):
        _save(tmp_path, step, "other")
    for step in (1, 2, 3):
        _save(tmp_path, step)
        state = load_latest_checkpoint(tmp_path, "a")
        assert state is not None
        assert state["x"].tolist() == [step] * 3
    assert len(list(tmp_path.iterdir())) == 4


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    _save(tmp_path, 1)
    _save(tmp_path, 2)
    newest = tmp_path / "checkpoint-000000002.pt"
    for damage in (newest.read_bytes()[:-7], bytes([newest.read_bytes()[0] ^ 1])):
        newest.write_bytes(damage)
        state = load_latest_checkpoint(tmp_path, "a")
        assert state is not None
        assert state["x"].tolist() == [1, 1, 1]


def test_code_in_a_pickle_is_not_executed(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "executed"),)

    path = tmp_path / "checkpoint-000000001.pt"
    path.write_bytes(pickle.dumps({"fingerprint": "a", "x": Evil()}, protocol=2))
    write_json(path.with_suffix(".json"), {"sha256": sha256_file(path)})
    assert load_latest_checkpoint(tmp_path, "a") is None
    assert not (tmp_path / "executed").exists()


def test_a_fingerprint_follows_settings_and_inputs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("one")
    first = fingerprint_of({"a": 1}, data)
    assert fingerprint_of({"a": 1}, data) == first
    assert fingerprint_of({"a": 2}, data) != first
    data.write_text("two")
    assert fingerprint_of({"a": 1}, data) != first
