from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfe.bundle import load_bundle
from nfe.images import images_from_pixels, pixels_from_images

from .conftest import Nfe

TARGET, CONTEXT = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def faces(tmp_path: Path) -> tuple[Path, Path]:
    for name, pixels in (("t.png", TARGET), ("c.png", CONTEXT)):
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path / "t.png", tmp_path / "c.png"


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_without_steps_it_is_the_inversion_of_the_pasted_picture(
    nfe: Nfe, bundle: Path, faces: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    arguments = ("--box", "2,4,10,12", "--model", bundle, "--steps", 0)
    result = nfe("diffuse", *faces, out, *arguments)
    assert result.exit_code == 0, result.output
    pasted = CONTEXT.copy()
    pasted[4:12, 2:10] = TARGET[4:12, 2:10]
    model = load_bundle(bundle, "cpu", False)
    images = model.generator.synthesis(model.encoder(images_from_pixels(pasted[None])))
    assert (read(out) == pixels_from_images(images)[0]).all()


def test_the_search_comes_nearer_to_the_part(
    nfe: Nfe, bundle: Path, faces: tuple[Path, Path], tmp_path: Path
) -> None:
    errors = []
    for steps in (0, 100):
        out = tmp_path / f"{steps}.png"
        arguments = ("--box", "2,4,10,12", "--model", bundle, "--steps", steps)
        arguments += ("--learning-rate", "0.05")
        assert nfe("diffuse", *faces, out, *arguments).exit_code == 0
        difference = read(out)[4:12, 2:10].astype(float) - TARGET[4:12, 2:10]
        errors.append((difference**2).mean())
    assert errors[1] < 0.9 * errors[0]


@pytest.mark.parametrize(
    ("out", "arguments", "message"),
    [
        ("a.jpg", [], "OUT must end in .png"),
        ("a.png", ["--box", "1,2,3"], "--box must be LEFT,TOP,RIGHT,BOTTOM such as"),
        ("a.png", ["--box", "5,2,5,9"], "--box must be LEFT,TOP,RIGHT,BOTTOM such as"),
        ("a.png", ["--box", "0,0,17,9"], "--box must lie within 16 x 16, got 0,0,17,9"),
        ("a.png", ["--steps", "-1"], "--steps must be 0 to 100000, got -1"),
        ("a.png", ["--learning-rate", "0"], "--learning-rate must be 1e-06 to 10, got 0"),
        ("a.png", ["--model", "nowhere"], "--model must be a model folder"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe,
    bundle: Path,
    faces: tuple[Path, Path],
    tmp_path: Path,
    out: str,
    arguments: list[str],
    message: str,
) -> None:
    given = ("--box", "1,1,5,5", "--model", bundle, *arguments)
    result = nfe("diffuse", *faces, tmp_path / out, *given)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert not (tmp_path / out).exists()


def test_pictures_that_do_not_fit_are_named(
    nfe: Nfe, bundle: Path, faces: tuple[Path, Path], tmp_path: Path
) -> None:
    target, context = faces
    arguments = (tmp_path / "out.png", "--box", "1,1,5,5", "--model", bundle)
    result = nfe("diffuse", tmp_path / "none.png", context, *arguments)
    assert result.exit_code == 2
    assert "TARGET must be a picture, got" in result.stderr
    Image.fromarray(CONTEXT[:8, :8]).save(context)
    result = nfe("diffuse", target, context, *arguments)
    assert result.exit_code == 1
    assert "CONTEXT must be as large as TARGET, 16 x 16, got 8 x 8" in result.stderr
    Image.fromarray(CONTEXT[:8]).save(context)
    result = nfe("diffuse", target, context, *arguments)
    assert result.exit_code == 1
    assert "c.png must be a square picture of one face, got 16 x 8" in result.stderr
    context.write_bytes(b"x")
    result = nfe("diffuse", target, context, *arguments)
    assert result.exit_code == 1
    assert "c.png must be a readable picture" in result.stderr


def test_a_file_of_the_user_stays(
    nfe: Nfe, bundle: Path, faces: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"mine")
    arguments = ("diffuse", *faces, out, "--box", "1,1,5,5", "--model", bundle, "--steps", "1")
    assert nfe(*arguments).exit_code == 1
    assert out.read_bytes() == b"mine"
    assert nfe(*arguments, "--overwrite").exit_code == 0
    assert read(out).shape == (16, 16, 3)
