import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from nfe.boundaries import load_boundaries, measure_distances
from nfe.errors import ParamsError
from nfe.files import read_npz
from nfe.gan.storage import load_generator
from nfe.images import decode_pixels, read_pixels_zip
from tasks import edit
from tasks.edits import load_studio

from .editing_project import ATTRIBUTES, make_editing_project

VALUES = {
    "edits": [
        {"set": {"hair": "blue"}, "keep": ["smile"]},
        {"set": {"hair": "red", "smile": "yes"}, "keep": []},
        {"set": {"hair": "plaid"}, "keep": []},
    ],
    "strength": "auto",
    "scales": [1, 2.0],
    "first_layers": [0, 2],
    "min_confidence": 0.5,
    "guard": {"attributes": ["smile"], "factor": 1.5},
    "visible_change": [4, 8],
    "recolour": ["hair"],
    "num_samples": 20,
    "truncation_psi": 1.0,
    "batch_size": 8,
    "attributes": ATTRIBUTES,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    make_editing_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data/edit"


def run(**changes):
    edit.run(edit.Params.model_validate(VALUES | changes))


def test_every_picture_is_edited_by_every_possible_edit(project):
    run()
    for folder in ("hair=blue", "hair=red+smile=yes"):
        files = sorted((project / "pictures" / folder).rglob("*.png"))
        assert [file.name for file in files] == [f"{i}.png" for i in range(5)]
        assert decode_pixels(files[0].read_bytes(), "0").shape == (16, 16, 3)
    rows = [json.loads(line) for line in (project / "edit.jsonl").read_text().splitlines()]
    assert len(rows) == 10
    assert rows[0]["set"] == {"hair": "blue"}
    assert rows[0]["judge_before"].keys() == ATTRIBUTES.keys()
    assert decode_pixels((project / "edits.png").read_bytes(), "edits").std() > 0


def test_rows_tell_distances_that_follow_from_the_codes(project):
    run(first_layers=[0], scales=[1.0, 2.0])
    boundaries = load_boundaries(project.parent / "fit_boundaries/boundaries")
    blue = next(b for b in boundaries if b.name == "hair=blue")
    w_plus = read_npz(project.parent / "invert/codes.npz")["w_plus"]
    before = measure_distances(w_plus.mean(axis=1), [blue])[:, 0]
    rows = [json.loads(line) for line in (project / "edit.jsonl").read_text().splitlines()][:5]
    np.testing.assert_allclose([r["distance_before"][0] for r in rows], before, atol=1e-4)
    reached = np.array([r["distance_after"][0] for r in rows])
    assert (reached >= np.maximum(before, blue.centres["blue"]) - 1e-3).all()


def test_only_what_changes_visibly_is_laid_over_the_pictures(project):
    run(visible_change=[254.0, 255.0])
    names, faces = read_pixels_zip(project.parent / "invert/faces.zip")
    for name, face in zip(names, faces, strict=True):
        edited = decode_pixels((project / "pictures/hair=blue" / name).read_bytes(), name)
        np.testing.assert_array_equal(edited, face)


@pytest.mark.parametrize("visible_change", [[5, 5], [9, 4], [5], [-1, 4]])
def test_visible_change_must_rise(visible_change):
    with pytest.raises(ValidationError, match="visible_change"):
        edit.Params.model_validate({**VALUES, "visible_change": visible_change})


@pytest.mark.parametrize(
    ("key", "value"),
    [("guard", {"attributes": ["eye_colour"], "factor": 1.5}), ("recolour", ["eye_colour"])],
)
def test_attributes_that_nobody_knows_are_refused(key, value):
    with pytest.raises(ValidationError, match=f"{key} must name attributes.*got eye_colour"):
        edit.Params.model_validate({**VALUES, key: value})


def test_metrics_count_images_and_name_what_was_skipped(project):
    run()
    metrics = json.loads((project / "metrics.json").read_text())
    assert (metrics["num_inverted"], metrics["num_generated"]) == (5, 20)
    assert metrics["skipped"].keys() == {"hair=plaid"}
    figures = metrics["edits"]["hair=blue"]
    assert figures.keys() == {
        f"{mode}_{kind}"
        for mode in ("unconditional", "conditional")
        for kind in ("inverted", "generated")
    }
    for case in figures.values():
        assert 0 <= case["num_images"] <= 20


def test_generated_faces_are_truncated_as_asked(project):
    generator = load_generator(Path("data/train_gan/model"), "cpu")

    def codes(psi):
        params = edit.Params.model_validate(VALUES | {"truncation_psi": psi})
        return edit.sample_faces(load_studio(params), generator, params, "cpu").w_plus

    mean = generator.w_avg.numpy()
    np.testing.assert_allclose(codes(0.5) - mean, 0.5 * (codes(1.0) - mean), atol=1e-6)


def test_the_doubt_of_the_judge_is_measured_on_mirror_images(project):
    from types import SimpleNamespace

    def look(pixels):  # by the top left pixel; and one that sees the same in both
        return {"hair": pixels[:, 0, 0, 0] > 100, "smile": pixels.mean(axis=(1, 2, 3)) > 60}

    pixels = np.zeros((4, 8, 8, 3), dtype=np.uint8)
    pixels[1:, 0, 0] = 200
    pixels[2:, 0, -1] = 200
    assert edit.agreement_with_mirror(SimpleNamespace(look=look), pixels) == {
        "hair": 0.75,
        "smile": 1.0,
    }
    run()
    metrics = json.loads((project / "metrics.json").read_text())
    assert metrics["same_of_mirror_image"].keys() == ATTRIBUTES.keys()


def test_summary_weighs_edits_by_their_images():
    measured = {
        "a": {"x": {"num_images": 1.0, "success": 1.0, "preservation": 0.0}},
        "b": {"x": {"num_images": 3.0, "success": 0.0}},
        "c": {"x": {"num_images": 0.0}},
    }
    assert edit.summarise(measured) == {"x_success": 0.25, "x_preservation": 0.0}


def test_no_possible_edit_is_an_error(project):
    with pytest.raises(ParamsError, match="one that is possible: attribute must be one of"):
        run(edits=[{"set": {"hat": "yes"}, "keep": []}])
