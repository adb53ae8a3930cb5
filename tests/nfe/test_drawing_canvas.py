import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from nfe.drawing.canvas import STEPS, Canvas, brush_stroke, smooth_closed
from nfe.drawing.palettes import (
    CLOTHES_COLORS,
    EYE_COLORS,
    HAIR_COLORS,
    SKIN_COLORS,
    darken,
    lighten,
    mix,
    vary,
)

WHITE = (255, 255, 255)
SQUARE = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0))


def test_placed_turns_stretches_and_moves():
    canvas = Canvas(100, 80, 3)
    part = canvas.placed(50, 40, scale=10, angle=90, stretch=(2.0, -1.0))
    assert part.to_picture((1, 0)) == pytest.approx((50, 60))  # 20 to the right, turned down
    assert part.to_picture((0, 1)) == pytest.approx((60, 40))  # 10 up, turned to the right
    inner = part.placed(1, 0, scale=0.5)
    assert inner.to_picture((0, 1)) == pytest.approx((55, 60))
    assert inner.scale == pytest.approx(3 * 10 * 0.5)


def test_ellipse_covers_pi_a_b():
    canvas = Canvas(64, 64, 4)
    canvas.ellipse((32, 32), (20, 10), WHITE)
    assert canvas.pixels()[..., 0].sum() / 255 == pytest.approx(math.pi * 20 * 10, rel=0.02)


def test_edges_are_antialiased_by_the_covered_share():
    canvas = Canvas(8, 8, 4)
    canvas.fill([(0, 0), (2.375, 0), (2.375, 8), (0, 8)], WHITE)
    row = canvas.pixels()[4, :, 0] / 255
    assert row[:2] == pytest.approx(1) and row[3:] == pytest.approx(0)
    assert 0.25 <= row[2] <= 0.75


def test_translucent_fill_blends():
    canvas = Canvas(4, 4, 1)
    canvas.fill([(-1, -1), (9, -1), (9, 9), (-1, 9)], (200, 100, 0))
    canvas.fill([(-1, -1), (9, -1), (9, 9), (-1, 9)], (0, 0, 200), alpha=51)
    assert canvas.pixels()[2, 2].tolist() == pytest.approx([160, 80, 40], abs=1)


def test_float32_points_are_drawn_as_pillow_draws_numbers():
    points = np.random.default_rng(4).uniform(0, 40, (9, 2)).astype(np.float32)
    canvas, plain = Canvas(40, 40, 1), Image.new("RGB", (40, 40))
    canvas.fill(points, WHITE)
    ImageDraw.Draw(plain).polygon(points.ravel().tolist(), WHITE)
    assert np.array_equal(canvas.pixels(), np.array(plain))


def test_closed_curve_passes_through_its_control_points():
    points = np.random.default_rng(0).normal(size=(7, 2))
    assert np.allclose(smooth_closed(points)[::STEPS], points, atol=1e-6)
    assert np.allclose(smooth_closed(points, (2, 5))[::STEPS], points, atol=1e-6)


def test_curve_moves_with_its_control_points():
    rng = np.random.default_rng(1)
    points, matrix, offset = rng.normal(size=(6, 2)), rng.normal(size=(2, 2)), rng.normal(size=2)
    moved = smooth_closed(points @ matrix + offset, (1,))
    assert np.allclose(moved, smooth_closed(points, (1,)) @ matrix + offset, atol=1e-5)


def test_all_corners_give_straight_sides():
    curve = smooth_closed(SQUARE, (0, 1, 2, 3))
    on_side = np.isclose(curve, 0, atol=1e-6) | np.isclose(curve, 4)
    assert on_side.any(axis=1).all()
    assert not (np.isclose(smooth_closed(SQUARE), 0) | np.isclose(smooth_closed(SQUARE), 4)).all()


def test_a_remembered_shape_equals_a_computed_one():
    assert np.array_equal(smooth_closed(SQUARE, (1,)), smooth_closed(list(SQUARE), (1,)))
    assert np.array_equal(brush_stroke(SQUARE, 0.3), brush_stroke(list(SQUARE), 0.3))


def test_stroke_is_as_wide_as_asked_in_the_middle_and_pointed():
    points = np.array([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (4.0, 0.0)])
    outline = brush_stroke(points, 0.5)
    count = len(outline) // 2
    widths = np.abs(outline[:count] - outline[count:][::-1])[:, 1]
    assert widths.max() == pytest.approx(0.5)
    assert widths[[0, -1]] == pytest.approx(0, abs=1e-6)


def test_strokes_in_a_batch_equal_single_ones():
    batch = np.random.default_rng(2).normal(size=(5, 4, 2))
    together = brush_stroke(batch, 0.2)
    assert np.allclose(
        together, np.stack([brush_stroke(points, 0.2) for points in batch]), atol=1e-6
    )


def test_mixing_ends_at_its_colours():
    assert mix((10, 20, 30), (200, 100, 0), 0.0) == (10, 20, 30)
    assert mix((10, 20, 30), (200, 100, 0), 1.0) == (200, 100, 0)
    assert lighten((0, 0, 0), 0.5) == (128, 128, 128)
    assert sum(darken((200, 200, 200), 0.5)) < 600


@pytest.mark.parametrize("palette", [HAIR_COLORS, EYE_COLORS])
def test_a_varied_colour_stays_nearest_to_its_own(palette):
    rng = np.random.default_rng(3)
    names, table = list(palette), np.array(list(palette.values()), float)
    for index, name in enumerate(names):
        varied = np.array([vary(palette[name], rng, 5.0) for _ in range(200)])
        nearest = ((varied[:, None] - table) ** 2).sum(axis=2).argmin(axis=1)
        assert (nearest == index).all(), name


@pytest.mark.parametrize("palette", [HAIR_COLORS, EYE_COLORS, SKIN_COLORS, CLOTHES_COLORS])
def test_colours_are_levels(palette):
    assert all(len(c) == 3 and all(0 <= v <= 255 for v in c) for c in palette.values())
