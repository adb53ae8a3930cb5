import numpy as np
import pytest
from PIL import Image, ImageFilter

from nfe.drawing.faces import draw_face, random_face_spec
from nfe.faces.curation import (
    Reject,
    Rules,
    colorfulness,
    find_rejects,
    measure,
    sharpness,
    tag_rule_broken,
)
from nfe.faces.fingerprints import fingerprint

RULES = Rules(
    min_size=40,
    min_sharpness=0.5,
    min_colorfulness=4,
    max_hash_distance=6,
    max_color_difference=10,
    want=(),
    avoid=(),
)


def drawn_faces(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [draw_face(random_face_spec(rng), 64, 2) for _ in range(count)]


def test_sharpness_of_a_wave_is_its_frequency() -> None:
    # Along one axis the Laplacian of sin(kx) is 2 (1 - cos k) sin, its gradient 2 sin(k) cos.
    for k in (0.2, 0.5, 1.0):
        wave = 127.5 + 100 * np.sin(k * np.arange(2000))
        pixels = np.repeat(np.round(wave).astype(np.uint8)[None, :, None], 5, axis=0)
        expected = (1 - np.cos(k)) / np.sin(k)
        assert sharpness(np.repeat(pixels, 3, axis=2)) == pytest.approx(expected, rel=0.05)


def test_sharpness_ignores_contrast_and_falls_with_blur() -> None:
    (face,) = drawn_faces(1)
    pale = (face // 2 + 100).astype(np.uint8)
    blurred = [
        sharpness(np.array(Image.fromarray(face).filter(ImageFilter.GaussianBlur(radius))))
        for radius in (0, 1, 2, 3)
    ]
    assert sharpness(pale) == pytest.approx(sharpness(face), rel=0.02)
    assert blurred == sorted(blurred, reverse=True)
    assert sharpness(np.full((16, 16, 3), 90, dtype=np.uint8)) == 0


def test_grey_and_sepia_have_no_colours() -> None:
    (face,) = drawn_faces(1)
    grey = face.mean(axis=2, keepdims=True)
    sepia = (grey * np.array([1.0, 0.85, 0.6])).astype(np.uint8)
    assert colorfulness(np.repeat(grey.astype(np.uint8), 3, axis=2)) < 0.01
    assert colorfulness(sepia) < 1
    assert colorfulness(face) > 10


def test_colorfulness_of_two_opponent_colours() -> None:
    # Red and green of equal brightness: red - green is +/- d, yellow - blue stays.
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    pixels[0] = (100, 0, 0)
    pixels[1] = (0, 51, 0)
    red_green = (100 - -51) / 2
    yellow_blue = (50 - 25.5) / 2
    expected = np.hypot(red_green, yellow_blue)
    assert colorfulness(pixels) == pytest.approx(expected, rel=0.01)


def test_tag_rules() -> None:
    assert tag_rule_broken(["solo", "smile"], ["solo"], ["monochrome"]) is None
    assert tag_rule_broken([], ["solo"], []) == "lacks solo"
    assert tag_rule_broken(["monochrome"], [], ["monochrome"]) == "has monochrome"


def test_every_reason_is_found_and_good_faces_stay() -> None:
    faces = drawn_faces(6)
    blurred = np.array(Image.fromarray(faces[0]).filter(ImageFilter.GaussianBlur(2)))
    grey = np.repeat(faces[1].mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    all_faces = [*faces, blurred, grey, faces[2]]
    sizes = [80.0, 80, 80, 80, 80, 20, 80, 80, 90]
    tags = [["solo"]] * 4 + [["solo", "monochrome"]] + [["solo"]] * 4
    rules = Rules(40, 0.5, 4, 4, 12, want=("solo",), avoid=("monochrome",))
    prints = [fingerprint(face) for face in all_faces]
    found = find_rejects(
        list("abcdefghi"), sizes, tags, [measure(face) for face in all_faces], prints, rules
    )
    assert {index: reject.reason for index, reject in found.items()} == {
        2: "duplicate",  # the larger one stays
        4: "tag_rule",
        5: "small",
        6: "blurred",
        7: "grey",
    }
    assert found[2] == Reject("duplicate", "i")
    assert found[5] == Reject("small", "20.0")


def test_precision_and_recall_against_planted_defects() -> None:
    rng = np.random.default_rng(11)
    faces, truth = drawn_faces(120), []
    originals = len(faces)
    for index in range(originals):
        truth.append("")
        kind = rng.integers(6)
        picture = Image.fromarray(faces[index])
        if kind == 0:
            radius = rng.uniform(1.5, 3)
            faces.append(np.array(picture.filter(ImageFilter.GaussianBlur(radius))))
        elif kind == 1:
            faces.append(np.array(picture.convert("L").convert("RGB")))
        elif kind == 2:
            faces.append(np.array(picture.resize((90, 90)).resize((64, 64))))
    names = [str(index) for index in range(len(faces))]
    count = len(faces)
    measures, prints = [measure(f) for f in faces], [fingerprint(f) for f in faces]
    found = find_rejects(names, [64.0] * count, [[]] * count, measures, prints, RULES)
    planted = count - originals
    caught = sum(index >= originals for index in found)
    assert caught / planted >= 0.97
    assert caught / len(found) >= 0.97


def test_faces_of_one_picture_are_no_duplicates_and_go_together() -> None:
    one, other = drawn_faces(2)
    prints = [fingerprint(one), fingerprint(one), fingerprint(other), fingerprint(one)]
    measures = [measure(one)] * 4
    found = find_rejects(["a", "a", "b", "c"], [50, 60, 50, 90], [[]] * 4, measures, prints, RULES)
    assert found == {0: Reject("duplicate", "c"), 1: Reject("duplicate", "c")}
