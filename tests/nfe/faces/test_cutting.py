from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfe.errors import PictureError
from nfe.faces.cutting import (
    Choose,
    CutFace,
    FaceCutter,
    Faces,
    cut_files,
    name_faces,
    take_whole,
)
from nfe.faces.detection import Detector
from nfe.file_discovery import Found, find_files, plan_outputs
from tests.tasks.editing_project import write_detector

PIXELS = np.random.default_rng(0).integers(150, 240, (40, 60, 3), dtype=np.uint8)


SMALL, LARGE = (2, 2, 10, 10), (20, 4, 36, 20)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A detector whose better face is the smaller one."""
    path = tmp_path_factory.mktemp("detector") / "detector.onnx"
    write_detector(path, [SMALL, LARGE])
    return Detector.load(path)


def cutter(
    detector: Detector | None, faces: Faces, resolution: int = 8, choose: Choose = "all"
) -> FaceCutter:
    return FaceCutter(detector, faces, choose, 0.0, 25.0, resolution)


def test_all_faces_or_the_largest(detector: Detector) -> None:
    small, large = cutter(detector, "detect").cut(PIXELS, "a")
    assert (small.pixels == PIXELS[2:10, 2:10]).all()
    assert (small.transform.box, large.transform.box) == (SMALL, LARGE)
    assert 0.5 < large.score < small.score < 1
    (only,) = cutter(detector, "detect", choose="largest").cut(PIXELS, "a")
    assert only.transform.box == LARGE


def test_a_small_square_is_a_face_itself(detector: Detector) -> None:
    square = PIXELS[:16, :16]
    auto = cutter(detector, "auto")
    assert auto.is_whole(square)
    assert not auto.is_whole(PIXELS[:17, :17])
    assert not auto.is_whole(PIXELS[:16, :15])
    assert not cutter(detector, "detect").is_whole(square)
    (whole,) = cutter(detector, "auto", resolution=16).cut(square, "a")
    assert (whole.pixels == square).all() and whole.score == 1
    (centre,) = cutter(detector, "whole", resolution=40).cut(PIXELS, "a")
    assert (centre.pixels == PIXELS[:, 10:50]).all()


def test_without_a_detector_a_scene_is_refused() -> None:
    blind = cutter(None, "auto")
    assert len(blind.cut(PIXELS[:16, :16], "a")) == 1
    with pytest.raises(PictureError, match=r"a\.png must be a face itself"):
        blind.cut(PIXELS, "a.png")


def test_files_come_in_order_and_a_bad_one_is_no_end(tmp_path: Path) -> None:
    for index in range(9):
        Image.fromarray(PIXELS + np.uint8(index)).save(tmp_path / f"{index}.png")
    (tmp_path / "4.png").write_bytes(b"")
    found = plan_outputs(find_files([str(tmp_path)], Path("out"), []), "png", 10_000, ())
    (tmp_path / "6.png").unlink()  # gone between finding and reading
    cuts = list(cut_files(found, take_whole, 10_000, num_threads=2))
    assert [cut.found.name for cut in cuts] == [f"{index}.png" for index in range(9)]
    assert [len(cut.faces) for cut in cuts] == [1, 1, 1, 1, 0, 1, 0, 1, 1]
    assert "must be a readable picture" in cuts[4].problem
    assert cuts[6].problem == "6.png must be readable, got: No such file or directory"
    assert (cuts[8].faces[0].pixels == PIXELS + np.uint8(8)).all()


def test_a_caller_that_stops_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    opened = []

    def slow(pixels: np.ndarray, name: str) -> list[CutFace]:
        opened.append(name)
        return []

    cuts = cut_files([Found(tmp_path / "a.png", str(i)) for i in range(100)], slow, 10_000, 2)
    next(cuts)
    cuts.close()
    assert len(opened) <= 4


def test_names_of_faces_never_collide() -> None:
    used = {"a.png", "a-2.png", "sub/b.png"}
    assert name_faces("a.png", 3, used) == ["a.png", "a-3.png", "a-4.png"]
    assert name_faces("A.png", 2, used) == ["A.png", "A-5.png"]
    assert name_faces("sub/b.png", 1, used) == ["sub/b.png"]
    assert name_faces("c.png", 0, used) == []
