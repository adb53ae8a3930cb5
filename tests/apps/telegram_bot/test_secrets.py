"""The token comes from a private place and goes nowhere else."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from apps.telegram_bot.secrets import hide, log_without, read_token
from nfe.errors import ParamsError

TOKEN = "123456:a-Secret_of_35_characters-0123456789"
SECRET = TOKEN.partition(":")[2]


def private_file(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


def test_a_private_file_or_else_the_environment_which_then_lacks_it(tmp_path: Path) -> None:
    environment = {"NFE_BOT_TOKEN": f" {TOKEN}\n", "HOME": "/"}
    assert read_token(None, environment) == TOKEN
    assert environment == {"HOME": "/"}
    environment["NFE_BOT_TOKEN"] = "1:another-Secret_of_35_characters"
    assert read_token(private_file(tmp_path / "token", f"{TOKEN}\n"), environment) == TOKEN
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = private_file(tmp_path / "token", TOKEN, mode)
    with pytest.raises(ParamsError, match=f"by you alone, got .* {mode:o}; chmod 600") as caught:
        read_token(path, {})
    assert SECRET not in str(caught.value)


def test_no_token_or_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="NFE_BOT_TOKEN must hold the bot's token, got none"):
        read_token(None, {})
    with pytest.raises(ParamsError, match=r"--token-file .* must hold the bot's token, got none"):
        read_token(private_file(tmp_path / "empty", "\n"), {})
    with pytest.raises(ParamsError, match="--token-file must be a readable file"):
        read_token(tmp_path / "missing", {})


@pytest.mark.parametrize("given", [f"bot{TOKEN}", SECRET, f"{TOKEN} {TOKEN}", f"{TOKEN}/x", "1:a"])
def test_something_else_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(ParamsError, match="digits:letters, got something else") as caught:
        read_token(None, {"NFE_BOT_TOKEN": given})
    assert SECRET not in str(caught.value)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged, at every level, cleaned; the loggers are put back afterwards."""
    root, chatty = logging.getLogger(), [logging.getLogger(n) for n in ("httpx", "httpcore")]
    before = root.handlers[:], root.level, [logger.level for logger in chatty]
    stream = io.StringIO()
    log_without(TOKEN, stream, logging.DEBUG)
    yield stream
    root.handlers[:], level, levels = before
    root.setLevel(level)
    for logger, level in zip(chatty, levels, strict=True):
        logger.setLevel(level)


def test_no_logger_writes_the_token(logged: io.StringIO) -> None:
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    answer = httpx.MockTransport(lambda _: httpx.Response(200))
    with httpx.Client(transport=answer) as client:
        client.get(f"http://127.0.0.1/bot{TOKEN}/getMe")
    try:
        raise ValueError(f"http://127.0.0.1/file/bot{TOKEN}/a.png")
    except ValueError:
        logging.getLogger("telegram.ext").exception("failed for %s", TOKEN)
    logging.getLogger("other").warning("half of it: %s", SECRET)
    text = logged.getvalue()
    assert "HTTP Request: GET http://127.0.0.1/bot<token>/getMe" in text
    assert "ValueError: http://127.0.0.1/file/bot<token>/a.png" in text
    assert "half of it: <token>" in text
    assert SECRET not in text


def test_requests_are_not_logged_at_the_level_of_the_command(logged: io.StringIO) -> None:
    log_without(TOKEN, logged, logging.INFO)
    logging.getLogger("httpx").info("a request")
    logging.getLogger("apps").info("an answer")
    assert "a request" not in logged.getvalue()
    assert "an answer" in logged.getvalue()


def test_a_text_is_cleaned() -> None:
    assert hide(f"The token `{TOKEN}` was rejected", TOKEN) == "The token `<token>` was rejected"
