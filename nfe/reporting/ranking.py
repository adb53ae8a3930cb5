"""Which edits did best and worst, as the judge saw each of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["JudgedEdit", "first_of_each", "rank_edits"]


@dataclass(frozen=True)
class JudgedEdit:
    """One edit of one picture, and the judge's answers.

    Attributes:
        name: Of the picture.
        output: Of the edited picture, relative to the folder of results.
        changes: Attribute -> wanted value.
        before, after: Attribute -> the judge's answer.
        error: Mean squared error of the picture's reconstruction, which the edit began from.
    """

    name: str
    output: str
    changes: Mapping[str, str]
    before: Mapping[str, str]
    after: Mapping[str, str]
    error: float

    @property
    def reached(self) -> bool:
        """Whether the judge now sees all that was wanted."""
        return all(self.after[name] == value for name, value in self.changes.items())

    @property
    def lost(self) -> list[str]:
        """Attributes that were not to change, whose answer did."""
        return [a for a in self.before if a not in self.changes and self.before[a] != self.after[a]]

    @property
    def num_others(self) -> int:
        """How many attributes were not to change."""
        return len(set(self.before) - set(self.changes))


def rank_edits(rows: Iterable[Mapping[str, Any]], errors: Mapping[str, float]) -> list[JudgedEdit]:
    """Sort edits, the best first.

    Those come first that show what was wanted, then those that changed fewer other attributes,
    then those whose picture was reconstructed better. Pictures that showed the wanted values
    before, and edits the judge cannot judge, are left out.

    Args:
        rows: Rows of the edit stage's edit.jsonl.
        errors: Picture's name -> error of its reconstruction.
    """
    edits = [
        JudgedEdit(
            row["name"],
            row["output"],
            row["set"],
            row["judge_before"],
            row["judge_after"],
            errors[row["name"]],
        )
        for row in rows
    ]
    judged = [e for e in edits if {*e.changes} <= {*e.before} and not _had(e)]
    return sorted(judged, key=lambda e: (not e.reached, len(e.lost), e.error, e.output))


def first_of_each(edits: Sequence[JudgedEdit], count: int) -> list[JudgedEdit]:
    """Return the first `count` edits, at most one of each picture."""
    chosen: dict[str, JudgedEdit] = {}
    for edit in edits:
        if len(chosen) < count:
            chosen.setdefault(edit.name, edit)
    return list(chosen.values())


def _had(edit: JudgedEdit) -> bool:
    return all(edit.before[name] == value for name, value in edit.changes.items())
