from pathlib import Path

import torch

from nfe.files import read_json, sha256_file
from tests.nfe.gan.test_import_weights import published_weights

from .conftest import Nfe


def test_an_imported_generator_samples_mixes_and_has_directions(nfe: Nfe, tmp_path: Path) -> None:
    checkpoint, model = tmp_path / "a.pt", tmp_path / "model"
    torch.save({"g_ema": published_weights()}, checkpoint)
    result = nfe("import-weights", checkpoint, model)
    assert (result.exit_code, result.stdout) == (0, f"16 px, 6 layers of w, in {model}\n")
    provenance = read_json(model / "networks.json")["imported_from"]
    assert provenance == {"file": "a.pt", "sha256": sha256_file(checkpoint)}
    given = ("--model", model)
    for arguments in (
        ("sample", tmp_path / "faces", *given, "--seeds", "0-1"),
        ("mix", tmp_path / "mix.png", *given, "--rows", 1, "--columns", 2, "--layers", "3-"),
        ("directions", tmp_path / "found", *given, "--num", 2, "--seeds", 0),
        ("info", model),
        ("verify", model),
    ):
        done = nfe(*arguments)
        assert done.exit_code == 0, done.output


def test_no_folder_of_another_kind_is_replaced(nfe: Nfe, tmp_path: Path) -> None:
    checkpoint, out = tmp_path / "a.pt", tmp_path / "out"
    torch.save({"g_ema": published_weights()}, checkpoint)
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for options in ([], ["--overwrite"]):
        refused = nfe("import-weights", checkpoint, out, *options)
        assert refused.exit_code == 1
        assert "must be empty or not exist yet, it holds mine.txt" in refused.stderr
    assert nfe("import-weights", checkpoint, tmp_path / "model").exit_code == 0
    assert nfe("import-weights", checkpoint, tmp_path / "model").exit_code == 1
    assert nfe("import-weights", checkpoint, tmp_path / "model", "--overwrite").exit_code == 0


def test_a_pickle_of_nvidia_is_refused(nfe: Nfe, tmp_path: Path) -> None:
    (tmp_path / "ffhq.pkl").write_bytes(b"\x80\x04K\x01.")
    result = nfe("import-weights", tmp_path / "ffhq.pkl", tmp_path / "out")
    assert result.exit_code == 1
    assert "holds Python code that runs when it is read" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
