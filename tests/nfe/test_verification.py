from pathlib import Path

import pytest

from nfe.errors import ModelFileError
from nfe.files import write_bytes, write_manifest
from nfe.verification import Difference, verify_folder


def test_every_flipped_and_missing_file_is_named(tmp_path: Path) -> None:
    for name in ("a", "sub/b", "sub/c"):
        write_bytes(tmp_path / name, name.encode() * 100)
    write_manifest(tmp_path)
    (tmp_path / "README.md").write_text("written later")
    assert verify_folder(tmp_path) == (3, [])
    data = bytearray((tmp_path / "a").read_bytes())
    data[50] ^= 1
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "sub/c").unlink()
    count, differences = verify_folder(tmp_path)
    assert count == 3
    assert differences == [
        Difference(f"{tmp_path}/a", "differs from manifest.json"),
        Difference(f"{tmp_path}/sub/c", "missing"),
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"sha256": ["a"]}', '{"sha256": {"a": 1}}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"manifest\.json must "):
        verify_folder(tmp_path)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"manifest\.json must be a readable JSON file"):
        verify_folder(tmp_path)
