"""The keyboard of /change: what was chosen and what was pressed -> what is chosen and shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = [
    "Button",
    "Choices",
    "Menu",
    "Pressed",
    "View",
    "keep_known",
    "overview",
    "press",
    "say_choices",
    "spoken",
    "take_rows",
    "taken",
]

Menu = Mapping[str, Sequence[str]]  # attribute -> its values

VALUES_PER_ROW = 3
OPEN, VALUE, FREE, KEEP, BACK, RESET, GO, TAKE = "a", "v", "f", "k", "b", "r", "g", "t"
QUESTION = "What shall I change? An attribute that is free may change along with the others."


@dataclass(frozen=True)
class Button:
    """A button: what stands on it, and what comes back when it is pressed."""

    text: str
    data: str


@dataclass(frozen=True)
class View:
    """A message: its text, and its buttons row by row."""

    text: str
    rows: tuple[tuple[Button, ...], ...]


@dataclass(frozen=True)
class Choices:
    """What a user asks for. An attribute in neither is free.

    Attributes:
        changes: Attribute -> the value it shall have.
        keep: Attributes that must stay.
    """

    changes: Mapping[str, str] = field(default_factory=dict)
    keep: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Pressed:
    """What a press leads to.

    Attributes:
        choices: What is chosen now.
        view: What the message shows now; None if it stays.
        go: The edit shall be made.
        notice: Short words to the user; may be empty.
    """

    choices: Choices
    view: View | None
    go: bool = False
    notice: str = ""


def spoken(name: str) -> str:
    """Return an attribute's or a value's name as people write it.

    >>> spoken("hair_color")
    'hair color'
    """
    return name.replace("_", " ")


def say_choices(choices: Choices) -> str:
    """Say in words what is asked for.

    >>> say_choices(Choices({"hair_color": "blue"}, frozenset({"smile"})))
    'hair color blue, smile kept'
    """
    changed = [f"{spoken(name)} {spoken(value)}" for name, value in choices.changes.items()]
    return ", ".join(changed + [f"{spoken(name)} kept" for name in sorted(choices.keep)])


def keep_known(menu: Menu, choices: Choices) -> Choices:
    """Leave out what the menu does not offer."""
    changes = {a: value for a, value in choices.changes.items() if value in menu.get(a, ())}
    return Choices(changes, choices.keep & set(menu))


def overview(menu: Menu, choices: Choices) -> View:
    """Show every attribute with what is chosen for it, and `Go!`."""
    rows = [
        (Button(_say_attribute(name, choices), f"{OPEN}:{index}"),)
        for index, name in enumerate(menu)
    ]
    return View(QUESTION, (*rows, (Button("All free", RESET), Button("Go!", GO))))


def press(menu: Menu, choices: Choices, data: str) -> Pressed:
    """Follow one press of a button.

    Args:
        menu: What can be chosen.
        choices: What is chosen before.
        data: Of the button.

    Raises:
        ValueError: If no keyboard of this menu has such a button.
    """
    if data == GO:
        if choices.changes:
            return Pressed(choices, None, go=True, notice="One moment ...")
        return Pressed(choices, None, notice="Choose a change first: press an attribute.")
    if data in (BACK, RESET):
        chosen = Choices() if data == RESET else choices
        return Pressed(chosen, overview(menu, chosen))
    action, attribute, value = _parse(menu, data)
    if action == OPEN:
        return Pressed(choices, _values(menu, choices, attribute))
    others = {name: other for name, other in choices.changes.items() if name != attribute}
    chosen = Choices(others, choices.keep - {attribute})
    if action == KEEP:
        chosen = replace(chosen, keep=chosen.keep | {attribute})
    elif action == VALUE:
        chosen = replace(chosen, changes={**others, attribute: value})
    return Pressed(chosen, overview(menu, chosen))


def take_rows(strip: str, count: int) -> tuple[tuple[Button, ...], ...]:
    """Return the numbers 1, 2, ... below a strip; they say which face to go on with."""
    return (tuple(Button(str(n + 1), f"{TAKE}:{strip}:{n}") for n in range(count)),)


def taken(data: str) -> tuple[str, int] | None:
    """Return the strip and the place of a number that was pressed; None for another button."""
    action, _, rest = data.partition(":")
    strip, _, place = rest.rpartition(":")
    return (strip, int(place)) if action == TAKE and place.isdecimal() else None


def _values(menu: Menu, choices: Choices, attribute: str) -> View:
    """Show the values of one attribute, and the ways not to change it."""
    index, now = list(menu).index(attribute), choices.changes.get(attribute)
    buttons = [
        Button(_tick(spoken(value), value == now), f"{VALUE}:{index}:{place}")
        for place, value in enumerate(menu[attribute])
    ]
    rows = [
        tuple(buttons[start : start + VALUES_PER_ROW])
        for start in range(0, len(buttons), VALUES_PER_ROW)
    ]
    kept = attribute in choices.keep
    other = (
        Button(_tick("free", not kept and now is None), f"{FREE}:{index}"),
        Button(_tick("🔒 keep", kept), f"{KEEP}:{index}"),
        Button("« back", BACK),
    )
    return View(f"What shall become of {spoken(attribute)}?", (*rows, other))


def _say_attribute(name: str, choices: Choices) -> str:
    if name in choices.changes:
        return f"✏️ {spoken(name)}: {spoken(choices.changes[name])}"
    return f"🔒 {spoken(name)}: keep" if name in choices.keep else f"{spoken(name)}: free"


def _tick(text: str, chosen: bool) -> str:
    return f"✓ {text}" if chosen else text


def _parse(menu: Menu, data: str) -> tuple[str, str, str]:
    """Return action, attribute and value ("" where there is none) of a button's data."""
    action, *numbers = data.split(":")
    wanted = {OPEN: 1, FREE: 1, KEEP: 1, VALUE: 2}.get(action)
    places = [int(number) for number in numbers if number.isdecimal()]
    if wanted == len(numbers) == len(places) and places[0] < len(menu):
        attribute = list(menu)[places[0]]
        values = menu[attribute]
        if action != VALUE:
            return action, attribute, ""
        if places[1] < len(values):
            return action, attribute, values[places[1]]
    raise ValueError(f"data must be of a button of this menu, got {data!r}; show it anew")
