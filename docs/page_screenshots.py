"""Make the pictures of the page in docs/images: a drawn illustration, edited.

    python docs/page_screenshots.py --model data/bundle/model

Needs the extra [ui], playwright and a Chromium in PATH; reduces the colours to save space.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from nfe.drawing.scenes import draw_scene

HERE = Path(__file__).parent
PORT = 7877
SIZES = {"page-1280": (1280, 800, "light"), "page-390": (390, 844, "dark")}
SEED = 3
COLOURS = 256


def main() -> None:
    """Serve the page, take its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="data/bundle/model")
    parser.add_argument("--set", default="hair_color=blue", metavar="ATTRIBUTE=VALUE")
    parser.add_argument("--out", type=Path, default=HERE / "images")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "apps.cli", "ui", "--no-open", "--port", str(PORT)]
    command += ["--model", arguments.model]
    root = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=root) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0]
        try:
            _photograph(address, arguments.set, arguments.out)
        finally:
            server.terminate()


def _photograph(address: str, change: str, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        picture = Path(folder) / "drawing.png"
        Image.fromarray(_drawing()).save(picture)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (width, height, scheme) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            context.set_default_timeout(120_000)  # a machine may be busy
            page = context.new_page()
            page.goto(address)
            _edit(page, picture, change)
            _save(page.screenshot(full_page=True), out / f"{name}.png")
            context.close()
        browser.close()


def _edit(page: Any, picture: Path, change: str) -> None:
    attribute, value = change.split("=")
    page.locator("#upload input[type=file]").set_input_files(picture)
    page.get_by_text("redrawn, error ").wait_for()
    page.locator(f"#edit-{attribute} input").click()
    page.get_by_role("option", name=value, exact=True).click()
    page.locator("#strip figure").first.wait_for()
    page.locator("#download:not([disabled])").wait_for()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)  # until the last picture has faded in


def _drawing() -> np.ndarray:
    rng = np.random.default_rng(SEED)
    return draw_scene(rng, (170, 192), (96, 104), supersampling=4).pixels


def _save(data: bytes, path: Path) -> None:
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    small = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
