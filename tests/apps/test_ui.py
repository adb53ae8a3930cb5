"""The page in a real browser, served by the real command. One server, one browser for all."""

import io
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from apps.options import DEFAULT_MODEL
from nfe.bundle import read_description
from nfe.files import sha256_file
from nfe.provenance import read_provenance
from nfe.shown import shown_labels
from nfe.tagging.tagger import Tagger

from .conftest import Nfe

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
MISSING = [name for name in ("gradio", "playwright") if find_spec(name) is None]
MISSING += [] if CHROMIUM else ["a Chromium in PATH"]
needs_browser = pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}")

RNG = np.random.default_rng(5)
FACE = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
SCENE = RNG.integers(150, 256, (40, 50, 3), dtype=np.uint8)  # the detector sees a face in it
DARK = np.zeros((40, 50, 3), dtype=np.uint8)  # and none in this
TABS = ("Edit", "Faces", "Mix", "Walk", "Batch", "Model")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name, pixels in (("face", FACE), ("scene", SCENE), ("dark", DARK)):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    (folder / "text.png").write_text("no picture")
    (folder / "cut.png").write_bytes((folder / "scene.png").read_bytes()[:200])
    (folder / "empty.png").write_bytes(b"")
    (folder / "huge.png").write_bytes(png_header(12_000, 12_000))
    return folder


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is large and has next to no pixels."""
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(bytes(10)),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@contextmanager
def serve(model: Path, temporary: Path) -> Iterator[str]:
    """The command itself; at its end nothing of it is left in the folder for temporary files."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    command = [sys.executable, "-m", "apps.cli", "ui", "--no-open"]
    command += ["--model", str(model), "--port", str(port)]
    settings = {**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith(f"http://127.0.0.1:{port}/"), line
        yield line.split()[0]
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=40) == 0  # it finishes what it draws
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


@pytest.fixture(scope="module")
def address(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(bundle, tmp_path_factory.mktemp("temporary")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Every address that the browser asked for."""
    return []


@pytest.fixture(scope="module")
def page(browser: Any, address: str, asked: list[str]) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(40_000)
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto(address)
    page.get_by_role("tab", name="Edit").wait_for()
    yield page
    context.close()


def show(page: Any, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def close_picture(page: Any) -> None:
    show(page, "Edit")
    if page.locator("#another").is_enabled():
        page.locator("#another").click()
        page.locator("#another[disabled]").wait_for()


def open_picture(page: Any, path: Path) -> None:
    """Give the page a picture; whoever gives it the next one waits for `opened` before that."""
    close_picture(page)
    page.locator("#upload input[type=file]").set_input_files(path)


def opened(page: Any) -> None:
    """Wait until a picture is open: the last that changes is the button for another."""
    page.locator("#another:not([disabled])").wait_for()
    page.locator("#upload").wait_for(state="detached")


def choose(page: Any, field: str, value: str) -> None:
    page.locator(f"#{field} input").click()
    page.get_by_role("option", name=value, exact=True).click()
    page.get_by_role("option").first.wait_for(state="detached")  # the list fades out


def finished(page: Any, attribute: str) -> None:
    """Wait until the edit shows and the file to download is that of it."""
    page.locator("#note b").nth(0).wait_for()
    page.locator("#note").get_by_text(attribute).wait_for()
    page.locator("#download:not([disabled])").wait_for()


def downloaded(page: Any, button: str) -> bytes:
    with page.expect_download() as waiting:
        page.locator(button).click()
    return Path(waiting.value.path()).read_bytes()


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@needs_browser
def test_an_edit_on_the_page_is_that_of_the_command(
    page: Any, pictures: Path, bundle: Path, nfe: Nfe, tmp_path: Path
) -> None:
    open_picture(page, pictures / "scene.png")
    page.get_by_text("redrawn, error ").wait_for()
    assert page.locator("#faces figure").count() == 2
    before = page.locator("#stage img").last.get_attribute("src")
    choose(page, "edit-smile", "keep")
    choose(page, "edit-hair", "green")
    finished(page, "hair")
    assert page.locator("#strip figure").count() == 7
    assert page.locator("#stage img").last.get_attribute("src") != before
    edited = pixels_of(downloaded(page, "#download"))
    arguments = ("--model", bundle, "--set", "hair=green", "--keep", "smile")
    assert nfe("edit", pictures / "scene.png", "--out", tmp_path, *arguments).exit_code == 0
    expected = np.asarray(Image.open(tmp_path / "scene.png"))
    assert np.abs(edited.astype(int) - expected).max() <= 1
    assert (edited != SCENE).any()


@needs_browser
def test_the_judge_sees_the_colour_that_was_asked_for(
    browser: Any, nfe: Nfe, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    faces = tmp_path / "faces"
    assert nfe("sample", faces, "--seeds", "0", "--truncation", "0.7").exit_code == 0
    (face,) = faces.glob("0*.png")
    with serve(DEFAULT_MODEL, tmp_path_factory.mktemp("temporary")) as address:
        context = browser.new_context()
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(address)
        open_picture(page, face)
        page.get_by_text("redrawn, error ").wait_for()
        choose(page, "edit-hair_color", "pink")
        finished(page, "hair")
        edited = pixels_of(downloaded(page, "#download"))
        context.close()
    judge = Tagger.load(DEFAULT_MODEL / "judge")
    pixels = np.stack([pixels_of(face.read_bytes()), edited])
    seen = shown_labels(pixels, judge, read_description(DEFAULT_MODEL)["attribute_tags"])
    before, after = seen["hair_color"].names()
    assert before != "pink"
    assert after == "pink"


@needs_browser
def test_a_result_carries_its_settings(page: Any, pictures: Path, tmp_path: Path) -> None:
    open_picture(page, pictures / "face.png")
    page.get_by_text("redrawn, error ").wait_for()
    choose(page, "edit-hair", "red")
    choose(page, "edit-smile", "no")
    finished(page, "smile")
    result = tmp_path / "result.png"
    result.write_bytes(downloaded(page, "#download"))
    provenance = read_provenance(result)
    assert provenance is not None
    assert provenance.changes == {"hair": "red", "smile": "no"}
    assert provenance.input_sha256 == sha256_file(pictures / "face.png")
    choose(page, "edit-hair", "keep")
    choose(page, "edit-smile", "free")
    page.locator("#note b").first.wait_for(state="detached")
    page.get_by_text("More", exact=True).click()
    with page.expect_file_chooser() as chooser:
        page.locator("#settings").click()
    chooser.value.set_files(result)
    page.get_by_text("Now seen: hair").wait_for()
    assert page.locator("#edit-hair input").input_value() == "red"
    assert page.locator("#edit-smile input").input_value() == "no"


@needs_browser
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "text.png must be a readable picture, got: something else"),
        ("cut", "cut.png must be a readable picture, got: "),
        ("empty", "empty.png must be a readable picture, got: "),
        ("huge", "huge.png must have at most 16000000 pixels, got 12000 x 12000"),
        ("dark", "dark.png must show a face, none was found"),
    ],
)
def test_a_bad_picture_is_told_and_the_next_one_works(
    page: Any, pictures: Path, name: str, message: str
) -> None:
    open_picture(page, pictures / f"{name}.png")
    page.get_by_test_id("toast-body").filter(has_text=message).wait_for()
    assert "Traceback" not in page.locator("body").inner_text()
    open_picture(page, pictures / "face.png")
    opened(page)
    assert page.locator("#faces figure").count() == 2


@needs_browser
def test_a_picture_opened_while_another_is_redrawn_stays(
    browser: Any, address: str, pictures: Path
) -> None:
    context = browser.new_context()
    context.set_default_timeout(40_000)
    page = context.new_page()
    page.goto(address)
    page.get_by_text("More", exact=True).click()
    steps = page.locator("#steps input[type=number]")
    for name, count in (("face", "1000"), ("scene", "1")):
        steps.fill(count)
        steps.press("Tab")
        open_picture(page, pictures / f"{name}.png")
        opened(page)
    shown = page.locator("#faces img").first.get_attribute("src")
    page.get_by_text("redrawn, error ").wait_for()
    assert page.locator("#faces img").first.get_attribute("src") == shown
    context.close()


@needs_browser
def test_a_seed_is_one_face(page: Any, bundle: Path, nfe: Nfe, tmp_path: Path) -> None:
    show(page, "Faces")
    faces = []
    for seed in (7, 8, 7):
        before = page.locator("#face img").get_attribute("src")
        page.locator("#face-seed input").fill(str(seed))
        page.locator(f'#face img:not([src="{before}"])').wait_for()
        faces.append(downloaded(page, "#face-download"))
    assert faces[0] == faces[2] != faces[1]
    nfe("sample", tmp_path, "--model", bundle, "--seeds", "7")
    assert (pixels_of(faces[0]) == np.asarray(Image.open(tmp_path / "0007.png"))).all()


@needs_browser
def test_a_batch_is_a_zip_of_results(page: Any, pictures: Path) -> None:
    show(page, "Batch")
    names = ("scene.png", "face.png", "text.png", "dark.png")
    page.locator("#batch-files input[type=file]").set_input_files([pictures / n for n in names])
    page.locator("#batch-files tr.file").nth(3).wait_for()
    choose(page, "batch-hair", "blue")
    page.locator("#batch-start").click()
    page.locator("#batch-zip:not([disabled])").wait_for()
    told = page.locator("#batch-table").inner_text()
    assert "2 edited, 1 failed, 1 no face" in told
    with zipfile.ZipFile(io.BytesIO(downloaded(page, "#batch-zip"))) as archive:
        results = {"scene.png", "face.png", "dark.png", "edit.jsonl"}
        assert set(archive.namelist()) == results
        assert (pixels_of(archive.read("scene.png")) != SCENE).any()
        assert b"/" not in archive.read("edit.jsonl")


@needs_browser
def test_a_face_is_mixed_walked_to_and_handed_over(page: Any) -> None:
    show(page, "Mix")
    page.locator("#mixture img").wait_for()
    show(page, "Walk")
    page.locator("#start-walk").click()
    page.locator("#walk img").wait_for()
    show(page, "Faces")
    page.locator("#edit-face").click()
    page.get_by_text("error 0.000").wait_for()
    assert page.locator("#stage").is_visible()


@needs_browser
def test_nobody_sees_the_picture_of_another(page: Any, browser: Any, address: str) -> None:
    assert page.locator("#stage").is_visible()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    other = context.new_page()
    other.goto(address)
    other.locator("#upload").wait_for()
    assert not other.locator("#stage img").count()
    context.close()


@needs_browser
def test_a_phone_scrolls_in_one_direction(browser: Any, address: str, pictures: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    phone = context.new_page()
    phone.goto(address)
    phone.get_by_role("tab", name="Edit").wait_for()
    open_picture(phone, pictures / "scene.png")
    phone.locator("#faces figure").first.wait_for()
    for tab in TABS:
        show(phone, tab)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, tab
    context.close()


@needs_browser
def test_nothing_leaves_the_machine(page: Any, asked: list[str], address: str) -> None:
    for tab in TABS:
        show(page, tab)
    web = [urlsplit(url) for url in asked if not url.startswith(("data:", "blob:"))]
    assert {part.hostname for part in web} == {"127.0.0.1"}
    policy = page.request.get(address).headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy


@pytest.mark.skipif(find_spec("gradio") is None, reason="needs gradio")
def test_a_busy_port_is_named(nfe: Nfe, bundle: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        result = nfe("ui", "--model", bundle, "--port", port, "--no-open")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: --port must be free on 127.0.0.1, got {port}")
    assert result.stderr.count("\n") == 1


def test_without_gradio_the_extra_is_named(
    nfe: Nfe, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    started = time.monotonic()
    result = nfe("ui", "--model", bundle, "--no-open")
    assert result.exit_code == 2
    assert "pip install 'neural-face-editor[ui]'" in result.stderr
    assert time.monotonic() - started < 5


def test_a_missing_model_is_named(nfe: Nfe) -> None:
    result = nfe("ui", "--model", "nowhere")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: --model must be a model folder, got nowhere")
