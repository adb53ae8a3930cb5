import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from tasks.draw import Params, run

NO_FLAWS = {"no_face": 0.0, "small": 0.0, "blurred": 0.0, "monochrome": 0.0, "duplicate": 0.0}
VALUES = {
    "num_pictures": 60,
    "picture_side": [64, 80],
    "face_side": [40, 60],
    "small_face_side": [16, 20],
    "supersampling": 2,
    "flaws": dict.fromkeys(NO_FLAWS, 0.1),
    "num_processes": 1,
    "seed": 5,
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folder of a run in one process."""
    folder = tmp_path_factory.mktemp("draw")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(Params.model_validate(VALUES))
    return folder / "data" / "draw"


def test_the_zip_holds_picture_tags_and_truth_of_each(drawn):
    with zipfile.ZipFile(drawn / "illustrations.zip") as archive:
        names = [f"{i:06d}.{kind}" for i in range(60) for kind in ("png", "txt", "json")]
        assert archive.namelist() == names
        for i in range(60):
            truth = json.loads(archive.read(f"{i:06d}.json"))
            tags = archive.read(f"{i:06d}.txt").decode().strip().split(", ")
            width, height = Image.open(io.BytesIO(archive.read(f"{i:06d}.png"))).size
            assert set(truth) == {"box", "eyes", "flaw", "duplicate_of"}
            if truth["flaw"] == "no_face":
                assert truth["box"] is None and tags == ["no humans"]
            else:
                x0, y0, x1, y1 = truth["box"]
                assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
                assert "1girl" in tags and np.shape(truth["eyes"]) == (2, 2)


def test_metrics_count_what_the_zip_holds(drawn):
    metrics = json.loads((drawn / "metrics.json").read_text())
    with zipfile.ZipFile(drawn / "illustrations.zip") as archive:
        truths = [json.loads(archive.read(f"{i:06d}.json")) for i in range(60)]
        tags = [archive.read(f"{i:06d}.txt").decode().strip().split(", ") for i in range(60)]
    flaws = [truth["flaw"] for truth in truths]
    sound = [words for words, flaw in zip(tags, flaws, strict=True) if flaw is None]
    assert metrics["num_flawed"] == 60 - flaws.count(None) == sum(metrics["flaws"].values())
    assert all(flaws.count(name) == count for name, count in metrics["flaws"].items())
    assert metrics["tags"] == {
        tag: sum(tag in words for words in sound) for tag in {t for words in sound for t in words}
    }


def test_the_sheet_is_a_picture_of_faces(drawn):
    assert Image.open(drawn / "faces.png").size == (5 * 258 - 2, 3 * 258 - 2)


def test_the_bytes_do_not_depend_on_the_number_of_processes(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(Params.model_validate(VALUES | {"num_processes": 2}))
    for name in ("illustrations.zip", "faces.png", "metrics.json"):
        assert (tmp_path / "data/draw" / name).read_bytes() == (drawn / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_pictures": 0}, "greater than or equal to 1"),
        ({"picture_side": [80, 64]}, "picture_side must rise"),
        ({"face_side": [40, 70]}, "face_side must be at most the least picture_side 64"),
        ({"flaws": dict.fromkeys(NO_FLAWS, 0.3)}, "flaws must add up to 1 or less"),
        ({"flaws": NO_FLAWS | {"ugly": 0.1}}, "Extra inputs"),
        ({"picture_side": [64]}, "at least 2 items"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_impossible_parameters_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Params.model_validate(VALUES | change)
