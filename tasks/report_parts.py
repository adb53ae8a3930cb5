"""What the parts of the report are made of: sheets, curves, words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nfe.reporting.figures import flatten, parse_csv, spoken

if TYPE_CHECKING:
    from nfe.reporting.page import Chart, Section, Sheet
    from nfe.reporting.pictures import Picture

__all__ = ["DATA", "curve_columns", "curves", "face", "read_text", "section", "sheet"]

DATA = Path("data")
ROOM = 1060  # CSS pixels a sheet has on a wide screen
SHEET_QUALITY, FACE_QUALITY = 80, 88  # of WebP: no difference seen at twice the size


def section(
    stage: str, heading: str, text: str, blocks: Sequence[Any], metrics: Mapping[str, Any]
) -> "Section":
    """Put a stage's blocks under a heading, with all its figures."""
    from nfe.reporting.page import Section

    return Section(stage, heading, text, blocks, flatten(metrics))


def sheet(stage: str, name: str, caption: str, crisp: bool = False) -> "Sheet":
    """Embed a stage's contact sheet; `crisp`: each of its pixels becomes a square of pixels."""
    from PIL import Image

    from nfe.reporting.page import Sheet
    from nfe.reporting.pictures import embed_picture, whole_scale

    path = DATA / stage / name
    with Image.open(path) as picture:
        scale = whole_scale(picture.width, ROOM) if crisp else 1
    alt = f"Contact sheet: {caption[0].lower()}{caption[1:]}"
    return Sheet(caption, embed_picture(path.read_bytes(), alt, SHEET_QUALITY, scale), crisp)


def curves(stage: str, columns: Sequence[str], caption: str) -> "Chart":
    """Plot columns of the stage's curves.csv over its first column."""
    from nfe.reporting.charts import line_chart
    from nfe.reporting.page import Chart

    rows = parse_csv(read_text(stage, "curves.csv"))
    x_name = next(iter(rows[0]))
    series = {spoken(name): [float(row[name]) for row in rows] for name in columns}
    xs = [float(row[x_name]) for row in rows]
    return Chart(caption, line_chart(xs, series, spoken(x_name)))


def curve_columns(stage: str) -> tuple[str, ...]:
    """Return the columns of the stage's curves.csv, except the first."""
    return tuple(read_text(stage, "curves.csv").partition("\n")[0].split(",")[1:])


def read_text(stage: str, name: str) -> str:
    """Return the text of a file that a stage wrote."""
    return (DATA / stage / name).read_text(encoding="utf-8")


def face(data: bytes, alt: str) -> "Picture":
    """Embed a face."""
    from nfe.reporting.pictures import embed_picture

    return embed_picture(data, alt, FACE_QUALITY)
