"""Whole dialogues: the real application against a Bot API server on this machine."""

import asyncio
import io
import logging
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from apps.bot import answer_until_signal
from apps.telegram_bot.handlers import FaceBot
from apps.telegram_bot.limits import LIMITS, Limits
from apps.telegram_bot.serving import build_application, serve
from apps.telegram_bot.storage import States, private_folder
from apps.telegram_bot.studio import SIDE, Studio
from nfe.boundaries import measure_distances
from nfe.bundle import load_bundle
from nfe.images import encode_png

from .conftest import Nfe
from .fake_telegram import PATIENCE, TOKEN, Call, FakeTelegram, Person, fake_telegram

SCENE = np.random.default_rng(0).integers(150, 256, (40, 50, 3), dtype=np.uint8)
FACE = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
DARK = np.zeros((40, 50, 3), dtype=np.uint8)
SECRET = TOKEN.partition(":")[2]

Start = Callable[..., "Running"]


class Running:
    """A bot at work in a thread of its own, and where it keeps things."""

    def __init__(self, telegram: FakeTelegram, folder: Path, states: States) -> None:
        self.telegram = telegram
        self.folder = folder
        self.states = states

    def person(self, user_id: int = 7) -> Person:
        return Person(self.telegram, user_id)


@pytest.fixture(scope="session")
def studio(bundle: Path) -> Studio:
    return Studio(load_bundle(bundle, "cpu", bf16=False), LIMITS.picture_pixels)


@contextmanager
def running(
    telegram: FakeTelegram, folder: Path, studio: Studio, limits: Limits
) -> Iterator[Running]:
    states = States(private_folder(folder), studio.bundle.sha256, studio.shape)
    stops: list[Callable[[], object]] = []
    begun = threading.Event()

    async def live() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        face_bot = FaceBot(studio, states, limits)
        application = build_application(TOKEN, telegram.url, face_bot)
        await serve(application, face_bot, stop, lambda _: begun.set())

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    assert begun.wait(PATIENCE)
    try:
        yield Running(telegram, folder, states)
    finally:
        stops[0]()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def known_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let /face draw the same faces in every run of the tests."""
    monkeypatch.setattr(secrets, "randbelow", random.Random(0).randrange)


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with fake_telegram() as server:
        yield server


@pytest.fixture
def bot(telegram: FakeTelegram, studio: Studio, tmp_path: Path) -> Iterator[Running]:
    with running(
        telegram, tmp_path / "state", studio, replace(LIMITS, requests_per_minute=200)
    ) as r:
        yield r


def faces(call: Call) -> list[np.ndarray]:
    """Cut a strip into its faces."""
    assert call.method == "sendPhoto", call.text
    strip = np.asarray(Image.open(io.BytesIO(call.photo)))
    count = (strip.shape[1] + 2) // (SIDE + 2)
    return [strip[:SIDE, n * (SIDE + 2) : n * (SIDE + 2) + SIDE].astype(int) for n in range(count)]


def choose(person: Person, **wanted: str) -> Call:
    """Open the keyboard and press what is wanted; return the keyboard."""
    keyboard = person.says("/change")
    for attribute, value in wanted.items():
        (opener,) = [text for text in keyboard.buttons if attribute in text]
        values = person.presses(keyboard, opener)
        # The message that was sent is the one that is edited.
        values.result = keyboard.result
        after = person.presses(values, value)
        after.result = keyboard.result
        keyboard = after
    return keyboard


def test_start_help_and_anything_else(bot: Running) -> None:
    person = bot.person()
    assert "/face" in person.says("/start").text
    told = person.says("/help").text
    assert all(word in told for word in ("/delete", "hair: red, blue, green", "30 days"))
    for text in ("hello", "/nothing", "🙂" * 2000):
        assert "I understand" in person.says(text).text
    person.writes("", voice={"file_id": "v", "file_unique_id": "v", "duration": 1})
    assert "I understand" in person.gets().text
    assert "You have no face yet" in person.says("/change").text


def test_face_gives_seven_and_the_keyboard_changes_one(bot: Running) -> None:
    person = bot.person()
    drawn = person.says("/face")
    new = faces(drawn)
    assert len(new) == 7
    assert all((a != b).any() for a in new for b in new if a is not b)
    assert list(drawn.buttons) == list("1234567")
    keyboard = choose(person, hair="blue")
    assert list(keyboard.buttons) == ["✏️ hair: blue", "smile: free", "All free", "Go!"]
    strip = person.presses(keyboard, "Go!", "sendPhoto")
    edited = faces(strip)
    assert len(edited) == 7
    assert (edited[0] == new[0]).all()
    assert all((face != new[0]).any() for face in edited[1:])
    codes = bot.states.load(7).codes
    steps = np.linspace(0, 6, 7)[:, None, None] * (codes[1] - codes[0])
    assert np.abs(codes - codes[0] - steps).max() < 1e-4 * np.abs(steps).max()
    assert strip.text.startswith("hair blue. 1 is your face as it is")


def test_one_can_go_on_with_any_face_of_the_strip(bot: Running) -> None:
    person = bot.person()
    drawn = person.says("/face")
    keyboard = person.presses(drawn, "5", "sendMessage")
    assert "Go!" in keyboard.buttons
    strip = person.presses(choose(person, hair="red"), "Go!", "sendPhoto")
    assert (faces(strip)[0] == faces(drawn)[4]).all()
    person.presses(strip, "7", "sendMessage")
    again = person.presses(choose(person, smile="no"), "Go!", "sendPhoto")
    assert (faces(again)[0] == faces(strip)[6]).all()
    assert "old one" in person.presses(drawn, "2", "answerCallbackQuery").text


def test_what_is_locked_stays(bot: Running, studio: Studio) -> None:
    person = bot.person()
    person.says("/face")
    kept = [b for b in studio.bundle.boundaries if b.attribute == "smile"]
    moved = {}
    for lock in ("🔒 keep", "free"):
        person.presses(choose(person, hair="blue", smile=lock), "Go!", "sendPhoto")
        codes = bot.states.load(7).codes
        distances = measure_distances(codes.mean(axis=1, dtype=np.float64), kept)
        moved[lock] = np.abs(distances - distances[0]).max()
    assert moved["🔒 keep"] < 1e-3 * max(moved["free"], 1e-3)
    assert moved["free"] > 0


def test_go_without_a_change_is_answered(bot: Running) -> None:
    person = bot.person()
    person.says("/face")
    answered = person.presses(person.says("/change"), "Go!", "answerCallbackQuery")
    assert "Choose a change first" in answered.text


def test_a_face_in_a_picture_is_found_and_can_be_changed(bot: Running) -> None:
    person = bot.person()
    for data, as_photo in ((encode_png(FACE), False), (encode_png(SCENE), True)):
        found = person.sends(data, as_photo)
        assert len(faces(found)) == 1 or found.text.startswith("This is how I see the face")
        assert not found.buttons
        strip = person.presses(choose(person, hair="green"), "Go!", "sendPhoto")
        assert len(faces(strip)) == 7
        assert (faces(strip)[0] != faces(strip)[6]).any()


def test_what_cannot_be_used_is_answered_politely(
    telegram: FakeTelegram, studio: Studio, tmp_path: Path
) -> None:
    limits = replace(LIMITS, picture_bytes=20_000)
    with running(telegram, tmp_path / "state", studio, limits) as bot:
        person = bot.person()
        assert "no face" in person.sends(encode_png(DARK)).text
        for data in (b"", b"no picture", encode_png(SCENE)[:200]):
            assert person.sends(data).text.startswith("I cannot use this file")
        bomb = io.BytesIO()
        Image.new("1", (6000, 6000)).save(bomb, "png", optimize=True)
        assert len(bomb.getvalue()) < 20_000
        assert "25 megapixels" in person.sends(bomb.getvalue()).text
        count = len(telegram.downloads)
        assert "0.02 MB" in person.sends(b"x" * 20_001).text
        assert len(telegram.downloads) == count  # refused by its size, unseen
        assert "0.02 MB" in person.sends(b"x" * 20_001, size=5).text
        assert person.sends(encode_png(FACE)).method == "sendPhoto"


def test_a_restart_loses_nothing(telegram: FakeTelegram, studio: Studio, tmp_path: Path) -> None:
    person = Person(telegram, 7)
    with running(telegram, tmp_path / "state", studio, LIMITS):
        drawn = person.says("/face")
        person.presses(drawn, "3", "sendMessage")
        keyboard = choose(person, hair="blue", smile="🔒 keep")
    with running(telegram, tmp_path / "state", studio, LIMITS) as bot:
        again = person.says("/change")
        assert list(again.buttons)[:2] == ["✏️ hair: blue", "🔒 smile: keep"]
        strip = person.presses(keyboard, "Go!", "sendPhoto")
        assert (faces(strip)[0] == faces(drawn)[2]).all()
        assert [path.name for path in bot.folder.iterdir()] == ["7.npz"]


def test_a_damaged_state_is_told_and_begun_anew(bot: Running) -> None:
    person = bot.person()
    person.says("/face")
    (bot.folder / "7.npz").write_bytes(b"damaged")
    assert "could not be read" in person.says("/change").text
    assert "You have no face yet" in person.gets().text
    assert len(faces(person.says("/face"))) == 7
    assert "Go!" in person.says("/change").buttons


def test_deletion_leaves_nothing_and_old_buttons_bring_nothing_back(bot: Running) -> None:
    person = bot.person()
    drawn = person.says("/face")
    keyboard = choose(person, hair="blue")
    assert len(list(bot.folder.iterdir())) == 1
    assert "Deleted" in person.says("/delete").text
    for shown, button in ((keyboard, "Go!"), (keyboard, "smile: free"), (drawn, "2")):
        assert "no face yet" in person.presses(shown, button, "answerCallbackQuery").text
    assert list(bot.folder.iterdir()) == []


def test_others_are_answered_meanwhile_and_the_end_does_not_wait_for_work(
    telegram: FakeTelegram, studio: Studio, tmp_path: Path
) -> None:
    description = dict(studio.bundle.description)
    description["refinement"] = {**description["refinement"], "num_steps": 10_000_000}
    endless = replace(studio, bundle=replace(studio.bundle, description=description))
    person, other = Person(telegram, 1), Person(telegram, 2)
    with running(telegram, tmp_path / "state", endless, LIMITS) as bot:
        person.posts(encode_png(FACE))
        person.gets("getFile")
        assert "I can change" in other.says("/help").text
        assert "still at work" in person.says("/face").text
        assert "Deleted" in person.says("/delete").text
        person.writes("/face")  # may wait: the work under way is no longer this person's
        assert "I can change" in other.says("/help").text
    assert ["restarted" in person.gets().text for _ in range(2)] == [True, True]
    assert list(bot.folder.iterdir()) == []


def test_two_people_do_not_mix(bot: Running) -> None:
    one, other = bot.person(1), bot.person(2)
    first, second = one.says("/face"), other.says("/face")
    choose(one, hair="blue")
    assert "hair: free" in other.says("/change").buttons
    assert "old one" in other.presses(first, "3", "answerCallbackQuery").text
    strip = other.presses(choose(other, hair="red"), "Go!", "sendPhoto")
    assert (faces(strip)[0] == faces(second)[0]).all()
    assert "✏️ hair: blue" in one.says("/change").buttons
    assert bot.states.load(1).place == 0
    other.says("/delete")
    assert bot.states.load(1).face is not None


def test_who_asks_too_often_is_told_once(
    telegram: FakeTelegram, studio: Studio, tmp_path: Path
) -> None:
    limits = replace(LIMITS, requests_per_minute=3)
    with running(telegram, tmp_path / "state", studio, limits):
        eager, other = Person(telegram, 1), Person(telegram, 2)
        for _ in range(8):
            eager.writes("hello")
        assert "I understand" in other.says("hello").text
    sent = [c.text for c in telegram.calls if c.parameters.get("chat_id") == "1"]
    assert ["I understand" in text for text in sent].count(True) == 3
    assert len(sent) == 4 and any("wait a minute" in text for text in sent)


def test_groups_are_not_answered(bot: Running) -> None:
    person = bot.person()
    group = {"id": -100, "type": "supergroup", "title": "Many"}
    person.writes("/face", chat=group)
    query = {"id": bot.telegram.ask("q"), "from": person.user, "chat_instance": "1", "data": "g"}
    said = {"message_id": 1, "date": 1_700_000_000, "chat": group, "text": "x"}
    bot.telegram.push("callback_query", query | {"message": said})
    assert "I understand" in person.says("hello").text
    told = [c for c in bot.telegram.calls if c.method not in ("deleteWebhook", "setMyCommands")]
    assert [(c.method, c.parameters["chat_id"]) for c in told] == [("sendMessage", "7")]


def test_old_and_foreign_buttons_do_no_harm(bot: Running) -> None:
    person = bot.person()
    person.says("/face")
    keyboard = person.says("/change")
    for data in ("a:9", "v:0:99", "zzz", "t:x:1"):
        assert "old" in person.presses_data(keyboard, data, "answerCallbackQuery").text
    # A query too old to be answered, on a message that shows this already.
    bot.telegram.ask = lambda name: name  # type: ignore[method-assign]
    bot.telegram.push(
        "callback_query",
        {
            "id": "unknown",
            "from": person.user,
            "chat_instance": "1",
            "data": "b",
            "message": keyboard.result,
        },
    )
    assert "I understand" in person.says("hello").text


def test_trouble_is_told_and_the_bot_lives_on(bot: Running) -> None:
    person = bot.person()
    (bot.folder / "7.npz").mkdir()  # can be neither read nor replaced
    assert "went wrong on my side" in person.says("/change").text
    bot.telegram.failing.add("sendPhoto")
    other = bot.person(8)
    assert "went wrong on my side" in other.says("/face").text
    bot.telegram.failing.clear()
    assert len(faces(other.says("/face"))) == 7


def start(telegram_url: str, bundle: Path, folder: Path, token: str) -> subprocess.Popen[bytes]:
    command = "from apps.cli import main; main()"
    options = ["--model", str(bundle), "--state", str(folder), "--base-url", telegram_url]
    return subprocess.Popen(
        [sys.executable, "-c", command, "bot", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NFE_BOT_TOKEN": token},
        cwd=Path(__file__).parents[2],
    )


def test_the_command_answers_ends_on_a_signal_and_never_shows_its_token(
    telegram: FakeTelegram, bundle: Path, tmp_path: Path
) -> None:
    child = start(telegram.url, bundle, tmp_path / "state", TOKEN)
    person = Person(telegram, 7)
    try:
        assert "anime faces" in person.says("/start").text
        assert len(faces(person.says("/face"))) == 7
        telegram.failing |= {"sendMessage", "getFile"}
        telegram.stored["file"] = b"", 0
        document = {"file_id": "file", "file_unique_id": "file"}
        person.writes("", document=document)
        person.writes("hello")
        telegram.wait_for_failures(4)  # an answer and its apology, twice
        telegram.failing.clear()
        person.says("/help")
    finally:
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        output = child.communicate(timeout=PATIENCE)[0].decode()
    assert time.monotonic() - began < 10
    assert child.returncode == 128 + signal.SIGTERM
    assert "@nfe_test_bot answers" in output
    assert "Telegram could not be reached: Internal Server Error" in output
    assert SECRET not in output
    assert not any(SECRET.encode() in f.read_bytes() for f in (tmp_path / "state").iterdir())


@pytest.fixture
def loggers() -> Iterator[None]:
    """Put back what the command does to all loggers."""
    root, chatty = logging.getLogger(), [logging.getLogger(n) for n in ("httpx", "httpcore")]
    before = root.handlers[:], root.level, [logger.level for logger in chatty]
    yield
    root.handlers[:], level, levels = before
    root.setLevel(level)
    for logger, level in zip(chatty, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.usefixtures("loggers")
@pytest.mark.parametrize(
    ("token", "url", "message"),
    [
        ("1:another-Secret_of_35_characters", "", "the token must be one that"),
        (TOKEN, "http://127.0.0.1:9", "must be reachable, got: httpx.ConnectError"),
    ],
)
def test_a_start_that_fails_is_one_line_without_the_token(
    telegram: FakeTelegram,
    studio: Studio,
    tmp_path: Path,
    token: str,
    url: str,
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    face_bot = FaceBot(studio, States(tmp_path, "", studio.shape), LIMITS)
    with pytest.raises(typer.Exit) as ended:
        answer_until_signal(token, url or telegram.url, face_bot)
    assert ended.value.exit_code == 1
    told = capfd.readouterr().err
    assert told.startswith("error: ") and message in told and told.count("\n") == 1
    assert "Secret" not in told


@pytest.mark.parametrize(
    ("arguments", "token", "message"),
    [
        ([], "", "NFE_BOT_TOKEN must hold the bot's token, got none"),
        (["--token-file", "open"], "", "--token-file must be readable by you alone"),
        (["--base-url", "api.telegram.org"], TOKEN, "--base-url must begin with http:// or"),
        (["--model", "nowhere"], TOKEN, "--model must be a model folder, got nowhere"),
        (["--state", "open"], TOKEN, "--state must be a folder, got the file open"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    token: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NFE_BOT_TOKEN", token)
    Path("open").write_text(TOKEN)
    Path("open").chmod(0o644)
    result = nfe("bot", *(["--model", bundle] if "--model" not in arguments else []), *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert SECRET not in result.output


def test_a_missing_extra_is_named() -> None:
    command = "import sys; sys.modules['telegram'] = None; from apps.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "bot"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: nfe bot must have the extra [bot], it is missing; pip install -e '.[bot]'\n"
    )
