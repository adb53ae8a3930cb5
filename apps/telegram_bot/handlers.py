"""What the bot answers to commands, pictures, presses and anything else."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from telegram import (
    Bot,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    Update,
)
from telegram.constants import ChatAction, ChatType, MessageLimit
from telegram.error import BadRequest, Forbidden, NetworkError, TelegramError
from telegram.ext import (
    Application,
    CallbackContext,
    CallbackQueryHandler,
    CommandHandler,
    MessageHandler,
    filters,
)

from apps.telegram_bot.keyboard import (
    Button,
    Choices,
    View,
    keep_known,
    overview,
    press,
    spoken,
    take_rows,
    taken,
)
from apps.telegram_bot.limits import Forgotten, Jobs, Limits, Rates, Refused, Ticket
from apps.telegram_bot.storage import Damaged, States, UserState
from apps.telegram_bot.studio import NoFace, Strip, Studio
from nfe.errors import ParamsError, PictureError

__all__ = ["COMMANDS", "FaceBot"]

log = logging.getLogger(__name__)

Rows = tuple[tuple[Button, ...], ...]
Handler = Callable[["Chat", Update], Awaitable[None]]
Callback = Callable[[Update, CallbackContext], Coroutine[Any, Any, None]]

SHOWN_SECONDS = 4.5  # a little less than Telegram shows that there is work

COMMANDS = {
    "face": "new faces to choose from",
    "change": "say what to change, and see it",
    "help": "what I can do",
    "delete": "delete all that I keep of you",
}
START = (
    "Hello! I change anime faces.\n\n"
    "/face shows you new ones. Or send me a picture of a face.\n"
    "/change then asks what to change, and what to keep.\n"
    "/help says more."
)
NO_FACE_YET = "You have no face yet. /face shows you some, or send me a picture of one."
NO_FACE_FOUND = (
    "I find no face in this picture. I know anime faces, seen from the front; "
    "try one where the face is larger."
)
ELSE = "I understand pictures of faces and commands: /face, /change, /help, /delete."
TOO_OFTEN = "That is more than I can answer. Please wait a minute."
IMPOSSIBLE = "What is kept leaves no way to that change. Keep less, and press Go! again."
DELETED = "Deleted. I keep nothing of you now."
OLD_BUTTON = "This button is an old one. /change makes new ones."
OLD_STRIP = "That picture is an old one; I know the faces of the last one only."
TROUBLE = "Something went wrong on my side. Please try again."
PRIVATE = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE


@dataclass(frozen=True)
class Chat:
    """The private chat with one user."""

    bot: Bot
    user_id: int

    async def say(self, text: str, rows: Rows = ()) -> None:
        """Send words, with buttons below."""
        await self.bot.send_message(
            self.user_id, text[: MessageLimit.MAX_TEXT_LENGTH], reply_markup=_markup(rows)
        )

    async def show(self, strip: Strip, rows: Rows) -> None:
        """Send a strip, with buttons below."""
        await self.bot.send_photo(
            self.user_id,
            strip.png,
            caption=strip.caption[: MessageLimit.CAPTION_LENGTH],
            reply_markup=_markup(rows),
            filename="strip.png",
        )

    async def show_work(self) -> None:
        """Let the user see, until this is cancelled, that a picture is on its way."""
        while True:
            with contextlib.suppress(TelegramError):
                await self.bot.send_chat_action(self.user_id, ChatAction.UPLOAD_PHOTO)
            await asyncio.sleep(SHOWN_SECONDS)


class FaceBot:
    """Answers users, each from a state of their own.

    Args:
        studio: Does the work.
        states: Keeps what is known of users.
        limits: What is too much.
    """

    def __init__(self, studio: Studio, states: States, limits: Limits) -> None:
        self._studio = studio
        self._states = states
        self._limits = limits
        self._menu = studio.menu
        self._rates = Rates(limits.requests_per_minute)
        self._jobs = Jobs(limits.jobs)

    def end(self) -> None:
        """Give up the work at hand, and tell its users."""
        self._jobs.end()

    def sweep(self) -> None:
        """Remove what is kept of users who did not come back."""
        self._states.sweep(time.time(), self._limits.days_kept)

    def register(self, application: Application) -> None:
        """Answer what an application receives in private chats; elsewhere the bot is silent."""
        commands = {
            "start": self._start,
            "help": self._help,
            "face": self._draw,
            "change": self._change,
            "delete": self._delete,
        }
        for name, handle in commands.items():
            application.add_handler(CommandHandler(name, self._admit(handle), PRIVATE))
        pictures = PRIVATE & (filters.PHOTO | filters.Document.ALL)
        application.add_handler(MessageHandler(pictures, self._admit(self._picture)))
        others = PRIVATE & ~filters.StatusUpdate.ALL
        application.add_handler(MessageHandler(others, self._admit(self._else)))
        application.add_handler(CallbackQueryHandler(self._admit(self._press)))
        application.add_error_handler(_tell_trouble)

    def _admit(self, handle: Handler) -> Callback:
        """Let a handler see only users who do not ask too often, and tell them its refusals."""

        async def admitted(update: Update, context: CallbackContext) -> None:
            if update.effective_user is None or not _is_private(update):
                return
            chat = Chat(context.bot, update.effective_user.id)
            verdict = self._rates.admit(chat.user_id, time.monotonic())
            if verdict == "tell":
                await chat.say(TOO_OFTEN)
            if verdict != "yes":
                return
            with contextlib.suppress(Forgotten):
                try:
                    await handle(chat, update)
                except Refused as refusal:
                    await chat.say(str(refusal))

        return admitted

    async def _start(self, chat: Chat, update: Update) -> None:
        await chat.say(START)

    async def _help(self, chat: Chat, update: Update) -> None:
        commands = "\n".join(f"/{name} - {text}" for name, text in COMMANDS.items())
        attributes = "\n".join(
            f"• {spoken(name)}: {', '.join(map(spoken, values))}"
            for name, values in self._menu.items()
        )
        await chat.say(
            f"{commands}\n\nA picture of a face, as photo or as file: I find the face, and "
            f"/change works on it.\n\nWhat I can change:\n{attributes}\n\n"
            "I keep no pictures: only the codes of your last faces and what you chose, for "
            f"{self._limits.days_kept} days or until /delete."
        )

    async def _else(self, chat: Chat, update: Update) -> None:
        await chat.say(ELSE)

    async def _delete(self, chat: Chat, update: Update) -> None:
        self._jobs.forget(chat.user_id)
        self._states.delete(chat.user_id)
        await chat.say(DELETED)

    async def _draw(self, chat: Chat, update: Update) -> None:
        async with self._work(chat) as ticket:
            strip = await ticket.run(self._studio.draw_faces)
            rows = await self._keep(chat, strip)
        await chat.show(strip, rows)

    async def _picture(self, chat: Chat, update: Update) -> None:
        try:
            async with self._work(chat) as ticket:
                data = await self._download(chat.bot, update.message)
                strip = await ticket.run(self._studio.find_face, data)
                rows = await self._keep(chat, strip)
        except PictureError:
            await chat.say(self._say_usable())
        except NoFace:
            await chat.say(NO_FACE_FOUND)
        else:
            await chat.show(strip, rows)

    @contextlib.asynccontextmanager
    async def _work(self, chat: Chat) -> AsyncIterator[Ticket]:
        """Hold a place among the jobs, and show the user that there is work.

        Raises:
            Refused: If the user has one already, or all are taken.
        """
        with self._jobs.hold(chat.user_id) as ticket:
            shown = asyncio.create_task(chat.show_work())
            try:
                yield ticket
            finally:
                shown.cancel()

    async def _download(self, bot: Bot, message: Message | None) -> bytes:
        """Download a message's picture.

        Raises:
            PictureError: If it is too large; it is then not downloaded.
        """
        most = self._limits.picture_bytes
        sent = message and (message.document or message.photo)
        files = sent if isinstance(sent, tuple) else (sent,)
        fitting = [file for file in files if file and (file.file_size or 0) <= most]
        if fitting:
            file = await bot.get_file(fitting[-1].file_id)  # of a photo's sizes the largest is last
            data = await file.download_as_bytearray()
            if len(data) <= most:
                return bytes(data)
        raise PictureError(f"picture must have at most {most} bytes, it has more; make it smaller")

    async def _change(self, chat: Chat, update: Update) -> None:
        state = await self._load(chat)
        if state.face is None:
            await chat.say(NO_FACE_YET)
            return
        await _say_view(chat, overview(self._menu, state.choices))

    async def _press(self, chat: Chat, update: Update) -> None:
        query = update.callback_query
        assert query is not None
        data, state = query.data or "", await self._load(chat)
        chosen_face = taken(data)
        if state.face is None:
            await _answer(query, NO_FACE_YET)
        elif chosen_face is not None:
            await self._take(chat, query, state, *chosen_face)
        else:
            await self._press_keyboard(chat, query, state, data)

    async def _take(
        self, chat: Chat, query: CallbackQuery, state: UserState, strip: str, place: int
    ) -> None:
        if strip != state.strip or place >= len(state.codes):
            await _answer(query, OLD_STRIP)
            return
        self._states.save(chat.user_id, replace(state, place=place))
        await _answer(query, f"Face {place + 1} is yours now.")
        await _say_view(chat, overview(self._menu, state.choices))

    async def _press_keyboard(
        self, chat: Chat, query: CallbackQuery, state: UserState, data: str
    ) -> None:
        try:
            pressed = press(self._menu, state.choices, data)
        except ValueError:
            await _answer(query, OLD_BUTTON)
            return
        if pressed.choices != state.choices:
            self._states.save(chat.user_id, replace(state, choices=pressed.choices))
        await _answer(query, pressed.notice)
        if pressed.view is not None:
            await _redraw(query, pressed.view)
        if pressed.go and state.face is not None:
            await self._go(chat, state.face, state.choices)

    async def _go(self, chat: Chat, face: np.ndarray, choices: Choices) -> None:
        try:
            async with self._work(chat) as ticket:
                strip = await ticket.run(self._studio.edit, face, choices)
                rows = await self._keep(chat, strip)
        except ParamsError:
            await chat.say(IMPOSSIBLE)
        else:
            await chat.show(strip, rows)

    async def _load(self, chat: Chat) -> UserState:
        """Load the user's state; a damaged one is told and begun anew."""
        try:
            state = self._states.load(chat.user_id)
        except Damaged as told:
            self._states.delete(chat.user_id)
            await chat.say(str(told))
            return UserState()
        return replace(state, choices=keep_known(self._menu, state.choices))

    async def _keep(self, chat: Chat, strip: Strip) -> Rows:
        """Make a strip's faces the user's, the first one to go on with; return its buttons."""
        name, state = secrets.token_hex(4), await self._load(chat)
        self._states.save(chat.user_id, replace(state, strip=name, codes=strip.codes, place=0))
        count = len(strip.codes)
        return take_rows(name, count) if count > 1 else ()

    def _say_usable(self) -> str:
        limits = self._limits
        return (
            "I cannot use this file. Please send a picture (PNG, JPEG, WebP, AVIF, BMP, TIFF or "
            f"GIF) of at most {limits.picture_bytes / 1e6:g} MB and "
            f"{limits.picture_pixels / 1e6:g} megapixels."
        )


def _is_private(update: Update) -> bool:
    return update.effective_chat is not None and update.effective_chat.type == ChatType.PRIVATE


def _markup(rows: Rows) -> InlineKeyboardMarkup | None:
    buttons = [[InlineKeyboardButton(b.text, callback_data=b.data) for b in row] for row in rows]
    return InlineKeyboardMarkup(buttons) if buttons else None


async def _say_view(chat: Chat, view: View) -> None:
    await chat.say(view.text, view.rows)


async def _answer(query: CallbackQuery, text: str) -> None:
    with contextlib.suppress(BadRequest):  # too old to be answered
        await query.answer(text)


async def _redraw(query: CallbackQuery, view: View) -> None:
    if isinstance(query.message, Message):
        with contextlib.suppress(BadRequest):  # it shows that already, or is too old
            await query.edit_message_text(view.text, reply_markup=_markup(view.rows))


async def _tell_trouble(update: object, context: CallbackContext) -> None:
    """Write an error to the log and tell the user; a user who blocked the bot is no error."""
    error = context.error
    if isinstance(error, Forbidden):
        return
    if isinstance(error, NetworkError) and not isinstance(error, BadRequest):
        log.warning("Telegram could not be reached: %s", error)
    else:
        log.error("an update was not answered", exc_info=error)
    if isinstance(update, Update) and update.effective_user and _is_private(update):
        with contextlib.suppress(TelegramError):
            await Chat(context.bot, update.effective_user.id).say(TROUBLE)
