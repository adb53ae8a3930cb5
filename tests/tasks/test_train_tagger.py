import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nfe.errors import ParamsError, SourceError, TagsError
from nfe.files import check_manifest, write_stored_zip
from nfe.images import encode_png
from nfe.tagging.storage import load_tagger_network
from nfe.tagging.tagger import Tagger
from tasks import train_tagger
from tests.nfe.tagging.synthetic import make_pictures

OUT = Path("data/train_tagger")
ATTRIBUTES = {
    "color": {"red": ["red"], "green": ["green"], "blue": ["blue"], "black": ["black"]},
    "bar": {"yes": ["bar"], "no": []},
    "hat": {"yes": ["hat"], "no": []},
}
VALUES: dict[str, Any] = {
    "attributes": ATTRIBUTES,
    "source": "data/curate",
    "teacher": None,
    "teacher_confidence": 0.6,
    "min_pictures": 5,
    "holdout": 0.3,
    "judge_share": 0.4,
    "resolution": 16,
    "width": 4,
    "num_epochs": 8,
    "batch_size": 16,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "label_smoothing": 0.0,
    "precision": "auto",
    "shift": 0.02,
    "zoom": 0.02,
    "angle": 2.0,
    "brightness": 0.02,
    "noise": 0.02,
    "region_swap": None,
    "seed": 1,
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    OUT.mkdir(parents=True)


def write_curated(count: int, num_of_two: int = 0) -> np.ndarray:
    """Write data/curate of pictures of 20 px; every fifth is held out. Return the labels.

    The tags of the first `num_of_two` name two colours.
    """
    pixels, labels = make_pictures(count, seed=1, resolution=20)
    names = [f"{i:06}.png" for i in range(count)]
    words = ["red", "green", "blue"]
    tags = [f"1girl {words[c]}{' bar' * (1 - b)}" for c, b in labels]
    tags[:num_of_two] = [f"red green{' bar' * (1 - b)}" for _, b in labels[:num_of_two]]
    splits = ["holdout" if i % 5 == 0 else "train" for i in range(count)]
    folder = Path("data/curate")
    folder.mkdir(parents=True)
    pd.DataFrame({"name": names, "tags": tags, "split": splits}).to_parquet(
        folder / "index.parquet"
    )
    train = [
        (n, encode_png(p)) for n, p, s in zip(names, pixels, splits, strict=True) if s == "train"
    ]
    write_stored_zip(folder / "dataset.zip", [*train, ("dataset.json", b"{}")])
    return labels


def run(**options: Any) -> dict[str, Any]:
    train_tagger.run(train_tagger.Params.model_validate({**VALUES, **options}))
    metrics: dict[str, Any] = json.loads((OUT / "metrics.json").read_text())
    return metrics


def test_tagger_and_judge_learn_from_curated_faces(capsys: pytest.CaptureFixture[str]) -> None:
    write_curated(300)
    metrics = run()
    assert metrics["num_pictures"] == 240
    assert metrics["left_out"]["color=black"].startswith("0 pictures")
    assert "hat is left out" in capsys.readouterr().out
    assert (metrics["tagger"]["num_pictures"], metrics["judge"]["num_pictures"]) == (101, 67)
    assert metrics["tagger"]["color"]["accuracy"] > 0.8
    assert metrics["judge"]["bar"]["num_pictures"] == 36
    assert set(metrics["label_ceiling"]) == {"color", "bar"}
    pixels, labels = make_pictures(100, seed=9, resolution=20)
    for name in ("tagger", "judge"):
        check_manifest(OUT / name)
        tagger = Tagger.load(OUT / name)
        assert tagger.tags == ("red", "green", "blue", "bar")
        assert (tagger.tag_scores(pixels)[:, :3].argmax(axis=1) == labels[:, 0]).mean() > 0.8
    assert not (load_tagger_network(OUT / "judge", "cpu").head.weight).equal(
        load_tagger_network(OUT / "tagger", "cpu").head.weight
    )
    with (OUT / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(i) for i in range(1, 9)]
    assert float(rows[-1]["judge_loss"]) < float(rows[0]["judge_loss"])


def test_pictures_of_two_people_teach_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write_curated(300, num_of_two=50)
    metrics = run(num_epochs=1)
    assert "40 pictures are left out: their tags contradict" in capsys.readouterr().out
    parts = [metrics[name]["num_pictures"] for name in ("tagger", "judge")]
    held_out = metrics["judge"]["bar"]["num_pictures"]
    assert sum(parts) + 2 * held_out == 240 - 40


def test_same_seed_same_bytes() -> None:
    write_curated(100)
    found = []
    for _ in range(2):
        run(num_epochs=1)
        found.append({p.name: p.read_bytes() for p in (OUT / "tagger").iterdir()})
    assert found[0] == found[1]


def test_teacher_labels_pictures_without_tags() -> None:
    write_curated(200)
    run()
    (OUT / "tagger").rename("teacher")
    pixels, _ = make_pictures(120, seed=4)
    members = [(f"{i:04}.png", encode_png(p)) for i, p in enumerate(pixels)]
    write_stored_zip(Path("faces.zip"), [*members, ("broken.png", b"no picture")])
    metrics = run(source="faces.zip", teacher="teacher", num_epochs=1)
    assert metrics["num_pictures"] == 120
    assert metrics["tagger"]["bar"]["num_pictures"] <= 18
    with pytest.raises(TagsError, match=r"it has none.*train_tagger\.teacher"):
        run(source="faces.zip")


def test_one_class_only() -> None:
    write_curated(60)
    table = {"hat": ATTRIBUTES["hat"], "color": {"red": ["red"], "black": ["black"]}}
    with pytest.raises(TagsError, match="two values of an attribute"):
        run(attributes=table)


def test_too_few_pictures() -> None:
    write_curated(8)
    with pytest.raises(SourceError, match="8 readable pictures"):
        run()
    Path("data/curate/index.parquet").write_bytes(b"damaged")
    with pytest.raises(SourceError, match=r"index\.parquet"):
        run()


def test_region_swap_of_what_is_not_known() -> None:
    write_curated(100)
    swap = {"attribute": "bar", "box": [0, 0.3, 1, 0.7], "share": 0.5}
    assert run(num_epochs=1, region_swap=swap)["num_pictures"] == 80
    with pytest.raises(ParamsError, match=r"region_swap\.attribute .*color, bar.* got 'hat'"):
        run(region_swap={**swap, "attribute": "hat"})
    with pytest.raises(ValidationError, match="box must be left, top, right, bottom"):
        run(region_swap={**swap, "box": [0.5, 0.3, 0.5, 0.7]})
