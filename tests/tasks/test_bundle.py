import json
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file, save_file

from nfe.bundle import load_bundle, read_description
from nfe.errors import ModelFileError
from nfe.files import write_manifest
from nfe.inversion.storage import load_encoder
from tasks import bundle

from .editing_project import make_editing_project

ROOT = Path(__file__).parents[2]
PARAMS = bundle.Params(name="tiny", notes=["Knows no hats."], feather=0.2)


@pytest.fixture
def project(tmp_path, monkeypatch):
    make_editing_project(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "data/train_gan/metrics.json").write_text('{"kimg": 3}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_bundle_holds_all_that_editing_needs(project):
    bundle.run(PARAMS)
    loaded = load_bundle(project / "data/bundle/model", "cpu", bf16=False)
    assert loaded.generator.resolution == 16
    assert loaded.encoder.num_ws == loaded.generator.num_ws
    assert loaded.detector is not None
    assert {b.attribute for b in loaded.boundaries} == {"hair", "smile"}
    assert (project / "data/bundle/model/generator/discriminator.safetensors").exists()
    assert not [*(project / "data/bundle/model/judge").glob("*.safetensors")]  # never asked


def test_the_encoder_takes_half_the_space_and_answers_as_before(project):
    source, target = project / "data/train_encoder/model", project / "data/bundle/model/encoder"
    bundle.run(PARAMS)
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        before, after = (load_encoder(folder, "cpu")(images) for folder in (source, target))
    assert after.dtype == torch.float32
    assert float((after - before).abs().max()) < 0.01 * float(before.std())
    stored = load_file(target / "encoder.safetensors")
    assert {tensor.dtype for tensor in stored.values()} <= {torch.float16, torch.int64}


def test_weights_too_large_for_half_precision_stay_whole(project):
    source = project / "data/train_encoder/model"
    tensors = load_file(source / "encoder.safetensors")
    name = next(n for n, t in tensors.items() if t.dtype == torch.float32)
    tensors[name] = torch.full_like(tensors[name], 1e6)
    save_file(tensors, source / "encoder.safetensors")
    write_manifest(source)
    bundle.run(PARAMS)
    stored = load_file(project / "data/bundle/model/encoder/encoder.safetensors")
    assert torch.equal(stored[name], tensors[name])


def test_card_tells_people_what_the_model_is(project):
    bundle.run(PARAMS)
    card = (project / "data/bundle/model/README.md").read_text(encoding="utf-8")
    assert card.startswith("# tiny\n")
    assert "* Knows no hats." in card
    assert "* faces: `data/draw/illustrations.zip`" in card
    assert "* train_gan: kimg 3\n" in card


def test_description_says_what_the_model_is_and_where_it_came_from(project):
    bundle.run(PARAMS)
    description = read_description(project / "data/bundle/model")
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    assert description["name"] == "tiny"
    assert description["architecture"]["generator"]["resolution"] == 16
    assert description["attributes"]["smile"].keys() == {"yes", "no"}
    assert description["alignment"]["feather"] == 0.2
    assert description["refinement"]["num_steps"] == values["invert"]["refinement"]["num_steps"]
    assert description["editing"]["scales"] == values["edit"]["scales"]
    assert description["attribute_tags"] == values["attributes"]
    assert description["provenance"]["params"]["train_gan"] == values["train_gan"]
    assert description["metrics"] == {"train_gan": {"kimg": 3}}


def test_same_models_give_the_same_bytes(project):
    manifests = []
    for _ in range(2):
        bundle.run(PARAMS)
        manifests.append((project / "data/bundle/model/manifest.json").read_bytes())
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize(
    "name", ["generator/generator.safetensors", "boundaries/boundaries.npz", "model.json"]
)
def test_a_damaged_file_is_named(project, name):
    bundle.run(PARAMS)
    file = project / "data/bundle/model" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ModelFileError, match=file.name.replace(".", r"\.")):
        load_bundle(project / "data/bundle/model", "cpu", bf16=False)


def test_a_damaged_part_is_not_bundled(project):
    (project / "data/train_encoder/model/encoder.safetensors").write_bytes(b"x")
    with pytest.raises(ModelFileError, match=r"encoder\.safetensors"):
        bundle.run(PARAMS)
    assert not (project / "data/bundle/model").exists()


def test_another_folder_or_format_is_refused(project):
    with pytest.raises(ModelFileError, match="must be a model folder"):
        read_description(project)
    bundle.run(PARAMS)
    model = project / "data/bundle/model"
    description = json.loads((model / "model.json").read_text())
    from nfe.files import write_json, write_manifest

    write_json(model / "model.json", {**description, "format": 99})
    write_manifest(model)
    with pytest.raises(ModelFileError, match="format 6"):
        read_description(model)
