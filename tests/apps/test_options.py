"""What people write for seeds, layers and files, and what is refused."""

from pathlib import Path

import pytest

from apps.options import (
    check_model,
    check_new,
    check_suffix,
    check_truncation,
    parse_layers,
    parse_seeds,
)
from nfe.errors import ParamsError, StorageError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", [7]), ("0-3", [0, 1, 2, 3]), ("5,1, 2", [5, 1, 2]), ("9,2-4,0", [9, 2, 3, 4, 0])],
)
def test_seeds_keep_their_order(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text, "--seeds", 10) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be seeds such as"),
        ("a", "--rows must be seeds such as 0-15 or 1,2,3, got 'a'"),
        ("1,,2", "must be seeds such as"),
        ("3-1", "must be seeds such as"),
        ("-1", "must be seeds such as"),
        ("1.5", "must be seeds such as"),
        ("9223372036854775808", "must be seeds such as"),
        ("0-10", "at most 10 seeds, got '0-10'"),
        ("0-9223372036854775807", "at most 10 seeds"),
        ("1,2,1", "name each seed once"),
        ("x" * 1000, "got 'xxx"),
    ],
)
def test_other_seeds_are_refused(text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message) as caught:
        parse_seeds(text, "--rows", 10)
    assert len(str(caught.value)) < 150
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "layers"),
    [("4", [4]), ("0-3", [0, 1, 2, 3]), ("4-", [4, 5]), ("-1", [0, 1]), ("0-", [*range(6)])],
)
def test_layers_are_inclusive_and_open_ends_reach_the_end(text: str, layers: list[int]) -> None:
    assert list(parse_layers(text, 6)) == layers


@pytest.mark.parametrize("text", ["", "-", "a", "1-2-3", "1,2", "٣", "12345"])
def test_other_layers_are_refused(text: str) -> None:
    with pytest.raises(ParamsError, match="--layers must be like 4, 0-3, 4- or -3"):
        parse_layers(text, 6)


@pytest.mark.parametrize("text", ["6", "0-6", "6-", "3-2"])
def test_layers_outside_the_model_are_refused(text: str) -> None:
    with pytest.raises(ParamsError, match=r"--layers must be within 0-5, got '.*'; the model has"):
        parse_layers(text, 6)


@pytest.mark.parametrize("truncation", [-0.1, 1.5, float("nan"), float("inf")])
def test_truncation_is_a_share(truncation: float) -> None:
    with pytest.raises(ParamsError, match="--truncation must be between 0 and 1"):
        check_truncation(truncation)
    check_truncation(0.0)
    check_truncation(1.0)


def test_a_suffix_says_the_format() -> None:
    check_suffix(Path("a.WEBP"), ".webp")
    with pytest.raises(ParamsError, match=r"must end in \.webp, got a\.gif; call it a\.webp"):
        check_suffix(Path("a.gif"), ".webp")


def test_a_model_is_a_folder(tmp_path: Path) -> None:
    check_model(tmp_path)
    with pytest.raises(ParamsError, match="DIR must be a model folder, got nowhere"):
        check_model(Path("nowhere"), "DIR")


def test_files_are_replaced_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    check_new([tmp_path / "mine"], overwrite=True)
    check_new([tmp_path / "other"], overwrite=False)
    with pytest.raises(StorageError, match=r"mine must not exist yet, it does; .* --overwrite"):
        check_new([tmp_path / "other", tmp_path / "mine"], overwrite=False)
    with pytest.raises(StorageError, match="must be a file, got a folder"):
        check_new([tmp_path], overwrite=True)
