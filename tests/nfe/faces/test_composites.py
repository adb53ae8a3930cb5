import itertools
from dataclasses import replace

import numpy as np

from nfe.drawing.scenes import draw_scene
from nfe.faces.composites import Composite, KnownScene, Material, make_composite

RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def material() -> Material:
    """Faces are red, backgrounds blue, scenes drawn."""
    rng = np.random.default_rng(0)
    drawn = [draw_scene(rng, (96, 128), (48, 90), 1) for _ in range(4)]
    scenes = [KnownScene(s.pixels, np.array(s.box), np.array(s.eyes).ravel()) for s in drawn]
    face = np.broadcast_to(np.array(RED, dtype=np.uint8), (32, 32, 3))
    background = np.broadcast_to(np.array(BLUE, dtype=np.uint8), (100, 80, 3))
    return Material([face], scenes, [background])


def composites(count: int, seed: int = 0) -> list[Composite]:
    rng, made_of = np.random.default_rng(seed), material()
    return [make_composite(rng, made_of, 128, 14) for _ in range(count)]


def test_boxes_are_squares_of_the_asked_sizes() -> None:
    made = composites(200)
    boxes = np.concatenate([composite.boxes for composite in made])
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).T
    assert np.allclose(widths, heights, rtol=1e-3)
    assert widths.min() >= 13.9
    assert widths.max() <= 128.1
    assert any(len(composite.boxes) == 0 for composite in made)
    assert any(len(composite.boxes) > 1 for composite in made)
    for composite in made:
        assert composite.pixels.shape == (128, 128, 3)
        assert composite.pixels.dtype == np.uint8
        assert composite.eyes.shape == composite.boxes.shape


def test_pasted_faces_are_where_the_boxes_say() -> None:
    checked = 0
    for composite in composites(100, seed=1):
        for box, eyes in zip(composite.boxes, composite.eyes, strict=True):
            if not np.isnan(eyes).all():
                continue
            x, y = np.clip((box[:2] + box[2:]) / 2, 0, 127).astype(int)
            red, _, blue = composite.pixels[y, x].astype(int)
            assert red > blue or red == composite.pixels[y, x, 1]  # red, or turned to grey
            checked += 1
    assert checked > 30


def test_no_face_is_hidden_by_another() -> None:
    most = 0.0
    for composite in composites(400, seed=2):
        for one, other in itertools.combinations(composite.boxes, 2):
            low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
            smaller = min(one[2] - one[0], other[2] - other[0]) ** 2
            most = max(most, float(np.clip(high - low, 0, None).prod() / smaller))
    assert 0 < most <= 0.05


def test_mistakes_are_pasted_and_no_faces() -> None:
    mistake = np.broadcast_to(np.array(GREEN, dtype=np.uint8), (20, 30, 3))
    made_of = replace(material(), mistakes=[mistake])
    rng = np.random.default_rng(4)
    made = [make_composite(rng, made_of, 128, 14) for _ in range(300)]
    bare = [composite.pixels.astype(int) for composite in made if len(composite.boxes) == 0]
    green = [(p[..., 1] > p[..., [0, 2]].max(axis=2) + 50).any() for p in bare]
    assert sum(green) > 10


def test_eyes_lie_in_their_boxes_left_one_first() -> None:
    known = 0
    for composite in composites(100, seed=2):
        for box, eyes in zip(composite.boxes, composite.eyes, strict=True):
            if np.isnan(eyes).any():
                continue
            known += 1
            assert eyes[0] < eyes[2]
            assert (eyes.reshape(2, 2) > box[:2]).all()
            assert (eyes.reshape(2, 2) < box[2:]).all()
    assert known > 15


def test_the_same_generator_makes_the_same_picture() -> None:
    for one, other in zip(composites(10, seed=3), composites(10, seed=3), strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.boxes, other.boxes)
