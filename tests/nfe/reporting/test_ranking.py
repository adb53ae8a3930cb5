from typing import Any

from nfe.reporting.ranking import first_of_each, rank_edits


def row(name: str, after: dict[str, str], **changes: str) -> dict[str, Any]:
    return {
        "name": name,
        "output": f"e/{name}",
        "set": changes or {"hair": "blue"},
        "judge_before": {"hair": "red", "smile": "no", "blush": "no"},
        "judge_after": {"hair": "red", "smile": "no", "blush": "no"} | after,
    }


ERRORS = {"a": 0.1, "b": 0.2, "c": 0.3}


def ranked(*rows: dict[str, Any]) -> list[str]:
    return [edit.name for edit in rank_edits(rows, ERRORS)]


def test_success_comes_first_then_what_stayed_then_the_reconstruction() -> None:
    missed = row("a", {})
    reached, reached_with_loss = (
        row("c", {"hair": "blue"}),
        row("b", {"hair": "blue", "smile": "yes"}),
    )
    assert ranked(missed, reached_with_loss, reached) == ["c", "b", "a"]
    assert ranked(row("b", {}), row("a", {})) == ["a", "b"]


def test_what_showed_the_value_before_or_cannot_be_judged_does_not_count() -> None:
    assert ranked(row("a", {}, hair="red"), row("b", {}, hat="red"), row("c", {})) == ["c"]


def test_an_edit_tells_what_it_lost() -> None:
    (edit,) = rank_edits([row("a", {"hair": "aqua", "blush": "yes"})], ERRORS)
    assert not edit.reached
    assert edit.lost == ["blush"]
    assert edit.num_others == 2


def test_a_picture_is_named_once() -> None:
    edits = rank_edits([row(name, {}) for name in "abab"], ERRORS)
    assert [edit.name for edit in first_of_each(edits, 10)] == ["a", "b"]
    assert [edit.name for edit in first_of_each(edits, 1)] == ["a"]
