import numpy as np

from nfe.images import decode_pixels
from tasks.inversion_sheets import draw_overlap, draw_trade_off, spread_labels


def test_labels_keep_their_place_where_there_is_room():
    assert spread_labels([0.1, 0.5, 0.9], 0.1) == [0.1, 0.5, 0.9]
    assert spread_labels([], 0.1) == []


def test_labels_keep_apart_and_inside():
    low = spread_labels([0.2, 0.2, 0.21], 0.1)
    np.testing.assert_allclose(low, [0.2, 0.3, 0.4])
    high = spread_labels([0.4, 0.98, 0.99, 1.0], 0.1)
    np.testing.assert_allclose(high, [0.4, 0.8, 0.9, 1.0])


def test_many_methods_wrap(tmp_path):
    rng = np.random.default_rng(1)
    sampled = rng.standard_normal((60, 4))
    shapes = []
    for count in (2, 6):
        codes = {f"method_{i}": rng.standard_normal((9, 4)) for i in range(count)}
        draw_overlap(tmp_path / "overlap.png", codes, sampled)
        shapes.append(decode_pixels((tmp_path / "overlap.png").read_bytes(), "overlap").shape)
    assert shapes[1][0] == 2 * shapes[0][0]
    assert shapes[1][1] == 2 * shapes[0][1]


def test_the_trade_off_leaves_out_what_was_not_measured(tmp_path):
    draw_trade_off(tmp_path / "a.png", {"a": 0.1, "b": 0.2}, {"a": 0.5, "b": 0.5})
    draw_trade_off(tmp_path / "b.png", {"a": 0.1, "b": 0.2}, {"a": 0.5})
    draw_trade_off(tmp_path / "c.png", {"a": 0.1}, {})
    both, one = (decode_pixels((tmp_path / f"{n}.png").read_bytes(), n) for n in "ab")
    assert both.shape != one.shape or (both != one).any()
