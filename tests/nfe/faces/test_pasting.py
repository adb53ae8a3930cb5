import math

import numpy as np
import pytest

from nfe.faces.alignment import Transform, align
from nfe.faces.pasting import paste_back

from .test_alignment import smooth_picture


@pytest.mark.parametrize("transform", [Transform((50, 45), 60, 0), Transform((50, 45), 60, 21)])
def test_pasting_back_an_unchanged_face_changes_next_to_nothing(transform: Transform) -> None:
    pixels = smooth_picture(90, 100)
    restored = paste_back(pixels, align(pixels, transform, 64), transform, feather=0.1)
    assert np.abs(restored.astype(int) - pixels).max() <= 6


@pytest.mark.parametrize("angle", [0.0, 33.0])
@pytest.mark.parametrize("center", [(50.0, 40.0), (5.0, 95.0)])
def test_outside_the_square_not_one_value_changes(
    center: tuple[float, float], angle: float
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (100, 90, 3), dtype=np.uint8)
    transform = Transform(center, 41.7, angle)
    edited = np.full((32, 32, 3), 255, dtype=np.uint8)
    pasted = paste_back(pixels, edited, transform, feather=0.2)
    ys, xs = np.indices((100, 90)) + 0.5
    places = transform.to_face(np.stack([xs.ravel(), ys.ravel()], axis=1))
    outside = ((places <= 0) | (places >= 1)).any(axis=1).reshape(100, 90)
    inside = ((places > 0.2) & (places < 0.8)).all(axis=1).reshape(100, 90)
    assert np.array_equal(pasted[outside], pixels[outside])
    assert (pasted[inside] == 255).all()


def test_a_face_outside_the_picture_changes_nothing() -> None:
    pixels = smooth_picture(40, 40)
    edited = np.zeros((16, 16, 3), dtype=np.uint8)
    assert np.array_equal(paste_back(pixels, edited, Transform((-50, 10), 20, 5), 0.1), pixels)


@pytest.mark.parametrize("feather", [0.0, 0.6, math.nan])
def test_feather_must_be_in_range(feather: float) -> None:
    pixels = smooth_picture(20, 20)
    with pytest.raises(ValueError, match="feather must be in"):
        paste_back(pixels, pixels, Transform((10, 10), 10, 0), feather)
