import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import ValidationError

from nfe.drawing.scenes import FLAWS, Layout, draw_illustration
from nfe.errors import SourceError
from nfe.faces.alignment import Transform, align
from nfe.faces.fingerprints import fingerprint
from nfe.files import write_stored_zip
from nfe.images import encode_png, read_pixels_zip
from tasks import curate

CROP, OUT = Path("data/crop"), Path("data/curate")
REASON_OF_FLAW = {
    "small": "small",
    "blurred": "blurred",
    "monochrome": "grey",
    "duplicate": "duplicate",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    OUT.mkdir(parents=True)


def params(**changes: Any) -> curate.Params:
    values = {
        "min_size": 40,
        "min_sharpness": 0.5,
        "min_colorfulness": 4,
        "max_hash_distance": 6,
        "max_color_difference": 10,
        "want": [],
        "avoid": [],
        "holdout": 0.2,
        "seed": 1,
    }
    return curate.Params.model_validate(values | changes)


def write_crop(count: int, flaws: dict[str, float]) -> list[str]:
    """Write what crop would of drawn illustrations, cut at their true boxes; return the flaws."""
    layout = Layout((112, 192), (64, 110), (24, 34), 2, flaws)
    faces, rows, planted = [], [], []
    for number in range(count):
        scene = draw_illustration(5, number, layout)
        if scene.box is None:
            continue
        x0, y0, x1, y1 = scene.box
        transform = Transform(((x0 + x1) / 2, (y0 + y1) / 2), x1 - x0, 0.0)
        name = f"{number:04d}.png"
        faces.append((name, encode_png(align(scene.pixels, transform, 64))))
        tags = " ".join(tag.replace(" ", "_") for tag in scene.tags)
        row = {"name": name, "source": name, "size": x1 - x0, "tags": tags}
        rows.append(row | {"fingerprint": fingerprint(scene.pixels)})
        planted.append(scene.flaw or "")
    write_stored_zip(CROP / "faces.zip", faces)
    pd.DataFrame(rows).to_parquet(CROP / "index.parquet")
    return planted


def splits() -> dict[str, str]:
    index = pd.read_parquet(OUT / "index.parquet")
    return dict(zip(index["name"], index["split"], strict=True))


def test_every_face_is_kept_held_out_or_rejected_with_a_reason() -> None:
    planted = write_crop(60, {"blurred": 0.1, "small": 0.1})
    curate.run(params())
    index = pd.read_parquet(OUT / "index.parquet")
    rejects = pd.read_parquet(OUT / "rejects.parquet")
    assert list(index.columns) == ["name", "tags", "split"]
    assert list(rejects.columns) == ["name", "reason", "value"]
    crop_index = pd.read_parquet(CROP / "index.parquet").set_index("name")
    assert sorted([*index["name"], *rejects["name"]]) == list(crop_index.index)
    assert list(index["tags"]) == list(crop_index["tags"][list(index["name"])])
    names, pixels = read_pixels_zip(CROP / "faces.zip")
    cut = dict(zip(names, pixels, strict=True))
    for file, split in (("dataset.zip", "train"), ("holdout.zip", "holdout")):
        kept, faces = read_pixels_zip(OUT / file)
        assert kept == list(index["name"][index["split"] == split])
        for name, face in zip(kept, faces, strict=True):
            assert np.array_equal(face, cut[name])
    metrics = json.loads((OUT / "metrics.json").read_text())
    assert metrics["num_faces"] == len(planted) == 60
    assert metrics["num_train"] + metrics["num_holdout"] == len(index)
    counted = sum(metrics[f"num_{reason}"] for reason in (*REASON_OF_FLAW.values(), "tag_rule"))
    assert counted == len(rejects)
    for sheet in ("keeps.png", "rejects.png"):
        with Image.open(OUT / sheet) as picture:
            assert picture.width > 900


def test_precision_and_recall_against_planted_flaws() -> None:
    flaws = {flaw: 0.1 for flaw in FLAWS if flaw != "no_face"}
    planted = write_crop(200, flaws)
    curate.run(params())
    rejects = pd.read_parquet(OUT / "rejects.parquet").set_index("name")["reason"]
    names = pd.read_parquet(CROP / "index.parquet")["name"]
    for flaw, reason in REASON_OF_FLAW.items():
        true = {name for name, is_flaw in zip(names, planted, strict=True) if is_flaw == flaw}
        found = set(rejects[rejects == reason].index)
        assert len(true) >= 10
        assert len(true & found) / len(true) >= 0.95, flaw
        assert len(true & found) / len(found) >= 0.9, flaw


def test_tag_rules_reject_what_lacks_or_has_a_tag() -> None:
    write_crop(30, {"monochrome": 0.3})
    curate.run(params(min_colorfulness=0, avoid=["monochrome"], want=["1girl"]))
    rejects = pd.read_parquet(OUT / "rejects.parquet")
    assert set(rejects["value"]) == {"has monochrome"}
    tags = pd.read_parquet(OUT / "index.parquet")["tags"]
    assert not any("monochrome" in words.split() for words in tags)
    with pytest.raises(SourceError, match=r"got 0 of 30 \(tag_rule 30\); add pictures or relax"):
        curate.run(params(want=["solo_focus"]))


def test_the_split_of_a_face_does_not_change_when_others_come() -> None:
    write_crop(30, {})
    curate.run(params())
    before = splits()
    write_crop(50, {})
    curate.run(params())
    after = splits()
    moved = [name for name, split in before.items() if after.get(name, split) != split]
    assert len(moved) <= 2  # the extreme ones, which keep both parts from being empty
    assert 0.1 < sum(split == "holdout" for split in after.values()) / len(after) < 0.3


def test_faces_of_one_picture_are_held_out_together() -> None:
    faces = [(f"{n}.png", f"picture {n // 3}") for n in range(60)]
    held_out = curate._holdout(faces, params(holdout=0.4))
    for n in range(3, 57, 3):
        assert len({f"{k}.png" in held_out for k in range(n, n + 3)}) == 1


def test_both_parts_have_a_face_and_other_seeds_choose_others() -> None:
    faces = [(f"{n}.png", f"{n}.png") for n in range(2)]
    assert len(curate._holdout(faces, params(holdout=0.001))) == 1
    assert len(curate._holdout(faces, params(holdout=0.999))) == 1
    faces = [(f"{n}.png", f"{n}.png") for n in range(100)]
    assert curate._holdout(faces, params()) != curate._holdout(faces, params(seed=2))


def test_the_same_faces_give_the_same_bytes() -> None:
    write_crop(20, {"blurred": 0.2})
    curate.run(params())
    first = {path.name: path.read_bytes() for path in OUT.iterdir()}
    curate.run(params())
    assert {path.name: path.read_bytes() for path in OUT.iterdir()} == first


def test_too_few_faces_are_an_error_that_counts_the_reasons() -> None:
    write_crop(5, {})
    with pytest.raises(SourceError, match=r"at least 2 faces that pass, got 0 of 5 \(small 5\)"):
        curate.run(params(min_size=500))


def test_missing_or_damaged_faces_are_an_error() -> None:
    with pytest.raises(SourceError, match="run crop again"):
        curate.run(params())
    write_crop(5, {})
    (CROP / "faces.zip").write_bytes((CROP / "faces.zip").read_bytes()[:500])
    with pytest.raises(SourceError, match=r"faces\.zip must hold every face"):
        curate.run(params())


@pytest.mark.parametrize(
    "change", [{"holdout": 0.0}, {"holdout": 1.0}, {"max_hash_distance": 65}, {"want": "solo"}]
)
def test_wrong_parameters_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        params(**change)
