import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from nfe.reporting.charts import (
    Interval,
    interval_chart,
    line_chart,
    matrix_chart,
    point_chart,
    ticks,
)


@pytest.mark.parametrize(
    ("low", "high"), [(0.1, 3.9), (-1, 1), (0.98, 0.99), (3, 1e6), (7, 7), (0, 0), (-5, -5)]
)
def test_ticks_are_round_evenly_spaced_and_enclose_the_data(low: float, high: float) -> None:
    marks = ticks(low, high, 4)
    assert marks[0] <= low <= high <= marks[-1]
    assert 3 <= len(marks) <= 8
    steps = [b - a for a, b in itertools.pairwise(marks)]
    assert steps == pytest.approx([steps[0]] * len(steps))
    digits = f"{steps[0]:.6e}".partition("e")[0].rstrip("0").rstrip(".")
    assert digits in ("1", "2", "2.5", "5")


def test_lines_pass_through_their_points_and_leave_out_what_is_not_finite() -> None:
    svg = line_chart([0, 5, 10], {"a": [0, 1, 4], "b": [4, math.nan, 0]}, "kimg")
    first, second = re.findall(r'points="([^"]*)"', svg)
    points = [tuple(map(float, point.split(","))) for point in first.split()]
    left, middle, right = (x for x, _ in points)
    assert middle == pytest.approx((left + right) / 2)
    bottom, quarter, top = (y for _, y in points)
    assert quarter == pytest.approx(bottom + (top - bottom) / 4, abs=0.1)
    assert bottom > top  # SVG's y points down
    assert len(second.split()) == 2
    assert 'aria-label="a from 0 to 4; b from 4 to 0; kimg 0 to 10"' in svg


def test_one_point_is_a_chart_too() -> None:
    assert "<polyline" in line_chart([3], {"a": [2]}, "step")
    assert "<circle" in point_chart({"a": (1, 0.5)}, "x", "y", (0, 1))


def test_points_stand_in_the_range_that_is_given() -> None:
    svg = point_chart({"low": (0, 0.5), "high": (1, 1.0), "mid": (1, 0.75)}, "x", "y", (0.5, 1.0))
    low, high, mid = (float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', svg))
    assert mid == pytest.approx((low + high) / 2, abs=0.1)


def test_intervals_hold_their_value_and_the_other_one() -> None:
    rows = [Interval("a", 0.5, 0.4, 0.6, 1.0), Interval("b", 0.2, 0.2, 0.2, None)]
    svg = interval_chart(rows, ("here", "there"))
    assert svg.count("<circle") == 2 + 3  # the legend's two and the rows'
    assert "the lowest is b, 0.2" in svg


def test_a_matrix_is_drawn_by_sign_and_strength_and_names_are_escaped() -> None:
    svg = matrix_chart(["a<b", "c"], [[1.0, -0.5], [-0.5, 0.01]])
    assert "a&lt;b" in svg
    groups = re.findall(r'<g fill="var\((--series-\d)\)">(.*?)</g>', svg)
    found = {colour: re.findall(r'opacity="([\d.]+)"', cells) for colour, cells in groups}
    assert found == {"--series-2": ["1.00"], "--series-1": ["0.50", "0.50"]}


@pytest.mark.parametrize(
    "svg",
    [
        line_chart([0, 1], {"<&>": [0, 1]}, '"x"'),
        point_chart({"<&>": (0, 1)}, '"x"', "<y>", (0, 1)),
        interval_chart([Interval("<&>", 0.5, 0.4, 0.6, 0.7)], ('"a"', "<b>")),
        matrix_chart(['"a"', "<b>"], [[1, 0.5], [0.5, 1]]),
    ],
)
def test_any_name_makes_sound_xml(svg: str) -> None:
    assert ElementTree.fromstring(svg).tag == "svg"
