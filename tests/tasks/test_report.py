"""The report is one file that holds every picture and figure, and refuses what is missing."""

from pathlib import Path

import numpy as np
import pytest

from nfe.files import write_bytes, write_json, write_text
from nfe.images import encode_png
from tasks import report


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder in which every stage left tiny outputs."""
    picture = encode_png(np.zeros((4, 9, 3), dtype=np.uint8))
    for section in report.SECTIONS:
        folder = tmp_path / "data" / section.stage
        write_json(folder / "metrics.json", {"accuracy": 0.98765, "by": {"hair_color": 12345}})
        for name, _ in section.pictures:
            write_bytes(folder / name, picture)
        columns = [name for names in section.curves for name in names]
        if columns:
            rows = [",".join(["kimg", *columns])]
            rows += [",".join([str(i), *["0.5"] * len(columns)]) for i in range(3)]
            write_text(folder / "curves.csv", "\n".join(rows) + "\n")
        if section.table:
            write_text(folder / section.table, "method,mse\nencoder,0.012345\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_holds_everything_and_asks_for_nothing(project: Path) -> None:
    report.run(report.Params(title="Faces <&> figures"))
    page = (project / "data/report/report.html").read_text()
    assert "Faces &lt;&amp;&gt; figures" in page
    pictures = sum(len(section.pictures) for section in report.SECTIONS)
    assert page.count('src="data:image/png;base64,') == pictures
    assert page.count("<svg") == sum(len(section.curves) for section in report.SECTIONS)
    assert "0.0123" in page
    assert "12,345" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_the_same_inputs_give_the_same_page(project: Path) -> None:
    pages = []
    for _ in range(2):
        report.run(report.Params(title="x"))
        pages.append((project / "data/report/report.html").read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (None, "none"),
        (1234567, "1,234,567"),
        (0.123456, "0.123"),
        (98765.4, "98,765"),
        ([1, 2], "1, 2"),
        ("cpu", "cpu"),
    ],
)
def test_figures_are_written_as_a_person_would(value: object, text: str) -> None:
    assert report.readable(value) == text


def test_nested_figures_become_rows() -> None:
    rows = report.flatten({"a_b": {"c": 1, "d": {"e": 0.5}}})
    assert rows == [("a_b: c", "1"), ("a_b: d: e", "0.5")]
