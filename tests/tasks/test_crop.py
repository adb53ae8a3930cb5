import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nfe.drawing.scenes import Scene, draw_scene
from nfe.errors import ModelFileError, SourceError
from nfe.faces.alignment import Transform, align
from nfe.files import write_stored_zip
from nfe.images import encode_png, read_pixels_zip
from tasks import crop

DETECTOR = Path(__file__).parents[2] / "models/detector/detector.onnx"
OUT = Path("data/crop")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    OUT.mkdir(parents=True)


def params(**changes: Any) -> crop.Params:
    values = {
        "source": "source.zip",
        "detector": str(DETECTOR),
        "faces": "detect",
        "choose": "largest",
        "resolution": 32,
        "margin": 0.0,
        "max_angle": 25,
    }
    return crop.Params.model_validate(values | changes)


def scenes(count: int, seed: int = 0) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [draw_scene(rng, (112, 192), (64, 110), 2) for _ in range(count)]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def test_faces_of_drawn_scenes_are_cut_and_indexed() -> None:
    drawn = scenes(24)
    members = []
    for number, scene in enumerate(drawn):
        members.append((f"{number:02d}.png", encode_png(scene.pixels)))
        members.append((f"{number:02d}.txt", ", ".join(scene.tags).encode()))
    write_stored_zip(Path("source.zip"), members)
    crop.run(params())
    index = pd.read_parquet(OUT / "index.parquet")
    columns = ["name", "source", "x0", "y0", "x1", "y1", "angle", "score", "size", "tags"]
    assert list(index.columns) == [*columns, "fingerprint"]
    assert len(index) >= 23
    names, pixels = read_pixels_zip(OUT / "faces.zip")
    assert names == list(index["name"])
    assert pixels.shape[1:] == (32, 32, 3)
    for row, face in zip(index.itertuples(), pixels, strict=True):
        scene = drawn[int(row.source[:2])]
        assert row.tags.split() == [tag.replace(" ", "_") for tag in scene.tags]
        found, true = np.array([row.x0, row.y0, row.x1, row.y1]), np.array(scene.box)
        assert np.abs(found - true).max() < 0.25 * (true[2] - true[0])
        # The index alone repeats the cut.
        center = ((row.x0 + row.x1) / 2, (row.y0 + row.y1) / 2)
        again = align(scene.pixels, Transform(center, row.size, row.angle), 32)
        assert np.abs(again.astype(int) - face).max() <= 1
    metrics = json.loads((OUT / "metrics.json").read_text())
    assert metrics["num_pictures"] == 24
    assert metrics["num_faces"] == metrics["num_tagged"] == len(index)
    assert (OUT / "faces.png").is_file()


def test_the_same_source_gives_the_same_bytes() -> None:
    members = [(f"{n}.png", encode_png(s.pixels)) for n, s in enumerate(scenes(6))]
    write_stored_zip(Path("source.zip"), members)
    crop.run(params())
    first = {path.name: path.read_bytes() for path in OUT.iterdir()}
    crop.run(params())
    assert {path.name: path.read_bytes() for path in OUT.iterdir()} == first


def test_bad_pictures_are_rejected_with_a_reason_and_the_rest_goes_on() -> None:
    (scene,) = scenes(1, seed=1)
    good = encode_png(scene.pixels)
    files = {
        "empty.png": b"",
        "good.png": good,
        "page.png": b"<html></html>",
        "plain.png": encode_png(np.full((90, 90, 3), 200, dtype=np.uint8)),
        "torn.png": good[: len(good) // 2],
    }
    for name, data in files.items():
        Path("source").mkdir(exist_ok=True)
        (Path("source") / name).write_bytes(data)
    crop.run(params(source="source"))
    rejects = pd.read_parquet(OUT / "rejects.parquet").set_index("source")
    assert dict(rejects["reason"]) == {
        "empty.png": "unreadable",
        "page.png": "unreadable",
        "plain.png": "no_face",
        "torn.png": "unreadable",
    }
    assert "page.png must be a readable picture" in rejects["detail"]["page.png"]
    assert list(pd.read_parquet(OUT / "index.parquet")["name"]) == ["good.png"]


def test_whole_pictures_need_no_detector() -> None:
    pixels = noise(32, 32)
    write_stored_zip(Path("source.zip"), [("a/x.webp", encode_png(pixels))])
    crop.run(params(faces="whole", detector="none.onnx"))
    names, faces = read_pixels_zip(OUT / "faces.zip")
    assert names == ["a/x.png"]
    assert np.array_equal(faces[0], pixels)
    assert len(pd.read_parquet(OUT / "rejects.parquet")) == 0


def test_names_stay_apart_and_inside_the_zip() -> None:
    pictures = ["../a.png", "/a.gif", "a.jpg", "b\\a.png"]
    write_stored_zip(Path("source.zip"), [(name, encode_png(noise(20, 20))) for name in pictures])
    crop.run(params(faces="whole"))
    index = pd.read_parquet(OUT / "index.parquet")
    assert list(index["name"]) == ["a.png", "a.gif.png", "a.jpg.png", "b/a.png"]
    with zipfile.ZipFile(OUT / "faces.zip") as archive:
        assert archive.namelist() == list(index["name"])


def test_all_faces_of_a_picture_or_the_largest() -> None:
    rng = np.random.default_rng(4)
    small = draw_scene(rng, (120, 120), (70, 75), 2).pixels[:, :120]
    large = draw_scene(rng, (200, 200), (150, 160), 2).pixels
    both = np.zeros((200, 320, 3), dtype=np.uint8)
    both[:200, :200], both[40:160, 200:] = large, small
    write_stored_zip(Path("source.zip"), [("two.png", encode_png(both))])
    crop.run(params(choose="all"))
    index = pd.read_parquet(OUT / "index.parquet")
    assert sorted(index["name"]) == ["two-1.png", "two.png"]
    crop.run(params())
    (size,) = pd.read_parquet(OUT / "index.parquet")["size"]
    assert size == index["size"].max() > 120


def test_a_source_without_readable_pictures_is_an_error() -> None:
    write_stored_zip(Path("source.zip"), [("a.png", b"no"), ("b.png", b"")])
    with pytest.raises(SourceError, match="at least one readable picture, got 2 files"):
        crop.run(params())
    assert list(OUT.iterdir()) == []


def test_a_source_without_faces_is_an_error_with_advice() -> None:
    plain = encode_png(np.full((80, 80, 3), 120, dtype=np.uint8))
    write_stored_zip(Path("source.zip"), [("a.png", plain)])
    with pytest.raises(SourceError, match=r"none was found in 1; set crop\.faces to whole"):
        crop.run(params())
    assert list(OUT.iterdir()) == []


def test_a_missing_detector_is_an_error() -> None:
    write_stored_zip(Path("source.zip"), [("a.png", encode_png(noise(20, 20)))])
    with pytest.raises(ModelFileError, match=r"none\.onnx must be a readable ONNX detector"):
        crop.run(params(detector="none.onnx"))


@pytest.mark.parametrize(
    "change",
    [
        {"faces": "guess"},
        {"choose": "best"},
        {"resolution": 8},
        {"resolution": 64.0},
        {"margin": -1.0},
        {"max_angle": float("nan")},
        {"colour": 1},
    ],
)
def test_wrong_parameters_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        params(**change)
