"""The bot's token: where it comes from, and how it stays out of everything that is printed."""

import logging
import os
import re
import stat
from collections.abc import MutableMapping
from pathlib import Path
from typing import TextIO

from nfe.errors import ParamsError

__all__ = ["TOKEN_VARIABLE", "hide", "log_without", "read_token"]

TOKEN_VARIABLE = "NFE_BOT_TOKEN"
TOKEN_FORM = re.compile(r"[0-9]+:[A-Za-z0-9_-]{20,}")
MAX_FILE_BYTES = 4096
HIDDEN = "<token>"


def read_token(path: Path | None, environment: MutableMapping[str, str]) -> str:
    """Read the token from a private file, or else take it out of the environment.

    Args:
        path: The file, if one was named.
        environment: Where the variable is looked for, and removed from: child processes and
            reports of a crash then do not have it.

    Raises:
        ParamsError: If there is none, it has another form, or others may read the file. The
            message never holds what was read.
    """
    given = environment.pop(TOKEN_VARIABLE, "")
    if path is not None:
        token, source = _read_private(path).strip(), f"--token-file {path}"
    else:
        token, source = given.strip(), TOKEN_VARIABLE
    if not token:
        raise ParamsError(
            f"{source} must hold the bot's token, got none; @BotFather on Telegram gives one, "
            f"set {TOKEN_VARIABLE} or name a private file with --token-file"
        )
    if not TOKEN_FORM.fullmatch(token):
        raise ParamsError(
            f"{source} must hold a token, digits:letters, got something else; "
            "copy it from @BotFather once more"
        )
    return token


def hide(text: str, token: str) -> str:
    """Return a text without the token, or its secret half."""
    return text.replace(token, HIDDEN).replace(token.partition(":")[2], HIDDEN)


def log_without(token: str, stream: TextIO, level: int) -> None:
    """Let all loggers write to one stream, without the token; its own chatter only from warnings.

    Requests' addresses hold the token, and so do some errors' texts: every line is cleaned,
    tracebacks too.

    Args:
        token: What must not appear.
        stream: Where lines go, instead of where they went before.
        level: The least level that is written.
    """

    class Clean(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return hide(super().format(record), token)

    handler = logging.StreamHandler(stream)
    handler.setFormatter(Clean("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _read_private(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise ParamsError(
                    f"--token-file must be readable by you alone, got {path} with mode "
                    f"{stat.S_IMODE(mode):o}; chmod 600 {path}"
                )
            return file.read(MAX_FILE_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise ParamsError(
            f"--token-file must be a readable file, got {path}: {error.strerror or error}; "
            "name another"
        ) from error
