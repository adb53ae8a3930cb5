"""The bot's life: begin, ask Telegram for messages, answer them, end."""

import asyncio
import contextlib
from collections.abc import Callable

from telegram import BotCommand, Update
from telegram.ext import Application, ApplicationBuilder

from apps.telegram_bot.handlers import COMMANDS, FaceBot

__all__ = ["build_application", "serve"]

AT_ONCE = 64  # updates; more than there are jobs, so that others are answered meanwhile
POLL_SECONDS = 30
HOUR = 3600.0


def build_application(token: str, base_url: str, face_bot: FaceBot) -> Application:
    """Connect the bot's answers with a Bot API server.

    Args:
        token: The bot's token.
        base_url: Of the server, without the token.
        face_bot: Who answers.
    """
    application = (
        ApplicationBuilder()
        .token(token)
        .base_url(f"{base_url}/bot")
        .base_file_url(f"{base_url}/file/bot")
        .concurrent_updates(AT_ONCE)
        .connect_timeout(10)
        .read_timeout(30)
        .media_write_timeout(60)
        .job_queue(None)
        .build()
    )
    face_bot.register(application)
    return application


async def serve(
    application: Application,
    face_bot: FaceBot,
    stop: asyncio.Event,
    on_start: Callable[[str], None],
) -> None:
    """Answer until `stop` is set.

    Args:
        application: What `build_application` made of `face_bot`.
        face_bot: Who answers.
        stop: Set it to end; the work at hand is then given up and its user told.
        on_start: Called with the bot's name once it answers.

    Raises:
        TelegramError: If the server cannot be reached, or rejects the token.
    """
    async with application:
        commands = [BotCommand(name, text) for name, text in COMMANDS.items()]
        await application.bot.set_my_commands(commands)
        assert application.updater is not None
        await application.updater.start_polling(
            timeout=POLL_SECONDS, allowed_updates=[Update.MESSAGE, Update.CALLBACK_QUERY]
        )
        await application.start()
        on_start(application.bot.username)
        while not stop.is_set():
            face_bot.sweep()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), HOUR)
        face_bot.end()
        await application.updater.stop()
        await application.stop()
