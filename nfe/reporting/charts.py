"""Small charts as SVG text, in the colours of the page around them, light or dark.

They use the page's CSS variables --ink, --soft, --line and --series-1 to --series-4.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Interval", "interval_chart", "line_chart", "matrix_chart", "point_chart", "ticks"]

WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 28, 38
ROW, LABEL_WIDTH = 17, 132
CELL, MATRIX_LABEL = 15, 118
SHOWN_FROM = 0.03  # weaker cells of a matrix are left white


@dataclass(frozen=True)
class Interval:
    """A row of an interval chart: a value, its interval, and another value to compare with."""

    label: str
    value: float
    low: float
    high: float
    other: float | None


@dataclass(frozen=True)
class _Scale:
    """A line from the values of data to places on the chart."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round numbers from at most `low` to at least `high`.

    Examples:
        >>> ticks(0.1, 3.9, 4)
        [0.0, 1.0, 2.0, 3.0, 4.0]
        >>> ticks(5, 5, 3)
        [4.5, 5.0, 5.5]
    """
    if high <= low:
        low, high = low - 0.1 * (abs(low) or 1), high + 0.1 * (abs(high) or 1)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * m for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - rough))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def line_chart(xs: Sequence[float], series: Mapping[str, Sequence[float]], x_label: str) -> str:
    """Draw lines over one axis; values that are not finite are left out.

    Args:
        xs: Rising, [N].
        series: Name -> values, [N] each; at most four.
        x_label: What `xs` are.
    """
    finite = [y for ys in series.values() for y in ys if math.isfinite(y)] or [0.0]
    marks = ticks(min(finite), max(finite), 4)
    x = _Scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, LEFT, WIDTH - RIGHT)
    y = _Scale(marks[0], marks[-1], HEIGHT - BOTTOM, TOP)
    x_marks = [mark for mark in ticks(min(xs), max(xs), 5) if x.low <= mark <= x.high]
    parts = _frame(x, y, x_marks, marks, x_label, "")
    legend = LEFT
    for number, (name, ys) in enumerate(series.items(), start=1):
        points = [f"{x(a)},{y(b)}" for a, b in zip(xs, ys, strict=True) if math.isfinite(b)]
        colour = f"var(--series-{number})"
        line = f'fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"'
        parts.append(f'<polyline points="{" ".join(points)}" {line}/>')
        parts.append(f'<path d="M{legend} 13h16" stroke="{colour}" stroke-width="3"/>')
        parts.append(_text(legend + 21, 17, name, "start"))
        legend += 34 + round(6.2 * len(name))
    return _svg(WIDTH, HEIGHT, parts, _tell_lines(xs, series, x_label))


def point_chart(
    points: Mapping[str, tuple[float, float]],
    x_label: str,
    y_label: str,
    y_range: tuple[float, float],
) -> str:
    """Draw named points; the range of y is given, so that small differences stay small."""
    x_marks = ticks(min(a for a, _ in points.values()), max(a for a, _ in points.values()), 4)
    y_marks = ticks(*y_range, 4)
    x = _Scale(x_marks[0], x_marks[-1], LEFT, WIDTH - RIGHT)
    y = _Scale(y_marks[0], y_marks[-1], HEIGHT - BOTTOM, TOP)
    parts = [*_frame(x, y, x_marks, y_marks, x_label, y_label)]
    for name, (a, b) in points.items():
        right = x(a) > WIDTH * 0.65
        parts.append(f'<circle cx="{x(a)}" cy="{y(b)}" r="5" fill="var(--series-1)"/>')
        place = x(a) - 9 if right else x(a) + 9
        parts.append(_text(place, y(b) + 4, name, "end" if right else "start"))
    told = "; ".join(f"{name}: {a:.3g}, {b:.3g}" for name, (a, b) in points.items())
    return _svg(WIDTH, HEIGHT, parts, f"{y_label} over {x_label}. {told}")


def interval_chart(rows: Sequence[Interval], names: tuple[str, str]) -> str:
    """Draw a value with its interval per row, and a hollow mark for the other value.

    Args:
        rows: At least one.
        names: Of the value and of the other one.
    """
    height = TOP + ROW * len(rows) + 24
    ends = [
        end for row in rows for end in (row.low, row.high, row.value, row.other) if end is not None
    ]
    marks = ticks(min(ends), max(ends), 4)
    x = _Scale(marks[0], marks[-1], LABEL_WIDTH, WIDTH - RIGHT)
    bottom = height - 22
    parts = []
    for mark in marks:
        parts.append(f'<path d="M{x(mark)} {TOP - 4}V{bottom}" stroke="var(--line)"/>')
        parts.append(_text(x(mark), height - 8, f"{mark:g}", "middle"))
    parts += [_dot(LABEL_WIDTH + 4, 12, False), _text(LABEL_WIDTH + 13, 16, names[0], "start")]
    second = LABEL_WIDTH + 30 + round(6.2 * len(names[0]))
    parts += [_dot(second, 12, True), _text(second + 9, 16, names[1], "start")]
    for number, row in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        parts.append(_text(LABEL_WIDTH - 8, y + 4, row.label, "end"))
        parts.append(
            f'<path d="M{x(row.low)} {y}H{x(row.high)}" stroke="var(--series-1)" stroke-width="2"/>'
        )
        if row.other is not None:
            parts.append(_dot(x(row.other), y, True))
        parts.append(_dot(x(row.value), y, False))
    worst = min(rows, key=lambda row: row.value)
    told = f"{len(rows)} rows; the lowest is {worst.label}, {worst.value:.3g}"
    return _svg(WIDTH, height, parts, f"{names[0]} and {names[1]}: {told}")


def matrix_chart(names: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """Draw a square matrix of values in [-1, 1]: the stronger, the more colour.

    Args:
        names: N names of rows and columns.
        values: [N, N].
    """
    side = MATRIX_LABEL + CELL * len(names) + 4
    parts = []
    for row, name in enumerate(names):
        middle = MATRIX_LABEL + CELL * (row + 0.5)
        parts.append(_text(MATRIX_LABEL - 6, middle + 4, name, "end"))
        turned = f'transform="rotate(-90 {middle + 4} {MATRIX_LABEL - 6})"'
        parts.append(_text(middle + 4, MATRIX_LABEL - 6, name, "start", turned))
    for sign, colour in ((1, "var(--series-2)"), (-1, "var(--series-1)")):
        parts.append(f'<g fill="{colour}">')
        for row, own in enumerate(values):
            for column, value in enumerate(own):
                if sign * value >= SHOWN_FROM:
                    left, top = MATRIX_LABEL + CELL * column, MATRIX_LABEL + CELL * row
                    told = f"<title>{escape(names[row])}, {escape(names[column])}: {value:.2f}"
                    shape = f"M{left} {top}h{CELL}v{CELL}h-{CELL}z"
                    opacity = f"{min(abs(value), 1):.2f}"
                    parts.append(f'<path d="{shape}" opacity="{opacity}">{told}</title></path>')
        parts.append("</g>")
    size = CELL * len(names)
    frame = (
        f'<rect x="{MATRIX_LABEL}" y="{MATRIX_LABEL}" width="{size}" height="{size}" fill="none"'
    )
    parts.append(f'{frame} stroke="var(--line)"/>')
    return _svg(side, side, parts, f"Matrix of {len(names)} by {len(names)} cosines")


def _frame(
    x: _Scale,
    y: _Scale,
    x_marks: Sequence[float],
    y_marks: Sequence[float],
    x_label: str,
    y_label: str,
) -> list[str]:
    """Return the lines and figures of both axes."""
    parts = []
    for mark in y_marks:
        parts.append(f'<path d="M{LEFT} {y(mark)}H{WIDTH - RIGHT}" stroke="var(--line)"/>')
        parts.append(_text(LEFT - 6, y(mark) + 4, f"{mark:g}", "end"))
    for mark in x_marks:
        parts.append(_text(x(mark), HEIGHT - BOTTOM + 16, f"{mark:g}", "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, x_label, "middle"))
    if y_label:
        parts.append(_text(LEFT - 40, 15, y_label, "start"))
    return parts


def _text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    place = f'x="{round(x, 1):g}" y="{round(y, 1):g}"'
    return f'<text {place} text-anchor="{anchor}" {more}>{escape(words)}</text>'


def _dot(x: float, y: float, hollow: bool) -> str:
    colour = "var(--series-2)" if hollow else "var(--series-1)"
    look = (
        f'fill="var(--card)" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
    )
    return f'<circle cx="{x}" cy="{y}" r="4" {look}/>'


def _svg(width: int, height: int, parts: Sequence[str], told: str) -> str:
    style = 'font-size="11" fill="var(--soft)"'
    opening = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(told)}" {style}>'
    return opening + "".join(parts) + "</svg>"


def _tell_lines(xs: Sequence[float], series: Mapping[str, Sequence[float]], x_label: str) -> str:
    told = [f"{name} from {ys[0]:.3g} to {ys[-1]:.3g}" for name, ys in series.items()]
    return f"{'; '.join(told)}; {x_label} {xs[0]:g} to {xs[-1]:g}"
