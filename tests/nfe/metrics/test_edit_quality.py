import numpy as np
import pytest

from nfe.metrics.edit_quality import mean_over_edits, measure_edit

BEFORE = {
    "hair": np.array(["red", "red", "blue", "pink"]),
    "length": np.array(["long", "long", "short", "short"]),
    "eyes": np.array(["red", "red", "red", "red"]),
}
AFTER = {
    "hair": np.array(["blue", "blue", "red", "pink"]),
    "length": np.array(["long", "short", "long", "short"]),
    "eyes": np.array(["red", "blue", "red", "blue"]),
}


def test_success_and_preservation_by_hand():
    """The third image is blue before, so it does not count; of the others two become blue."""
    figures = measure_edit(BEFORE, AFTER, {"hair": "blue"}, ["length"])
    assert figures == {
        "num_images": 3.0,
        "success": pytest.approx(2 / 3),
        "preservation": pytest.approx((2 / 3 + 1 / 3) / 2),
        "kept": pytest.approx(2 / 3),
        "preservation_length": pytest.approx(2 / 3),
        "preservation_eyes": pytest.approx(1 / 3),
    }


def test_all_of_several_changes_must_succeed():
    figures = measure_edit(BEFORE, AFTER, {"hair": "blue", "eyes": "blue"}, [])
    assert figures["num_images"] == 4
    assert figures["success"] == pytest.approx(1 / 4)
    assert "kept" not in figures


def test_no_image_that_could_change_gives_a_count_of_zero():
    assert measure_edit(BEFORE, AFTER, {"eyes": "red"}, []) == {"num_images": 0.0}


def test_attribute_unknown_to_the_judge_is_refused():
    with pytest.raises(ValueError, match="known to the judge"):
        measure_edit(BEFORE, AFTER, {"hat": "red"}, [])


def test_the_mean_over_edits_weighs_them_by_their_images():
    figures = [
        {"num_images": 1.0, "success": 1.0, "preservation": 0.5},
        {"num_images": 3.0, "success": 0.0},
        {"num_images": 0.0},
    ]
    assert mean_over_edits(figures) == {"success": 0.25, "preservation": 0.5}
    assert mean_over_edits([{"num_images": 0.0}]) == {}
