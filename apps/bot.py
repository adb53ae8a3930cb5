"""The command `nfe bot`: a Telegram bot that edits faces."""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.exits import errors_to_exit_codes, fail
from apps.options import DEFAULT_MODEL, Model, check_model
from nfe.errors import ParamsError

if TYPE_CHECKING:
    from apps.telegram_bot.handlers import FaceBot

__all__ = ["answer_until_signal", "bot"]

OFFICIAL_URL = "https://api.telegram.org"


def bot(
    model: Model = DEFAULT_MODEL,
    state: Annotated[
        Path, typer.Option(metavar="DIR", help="Private folder for what is kept of users.")
    ] = Path(".nfe/bot"),
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with the bot's token, readable by you alone; else NFE_BOT_TOKEN is read.",
        ),
    ] = None,
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="Bot API server, for one of your own.")
    ] = OFFICIAL_URL,
) -> None:
    """Answer on Telegram: `nfe bot --token-file token.txt`. Ctrl-C ends it.

    Users get new faces, or send pictures, and choose what changes and what stays. See docs/bot.md.
    """
    _check_extra()
    with errors_to_exit_codes():
        from apps.telegram_bot.secrets import read_token
        from apps.telegram_bot.storage import private_folder

        token = read_token(token_file, os.environ)
        if not base_url.startswith(("http://", "https://")):
            raise ParamsError(
                f"--base-url must begin with http:// or https://, got {base_url!r}; see --help"
            )
        check_model(model)
        face_bot = _make(model, private_folder(state))
    raise typer.Exit(answer_until_signal(token, base_url.rstrip("/"), face_bot))


def _check_extra() -> None:
    try:
        importlib.import_module("telegram.ext")
    except ImportError:
        fail(1, "nfe bot must have the extra [bot], it is missing; pip install -e '.[bot]'")


def _make(model: Path, folder: Path) -> "FaceBot":
    """Load the model, and what is kept of users."""
    from apps.telegram_bot.handlers import FaceBot
    from apps.telegram_bot.limits import LIMITS
    from apps.telegram_bot.storage import States
    from apps.telegram_bot.studio import Studio
    from nfe.bundle import load_bundle
    from tasks.stage import has_bf16, pick_device

    device = pick_device()
    studio = Studio(load_bundle(model, device, has_bf16(device)), LIMITS.picture_pixels)
    states = States(folder, studio.bundle.sha256, studio.shape)
    return FaceBot(studio, states, LIMITS)


def answer_until_signal(token: str, base_url: str, face_bot: "FaceBot") -> int:
    """Answer until a signal comes; return the exit code for it."""
    import asyncio
    import logging
    import signal
    import sys

    from telegram.error import InvalidToken, TelegramError

    from apps.telegram_bot.secrets import hide, log_without
    from apps.telegram_bot.serving import build_application, serve

    received: list[int] = []

    async def answer() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def end(number: int) -> None:
            received.append(number)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, number)
        application = build_application(token, base_url, face_bot)
        await serve(application, face_bot, stop, _say_start)

    log_without(token, sys.stderr, logging.WARNING)
    try:
        asyncio.run(answer())
    except InvalidToken:
        fail(1, f"the token must be one that {base_url} knows, it was rejected; get a new one")
    except TelegramError as error:
        reason = hide(str(error), token)
        fail(1, f"{base_url} must be reachable, got: {reason}; check the network or --base-url")
    return 128 + received[0]


def _say_start(name: str) -> None:
    typer.echo(f"@{name} answers; Ctrl-C ends it", err=True)
