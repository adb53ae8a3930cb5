"""The whole page, and the server of it: local, bounded, private."""

import threading
import time
import webbrowser
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from apps.page.batch_tab import build_batch_tab
from apps.page.edit_tab import build_edit_tab
from apps.page.face_tab import build_face_tab
from apps.page.look import CSS, make_theme
from apps.page.mix_tab import build_mix_tab
from apps.page.model_tab import build_model_tab
from apps.page.parts import QUIET, Page
from apps.page.walk_tab import build_walk_tab

__all__ = ["build_page", "serving"]

TITLE = "Neural Face Editor"
MAX_WAITING = 16  # requests in the queue
MAX_SESSIONS = 32  # whose pictures are kept in memory
CACHE_SECONDS = 3600  # files older than this go
MAX_WAIT = 30.0  # seconds for what is at work when the server ends
# The browser itself refuses to ask any other machine for anything.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)


def build_page(page: Page) -> gr.Blocks:
    """Lay all tabs out."""
    with gr.Blocks(
        title=TITLE,
        analytics_enabled=False,
        delete_cache=(CACHE_SECONDS // 6, CACHE_SECONDS),
    ) as blocks:
        gr.HTML(f"<h1>{TITLE}</h1>", elem_id="title")
        with gr.Tabs() as tabs:
            with gr.Tab("Edit", id="edit"):
                edit = build_edit_tab(page)
            with gr.Tab("Faces", id="faces"):
                face = build_face_tab(page, tabs, edit, "edit")
            with gr.Tab("Mix", id="mix"):
                mixture = build_mix_tab(page)
            with gr.Tab("Walk", id="walk"):
                build_walk_tab(page)
            with gr.Tab("Batch", id="batch"):
                build_batch_tab(page)
            with gr.Tab("Model", id="model"):
                build_model_tab(page)
        for draw in (face, mixture):
            blocks.load(*draw, **QUIET)
    return blocks


@contextmanager
def serving(page: Page, host: str, port: int, open_browser: bool) -> Iterator[str]:
    """Serve the page while the context lasts.

    Args:
        page: The model and its limits.
        host, port: Where to listen; the port must be free.
        open_browser: Show the page in the default browser.

    Yields:
        The address.
    """
    blocks = build_page(page).queue(max_size=MAX_WAITING, default_concurrency_limit=1)
    others = {*threading.enumerate()}
    try:
        _, address, _ = blocks.launch(
            server_name=host,
            server_port=port,
            share=False,
            inbrowser=False,
            prevent_thread_lock=True,
            quiet=True,
            show_error=True,
            max_file_size=page.max_bytes,
            state_session_capacity=MAX_SESSIONS,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            theme=make_theme(),
            css=CSS,
            app_kwargs={"middleware": [Middleware(PrivateHeaders)]},
        )
        if open_browser:
            webbrowser.open(address)
        yield address
    finally:
        blocks.close(verbose=False)
        _wait_for({*threading.enumerate()} - others)


def _wait_for(threads: Iterable[threading.Thread]) -> None:
    """Let threads end that still draw, and write, for a page that nobody sees any more."""
    latest = time.monotonic() + MAX_WAIT
    for thread in threads:
        thread.join(max(0.0, latest - time.monotonic()))


class PrivateHeaders:
    """Adds `POLICY` to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one request."""

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)
