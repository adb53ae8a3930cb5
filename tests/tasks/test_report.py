"""The report is one file that holds every picture and figure, in a browser too."""

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks import report
from tasks.report_sections import INPUTS, SECTIONS

from .report_project import make_report_project

CHROMIUM = shutil.which("chromium")
FOUND = """
() => [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
  const under = e => { for (; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$|transparent/.test(colour)) return colour; } return 'rgb(255, 255, 255)' };
  const style = getComputedStyle(e);
  return {what: e.tagName + ' ' + e.textContent.trim().slice(0, 30), back: under(e),
          ink: e instanceof SVGElement ? style.fill : style.color};
})
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a project that holds nothing but what the report declares."""
    root = tmp_path_factory.mktemp("report")
    make_report_project(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        report.run(report.Params(title="Faces <&> figures"))
        path = root / "data/report/report.html"
        first = path.read_bytes()
        report.run(report.Params(title="Faces <&> figures"))
        assert path.read_bytes() == first, "the same inputs must give the same page"
    return path


def test_the_page_holds_everything_and_asks_for_nothing(page: Path) -> None:
    text = page.read_text()
    assert "Faces &lt;&amp;&gt; figures" in text
    sheets = [name for files in INPUTS.values() for name in files if name.endswith(".png")]
    assert text.count('alt="Contact sheet') == len(sheets)
    urls = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(url.startswith(("data:", "#")) for url in urls)
    for stage in SECTIONS:
        assert f"<code>nfe run --until {stage}</code>" in text or stage == "bundle"
    for figure in ("0.0123", "12,345", "12.3", "98", "0.6"):
        assert figure in text


def test_best_and_worst_edits_are_told_in_words(page: Path) -> None:
    text = page.read_text()
    best, worst = re.findall(r'<ul class="cards">(.*?)</ul>', text, re.DOTALL)
    assert best.count("<li>") == worst.count("<li>") == 10
    first_best, first_worst = (cards.partition("</li>")[0] for cards in (best, worst))
    assert "now, saw" in first_best
    assert "All other answers stayed, 1 of 1." in first_best
    assert "Hair color: the judge still sees red." in first_worst
    assert "Changed too, 1 of 1: smile no → yes &lt;&amp;&gt;." in first_worst


def test_edits_without_images_have_a_dash(page: Path) -> None:
    row = re.search(r'<th scope="row">smile: yes</th>(.*?)</tr>', page.read_text(), re.DOTALL)
    assert row is not None
    assert row[1].count("–") == 6


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, where there is one."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium in PATH, there is none")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra [dev]")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def opened(browser: Any, path: Path, width: int, scheme: str = "light") -> tuple[Any, list[str]]:
    """Return the page as it is seen, and what it asked for beside itself."""
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True
    )
    tab, asked, faults = context.new_page(), [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda said: faults.append(said.text))
    tab.goto(path.as_uri(), wait_until="load")
    assert faults == []
    own = [url for url in asked if url != path.as_uri() and not url.startswith("data:")]
    return tab, own


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen_asks_nobody_and_shows_every_picture(
    browser: Any, page: Path, width: int
) -> None:
    tab, asked = opened(browser, page, width)
    assert asked == []
    seen, there = tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert seen <= there == width
    outside = tab.evaluate(
        "[...document.querySelectorAll('section, h1, h2, p, figcaption, .scroll, .cards')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML)"
    )
    assert outside == []
    sizes = tab.evaluate(
        "Promise.all([...document.images].map(async i => (await i.decode(), i.naturalWidth)))"
    )
    assert len(sizes) > 60
    assert min(sizes) > 0
    scrolled = tab.evaluate(  # a wide sheet scrolls in its own box
        "() => { const box = document.querySelector('img[alt*=rows]').parentElement;"
        " box.scrollLeft = 50; return box.scrollLeft }"
    )
    assert (scrolled > 0) == (width == 390)
    tab.context.close()


def test_it_is_told_to_who_cannot_see_it(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page, 1280)
    levels = tab.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert tab.evaluate("[...document.images].every(i => i.alt.length > 3)")
    assert tab.evaluate("[...document.querySelectorAll('svg')].every(s => s.ariaLabel.length > 3)")
    links = tab.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert all(tab.query_selector(link) for link in links)
    assert len(links) > len(SECTIONS)
    tab.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(browser: Any, page: Path, scheme: str) -> None:
    tab, _ = opened(browser, page, 1280, scheme)
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    texts = tab.evaluate(FOUND)
    assert len(texts) > 100
    weak = {t["what"]: c for t in texts if (c := contrast(t["ink"], t["back"])) < 4.5}
    assert weak == {}
    dark = luminance(tab.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.1
    assert dark == (scheme == "dark")
    tab.context.close()


def contrast(one: str, other: str) -> float:
    """Contrast of two CSS colours, by WCAG 2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    levels = [int(level) / 255 for level in re.findall(r"\d+", colour)[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in levels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)
