from dataclasses import replace

import numpy as np
import pytest

from nfe.drawing.faces import draw_face
from nfe.drawing.scenes import FLAWS, Layout, draw_illustration, draw_scene
from nfe.images import resize_pixels

SIZES = ((112, 192), (64, 110), 2)
LAYOUT = Layout((96, 128), (48, 80), (20, 28), 2, dict.fromkeys(FLAWS, 0.15))


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng(seed), *SIZES) for seed in range(40)]


@pytest.fixture(scope="module")
def illustrations():
    return [draw_illustration(3, index, LAYOUT) for index in range(60)]


def test_the_box_is_a_square_inside_the_picture(scenes):
    for scene in scenes:
        height, width, _ = scene.pixels.shape
        x0, y0, x1, y1 = scene.box
        assert 112 <= height <= 192 and 112 <= width <= 192
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        assert x1 - x0 == pytest.approx(y1 - y0)
        assert 64 <= x1 - x0 <= 110


def test_the_eyes_lie_where_dark_pupils_are(scenes):
    for scene in scenes:
        left, right = scene.eyes
        side = scene.box[2] - scene.box[0]
        reach = 0.07 * side
        assert left[0] < right[0]
        assert np.hypot(right[0] - left[0], right[1] - left[1]) == pytest.approx(0.285 * side)
        tilt = np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0]))
        assert tilt == pytest.approx(scene.spec.tilt)
        for x, y in scene.eyes:
            x0, y0, x1, y1 = (round(v) for v in (x - reach, y - reach, x + reach, y + reach))
            darkest = scene.pixels[y0:y1, x0:x1].sum(axis=2).min()
            assert darkest < 0.9 * sum(scene.spec.eye_rgb)


def test_the_box_frames_the_face_as_draw_face_does(scenes):
    """The middle of a crop shows what a face drawn alone shows there."""
    for scene in scenes[:10]:
        x0, y0, x1, y1 = (round(v) for v in scene.box)
        crop = resize_pixels(scene.pixels[y0:y1, x0:x1], 64).astype(float)
        spec = replace(scene.spec, scale=1.0, shift=(0.0, 0.0))
        if abs(spec.tilt) > 2:
            continue
        alone = draw_face(spec, 64, 4).astype(float)
        middle = np.s_[10:44, 14:50]
        assert np.abs(crop[middle] - alone[middle]).mean() < 25


def test_one_seed_gives_one_scene():
    first, second = (draw_scene(np.random.default_rng(9), *SIZES) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert first.box == second.box and first.tags == second.tags


def test_an_illustration_does_not_depend_on_those_before(illustrations):
    again = draw_illustration(3, 41, LAYOUT)
    assert np.array_equal(again.pixels, illustrations[41].pixels)
    assert again.box == illustrations[41].box and again.flaw == illustrations[41].flaw


def test_every_flaw_occurs_and_sound_pictures_too(illustrations):
    assert {scene.flaw for scene in illustrations} == {None, *FLAWS}


def test_boxes_of_flawed_pictures_lie_inside_too(illustrations):
    for scene in illustrations:
        if scene.box is not None:
            height, width, _ = scene.pixels.shape
            assert min(scene.box) >= 0
            assert scene.box[2] <= width and scene.box[3] <= height


def test_no_face_has_neither_box_nor_tags_of_a_girl(illustrations):
    for scene in (s for s in illustrations if s.flaw == "no_face"):
        assert scene.box is None and scene.eyes is None and scene.spec is None
        assert scene.tags == ("no humans",)


def test_small_faces_are_small(illustrations):
    for scene in (s for s in illustrations if s.flaw == "small"):
        assert 20 <= scene.box[2] - scene.box[0] <= 28


def test_monochrome_pictures_have_no_colour_in_pixels_or_tags(illustrations):
    for scene in (s for s in illustrations if s.flaw == "monochrome"):
        assert np.ptp(scene.pixels.astype(int), axis=2).max() == 0
        assert "monochrome" in scene.tags
        assert f"{scene.spec.hair_color} hair" not in scene.tags
        assert f"{scene.spec.eye_color} eyes" not in scene.tags


def test_blurred_pictures_have_weaker_edges(illustrations):
    def edges(flaw):
        found = [s.pixels.astype(float) for s in illustrations if s.flaw == flaw]
        return np.median([np.abs(np.diff(p, axis=1)).max(axis=2).max() for p in found])

    assert edges("blurred") < 0.6 * edges(None)


def test_duplicates_repeat_an_earlier_sound_picture(illustrations):
    duplicates = [s for s in illustrations if s.flaw == "duplicate"]
    assert duplicates
    for index, scene in enumerate(illustrations):
        if scene.flaw != "duplicate":
            assert scene.duplicate_of is None
            continue
        original = illustrations[scene.duplicate_of]
        assert scene.duplicate_of < index and original.flaw is None
        x, y = (round(original.box[i] - scene.box[i]) for i in (0, 1))
        difference = scene.pixels.astype(int) - original.pixels[y:, x:]
        assert np.abs(difference).max() <= 4
        assert scene.tags == original.tags


def test_without_an_earlier_sound_picture_nothing_is_repeated():
    layout = replace(LAYOUT, flaws={"duplicate": 1.0})
    assert all(draw_illustration(0, index, layout).duplicate_of is None for index in range(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"picture_side": (128, 96)}, "picture_side must be two rising sizes"),
        ({"face_side": (4, 80)}, "face_side must be two rising sizes"),
        ({"face_side": (48, 120)}, "face_side must be at most"),
        ({"flaws": {"ugly": 0.1}}, "flaws must be among"),
        ({"flaws": {"blurred": -0.1}}, "flaws must be shares"),
        ({"flaws": {"blurred": 0.6, "small": 0.6}}, "flaws must be shares"),
    ],
)
def test_impossible_layouts_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(LAYOUT, **change)


def test_a_face_larger_than_the_picture_is_refused():
    with pytest.raises(ValueError, match="face_side must be at most"):
        draw_scene(np.random.default_rng(0), (64, 80), (70, 90), 2)
