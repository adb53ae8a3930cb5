import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfe.bundle import load_bundle
from nfe.images import pixels_from_images
from nfe.inversion.restoration import RestorationSettings, keep_luminance, luminance
from nfe.picture_restoring import Restorer

from .conftest import Nfe

RNG = np.random.default_rng(0)
FACES = RNG.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
LARGE = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
SMALL = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
HOLE = np.zeros((40, 40), dtype=np.uint8)
HOLE[10:20, 12:30] = 255


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, face in zip(("a.png", "b.bmp", "sub/c.png"), FACES, strict=True):
        save(tmp_path / "in" / name, face)
    return tmp_path / "in"


def test_colours_come_in_and_the_luminance_stays(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    given = save(tmp_path / "in.png", LARGE)
    result = nfe("restore", given, out, "--task", "colourise", "--model", bundle)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"1 picture in {out}\n"
    grey = np.asarray(Image.open(given).convert("L"))
    assert (np.asarray(Image.open(out).convert("L")) == grey).all()
    assert np.ptp(read(out).astype(int), axis=2).max() > 5


def test_a_hole_is_filled_and_the_rest_stays(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    given, mask = save(tmp_path / "in.png", LARGE), save(tmp_path / "mask.png", HOLE)
    out = tmp_path / "out.png"
    arguments = ("--task", "inpaint", "--mask", mask, "--model", bundle)
    assert nfe("restore", given, out, *arguments).exit_code == 0
    result, hole = read(out), HOLE > 0
    assert (result[~hole] == LARGE[~hole]).all()
    assert (result[hole] != LARGE[hole]).mean() > 0.5


def test_what_is_in_the_hole_changes_nothing(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    mask = save(tmp_path / "mask.png", HOLE)
    other = LARGE.copy()
    other[HOLE > 0] = 7
    for name, pixels in (("a.png", LARGE), ("b.png", other)):
        given = save(tmp_path / "in" / name, pixels)
        arguments = ("--task", "inpaint", "--mask", mask, "--model", bundle)
        assert nfe("restore", given, tmp_path / name, *arguments).exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(("factor", "side"), [(2, 8), (4, 4), (8, 2)])
def test_small_pictures_become_large(
    nfe: Nfe, bundle: Path, tmp_path: Path, factor: int, side: int
) -> None:
    given = save(tmp_path / "in.png", FACES[0, :side, :side])
    out = tmp_path / "out.png"
    arguments = ("--task", "super-resolve", "--factor", factor, "--model", bundle)
    assert nfe("restore", given, out, *arguments, "--steps", "3").exit_code == 0
    assert read(out).shape == (16, 16, 3)


def test_a_folder_is_restored_with_names_kept(
    nfe: Nfe, bundle: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (folder / "notes.md").write_text("no picture")
    arguments = ("--task", "colourise", "--model", bundle)
    result = nfe("restore", folder, out, *arguments, "--batch-size", 2)
    assert result.exit_code == 0, result.output
    files = {f.relative_to(out).as_posix() for f in out.rglob("*") if f.is_file()}
    assert files == {"a.png", "b.png", "sub/c.png"}
    nfe("restore", folder / "b.bmp", tmp_path / "b.png", *arguments)
    difference = read(out / "b.png").astype(int) - read(tmp_path / "b.png")
    assert np.abs(difference).max() <= 2


def test_a_bad_file_does_not_stop_the_others(
    nfe: Nfe, bundle: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "bad.png").write_bytes((folder / "a.png").read_bytes()[:60])
    save(folder / "wide.png", np.zeros((4, 6, 3), dtype=np.uint8))
    arguments = ("--task", "colourise", "--model", bundle, "--steps", "1")
    result = nfe("restore", folder, tmp_path / "out", *arguments)
    assert result.exit_code == 3
    assert "error: bad.png must be a readable picture" in result.stderr
    assert "error: wide.png must be a square picture of one face, got 6 x 4" in result.stderr
    assert len(list((tmp_path / "out").rglob("*.png"))) == 3


def test_the_search_can_start_from_the_mean_face(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    given, out = save(tmp_path / "in.png", FACES[0]), tmp_path / "out.png"
    arguments = ("--task", "colourise", "--start", "mean", "--steps", "0", "--codes", "1")
    assert nfe("restore", given, out, *arguments, "--model", bundle).exit_code == 0
    generator = load_bundle(bundle, "cpu", False).generator
    mean = generator.synthesis(generator.broadcast(generator.w_avg[None]))
    expected = keep_luminance(pixels_from_images(mean)[0], luminance(FACES[0]))
    assert (read(out) == expected).all()


def test_pictures_are_restored_alike_in_any_batch(bundle: Path) -> None:
    settings = RestorationSettings(3, 3, 0.5, 3, 0.02, 1.0, 0.1, 0.01, 0)
    restorer = Restorer("colourise", 1, None, load_bundle(bundle, "cpu", False), settings, "mean")
    together = restorer.restore(list(FACES), lambda *_: None)
    for face, result in zip(FACES, together, strict=True):
        (alone,) = restorer.restore([face], lambda *_: None)
        assert np.abs(result.astype(int) - alone).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "inpaint"], "--mask must be given for inpaint, got none; paint a PNG"),
        (["--task", "colourise", "--mask", "m.png"], "--mask must be left out for colourise"),
        (["--task", "colourise", "--factor", "2"], "--factor must be left out for colourise"),
        (["--task", "super-resolve", "--factor", "3"], "--factor must be 2, 4 or 8, got 3"),
        (["--task", "colourise", "--steps", "-1"], "--steps must be 0 to 100000, got -1"),
        (["--task", "colourise", "--codes", "0"], "--codes must be 1 to 100, got 0"),
        (["--task", "colourise", "--learning-rate", "nan"], "--learning-rate must be 1e-06 to 10"),
        (["--task", "colourise", "--prior", "-1"], "--prior must be 0 to 1000, got -1"),
        (["--task", "colourise", "--spread", "11"], "--spread must be 0 to 10, got 11"),
        (["--task", "colourise", "--seed", "-1"], "--seed must be 0 to"),
        (["--task", "colourise", "--batch-size", "0"], "--batch-size must be 1 to 1024, got 0"),
        (["--task", "colourise", "--layer", "6"], "--layer must be 2 to 5, got 6"),
        (["--task", "colourise", "--layer", "1"], "--layer must be 2 to 5, got 1"),
        (["--task", "colourise", "--model", "nowhere"], "--model must be a model folder"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe, bundle: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = save(tmp_path / "in.png", SMALL)
    result = nfe("restore", given, tmp_path / "out.png", "--model", bundle, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("given", "out", "message"),
    [
        ("a.png", "out.jpg", "OUT must end in .png"),
        ("missing.png", "out.png", "IN must be a picture or a folder, got"),
        (".", "a.png", "OUT must be a folder as IN is one"),
        ("empty", "out", "IN must hold a picture at least"),
    ],
)
def test_wrong_places_are_one_line(
    nfe: Nfe, bundle: Path, folder: Path, given: str, out: str, message: str
) -> None:
    (folder / "empty").mkdir()
    (folder / "empty/notes.md").write_text("no picture")
    arguments = ("--task", "colourise", "--model", bundle)
    result = nfe("restore", folder / given, folder / out, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1


@pytest.mark.parametrize(("value", "colour"), [(0, "black"), (255, "white")])
def test_a_mask_of_one_colour_is_refused(
    nfe: Nfe, bundle: Path, tmp_path: Path, value: int, colour: str
) -> None:
    given = save(tmp_path / "in.png", LARGE)
    mask = save(tmp_path / "mask.png", np.full((40, 40), value, dtype=np.uint8))
    arguments = ("--task", "inpaint", "--mask", mask, "--model", bundle)
    result = nfe("restore", given, tmp_path / "out.png", *arguments)
    assert result.exit_code == 2
    assert "--mask must be white where to fill" in result.stderr
    assert f"all {colour}; paint it" in result.stderr


def test_sizes_that_do_not_fit_are_named(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    mask, small = save(tmp_path / "mask.png", HOLE), save(tmp_path / "small.png", SMALL)
    out = tmp_path / "out.png"
    result = nfe("restore", small, out, "--task", "inpaint", "--mask", mask, "--model", bundle)
    assert result.exit_code == 1
    assert "small.png must be as large as the mask, 40 x 40, got 8 x 8" in result.stderr
    result = nfe("restore", small, out, "--task", "super-resolve", "--model", bundle)
    assert result.exit_code == 1
    assert "small.png must be 4 x 4 for factor 4 and a model of 16 pixels" in result.stderr
    missing = ("--mask", tmp_path / "none.png", "--model", bundle)
    result = nfe("restore", small, out, "--task", "inpaint", *missing)
    assert result.exit_code == 1
    assert "none.png must be readable, got: No such file" in result.stderr
    assert not out.exists()


def test_a_file_of_the_user_stays(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    given, out = save(tmp_path / "in.png", LARGE), tmp_path / "out.png"
    out.write_bytes(b"mine")
    arguments = ("restore", given, out, "--task", "colourise", "--model", bundle, "--steps", "1")
    assert nfe(*arguments).exit_code == 1
    assert out.read_bytes() == b"mine"
    assert nfe(*arguments, "--overwrite").exit_code == 0
    assert read(out).shape == LARGE.shape


def test_a_damaged_model_is_named(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    given, model = save(tmp_path / "in.png", LARGE), tmp_path / "model"
    shutil.copytree(bundle, model)
    (model / "encoder/encoder.safetensors").write_bytes(b"x")
    arguments = ("--task", "colourise", "--model", model)
    result = nfe("restore", given, tmp_path / "out.png", *arguments)
    assert result.exit_code == 1
    assert "encoder.safetensors must have the sha256" in result.stderr
