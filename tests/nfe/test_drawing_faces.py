from dataclasses import replace

import numpy as np
import pytest

from nfe.drawing.faces import draw_face, random_face_spec
from nfe.drawing.features import EYE_CENTERS
from nfe.drawing.hair import FRINGES, HAIR_LENGTHS
from nfe.drawing.ornaments import ORNAMENTS
from nfe.drawing.palettes import EYE_COLORS, HAIR_COLORS, SKIN_COLORS

RESOLUTION, HALF = 64, 32


def upright(seed: int, **changes):
    """A face whose parts lie where the drawing's units say."""
    plain = {"tilt": 0.0, "scale": 1.0, "shift": (0.0, 0.0), "gaze": (0.0, 0.0), "slant": 0.0}
    plain |= {"mirrored": False, "ornament": None, "glasses": False, "ahoge": False}
    return replace(random_face_spec(np.random.default_rng(seed)), **(plain | changes))


def window(pixels, x0, y0, x1, y1):
    """Cut a rectangle given in units of the head."""
    a, b, c, d = (round((v + 1) * HALF * len(pixels) / RESOLUTION) for v in (x0, y0, x1, y1))
    return pixels[b:d, a:c].astype(float)


def nearest(color, palette):
    distances = {name: np.sum((np.array(rgb) - color) ** 2) for name, rgb in palette.items()}
    return min(distances, key=distances.get)


def test_one_seed_gives_one_picture():
    specs = [random_face_spec(np.random.default_rng(4)) for _ in range(2)]
    first, second = (draw_face(spec, RESOLUTION, 4) for spec in specs)
    assert specs[0] == specs[1]
    assert np.array_equal(first, second)
    other = draw_face(random_face_spec(np.random.default_rng(5)), RESOLUTION, 4)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("resolution", [1, 17, 64, 100])
def test_pixels_have_the_asked_size(resolution):
    pixels = draw_face(random_face_spec(np.random.default_rng(0)), resolution, 2)
    assert pixels.shape == (resolution, resolution, 3) and pixels.dtype == np.uint8


@pytest.mark.parametrize("name", HAIR_COLORS)
@pytest.mark.parametrize("fringe", FRINGES)
def test_hair_has_the_colour_of_its_tag(name, fringe):
    spec = upright(6, hair_color=name, hair_rgb=HAIR_COLORS[name], fringe=fringe)
    pixels = draw_face(spec, RESOLUTION, 4)
    hair = window(pixels, -0.5, -0.5, 0.1, -0.2)
    assert f"{name} hair" in spec.tags
    assert nearest(np.median(hair.reshape(-1, 3), axis=0), HAIR_COLORS) == name


@pytest.mark.parametrize("name", EYE_COLORS)
@pytest.mark.parametrize("glasses", [False, True])
def test_eyes_have_the_colour_of_their_tag(name, glasses):
    spec = upright(7, eye_color=name, eye_rgb=EYE_COLORS[name], glasses=glasses, eye_size=1.0)
    pixels = draw_face(spec, RESOLUTION, 4)
    for x, y in EYE_CENTERS:  # beside the pupil, where the iris is neither dark nor light
        rings = [
            window(pixels, x + s - 0.02, y - 0.02, x + s + 0.02, y + 0.06) for s in (-0.1, 0.1)
        ]
        ring = np.concatenate([ring.reshape(-1, 3) for ring in rings])
        hue = ring.mean(axis=0)
        assert nearest(hue, EYE_COLORS) == name


def test_hair_length_shows_where_it_ends():
    shares = {}
    for length in HAIR_LENGTHS:
        blue = {"hair_color": "blue", "hair_rgb": HAIR_COLORS["blue"], "clothes_rgb": (200, 40, 40)}
        pixels = draw_face(upright(8, hair_length=length, fringe="blunt", **blue), RESOLUTION, 4)
        for name, top in (("beside the chin", 0.52), ("on the shoulder", 0.86)):
            sides = [
                window(pixels, s * 0.7 - 0.08, top, s * 0.7 + 0.08, top + 0.1) for s in (-1, 1)
            ]
            part = np.concatenate([side.reshape(-1, 3) for side in sides])
            far = np.abs(part - HAIR_COLORS["blue"]).sum(axis=1)
            shares[length, name] = (far < 150).mean()
    assert shares["short", "beside the chin"] < 0.1 < 0.6 < shares["medium", "beside the chin"]
    assert shares["medium", "on the shoulder"] < 0.1 < 0.6 < shares["long", "on the shoulder"]


@pytest.mark.parametrize(
    ("change", "region"),
    [
        ("smile", (-0.25, 0.38, 0.25, 0.64)),
        ("open_mouth", (-0.25, 0.38, 0.25, 0.64)),
        ("blush", (-0.6, 0.3, 0.6, 0.55)),
        ("glasses", (-0.75, -0.15, 0.75, 0.48)),
    ],
)
def test_a_feature_changes_its_own_region_and_its_tag_alone(change, region):
    without = upright(9, **{change: False})
    with_it = upright(9, **{change: True})
    difference = draw_face(with_it, RESOLUTION, 4).astype(int) - draw_face(without, RESOLUTION, 4)
    changed = np.abs(difference).sum(axis=2)
    inside = window(changed, *region).sum()
    assert inside == changed.sum() and inside > 500
    assert set(with_it.tags) - set(without.tags) == {change.replace("_", " ")}


@pytest.mark.parametrize("ornament", ORNAMENTS)
def test_ornaments_are_seen_and_tagged(ornament):
    plain, adorned = upright(10), upright(10, ornament=ornament)
    difference = draw_face(adorned, RESOLUTION, 4).astype(int) - draw_face(plain, RESOLUTION, 4)
    assert np.abs(difference).sum() > 1000
    assert len(set(adorned.tags) - set(plain.tags)) == 1


def test_a_small_picture_is_a_large_one_averaged():
    spec = random_face_spec(np.random.default_rng(11))
    small = draw_face(spec, 64, 4).astype(float)
    large = draw_face(spec, 256, 4).astype(float)
    averaged = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - averaged).mean() < 4


def test_a_tilted_head_is_the_upright_one_turned_about_the_neck():
    spec = replace(upright(12), tilt=10.0, eye_rgb=(0, 255, 0), eye_color="green")
    pixels = draw_face(spec, 256, 2).astype(int)
    turn, pivot = np.radians(10), np.array([0, 0.6])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    for center in EYE_CENTERS:
        x, y = rotation @ (np.array(center) - pivot) + pivot
        part = window(pixels, x - 0.1, y - 0.1, x + 0.1, y + 0.1)
        assert (part[..., 1] > part[..., 0] + 20).mean() > 0.5


def test_every_value_occurs_and_pairs_are_independent():
    rng = np.random.default_rng(13)
    specs = [random_face_spec(rng) for _ in range(4000)]
    assert {s.skin for s in specs} == set(SKIN_COLORS)
    assert {s.fringe for s in specs} == set(FRINGES)
    assert {s.ornament for s in specs} == {None, *ORNAMENTS}
    for first, second, count in (
        ("hair_color", "hair_length", 36),
        ("hair_color", "eye_color", 96),
        ("smile", "open_mouth", 4),
        ("glasses", "blush", 4),
    ):
        pairs = [(getattr(s, first), getattr(s, second)) for s in specs]
        firsts, seconds = ([p[i] for p in pairs] for i in (0, 1))
        assert len(set(pairs)) == count
        for a, b in set(pairs):
            expected = firsts.count(a) * seconds.count(b) / len(pairs)
            assert abs(pairs.count((a, b)) - expected) < 5 * expected**0.5


@pytest.mark.parametrize(("resolution", "supersampling"), [(0, 4), (-3, 4), (64, 0)])
def test_sizes_below_one_are_refused(resolution, supersampling):
    with pytest.raises(ValueError, match="must be 1 or more"):
        draw_face(random_face_spec(np.random.default_rng(0)), resolution, supersampling)
