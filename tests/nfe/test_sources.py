import zipfile
from pathlib import Path

import numpy as np
import pytest

from nfe.errors import SourceError
from nfe.images import encode_png
from nfe.sources import list_source, parse_tags

PNG = encode_png(np.zeros((4, 4, 3), dtype=np.uint8))


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


FILES = {
    "b/two.png": PNG,
    "b/two.txt": b"1girl, Blue Hair",
    "one.jpg": b"first",
    "notes.md": b"no picture",
    ".hidden.png": PNG,
    "__MACOSX/one.jpg": b"",
}


def test_folder_and_zip_give_the_same_pictures_sorted(tmp_path: Path) -> None:
    sources = [write(tmp_path / "folder", FILES), write_zip(tmp_path / "a.zip", FILES)]
    for source in sources:
        pictures = list_source(source)
        assert [p.name for p in pictures] == ["b/two.png", "one.jpg"]
        assert [p.tags for p in pictures] == [("1girl", "blue_hair"), ()]
        assert [p.read() for p in pictures] == [PNG, b"first"]


def test_one_picture_is_a_source(tmp_path: Path) -> None:
    write(tmp_path, {"face.png": PNG})
    (picture,) = list_source(tmp_path / "face.png")
    assert (picture.name, picture.read()) == ("face.png", PNG)


def test_linked_files_are_followed_and_linked_folders_are_not(tmp_path: Path) -> None:
    write(tmp_path / "other", {"x.png": PNG})
    folder = write(tmp_path / "source", {"a.png": PNG})
    (folder / "linked.png").symlink_to(tmp_path / "other/x.png")
    (folder / "linked").symlink_to(tmp_path / "other")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert [p.name for p in list_source(folder)] == ["a.png", "linked.png"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "file_name,tag_string_general\na.png,blue_hair 1girl\n"),
        ("metadata.csv", '\ufefffile_name,text\na.png,"blue hair, 1girl"\n'),
        ("metadata.jsonl", '{"file_name": "a.png", "tags": ["blue hair", "1girl"]}\n\n'),
        ("metadata.jsonl", '{"file_name": "a.png", "tags": "blue_hair 1girl", "seconds": 1}'),
    ],
)
def test_tags_come_from_metadata(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, {"a.png": PNG, "b.png": PNG, name: text.encode()})
    assert [p.tags for p in list_source(tmp_path)] == [("blue_hair", "1girl"), ()]


def test_a_sidecar_goes_before_metadata(tmp_path: Path) -> None:
    files = {"a.png": PNG, "a.txt": b"solo", "metadata.csv": b"file_name,tags\na.png,smile\n"}
    assert list_source(write(tmp_path, files))[0].tags == ("solo",)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ()),
        ("solo", ("solo",)),
        ("blue hair, , solo,solo", ("blue_hair", "solo")),
        ("long hair\nsmile\r\n", ("long_hair", "smile")),
        ("long_hair  smile", ("long_hair", "smile")),
    ],
)
def test_parse_tags(text: str, tags: tuple[str, ...]) -> None:
    assert parse_tags(text) == tags


def test_names_that_are_no_text_are_listed(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.png").write_bytes(PNG)
    (picture,) = list_source(tmp_path)
    assert picture.name == "caf\\xe9.png"
    assert picture.read() == PNG


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it does not exist"):
        list_source(tmp_path / "nothing")


def test_a_source_without_pictures_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"notes.txt": b""})
    with pytest.raises(SourceError, match="at least one picture"):
        list_source(tmp_path)


def test_a_damaged_zip_is_an_error(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", FILES)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match="it is damaged"):
        list_source(path)


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("metadata.csv", b"name,tags\na.png,solo\n", "column file_name"),
        ("metadata.csv", b"file_name,tags\n\xff", "UTF-8"),
        ("metadata.csv", b"file_name,tags\n" + b"a" * 200_000 + b",b\n", "readable table"),
        ("metadata.jsonl", b"{", "line 1 must be JSON"),
        ("metadata.jsonl", b"[1]", "line 1 must be a JSON object"),
        ("a.txt", b"\xff\xfe", "UTF-8"),
    ],
)
def test_damaged_tags_are_an_error(tmp_path: Path, name: str, data: bytes, match: str) -> None:
    write(tmp_path, {"a.png": PNG, name: data})
    with pytest.raises(SourceError, match=match) as caught:
        list_source(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_gone_or_damaged_is_an_error_when_read(tmp_path: Path) -> None:
    (gone,) = list_source(write(tmp_path / "folder", {"a.png": PNG}))
    (tmp_path / "folder/a.png").unlink()
    path = write_zip(tmp_path / "a.zip", {"a.png": PNG})
    path.write_bytes(path.read_bytes().replace(PNG, PNG[:-1] + b"x"))
    for picture in (gone, *list_source(path)):
        with pytest.raises(SourceError, match=r"a\.png must be a readable file"):
            picture.read()
