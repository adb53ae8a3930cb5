"""The command `nfe ui`: the page to edit pictures on, served to this machine alone."""

import os
import signal
import socket
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from apps.exits import errors_to_exit_codes
from apps.options import DEFAULT_MODEL, DEFAULT_TRUNCATION, Model, check_model, check_range
from nfe.errors import ParamsError

__all__ = ["ui"]

DEFAULT_PORT = 7860
LOCAL = "127.0.0.1"
MAX_BYTES = 64 * 2**20


def ui(
    model: Model = DEFAULT_MODEL,
    port: Annotated[int, typer.Option(help="Where to listen.")] = DEFAULT_PORT,
    host: Annotated[
        str, typer.Option(help="Whom to listen to: 127.0.0.1 is this machine, 0.0.0.0 all.")
    ] = LOCAL,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Show the page in the browser.")
    ] = True,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Largest width times height of a picture.")
    ] = 16_000_000,
) -> None:
    """Edit pictures on a page in the browser: `nfe ui --model data/bundle/model`.

    Nothing leaves this machine. Pictures are kept in a private folder and deleted at the end.
    Ctrl-C ends it. Needs the extra [ui].
    """
    with errors_to_exit_codes():
        check_model(model)
        check_range(port, 1, 65535, "--port")
        if find_spec("gradio") is None:
            raise ParamsError(
                "gradio must be installed for `nfe ui`, it is not; "
                "pip install 'neural-face-editor[ui]'"
            )
        _check_free(host, port)
        with tempfile.TemporaryDirectory(prefix="nfe-ui-") as folder:
            _keep_private(Path(folder))
            _serve(model, host, port, open_, max_pixels)


def _check_free(host: str, port: int) -> None:
    """Refuse a port that another program has, or an address that is not of this machine."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise ParamsError(
                f"--port must be free on {host}, got {port}: {error.strerror or error}; "
                f"choose another, such as --port {port + 1 if port < 65535 else DEFAULT_PORT}"
            ) from None


def _keep_private(folder: Path) -> None:
    """Tell libraries, before they are imported, where files go and that they report to nobody."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"  # gradio asks itself whether it runs


def _serve(model: Path, host: str, port: int, open_browser: bool, max_pixels: int) -> None:
    from apps.page.parts import Page
    from apps.page.serving import serving
    from nfe.bundle import load_bundle
    from tasks.stage import has_bf16, pick_device

    device = pick_device()
    bundle = load_bundle(model, device, has_bf16(device))
    page = Page(model, bundle, max_pixels, MAX_BYTES, DEFAULT_TRUNCATION)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serving(page, host, port, open_browser) as address:
        typer.echo(f"{address} (Ctrl-C ends it)")
        sys.stdout.flush()
        ended.wait()
