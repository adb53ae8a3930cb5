"""What is kept of a user comes back as it was, or is said to be damaged."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from apps.telegram_bot.keyboard import Choices
from apps.telegram_bot.storage import DAY, Damaged, States, UserState, private_folder
from nfe.errors import ParamsError, StorageError
from nfe.files import write_npz

CODES = np.random.default_rng(0).standard_normal((7, 6, 16)).astype(np.float32)
STATE = UserState("0f3a", CODES, 4, Choices({"hair": "blue"}, frozenset({"smile"})))


@pytest.fixture
def states(tmp_path: Path) -> States:
    return States(private_folder(tmp_path / "state"), "a model", (6, 16))


def test_a_state_comes_back_from_disk(states: States) -> None:
    states.save(1, STATE)
    found = States(states.folder, "a model", (6, 16)).load(1)
    assert (found.codes == CODES).all() and found.codes.dtype == np.float32
    assert (found.strip, found.place, found.choices) == ("0f3a", 4, STATE.choices)
    assert found.face is not None and (found.face == CODES[4:5]).all()


def test_users_are_apart_and_deletion_is_complete(states: States) -> None:
    states.save(1, STATE)
    assert states.load(2).face is None
    states.save(2, UserState(choices=Choices({"hair": "red"})))
    states.delete(1)
    states.delete(1)
    assert [path.name for path in states.folder.iterdir()] == ["2.npz"]
    assert states.load(1).face is None
    assert states.load(2).choices == Choices({"hair": "red"})


def test_another_model_is_told(states: States) -> None:
    states.save(1, STATE)
    with pytest.raises(Damaged, match="a new model"):
        States(states.folder, "another model", (6, 16)).load(1)


def damage(path: Path, kind: str) -> None:
    data = path.read_bytes()
    about = {"model": "a model", "strip": "s", "place": 0, "changes": {}, "keep": []}
    codes = CODES
    if kind == "empty":
        path.write_bytes(b"")
        return
    if kind == "cut":
        path.write_bytes(data[: len(data) // 2])
        return
    if kind == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 64]) + data[middle + 1 :])
        return
    if kind == "shape":
        codes = CODES[:, :5]
    elif kind == "type":
        codes = CODES.astype(np.float64)
    elif kind == "nan":
        codes = np.full_like(CODES, np.nan)
    elif kind == "place":
        about["place"] = 7
    elif kind == "negative":
        about["place"] = -1
    elif kind == "changes":
        about["changes"] = ["hair"]
    elif kind == "missing":
        del about["keep"]
    text = "[]" if kind == "no table" else "{" if kind == "no json" else json.dumps(about)
    write_npz(path, {"about": np.frombuffer(text.encode(), np.uint8), "codes": codes})


@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "cut",
        "flipped",
        "shape",
        "type",
        "nan",
        "place",
        "negative",
        "changes",
        "missing",
        "no table",
        "no json",
    ],
)
def test_every_damage_is_told(states: States, kind: str) -> None:
    states.save(1, STATE)
    damage(states.folder / "1.npz", kind)
    with pytest.raises(Damaged, match="could not be read"):
        states.load(1)


def test_a_good_file_written_by_hand_is_read(states: States) -> None:

    states.save(1, STATE)
    damage(states.folder / "1.npz", "none")
    assert states.load(1).strip == "s"


def test_files_nobody_came_back_for_are_removed(states: States) -> None:
    for user in (1, 2):
        states.save(user, STATE)
    now = (states.folder / "2.npz").stat().st_mtime
    os.utime(states.folder / "1.npz", (now, now - 31 * DAY))
    states.sweep(now, 30)
    assert [path.name for path in states.folder.iterdir()] == ["2.npz"]


def test_the_folder_is_private_and_cleared_of_half_written_files(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a/b")
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / ".partial-1.npz").write_bytes(b"half")
    (folder / "1.npz").write_bytes(b"whole")
    assert private_folder(folder) == folder
    assert [path.name for path in folder.iterdir()] == ["1.npz"]


def test_a_folder_open_to_others_is_refused_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o750)
    with pytest.raises(ParamsError, match=r"private to you, got .* with mode 750; chmod 700"):
        private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o750


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParamsError, match="must be a folder, got the file"):
        private_folder(tmp_path / "file")
    with pytest.raises(StorageError, match="--state must be a folder that can be made"):
        private_folder(tmp_path / "file/inner")
