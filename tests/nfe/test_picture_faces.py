import numpy as np
import pytest
from PIL import Image

from nfe.faces.alignment import Transform, whole_picture_transform
from nfe.faces.pasting import paste_back
from nfe.picture_faces import (
    Blending,
    Frame,
    Laying,
    edited_frame,
    lay_over,
    paste_in_bands,
    visible_part,
)
from nfe.picture_files import Picture

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 255, (60, 80, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (60, 80), dtype=np.uint8)
BLENDING = Blending(feather=0.2, laying=Laying((4.0, 8.0), along_lines=False))
WHITE = np.full((16, 16, 3), 255, dtype=np.uint8)


def frame(picture: Picture, transforms: list[Transform], whole: bool) -> Frame:
    return Frame(picture, transforms, whole, [WHITE] * len(transforms))


def outside(transform: Transform, height: int, width: int) -> np.ndarray:
    ys, xs = np.indices((height, width)) + 0.5
    places = transform.to_face(np.stack([xs.ravel(), ys.ravel()], axis=1))
    return ((places <= 0) | (places >= 1)).any(axis=1).reshape(height, width)


@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_outside_the_faces_not_one_value_differs(alpha: np.ndarray | None) -> None:
    faces = [Transform((20, 20), 24, 15.0), Transform((60, 40), 30, -20.0)]
    result = edited_frame(
        frame(Picture(PIXELS, alpha, 40), faces, False), [WHITE] * 2, None, None, BLENDING
    )
    far = outside(faces[0], 60, 80) & outside(faces[1], 60, 80)
    assert (result.pixels[far] == PIXELS[far]).all()
    assert (result.pixels[20, 20] == 255).all() and (result.pixels[40, 60] == 255).all()
    assert result.alpha is alpha
    assert result.milliseconds == 40


def test_a_picture_that_is_a_face_is_replaced_or_blended() -> None:
    square = Picture(PIXELS[:, :60], None)
    whole = frame(square, [whole_picture_transform(square.pixels)], True)
    assert (edited_frame(whole, [WHITE], None, None, BLENDING).pixels == 255).all()
    blended = edited_frame(whole, [WHITE], None, True, BLENDING).pixels
    assert (blended[30, 30] == 255).all()
    assert np.abs(blended[0].astype(int) - square.pixels[0]).max() < 5


def test_the_face_alone_and_a_picture_without_faces() -> None:
    picture = Picture(PIXELS, ALPHA)
    alone = edited_frame(
        frame(picture, [Transform((20, 20), 24, 0)], False), [WHITE], None, False, BLENDING
    )
    assert (alone.pixels == WHITE).all() and alone.alpha is None
    assert edited_frame(frame(picture, [], False), [], None, None, BLENDING) is picture


@pytest.mark.parametrize("angle", [0.0, 20.0])
def test_a_large_face_is_blended_in_bands_as_in_one(angle: float) -> None:
    transform = Transform((38, 33), 44, angle)
    face = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    bands = paste_in_bands(PIXELS, face, transform, 0.2, band_pixels=700, put=paste_back)
    at_once = paste_back(PIXELS, face, transform, 0.2)
    assert np.abs(bands.astype(int) - at_once).max() <= 1
    far = outside(transform, 60, 80)
    assert (bands[far] == PIXELS[far]).all()
    assert (bands != PIXELS).any(axis=2).sum() > 1000


def test_only_the_change_is_laid_over_the_picture() -> None:
    grey = np.full((16, 16, 3), 100, dtype=np.uint8)
    dark = np.clip(PIXELS.astype(int), 0, 200).astype(np.uint8)
    found = frame(Picture(dark, ALPHA), [Transform((40, 30), 40, 10.0)], False)
    same = edited_frame(found, [WHITE], [WHITE], None, BLENDING)
    assert (same.pixels == dark).all()
    lighter = edited_frame(found, [grey + 9], [grey], None, BLENDING).pixels
    middle = (slice(22, 38), slice(32, 48))
    assert (lighter[middle] == dark[middle] + 9).all()
    far = outside(found.transforms[0], 60, 80)
    assert (lighter[far] == dark[far]).all()


def test_the_change_of_a_picture_that_is_a_face() -> None:
    dark = np.clip(PIXELS[:, :60].astype(int), 0, 200).astype(np.uint8)
    whole = frame(Picture(dark, None), [whole_picture_transform(dark)], True)
    grey = np.full((16, 16, 3), 100, dtype=np.uint8)
    assert (edited_frame(whole, [grey + 9], [grey], None, BLENDING).pixels == dark + 9).all()
    alone = edited_frame(whole, [grey], [grey + 9], False, BLENDING)
    assert (alone.pixels == 255 - 9).all()  # the face that was cut out is white


def test_a_colour_follows_the_lines_of_the_picture_and_a_shape_does_not() -> None:
    random = np.random.default_rng(1)
    face = np.full((1, 32, 32, 3), 60, dtype=np.uint8)
    before = np.full_like(face, 100)
    after = random.integers(130, 170, face.shape, dtype=np.uint8)  # texture that the face lacks
    as_drawn, along_lines = (
        lay_over(face, before, after, Laying((10.0, 20.0), along)) for along in (False, True)
    )
    np.testing.assert_array_equal(as_drawn, 60 + (after - before))
    assert along_lines.std() < 0.4 * as_drawn.std()
    assert along_lines.mean() == pytest.approx(as_drawn.mean(), abs=1)


@pytest.mark.parametrize("whole", [True, False])
def test_in_a_large_picture_a_colour_ends_at_its_lines(whole: bool) -> None:
    """A light surface beside a dark one, their line between two pixels of the small face."""
    large, small, line = 256, 32, 133
    picture = np.full((large, large, 3), 40, dtype=np.uint8)
    picture[:, line:] = 200
    face = np.array(Image.fromarray(picture).resize((small, small), Image.Resampling.BOX))
    before = np.full_like(face, 100)
    after = np.clip(before + 0.25 * (face.astype(float) - 40), 0, 255).astype(np.uint8)
    found = Frame(Picture(picture, None), [whole_picture_transform(picture)], whole, [face])
    laying = Laying((1.0, 2.0), along_lines=True)
    result = edited_frame(found, [after], [before], None, Blending(0.01, laying)).pixels
    change = (result.astype(int) - picture)[16:-16, 16:-16]
    assert np.abs(change[:, : line - 16]).max() <= 2
    assert np.abs(change[:, line - 16 :] - 40).max() <= 2


@pytest.mark.parametrize(
    ("changes", "along_lines"), [(["hair"], True), (["smile"], False), (["hair", "smile"], False)]
)
def test_an_edit_follows_lines_if_all_it_changes_are_colours(
    changes: list[str], along_lines: bool
) -> None:
    alignment = {"feather": 0.2, "visible_change": [4, 8], "recolour": ["hair", "eyes"]}
    expected = Blending(0.2, Laying((4, 8), along_lines))
    assert Blending.of_model({"alignment": alignment}, changes) == expected


def test_what_changes_little_does_not_change() -> None:
    change = np.zeros((24, 24, 3), dtype=np.float32)
    change[:12, :, 0], change[12:, :, 1] = 3.0, -50.0
    visible = visible_part(change, (10.0, 35.0))
    assert not visible[:8].any()
    assert (visible[16:] == change[16:]).all()
    halfway = visible_part(np.full((8, 8, 3), 22.5, dtype=np.float32), (10.0, 35.0))
    np.testing.assert_allclose(halfway, 11.25, rtol=1e-5)
