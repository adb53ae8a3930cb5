import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfe.bundle import load_bundle
from nfe.face_editing import invert_faces
from nfe.files import read_npz
from nfe.images import images_from_pixels, pixels_from_images

from .conftest import BOX, FACE, SCENE, Nfe


def table(out: Path) -> list[dict[str, str]]:
    with (out / "invert.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_codes_reconstructions_and_errors(
    nfe: Nfe, bundle: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = nfe("invert", pictures, "--out", out, "--model", bundle, "--steps", 0, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["counts"] == {"no_face": 1, "done": 2}
    codes = read_npz(out / "codes.npz")
    assert codes["names"].tolist() == ["scene.png", "sub/face.png"]
    model = load_bundle(bundle, "cpu", bf16=False)
    rows = {row["name"]: row for row in table(out) if row["name"]}
    for index, name in enumerate(codes["names"]):
        code = codes["w_plus"][index : index + 1]
        image = model.generator.synthesis(model.encoder.w_avg.new_tensor(code)).clamp(-1, 1)
        shown = np.asarray(Image.open(out / name)).astype(int)
        assert np.abs(shown - pixels_from_images(image)[0]).max() <= 1
        target = FACE if name == "sub/face.png" else _resized_scene(model.generator.resolution)
        error = float((image - images_from_pixels(target[None])).square().mean())
        assert float(rows[name]["mse"]) == pytest.approx(error, rel=1e-3)
        assert float(rows[name]["psnr"]) == pytest.approx(10 * np.log10(4 / error), abs=0.02)
    assert float(rows["scene.png"]["x0"]) == BOX[0] and rows["sub/face.png"]["score"] == "1.0"


def _resized_scene(side: int) -> np.ndarray:
    x0, y0, x1, y1 = BOX
    face = Image.fromarray(SCENE).resize((side, side), Image.Resampling.LANCZOS, (x0, y0, x1, y1))
    return np.array(face)


def test_the_encoder_alone_gives_its_own_answer_in_any_batch(
    nfe: Nfe, bundle: Path, pictures: Path, tmp_path: Path
) -> None:
    for size in (1, 32):
        given = ("--model", bundle, "--steps", 0, "--batch-size", size)
        assert nfe("invert", pictures, "--out", tmp_path / str(size), *given).exit_code == 0
    one, many = (read_npz(tmp_path / name / "codes.npz") for name in ("1", "32"))
    assert one["names"].tolist() == many["names"].tolist()
    np.testing.assert_allclose(one["w_plus"], many["w_plus"], rtol=1e-4, atol=1e-5)
    model = load_bundle(bundle, "cpu", bf16=False)
    expected = invert_faces(FACE[None], model, 0, 1, lambda *_: None)
    np.testing.assert_allclose(one["w_plus"][1:], expected, rtol=1e-4, atol=1e-5)


def test_steps_lower_the_error(nfe: Nfe, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    errors = {}
    for steps in (0, 5):
        given = ("--out", tmp_path / str(steps), "--model", bundle, "--steps", steps)
        assert nfe("invert", pictures / "sub", *given).exit_code == 0
        errors[steps] = float(table(tmp_path / str(steps))[0]["mse"])
    assert errors[5] < errors[0]


def test_a_bad_file_and_a_used_folder(
    nfe: Nfe, bundle: Path, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "broken.png").write_bytes(b"")
    arguments = ("invert", pictures, "--out", tmp_path / "out", "--model", bundle, "--steps", 0)
    first = nfe(*arguments)
    assert first.exit_code == 3
    last = first.stderr.splitlines()[-1]
    assert last.startswith("error: broken.png must be a readable picture")
    assert first.stdout == f"2 faces in {tmp_path / 'out'}, 1 failed, 1 without a face\n"
    before = (tmp_path / "out/codes.npz").read_bytes()
    again = nfe(*arguments)
    assert again.exit_code == 1 and "--overwrite" in again.stderr
    assert nfe(*arguments, "--overwrite").exit_code == 3
    assert (tmp_path / "out/codes.npz").read_bytes() == before


def test_no_face_at_all(nfe: Nfe, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    result = nfe("invert", pictures / "dark.png", "--out", tmp_path / "out", "--model", bundle)
    assert result.exit_code == 1
    assert read_npz(tmp_path / "out/codes.npz")["w_plus"].shape == (0, 6, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "-1"], "--steps must be 0 to 100000, got -1"),
        (["--model", "nowhere"], "--model must be a model folder, got nowhere"),
        (["nowhere"], "input must be a file, a folder or a glob, got 'nowhere'"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe, bundle: Path, pictures: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = nfe("invert", pictures, "--out", tmp_path / "out", "--model", bundle, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
