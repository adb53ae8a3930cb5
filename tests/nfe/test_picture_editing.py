import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfe.bundle import Bundle, load_bundle
from nfe.edit_records import Records
from nfe.errors import ParamsError, PictureError
from nfe.file_discovery import Found, plan_outputs
from nfe.folder_editing.folder import STRIP_SUFFIX, FolderEditor, edit_files
from nfe.folder_editing.opening import Opener
from nfe.folder_editing.settings import EditSettings, Limits
from nfe.picture_editing import (
    edit_picture,
    invert_picture,
    picture_of_code,
    refine_picture,
    strength_range,
)
from nfe.picture_files import Picture
from nfe.zip_editing import edit_into_zip

from ..tasks.editing_project import make_bundle

RNG = np.random.default_rng(0)
SCENE = Picture(RNG.integers(150, 256, (40, 50, 3), dtype=np.uint8), None)
SQUARE = (slice(6, 26), slice(8, 28))  # where the detector of the project sees a face
DARK = Picture(np.zeros((40, 50, 3), dtype=np.uint8), None)
FACE = Picture(RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8), None)
SETTINGS = EditSettings(
    changes={"hair": "blue"},
    keep=["smile"],
    strength="auto",
    num_steps=1,
    faces="auto",
    largest=False,
    paste_back=None,
    redraw=False,
    all_frames=False,
    no_face="copy",
    strip=True,
    provenance=True,
)
LIMITS = Limits(max_pixels=10_000, max_bytes=1_000_000, seconds=60)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    root = tmp_path_factory.mktemp("editing")
    return load_bundle(make_bundle(root, root / "model"), "cpu", bf16=False)


def test_a_small_square_is_a_face_itself(bundle: Bundle) -> None:
    inverted = invert_picture(FACE, "face", bundle, "auto", 4)
    assert inverted.frame.whole and (inverted.frame.faces[0] == FACE.pixels).all()
    assert invert_picture(DARK, "dark", bundle, "whole", 4).frame.whole


def test_without_a_detector_only_faces_are_taken(bundle: Bundle) -> None:
    blind = replace(bundle, detector=None)
    assert invert_picture(FACE, "face", blind, "auto", 4).frame.whole
    with pytest.raises(PictureError, match=r"scene\.png must be a face itself"):
        invert_picture(SCENE, "scene.png", blind, "auto", 4)


def test_a_picture_without_a_face_is_named(bundle: Bundle) -> None:
    with pytest.raises(PictureError, match=r"dark\.png must show a face, none was found"):
        invert_picture(DARK, "dark.png", bundle, "auto", 4)


def test_the_error_is_that_of_the_reconstruction_shown(bundle: Bundle) -> None:
    inverted = invert_picture(SCENE, "scene.png", bundle, "auto", 4)
    assert (refine_picture(inverted, bundle, 0, 4).w_plus == inverted.w_plus).all()
    inverted = refine_picture(inverted, bundle, 2, 4)
    shown = (inverted.reconstructions[0].astype(float) - inverted.frame.faces[0]) / 127.5
    assert inverted.mse[0] == pytest.approx(np.square(shown).mean(), rel=0.02)


def test_the_picture_of_a_code_has_that_code(bundle: Bundle) -> None:
    w_plus = RNG.standard_normal((6, 16)).astype(np.float32)
    inverted = picture_of_code(w_plus, "7.png", bundle)
    assert (inverted.w_plus[0] == w_plus).all()
    assert inverted.mse[0] <= (1 / 255) ** 2  # rounded to whole levels, no more
    assert (inverted.frame.picture.pixels == inverted.reconstructions[0]).all()


def test_an_edit_reaches_the_distance_asked_for(bundle: Bundle) -> None:
    inverted = invert_picture(SCENE, "scene.png", bundle, "auto", 4)
    usual, far = strength_range(bundle)
    assert 0 < usual < far
    picture, faces = edit_picture(inverted, bundle, {"hair": "blue"}, [], far, 4)
    assert faces.distances_after["hair=blue"][0] >= far - 1e-3
    assert picture.pixels.shape == SCENE.pixels.shape
    with pytest.raises(ParamsError, match="hair must be one of red, blue, green, got plaid"):
        edit_picture(inverted, bundle, {"hair": "plaid"}, [], "auto", 4)


def test_a_zip_holds_what_a_folder_would(bundle: Bundle, tmp_path: Path) -> None:
    Image.fromarray(SCENE.pixels).save(tmp_path / "scene.png")
    Image.fromarray(DARK.pixels).save(tmp_path / "dark.png")
    (tmp_path / "list.txt").write_text(str(tmp_path / "scene.png"))
    paths = [tmp_path / name for name in ("scene.png", "dark.png", "list.txt", "scene.png")]
    rows = edit_into_zip(
        paths, tmp_path / "out.zip", bundle, Path("model"), SETTINGS, LIMITS, 4, lambda *_: None
    )
    assert [(row["input"], row["status"]) for row in rows] == [
        ("scene.png", "edited"),
        ("dark.png", "no_face"),
        ("list.txt", "skipped"),  # and what it lists is nobody's business
    ]
    out = tmp_path / "out"
    found = [Found(path, path.name) for path in paths[:2]]
    planned = plan_outputs(found, "keep", 10_000, (), [STRIP_SUFFIX])
    opener = Opener(out, bundle, SETTINGS, LIMITS, Records(out), overwrite=False)
    editor = FolderEditor(opener, Path("model"), 4)
    list(edit_files(planned, editor, False, lambda *_: None))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        written = {name: archive.read(name) for name in archive.namelist()}
    assert [json.loads(line) for line in written.pop("edit.jsonl").splitlines()] == rows
    files = list(out.rglob("*.png"))
    assert written == {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dark.png",
        "list.txt",
        "out",
        "out.zip",
        "scene.png",
    ]
