import pytest

from nfe.reporting.figures import Table, flatten, parse_csv, percent, read_table, readable, spoken


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (None, "none"),
        (1234567, "1,234,567"),
        (0.123456, "0.123"),
        (98765.4, "98,765"),
        ([1, 2], "1, 2"),
        ("cpu", "cpu"),
    ],
)
def test_figures_are_written_as_a_person_would(value: object, text: str) -> None:
    assert readable(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1e-6, "0.1 %"),
        (0.004, "0.4 %"),
        (0.873, "87 %"),
        (0.9949, "99 %"),
        (0.995, "99.5 %"),
        (0.99999, "99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_only_all_is_all_and_only_none_is_none(share: float, text: str) -> None:
    assert percent(share) == text


def test_names_become_words() -> None:
    assert spoken("hair_color=blue+smile=yes") == "hair color: blue, smile: yes"


def test_nested_figures_become_rows() -> None:
    rows = flatten({"a_b": {"c": 1, "d": {"e": 0.5}}})
    assert rows == [("a_b: c", "1"), ("a_b: d: e", "0.5")]


def test_csv_becomes_a_table_and_tells_which_columns_are_figures() -> None:
    text = "method,mse,note\nin_domain,0.012345,\nencoder,-12345,x\n"
    table = read_table(text)
    assert table.headings == ("method", "mse", "note")
    assert table.rows == (("in domain", "0.0123", ""), ("encoder", "-12,345", "x"))
    assert table.are_figures == (False, True, False)
    assert Table(("a", "b"), ()).are_figures == (True, True)
    assert parse_csv(text)[0] == {"method": "in_domain", "mse": "0.012345", "note": ""}
