"""One HTML page out of sections: pictures, charts and tables, each with where it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nfe.reporting.figures import Table
from nfe.reporting.pictures import Picture
from nfe.reporting.summary import Headline

__all__ = ["Card", "Cards", "Chart", "Gallery", "Section", "Sheet", "Tabular", "render_page"]

TEMPLATE = Path(__file__).with_name("page.html.jinja")


@dataclass(frozen=True)
class Sheet:
    """One large picture. `crisp`: shown at a whole multiple of its pixels, never smaller."""

    caption: str
    picture: Picture
    crisp: bool
    half: bool = False
    kind: str = "sheet"


@dataclass(frozen=True)
class Chart:
    """A chart as SVG text, made by nfe.reporting.charts.

    Attributes:
        caption: What it says.
        svg: The text.
        narrowest: In CSS pixels; on a narrower screen it scrolls in its box.
        half: Beside something else, where there is room.
    """

    caption: str
    svg: str
    narrowest: int = 310
    half: bool = True
    kind: str = "chart"


@dataclass(frozen=True)
class Tabular:
    """A table with a caption. `folded`: shown when asked for. `half`: beside something else."""

    caption: str
    table: Table
    folded: bool = False
    half: bool = False
    kind: str = "table"


@dataclass(frozen=True)
class Gallery:
    """A table of pictures: a heading per column, as many pictures per row."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Picture]]
    half: bool = False
    kind: str = "gallery"


@dataclass(frozen=True)
class Card:
    """Some pictures, each over its label, with a title and lines about them."""

    title: str
    pictures: Sequence[tuple[str, Picture]]
    lines: Sequence[str]


@dataclass(frozen=True)
class Cards:
    """Cards under one heading."""

    heading: str
    caption: str
    cards: Sequence[Card]
    kind: str = "cards"


@dataclass(frozen=True)
class Section:
    """What one stage made, in the words of the reader.

    Attributes:
        stage: Its name.
        heading: What the part is about.
        text: One or two sentences on what the reader sees.
        blocks: Pictures, charts and tables, in order.
        figures: All of the stage's metrics, as rows of name and text.
    """

    stage: str
    heading: str
    text: str
    blocks: Sequence[Sheet | Chart | Tabular | Gallery | Cards]
    figures: Sequence[tuple[str, str]]

    @property
    def command(self) -> str:
        """The command that makes the section's files again, if anything changed."""
        return f"nfe run --until {self.stage}"


def render_page(title: str, headlines: Sequence[Headline], sections: Sequence[Section]) -> str:
    """Return the page as HTML text; it refers to nothing outside itself."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(title=title, headlines=headlines, sections=sections)
