import json
import shutil
from pathlib import Path

from nfe.files import read_json, write_json, write_manifest

from .conftest import Nfe


def test_a_bundle_says_what_it_offers(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(bundle, model)
    metrics = {"evaluate_gan": {"fd_tagger": 12.345678, "table": [1], "name": "x"}, "tag": {}}
    write_json(model / "model.json", {**read_json(model / "model.json"), "metrics": metrics})
    write_manifest(model)
    result = nfe("info", model)
    assert result.exit_code == 0, result.output
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines["name"] == "tiny"
    assert lines["resolution"] == "16 px, 6 layers of w"
    assert lines["hair"] == "red, blue, green"
    assert lines["smile"] == "yes, no"
    assert lines["evaluate_gan"] == "fd_tagger 12.3457"
    assert "tag" not in lines
    assert {"generator", "encoder", "tagger", "boundaries", "detector", "model.json"} <= set(lines)


def test_json_holds_all_of_it(nfe: Nfe, bundle: Path) -> None:
    content = json.loads(nfe("info", bundle, "--json").stdout)
    assert (content["name"], content["resolution"], content["num_ws"]) == ("tiny", 16, 6)
    assert content["attributes"]["hair"].keys() == {"red", "blue", "green"}
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert sum(content["bytes"].values()) == sum(path.stat().st_size for path in files)


def test_a_folder_of_networks_has_no_name_and_no_attributes(nfe: Nfe, project: Path) -> None:
    content = json.loads(nfe("info", project / "data/train_gan/model", "--json").stdout)
    assert (content["name"], content["attributes"], content["num_ws"]) == (None, {}, 6)
    assert "name" not in nfe("info", project / "data/train_gan/model").stdout


def test_what_is_no_model_is_refused(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    missing = nfe("info", tmp_path / "nowhere")
    assert missing.exit_code == 2
    assert missing.stderr.startswith("error: DIR must be a model folder, got ")
    empty = nfe("info", tmp_path)
    assert empty.exit_code == 1
    assert "must be a model folder with a generator, it has none" in empty.stderr
    shutil.copytree(bundle, tmp_path / "model")
    (tmp_path / "model/encoder/encoder.safetensors").write_bytes(b"x")
    damaged = nfe("info", tmp_path / "model")
    assert damaged.exit_code == 1
    assert "encoder.safetensors must have the sha256" in damaged.stderr
    for result in (missing, empty, damaged):
        assert result.stderr.count("\n") == 1
