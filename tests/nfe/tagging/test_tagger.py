import json

import numpy as np
import pytest
import torch
from PIL import Image

from nfe.errors import ModelFileError, TagsError
from nfe.files import write_json
from nfe.images import images_from_pixels
from nfe.tagging.groups import probabilities
from nfe.tagging.network import TaggerNetwork
from nfe.tagging.storage import load_groups, load_tagger_network, write_tagger
from nfe.tagging.tagger import Tagger
from tests.nfe.tagging.illustration2vec import (
    NUM_TAGS,
    reference_scores,
    write_illustration2vec,
    write_tag_list,
)
from tests.nfe.tagging.synthetic import GROUPS

THRESHOLDS = {
    "red": (0.9, 0.5, 0.1),
    "green": (0.9, 0.5, 0.1),
    "blue": (0.9, 0.5, 0.1),
    "bar": (1, 1, 0),
}


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    network = TaggerNetwork(16, 4, 4)
    network(torch.randn(64, 3, 16, 16) * 2)  # moves the running statistics
    write_tagger(tmp_path / "tagger", network.eval(), GROUPS, THRESHOLDS, {"note": "a test"})
    return tmp_path / "tagger"


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(params=["N", 1, 4])
def illustration2vec(request, tmp_path):
    rng = np.random.default_rng(4)
    weights = rng.normal(0, 0.002, (NUM_TAGS, 588)).astype(np.float32)
    write_illustration2vec(tmp_path, weights, request.param)
    write_tag_list(tmp_path)
    return tmp_path, weights


def test_illustration2vec_against_an_independent_preparation(illustration2vec):
    folder, weights = illustration2vec
    rng = np.random.default_rng(5)
    shapes = [(64, 64, 3), (300, 250, 3), (64, 64, 4), (80, 70), (224, 224, 3)]
    arrays = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    expected = np.stack([reference_scores(a, weights) for a in arrays])
    tagger = Tagger.load(folder)
    assert tagger.tag_scores(arrays) == pytest.approx(expected, abs=1e-4)
    pictures = [Image.fromarray(a) for a in arrays]
    assert tagger.tag_scores(pictures) == pytest.approx(expected, abs=1e-4)
    assert tagger.tags[:2] == ("long_hair", "blue_hair")


def test_results_have_the_form_of_the_reference(illustration2vec, pixels):
    folder, _ = illustration2vec
    tagger = Tagger.load(folder / "illust2vec_tag_ver200.onnx", folder / "tag_list.json")
    scores = tagger.tag_scores(pixels)
    top = tagger.estimate_top_tags(pixels, n_tag=4)
    assert [len(top[2][c]) for c in ("general", "character", "copyright", "rating")] == [4, 4, 4, 3]
    best = int(scores[2, 512:1024].argmax()) + 512
    assert top[2]["character"][0] == (f"tag {best}", pytest.approx(scores[2, best]))
    plausible = tagger.estimate_plausible_tags(pixels, threshold=0.6)
    assert len(plausible[0]["general"]) == (scores[0, :512] > 0.6).sum()
    shares = [share for _, share in plausible[0]["general"]]
    assert shares == sorted(shares, reverse=True)
    assert {tag for tag, _ in plausible[0]["rating"]} == {"safe", "questionable", "explicit"}
    specific = tagger.estimate_specific_tags(pixels, ["long hair", "blue_hair"])
    assert specific[1] == pytest.approx({"long hair": scores[1, 0], "blue_hair": scores[1, 1]})
    with pytest.raises(TagsError, match="threshold_rule"):
        tagger.estimate_plausible_tags(pixels, threshold_rule="f1")
    with pytest.raises(ModelFileError, match=r"illust2vec_ver200\.onnx"):
        tagger.extract_feature(pixels)


def test_features_of_illustration2vec_come_from_their_own_file(illustration2vec, pixels):
    folder, weights = illustration2vec
    write_illustration2vec(folder, weights, "N", features=True)
    tagger = Tagger.load(folder)
    features = tagger.extract_feature(pixels)
    assert features.shape == (7, 588)
    bits = np.unpackbits(tagger.extract_binary_feature(pixels), axis=1)[:, :588]
    assert (bits == (1 / (1 + np.exp(-features.astype(float))) > 0.5)).all()


def test_onnx_equals_torch(folder, pixels):
    tagger, network = Tagger.load(folder), load_tagger_network(folder, "cpu")
    assert tagger.tags == ("red", "green", "blue", "bar")
    images = images_from_pixels(pixels)
    expected = probabilities(network(images), load_groups(folder)).numpy()
    assert tagger.tag_scores(pixels) == pytest.approx(expected, abs=1e-5)
    assert tagger.extract_feature(pixels) == pytest.approx(
        network.embedding(images).numpy(), abs=1e-4
    )
    assert tagger.extract_binary_feature(pixels).shape == (7, 1)  # 8 bits
    assert not any(p.requires_grad for p in network.parameters())
    assert load_groups(folder) == tuple(GROUPS)


def test_batches_change_nothing(folder, pixels):
    tagger = Tagger.load(folder, num_threads=1)
    many = np.concatenate([pixels] * 40)
    reports = []
    scores = tagger.tag_scores(many, lambda done, total, note: reports.append((done, total)))
    assert scores == pytest.approx(np.concatenate([tagger.tag_scores(pixels)] * 40), abs=1e-6)
    assert reports == [(100, 280), (200, 280), (280, 280)]
    assert tagger.tag_scores(pixels[:0]).shape == (0, 4)
    assert tagger.extract_feature(pixels[:0]).shape == (0, 8)


def test_rules_of_thresholds(folder, pixels):
    tagger = Tagger.load(folder)
    strict, loose = (
        tagger.estimate_plausible_tags(pixels, threshold_rule=r) for r in ("f0.5", "f2")
    )
    scores = tagger.tag_scores(pixels)
    assert [len(p["general"]) for p in loose] == (scores > [0.1, 0.1, 0.1, 0]).sum(axis=1).tolist()
    assert sum(len(p["general"]) for p in strict) < sum(len(p["general"]) for p in loose)
    with pytest.raises(TagsError, match="f3"):
        tagger.estimate_plausible_tags(pixels, threshold_rule="f3")


def test_same_network_same_bytes(folder, tmp_path):
    network = load_tagger_network(folder, "cpu")
    for name in ("a", "b"):
        write_tagger(tmp_path / name, network, GROUPS, THRESHOLDS, {})
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_unknown_tag(folder, pixels):
    with pytest.raises(TagsError, match="hat"):
        Tagger.load(folder).estimate_specific_tags(pixels, ["red", "hat"])


def test_damaged_files(folder):
    (folder / "tagger.onnx").write_bytes(b"no model")
    for load in (Tagger.load, lambda path: load_tagger_network(path, "cpu")):
        with pytest.raises(ModelFileError, match=r"tagger\.onnx.*damaged"):
            load(folder)
    with pytest.raises(ModelFileError, match="groups"):
        write_json(folder / "tagger.json", {})
        load_groups(folder)


def test_folders_that_are_no_tagger(folder, tmp_path):
    with pytest.raises(ModelFileError, match=r"tag_list\.json"):
        Tagger.load(tmp_path)
    (folder / "manifest.json").unlink()
    (folder / "tagger.json").unlink()
    with pytest.raises(ModelFileError, match=r"tagger\.json that describes the input"):
        Tagger.load(folder)
    (folder / "tag_list.json").write_text('["a", "a"]')
    with pytest.raises(ModelFileError, match="once"):
        Tagger.load(folder)
    (folder / "tag_list.json").write_text("{}")
    with pytest.raises(ModelFileError, match="list of tags"):
        Tagger.load(folder)


def test_list_that_does_not_fit(folder):
    (folder / "manifest.json").unlink()
    (folder / "tag_list.json").write_text('["a", "b", "c"]')
    description = json.loads((folder / "tagger.json").read_text())
    write_json(folder / "tagger.json", {"input": description["input"]})
    with pytest.raises(ModelFileError, match="output of 3 probabilities"):
        Tagger.load(folder)
    (folder / "tagger.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="readable ONNX"):
        Tagger.load(folder)


def test_another_tagger_with_a_described_input(illustration2vec, pixels):
    folder, weights = illustration2vec
    described = {"resolution": 224, "channels": "RGB", "mean": [0, 0, 0], "scale": 1}
    write_json(folder / "tagger.json", {"input": {**described, "resample": "bilinear"}})
    tagger = Tagger.load(folder)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).double()
    images = torch.nn.functional.interpolate(images, (224, 224), mode="bilinear")
    tiles = torch.nn.functional.avg_pool2d(images, 16).flatten(1).numpy()
    expected = 1 / (1 + np.exp(-tiles @ weights.T))
    assert tagger.tag_scores(pixels) == pytest.approx(expected, abs=1e-4)
    assert len(tagger.estimate_top_tags(pixels[:1], n_tag=2000)[0]["general"]) == NUM_TAGS


@pytest.mark.parametrize(
    "change",
    [{"ranges": {"general": [0, 9]}}, {"ranges": 3}, {"thresholds": {"red": [1]}}, {"input": None}],
)
def test_description_that_is_wrong(folder, change):
    (folder / "manifest.json").unlink()
    description = json.loads((folder / "tagger.json").read_text())
    write_json(folder / "tagger.json", {**description, **change})
    with pytest.raises(ModelFileError, match=r"tagger\.json|tagger must"):
        Tagger.load(folder)
    write_json(folder / "tagger.json", [])
    with pytest.raises(ModelFileError, match="object"):
        Tagger.load(folder)
