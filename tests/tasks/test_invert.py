import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from nfe.errors import SourceError
from nfe.files import read_npz
from nfe.gan.storage import load_generator
from nfe.images import decode_pixels, encode_png, images_from_pixels, read_pixels_zip
from nfe.metrics.reconstruction import mse
from tasks import invert

from .inversion_project import REFINEMENT, make_project

VALUES = {
    "source": "data/curate/holdout.zip",
    "num_images": 10,
    "faces": "whole",
    "detector": "models/detector/detector.onnx",
    "margin": 0.0,
    "max_angle": 25.0,
    "refinement": REFINEMENT,
    "batch_size": 8,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path, with_encoder=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_codes_reconstructions_and_index_belong_together(project: Path) -> None:
    invert.run(invert.Params.model_validate(VALUES))
    out = project / "data" / "invert"
    index = pd.read_parquet(out / "index.parquet")
    assert list(index["name"]) == [f"{i:03d}.png" for i in range(10)]
    w_plus = torch.from_numpy(read_npz(out / "codes.npz")["w_plus"])
    assert w_plus.shape == (10, 6, 16)

    generator = load_generator(project / "data" / "train_gan" / "model", "cpu")
    images = generator.synthesis(w_plus).clamp(-1, 1)
    names, pixels = read_pixels_zip(out / "reconstructions.zip")
    assert names == list(index["name"])
    assert float((images_from_pixels(pixels) - images).abs().max()) <= 1 / 255 + 1e-6

    originals = images_from_pixels(read_pixels_zip(project / VALUES["source"])[1][:10])
    np.testing.assert_allclose(mse(images, originals), index["mse"], rtol=1e-4)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["mse"] == pytest.approx(index["mse"].mean(), rel=1e-4)
    assert metrics["mse"] < metrics["encoder_mse"]
    assert metrics["num_rejects"] == 0


def test_pictures_of_a_folder_are_cut_to_size_and_bad_ones_counted(project: Path) -> None:
    source = project / "pictures"
    source.mkdir()
    (source / "wide.png").write_bytes(encode_png(np.full((20, 50, 3), 128, np.uint8)))
    (source / "broken.jpg").write_bytes(b"not a picture")
    (source / "wide.gif").write_bytes(encode_png(np.full((33, 33, 3), 50, np.uint8)))
    invert.run(invert.Params.model_validate(VALUES | {"source": "pictures"}))
    out = project / "data" / "invert"
    assert list(pd.read_parquet(out / "index.parquet")["name"]) == ["wide.png", "wide.png.png"]
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["num_images"], metrics["num_unreadable"]) == (2, 1)
    pairs = decode_pixels((out / "pairs.png").read_bytes(), "pairs")
    assert pairs.shape == (16, 8 * 18 - 2, 3)


def test_no_steps_leave_the_codes_of_the_encoder(project: Path) -> None:
    refinement = REFINEMENT | {"num_steps": 0}
    invert.run(invert.Params.model_validate(VALUES | {"refinement": refinement}))
    metrics = json.loads((project / "data" / "invert" / "metrics.json").read_text())
    assert metrics["mse"] == metrics["encoder_mse"]


def test_a_source_without_faces_is_refused(project: Path) -> None:
    source = project / "pictures"
    source.mkdir()
    (source / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(SourceError, match=r"must hold at least one face, got 0 .* and 1 that"):
        invert.run(invert.Params.model_validate(VALUES | {"source": "pictures"}))
    assert not (project / "data" / "invert" / "codes.npz").exists()


@pytest.mark.parametrize("change", [{"num_images": 0}, {"faces": "some"}, {"steps": 3}])
def test_wrong_parameters_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        invert.Params.model_validate(VALUES | change)
