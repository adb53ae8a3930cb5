"""Pictures of pages for these docs, by Chromium: `python docs/screenshots.py PAGE OUT [options]`.

PAGE is a URL or an HTML file, OUT a .webp or .png file. docs/running.md holds the commands.
"""

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

QUALITY = 70
PATIENCE = 180_000  # milliseconds


def main() -> None:
    """Open the page at a width, scroll to a part of it, and keep what is seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page")
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--to", help="CSS selector of what to scroll to")
    parser.add_argument("--click", action="append", default=[], help="text to click on, in order")
    parser.add_argument("--shows", help="text to wait for")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--full", action="store_true", help="the whole page")
    given = parser.parse_args()
    url = given.page if "://" in given.page else Path(given.page).resolve().as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(
            viewport={"width": given.width, "height": given.height},
            color_scheme="dark" if given.dark else "light",
        )
        page.set_default_timeout(PATIENCE)
        page.goto(url, wait_until="load")
        for text in given.click:
            page.get_by_text(text, exact=True).first.click()
        if given.shows:
            page.get_by_text(given.shows).first.wait_for()
        page.wait_for_timeout(1500)  # for what moves to come to rest
        if given.to:
            page.locator(given.to).first.evaluate("e => e.scrollIntoView({behavior: 'instant'})")
        shot = page.screenshot(full_page=given.full)
        browser.close()
    Image.open(io.BytesIO(shot)).convert("RGB").save(given.out, quality=QUALITY)
    print(f"{given.out}: {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
