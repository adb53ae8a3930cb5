import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nfe.errors import SourceError, TagsError
from nfe.files import read_npz, write_stored_zip
from nfe.images import decode_pixels, encode_png
from nfe.tagging.network import TaggerNetwork
from nfe.tagging.storage import write_tagger
from nfe.tagging.tagger import Tagger
from tasks import tag
from tests.nfe.tagging.synthetic import GROUPS, make_pictures

OUT = Path("data/tag")
ATTRIBUTES = {
    "color": {"red": ["red"], "green": ["green"], "blue": ["blue"], "black": ["black"]},
    "bar": {"yes": ["bar"], "no": []},
    "hat": {"yes": ["hat"], "no": []},
}


@pytest.fixture(autouse=True)
def pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Write a tagger that was not trained, and 30 samples of seeds 3, 5, ...; return them."""
    monkeypatch.chdir(tmp_path)
    OUT.mkdir(parents=True)
    torch.manual_seed(0)
    write_tagger(Path("tagger"), TaggerNetwork(16, 4, 4).eval(), GROUPS, {}, {})
    pictures, _ = make_pictures(30, seed=2)
    write_samples([f"seed{3 + 2 * i:010}.png" for i in range(30)], pictures)
    return pictures


def write_samples(names: list[str], pictures: np.ndarray) -> None:
    members = [(n, encode_png(p)) for n, p in zip(names, pictures, strict=True)]
    write_stored_zip(Path("data/sample/images.zip"), members)


def run(**options: Any) -> dict[str, Any]:
    limits = {"min_confidence": 0.35, "min_score": 0.0}
    values = {"attributes": ATTRIBUTES, "tagger": "tagger", **limits}
    tag.run(tag.Params.model_validate({**values, **options}))
    metrics: dict[str, Any] = json.loads((OUT / "metrics.json").read_text())
    return metrics


def test_scores_labels_and_counts(pixels: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = run()
    scores = read_npz(OUT / "scores.npz")["tag_scores"]
    assert scores == pytest.approx(Tagger.load(Path("tagger")).tag_scores(pixels), abs=1e-6)
    table = pd.read_parquet(OUT / "labels.parquet")
    assert table["seed"].tolist() == list(range(3, 63, 2))
    best = np.array(["red", "green", "blue"])[scores[:, :3].argmax(axis=1)]
    sure = scores[:, :3].max(axis=1) >= 0.35
    assert table["color"].tolist() == np.where(sure, best, "").tolist()
    confidence = np.maximum(scores[:, 3], 1 - scores[:, 3])
    assert table["bar_confidence"].to_numpy() == pytest.approx(confidence, abs=1e-6)
    assert "hat" not in table
    assert "hat is left out" in capsys.readouterr().out
    assert metrics["num_images"] == 30
    assert metrics["color"]["share_labelled"] == pytest.approx(sure.mean())
    assert sum(metrics["color"][f"num_{v}"] for v in ("red", "green", "blue")) == sure.sum()
    assert decode_pixels((OUT / "attributes.png").read_bytes(), "sheet").shape[2] == 3


def test_nothing_is_sure() -> None:
    metrics = run(min_confidence=1.0)
    assert metrics["color"]["share_labelled"] == 0
    assert set(pd.read_parquet(OUT / "labels.parquet")["bar"]) == {""}


def test_tagger_that_knows_no_attribute() -> None:
    with pytest.raises(TagsError, match="two values of an attribute"):
        run(attributes={"hat": ATTRIBUTES["hat"]})


def test_samples_of_other_names(pixels: np.ndarray) -> None:
    write_samples(["a.png", "b.png"], pixels[:2])
    with pytest.raises(SourceError, match="run sample again"):
        run()
