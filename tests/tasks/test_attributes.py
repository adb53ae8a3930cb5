import pytest
from pydantic import ValidationError

from tasks.attributes import AttributeTable

VALID = {
    "hair": {"blue": ["blue_hair"], "red": ["red_hair"]},
    "smile": {"yes": ["smile"], "no": []},
}


def test_valid_table() -> None:
    assert AttributeTable.model_validate(VALID).root == VALID


def test_tag_may_serve_two_attributes() -> None:
    table = {**VALID, "cold": {"yes": ["blue_hair"], "no": []}}
    assert AttributeTable.model_validate(table).root == table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hat": {}}, "hat must have two values"),
        ({"hat": {"yes": ["hat"]}}, "hat must have two values or more, got 1"),
        ({"hat": {"no": [], "none": []}}, "at most one value"),
        ({"hat": {"big": ["hat"], "small": ["hat"]}}, "tag hat must mean one value of hat"),
        ({"hat": {"yes": ["a hat"], "no": []}}, "one word"),
        ({"hat": {"yes": [""], "no": []}}, "one word"),
        ({"a=b": {"yes": ["hat"], "no": []}}, "letters, digits"),
        ({"seed": {"yes": ["hat"], "no": []}}, "another name"),
        ({"smile_confidence": {"yes": ["hat"], "no": []}}, "column of one attribute"),
        ({"hat": {"yes": [1], "no": []}}, "valid string"),
        ({"hat": {"yes": "hat", "no": []}}, "valid list"),
        ({"hat": {True: ["hat"], "no": []}}, "valid string"),
    ],
)
def test_rows_that_are_wrong(change: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AttributeTable.model_validate({**VALID, **change})


def test_empty_table() -> None:
    with pytest.raises(ValidationError, match="at least one row"):
        AttributeTable.model_validate({})
