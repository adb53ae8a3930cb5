import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from nfe.faces.alignment import (
    Transform,
    align,
    face_transform,
    whole_picture_transform,
)
from nfe.faces.detection import Face
from nfe.faces.pasting import paste_back


def smooth_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture without fine detail, so that resampling loses next to nothing."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    blurred = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(4))
    values = np.asarray(blurred, dtype=np.float32)
    spread = (values - values.min()) / (values.max() - values.min())
    return (255 * spread).astype(np.uint8)


def test_a_whole_square_picture_stays_the_same() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    transform = whole_picture_transform(pixels)
    assert transform == Transform((32, 32), 64, 0)
    assert np.array_equal(align(pixels, transform, 64), pixels)


def test_the_whole_of_a_wide_picture_is_its_middle_square() -> None:
    pixels = smooth_picture(20, 50)
    transform = whole_picture_transform(pixels)
    assert np.array_equal(align(pixels, transform, 20), pixels[:, 15:35])


def test_an_upright_box_of_whole_pixels_is_cut_out_exactly() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    transform = face_transform(Face((10, 5, 42, 37), 1.0), margin=0.0, max_angle=30)
    assert transform.box == (10, 5, 42, 37)
    assert np.array_equal(align(pixels, transform, 32), pixels[5:37, 10:42])


def test_outside_the_picture_is_its_reflection() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    face = align(pixels, Transform((8, 8), 24, 0), 24)
    assert np.array_equal(face, np.pad(pixels, ((4, 4), (4, 4), (0, 0)), mode="symmetric"))


def test_a_face_far_larger_than_its_picture_is_reflected_again_and_again() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    face = align(pixels, Transform((2.5, 1.5), 31, 0), 31)
    padding = ((14, 14), (13, 13), (0, 0))
    assert np.array_equal(face, np.pad(pixels, padding, mode="symmetric"))


def test_shrinking_averages_over_the_area() -> None:
    # A fine checkerboard must become even grey, not a pattern.
    pixels = np.indices((128, 128)).sum(axis=0) % 2 * 255
    pixels = np.repeat(pixels[..., None].astype(np.uint8), 3, axis=2)
    for angle in (0.0, 10.0):
        face = align(pixels, Transform((64, 64), 80, angle), 16).astype(int)
        assert abs(face - 127.5).max() < 6


@pytest.mark.parametrize("margin", [0.0, 0.25, -0.1])
def test_margin_widens_the_longer_side(margin: float) -> None:
    transform = face_transform(Face((10, 20, 50, 40), 1.0), margin, max_angle=0)
    assert transform.center == (30, 30)
    assert transform.side == pytest.approx(40 * (1 + 2 * margin))


@pytest.mark.parametrize(
    ("eyes", "angle"),
    [
        (None, 0.0),
        (((20, 30), (40, 30)), 0.0),
        (((20, 30), (40, 50)), 20.0),  # 45 degrees, limited
        (((20, 30), (40, 25)), -math.degrees(math.atan2(5, 20))),
        (((40, 25), (20, 30)), -math.degrees(math.atan2(5, 20))),  # order does not matter
        (((30, 30), (31, 32)), 0.0),  # too close to tell
    ],
)
def test_the_angle_follows_the_eyes_within_limits(
    eyes: tuple[tuple[float, float], tuple[float, float]] | None, angle: float
) -> None:
    transform = face_transform(Face((10, 10, 50, 50), 1.0, eyes), margin=0, max_angle=20)
    assert transform.angle == pytest.approx(angle)


def test_aligned_eyes_lie_level() -> None:
    eyes = ((30.0, 44.0), (60.0, 56.0))
    transform = face_transform(Face((10, 10, 90, 90), 1.0, eyes), margin=0.1, max_angle=45)
    left, right = transform.to_face(np.array(eyes))
    assert left[1] == pytest.approx(right[1])
    assert left[0] < right[0]


def test_a_dot_is_where_the_transform_says() -> None:
    pixels = np.zeros((100, 120, 3), dtype=np.uint8)
    pixels[58:63, 68:73] = 255  # centre (70.5, 60.5)
    transform = Transform((60, 50), 64, 30)
    face = align(pixels, transform, 64)[..., 0].astype(float)
    ys, xs = np.indices(face.shape) + 0.5
    found = np.array([(face * xs).sum(), (face * ys).sum()]) / face.sum() / 64
    assert found == pytest.approx(transform.to_face(np.array([[70.5, 60.5]]))[0], abs=0.005)


def test_the_inverse_undoes_the_transform() -> None:
    transform = Transform((31.3, 27.9), 44.4, -17)
    points = np.random.default_rng(0).random((20, 2))
    assert transform.to_face(transform.to_picture(points)) == pytest.approx(points)


@pytest.mark.parametrize("angle", [0.0, 12.5, -25.0])
@pytest.mark.parametrize("resolution", [48, 64, 200])
def test_landmarks_come_back_within_a_pixel(angle: float, resolution: int) -> None:
    """Dots are found in the face where the transform says, and after pasting where they were."""
    landmarks = np.array([[64.5, 60.5], [88.5, 62.5], [76.5, 88.5]])  # centres of pixels
    transform = Transform((75.3, 71.8), 70, angle)
    for x, y in landmarks:
        pixels = np.zeros((140, 150, 3), dtype=np.uint8)
        pixels[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 255
        face = align(pixels, transform, resolution)
        there = centre_of(face)[None] / resolution
        assert np.abs(transform.to_picture(there)[0] - (x, y)).max() < 1
        back = paste_back(np.zeros_like(pixels), face, transform, feather=0.1)
        assert np.abs(centre_of(back) - (x, y)).max() < 1


def centre_of(pixels: np.ndarray) -> np.ndarray:
    """Centre of mass, (x, y), of what is bright."""
    weights = pixels[..., 0].astype(float)
    ys, xs = np.indices(weights.shape) + 0.5
    return np.array([(weights * xs).sum(), (weights * ys).sum()]) / weights.sum()
