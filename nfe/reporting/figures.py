"""Figures as a person would write them, and tables of them."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Table", "flatten", "parse_csv", "percent", "read_table", "readable", "spoken"]


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        headings: One per column.
        rows: As many texts each.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def are_figures(self) -> tuple[bool, ...]:
        """Which columns hold figures: every text begins with a digit or a sign, or is a dash."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.headings)
        return tuple(all(text[:1] in "0123456789+-–" for text in column) for column in columns)


def readable(value: object) -> str:
    """Write a figure as a person would: three digits that matter, thousands apart.

    Examples:
        >>> readable(0.98765), readable(1234567), readable(None)
        ('0.988', '1,234,567', 'none')
    """
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def percent(share: float) -> str:
    """Write a share as a percentage; only all is 100 %, only none is 0 %.

    Examples:
        >>> percent(0.873), percent(0.9999), percent(0.0004), percent(1.0)
        ('87 %', '99.9 %', '0.1 %', '100 %')
    """
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    if 0.005 <= share < 0.995:
        return f"{100 * share:.0f} %"
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"


def spoken(name: str) -> str:
    """Write a name of the code as words: `hair_color=blue` becomes `hair color: blue`."""
    return name.replace("_", " ").replace("=", ": ").replace("+", ", ")


def flatten(metrics: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Turn nested metrics into rows of name and text."""
    rows = []
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            rows += flatten(value, f"{prefix}{name}: ")
        else:
            rows.append((prefix + name.replace("_", " "), readable(value)))
    return rows


def parse_csv(text: str) -> list[dict[str, str]]:
    """Read CSV text with a header: a mapping from column to cell per row."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read_table(text: str) -> Table:
    """Read CSV text with a header into a table, its figures made readable."""
    headings, *rows = ([_cell(cell) for cell in row] for row in csv.reader(io.StringIO(text)))
    return Table(tuple(headings), tuple(map(tuple, rows)))


def _cell(cell: str) -> str:
    for kind in (int, float):
        try:
            return readable(kind(cell))
        except ValueError:
            continue
    return spoken(cell)
