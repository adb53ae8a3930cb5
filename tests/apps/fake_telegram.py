"""A Bot API server on this machine: hands out what people write, records what the bot answers."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

TOKEN = "4711:fake-Secret_of_35_characters-012345"
PATIENCE = 90.0  # seconds that a test waits for an answer
ME = {"id": 4711, "is_bot": True, "first_name": "NFE", "username": "nfe_test_bot"}


class FailedError(Exception):
    """A method ends with an error, as Telegram's do."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Call:
    """A method that the bot called, with its parameters and files."""

    method: str
    parameters: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    result: Any = True

    @property
    def text(self) -> str:
        return self.parameters.get("text") or self.parameters.get("caption") or ""

    @property
    def photo(self) -> bytes:
        (photo,) = self.files.values()
        return photo

    @property
    def buttons(self) -> dict[str, str]:
        """Text of a button -> its data."""
        markup = json.loads(self.parameters.get("reply_markup", '{"inline_keyboard": []}'))
        return {b["text"]: b["callback_data"] for row in markup["inline_keyboard"] for b in row}


class FakeTelegram:
    """What happens on Telegram's side. `failing` names methods that end with an error 500."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[Call] = []
        self.downloads: list[str] = []
        self.failing: set[str] = set()
        self.failures = 0
        self.stored: dict[str, tuple[bytes, int | None]] = {}
        self.changed = threading.Condition()
        self._updates: list[dict[str, Any]] = []
        self._shown: dict[int, str] = {}
        self._queries: set[str] = set()
        self._count = 0

    def push(self, kind: str, content: dict[str, Any]) -> None:
        """Let the bot receive an update."""
        with self.changed:
            self._updates.append({"update_id": self.number(), kind: content})
            self.changed.notify_all()

    def wait_for_failures(self, count: int) -> None:
        """Wait until so many calls failed."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.failures >= count, PATIENCE)

    def number(self) -> int:
        with self.changed:
            self._count += 1
            return self._count

    def ask(self, name: str) -> str:
        """Note a callback query; it can be answered once."""
        self._queries.add(name)
        return name

    def handle(self, call: Call) -> Any:
        """Do what a method does and return its result."""
        if call.method in self.failing:
            with self.changed:
                self.failures += 1
                self.changed.notify_all()
            raise FailedError(500, "Internal Server Error")
        handlers = {
            "getMe": lambda _: ME,
            "getUpdates": self._get_updates,
            "getFile": self._get_file,
            "sendMessage": self._send,
            "sendPhoto": self._send,
            "editMessageText": self._edit,
            "answerCallbackQuery": self._answer,
        }
        known = {"deleteWebhook", "setMyCommands", "sendChatAction"}
        if call.method not in handlers and call.method not in known:
            raise FailedError(404, "Not Found")
        call.result = handlers.get(call.method, lambda _: True)(call.parameters)
        if call.method not in ("getMe", "getUpdates"):
            with self.changed:
                self.calls.append(call)
                self.changed.notify_all()
        return call.result

    def _get_updates(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        offset, until = int(parameters.get("offset", 0)), time.monotonic()
        until += float(parameters.get("timeout", 0))
        with self.changed:
            while True:  # what comes before the offset is confirmed, and gone
                self._updates = [u for u in self._updates if u["update_id"] >= offset]
                left = until - time.monotonic()
                if self._updates or left <= 0:
                    return self._updates
                self.changed.wait(min(left, 1.0))

    def _get_file(self, parameters: dict[str, Any]) -> dict[str, Any]:
        name = parameters["file_id"]
        size = self.stored[name][1]
        about = {"file_id": name, "file_unique_id": name, "file_path": f"documents/{name}"}
        return about if size is None else {**about, "file_size": size}

    def _send(self, parameters: dict[str, Any]) -> dict[str, Any]:
        number = self.number()
        self._shown[number] = self._look(parameters)
        user = int(parameters["chat_id"])
        return message(user, number, text=parameters.get("text", "photo"))

    def _edit(self, parameters: dict[str, Any]) -> dict[str, Any]:
        number = int(parameters["message_id"])
        if self._shown[number] == self._look(parameters):
            raise FailedError(400, "Bad Request: message is not modified")
        self._shown[number] = self._look(parameters)
        return message(int(parameters["chat_id"]), number, text=parameters["text"])

    def _answer(self, parameters: dict[str, Any]) -> bool:
        if parameters["callback_query_id"] not in self._queries:
            raise FailedError(400, "Bad Request: query is too old")
        self._queries.remove(parameters["callback_query_id"])
        return True

    @staticmethod
    def _look(parameters: dict[str, Any]) -> str:
        return f"{parameters.get('text')} {parameters.get('reply_markup')}"


def message(user: int, number: int, **content: Any) -> dict[str, Any]:
    chat = {"id": user, "type": "private", "first_name": "A"}
    return {"message_id": number, "date": 1_700_000_000, "chat": chat, **content}


class Person:
    """Somebody who writes to the bot and reads what it answers."""

    def __init__(self, telegram: FakeTelegram, user_id: int) -> None:
        self.telegram = telegram
        self.user_id = user_id
        self.user = {"id": user_id, "is_bot": False, "first_name": "A"}
        self._read = 0

    def writes(self, text: str, **content: Any) -> None:
        """Write to the bot, without waiting for an answer."""
        given = {"from": self.user, "text": text, **content}
        if text.startswith("/"):
            given["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text)}]
        self.telegram.push("message", message(self.user_id, self.telegram.number()) | given)

    def says(self, text: str) -> Call:
        """Write to the bot and return its next message."""
        self.writes(text)
        return self.gets()

    def sends(self, data: bytes, as_photo: bool = False, size: int | None = None) -> Call:
        """Send a file and return the bot's next message."""
        self.posts(data, as_photo, size)
        return self.gets()

    def posts(self, data: bytes, as_photo: bool = False, size: int | None = None) -> None:
        """Send a file, which claims to have `size` bytes, without waiting for an answer."""
        telegram = self.telegram
        name = f"file{telegram.number()}"
        size = len(data) if size is None else size
        telegram.stored[name] = data, size
        file = {"file_id": name, "file_unique_id": name, "file_size": size}
        content: dict[str, Any] = {"document": {**file, "file_name": "../../a b.png"}}
        if as_photo:
            telegram.stored["small"] = b"a thumbnail", 11
            small = {"file_id": "small", "file_unique_id": "small", "width": 9, "height": 9}
            content = {"photo": [small, {**file, "width": 90, "height": 90}]}
        telegram.push(
            "message", message(self.user_id, telegram.number(), **{"from": self.user}, **content)
        )

    def presses(self, shown: Call, text: str, *wanted: str) -> Call:
        """Press a button, ticked or not; return the next call of one of the methods `wanted`."""
        buttons = {name.removeprefix("✓ "): data for name, data in shown.buttons.items()}
        return self.presses_data(shown, buttons[text], *wanted)

    def presses_data(self, shown: Call, data: str, *wanted: str) -> Call:
        query = {
            "id": self.telegram.ask(f"query{self.telegram.number()}"),
            "from": self.user,
            "chat_instance": "1",
            "data": data,
            "message": shown.result,
        }
        self.telegram.push("callback_query", query)
        return self.gets(*wanted or ("editMessageText",))

    def gets(self, *methods: str) -> Call:
        """Return the next call of these methods that this person notices."""
        methods = methods or ("sendMessage", "sendPhoto")
        until = time.monotonic() + PATIENCE
        with self.telegram.changed:
            while time.monotonic() < until:
                calls = self.telegram.calls
                for index in range(self._read, len(calls)):
                    call = calls[index]
                    mine = call.parameters.get("chat_id") in (None, str(self.user_id))
                    if mine and call.method in methods:
                        self._read = index + 1
                        return call
                self.telegram.changed.wait(0.5)
        raise AssertionError(f"no answer to {self.user_id}; calls: {self.telegram.calls[-5:]}")


@contextmanager
def fake_telegram() -> Iterator[FakeTelegram]:
    """Run the server for a while."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = re.fullmatch(r"/bot([^/]+)/(\w+)", unquote(self.path))
            try:
                if not found or found[1] != TOKEN:
                    raise FailedError(401, "Unauthorized")
                call = Call(found[2], *read_form(body, self.headers.get("Content-Type", "")))
                code, answer = 200, {"ok": True, "result": telegram.handle(call)}
            except FailedError as error:
                code = error.code
                answer = {"ok": False, "error_code": code, "description": str(error)}
            self.answer(code, json.dumps(answer).encode())

        def do_GET(self) -> None:
            name = unquote(self.path).removeprefix(f"/file/bot{TOKEN}/documents/")
            telegram.downloads.append(name)
            known = name in telegram.stored
            self.answer(200 if known else 404, telegram.stored[name][0] if known else b"{}")

        def answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:  # a poll that the bot gave up
            pass

    server = Server(("127.0.0.1", 0), Handler)
    telegram = FakeTelegram(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield telegram
    finally:
        server.shutdown()
        server.server_close()


def read_form(body: bytes, kind: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the fields and the files of a request."""
    if not kind.startswith("multipart/"):
        return dict(parse_qsl(body.decode())), {}
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    fields: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        if part.get_filename():
            files[name] = content
        else:
            fields[name] = content.decode()
    return fields, files
