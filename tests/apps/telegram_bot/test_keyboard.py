"""The keyboard follows presses as a table says, and is never left in a state of no meaning."""

import itertools

import pytest

from apps.telegram_bot.keyboard import (
    Choices,
    View,
    keep_known,
    overview,
    press,
    say_choices,
    take_rows,
    taken,
)

MENU = {"hair_color": ["blue", "light_green", "red", "black"], "smile": ["yes", "no"]}


def texts(view: View | None) -> list[list[str]]:
    assert view is not None
    return [[button.text for button in row] for row in view.rows]


def data_of(view: View | None, text: str) -> str:
    assert view is not None
    return next(b.data for row in view.rows for b in row if b.text == text)


def follow(*words: str) -> Choices:
    """Press, one after the other, the buttons of these words, beginning with /change."""
    choices, view = Choices(), overview(MENU, Choices())
    for text in words:
        pressed = press(MENU, choices, data_of(view, text))
        choices, view = pressed.choices, pressed.view or view
    return choices


def test_overview_shows_each_attribute_with_its_choice() -> None:
    assert texts(overview(MENU, Choices())) == [
        ["hair color: free"],
        ["smile: free"],
        ["All free", "Go!"],
    ]
    chosen = Choices({"hair_color": "light_green"}, frozenset({"smile"}))
    assert texts(overview(MENU, chosen))[:2] == [
        ["✏️ hair color: light green"],
        ["🔒 smile: keep"],
    ]


def test_an_attribute_opens_its_values() -> None:
    opened = press(MENU, Choices({"hair_color": "red"}), "a:0")
    assert opened.choices == Choices({"hair_color": "red"})
    assert texts(opened.view) == [
        ["blue", "light green", "✓ red"],
        ["black"],
        ["free", "🔒 keep", "« back"],
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["hair color: free", "blue"], Choices({"hair_color": "blue"})),
        (
            ["hair color: free", "blue", "✏️ hair color: blue", "red"],
            Choices({"hair_color": "red"}),
        ),
        (["smile: free", "🔒 keep"], Choices({}, frozenset({"smile"}))),
        (["smile: free", "🔒 keep", "🔒 smile: keep", "no"], Choices({"smile": "no"})),
        (["smile: free", "no", "✏️ smile: no", "🔒 keep"], Choices({}, frozenset({"smile"}))),
        (["smile: free", "no", "✏️ smile: no", "free"], Choices()),
        (["smile: free", "🔒 keep", "🔒 smile: keep", "free"], Choices()),
        (["smile: free", "« back"], Choices()),
        (["hair color: free", "blue", "smile: free", "🔒 keep", "All free"], Choices()),
        (
            ["hair color: free", "blue", "smile: free", "🔒 keep"],
            Choices({"hair_color": "blue"}, frozenset({"smile"})),
        ),
    ],
)
def test_presses_choose(words: list[str], expected: Choices) -> None:
    assert follow(*words) == expected


def test_go_needs_a_change() -> None:
    refused = press(MENU, Choices({}, frozenset({"smile"})), "g")
    assert not refused.go
    assert "Choose a change first" in refused.notice
    chosen = Choices({"smile": "yes"})
    assert press(MENU, chosen, "g").go
    assert press(MENU, chosen, "g").choices == chosen


@pytest.mark.parametrize(
    "data",
    [
        "",
        "x",
        "a",
        "a:2",
        "a:-1",
        "a:0:0",
        "v:0",
        "v:0:4",
        "v:2:0",
        "f:x",
        "k:",
        "v:0:1:2",
        "t:a:1",
        "a:²",
        "g:0",
        "b:1",
        "a:0\n",
    ],
)
def test_a_button_of_another_menu_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="data must be of a button"):
        press(MENU, Choices(), data)


def test_no_way_of_pressing_changes_and_keeps_one_attribute_or_leaves_the_menu() -> None:
    reached: dict[str, Choices] = {}
    waiting = [Choices()]
    while waiting:
        choices = waiting.pop()
        key = str((sorted(choices.changes.items()), sorted(choices.keep)))
        if key in reached:
            continue
        reached[key] = choices
        assert not set(choices.changes) & choices.keep
        assert keep_known(MENU, choices) == choices
        views = [overview(MENU, choices)]
        views += [press(MENU, choices, f"a:{index}").view for index in range(len(MENU))]
        for button in itertools.chain.from_iterable(row for view in views for row in view.rows):
            assert len(button.data.encode()) <= 64  # Telegram's limit
            waiting.append(press(MENU, choices, button.data).choices)
    # Free, kept, or one of the values: six states of hair color and four of smile.
    assert len(reached) == 6 * 4


def test_what_a_new_menu_does_not_offer_is_dropped() -> None:
    chosen = Choices({"hair_color": "pink", "smile": "no"}, frozenset({"hat"}))
    assert keep_known(MENU, chosen) == Choices({"smile": "no"})


def test_numbers_name_their_strip_and_place() -> None:
    (row,) = take_rows("0f3a", 7)
    assert [button.text for button in row] == list("1234567")
    assert taken(row[2].data) == ("0f3a", 2)
    assert all(len(button.data) <= 64 for button in row)
    assert [taken(data) for data in ("g", "v:0:1", "t:0f3a:", "t:0f3a:x")] == [None] * 4


def test_choices_are_said_in_words() -> None:
    chosen = Choices({"hair_color": "light_green"}, frozenset({"smile"}))
    assert say_choices(chosen) == "hair color light green, smile kept"
