import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from PIL import Image

from nfe.boundaries import load_boundaries
from nfe.bundle import load_bundle

from .conftest import Nfe


@pytest.fixture(scope="module")
def networks(nfe: Nfe, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("onnx") / "out"
    result = nfe("export", "onnx", out, "--model", bundle)
    assert result.exit_code == 0, result.output
    return out


@pytest.mark.parametrize("count", [1, 2, 5])
def test_onnx_networks_answer_as_torch_for_any_number(
    networks: Path, bundle: Path, count: int
) -> None:
    model = load_bundle(bundle, "cpu", bf16=False)
    random = torch.Generator().manual_seed(count)
    inputs = {
        "mapping": torch.randn(count, 16, generator=random),
        "synthesis": torch.randn(count, 6, 16, generator=random),
        "encoder": torch.rand(count, 3, 16, 16, generator=random) * 2 - 1,
    }
    parts = {
        "mapping": model.generator.mapping,
        "synthesis": model.generator.synthesis,
        "encoder": model.encoder,
    }
    for name, values in inputs.items():
        session = onnxruntime.InferenceSession(networks / f"{name}.onnx")
        (found,) = session.run(None, {session.get_inputs()[0].name: values.numpy()})
        np.testing.assert_allclose(found, parts[name](values).numpy(), atol=1e-4)


def test_the_description_says_how_to_use_them(networks: Path, bundle: Path) -> None:
    described = json.loads((networks / "networks.json").read_text())
    assert described["shapes"] == {
        "z": ["N", 16],
        "w": ["N", 16],
        "w_plus": ["N", 6, 16],
        "images": ["N", 3, 16, 16],
    }
    assert max(described["greatest_difference_from_torch"].values()) <= 1e-4
    generator = load_bundle(bundle, "cpu", bf16=False).generator
    assert described["w_avg"] == pytest.approx(generator.w_avg.tolist())


def test_boundaries_have_the_form_of_interfacegan(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = nfe("export", "boundaries", out, "--model", bundle, "--json")
    assert result.exit_code == 0, result.output
    boundaries = load_boundaries(bundle / "boundaries")
    table = json.loads((out / "boundaries.json").read_text())
    assert len(table) == len(boundaries) == 5
    assert json.loads(result.stdout).keys() == {"out", "boundaries.json", *table}
    for boundary in boundaries:
        name = f"tiny_{boundary.attribute}_{boundary.value}_w_boundary.npy"
        array = np.load(out / name, allow_pickle=False)
        # What InterFaceGAN's linear_interpolate asks of a boundary, and its unit length.
        assert (array.shape, array.dtype) == ((1, 16), np.float32)
        assert np.linalg.norm(array) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(array[0], boundary.normal, atol=1e-6)
        assert table[name]["intercept"] == boundary.intercept


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    for name, picture in zip(("a.png", "a.bmp", "sub/b.png"), pixels, strict=True):
        Image.fromarray(picture).save(folder / name)
    (folder / "a.txt").write_text("blue hair, smile")
    return folder


def test_a_zip_as_stylegan_reads_it(nfe: Nfe, crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces.zip"
    result = nfe("export", "stylegan-zip", out, "--pictures", crops)
    assert (result.exit_code, result.stdout) == (0, f"3 pictures in {out}\n")
    with zipfile.ZipFile(out) as archive:
        names = [f"00000/img{index:08d}.png" for index in range(3)]
        assert archive.namelist() == [*names, "dataset.json"]
        assert json.loads(archive.read("dataset.json")) == {"labels": None}
        for name, source in zip(names, ("a.bmp", "a.png", "sub/b.png"), strict=True):
            picture = Image.open(io.BytesIO(archive.read(name)))
            assert (np.asarray(picture) == np.asarray(Image.open(crops / source))).all()
    refused = nfe("export", "stylegan-zip", out, "--pictures", crops)
    assert refused.exit_code == 1 and "add --overwrite" in refused.stderr


@pytest.mark.parametrize("size", [(16, 20), (20, 20), (32, 32)])
def test_a_zip_takes_squares_of_one_side(
    nfe: Nfe, crops: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.new("RGB", size).save(crops / "z.png")
    result = nfe("export", "stylegan-zip", tmp_path / "a.zip", "--pictures", crops)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: z.png must be 16 x 16 as StyleGAN wants all alike")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_a_zip_takes_a_power_of_two(nfe: Nfe, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    result = nfe("export", "stylegan-zip", tmp_path / "a.zip", "--pictures", tmp_path / "a.png")
    assert result.exit_code == 1
    assert "a.png must be square, of a power of two" in result.stderr
    assert not (tmp_path / "a.zip").exists()


def test_an_imagefolder_keeps_names_and_tags(nfe: Nfe, crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = nfe("export", "imagefolder", out, "--pictures", crops, "--json")
    assert json.loads(result.stdout) == {"out": str(out), "num_pictures": 3}
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
    assert rows == [
        {"file_name": "a.png", "tags": ["blue_hair", "smile"]},
        {"file_name": "a.png.png", "tags": ["blue_hair", "smile"]},
        {"file_name": "sub/b.png", "tags": []},
    ]
    for row, source in zip(rows, ("a.bmp", "a.png", "sub/b.png"), strict=True):
        found = np.asarray(Image.open(out / row["file_name"]))
        assert (found == np.asarray(Image.open(crops / source))).all()


def test_a_curated_data_set_keeps_its_tags(
    nfe: Nfe, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curated = tmp_path / "data/curate"
    curated.mkdir(parents=True)
    with zipfile.ZipFile(curated / "dataset.zip", "w") as archive:
        archive.write(crops / "a.png", "x/a.png")
        archive.writestr("dataset.json", "{}")
    rows = {"name": ["x/a.png", "held.png"], "tags": ["smile blue_hair", ""]}
    pd.DataFrame(rows).to_parquet(curated / "index.parquet")
    monkeypatch.chdir(tmp_path)
    assert nfe("export", "imagefolder", "out").exit_code == 0
    (row,) = map(json.loads, Path("out/metadata.jsonl").read_text().splitlines())
    assert row == {"file_name": "x/a.png", "tags": ["smile", "blue_hair"]}
    (curated / "index.parquet").write_bytes(b"x")
    refused = nfe("export", "imagefolder", "other")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: data/curate/index.parquet must be readable")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["onnx", "out", "--model", "nowhere"], 2, "--model must be a model folder, got nowhere"),
        (["onnx", "out", "--pictures", "x"], 2, "--pictures must be left out for onnx, got x"),
        (["stylegan-zip", "out"], 2, "OUT must end in .zip, got out"),
        (["imagefolder", "out", "--pictures", "no"], 1, "no must be a folder, a zip or a picture"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = nfe("export", *arguments)
    assert result.exit_code == code
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
