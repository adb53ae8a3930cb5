"""The attribute table of params.yaml: attribute -> value -> the tags that mean the value."""

import re
from collections import Counter
from typing import Self

from pydantic import ConfigDict, RootModel, model_validator

__all__ = ["AttributeTable"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
COLUMNS = {"seed", "name"}  # of the tables in which every attribute becomes a column


class AttributeTable(RootModel[dict[str, dict[str, list[str]]]]):
    """Attributes, their values, and the tags that mean each value.

    A value with the empty list stands for "none of the other values' tags", as `smile: no`.
    At most one value of an attribute may be such, and no tag may mean two values of one
    attribute. A tag may serve two attributes.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    @model_validator(mode="after")
    def check(self) -> Self:
        """Check every row of the table; the message tells all that is wrong with it."""
        problems = [] if self.root else ["attributes must have at least one row, it has none"]
        for attribute, values in self.root.items():
            problems += _problems(attribute, values)
        columns = Counter(c for a in self.root for c in (a, f"{a}_confidence"))
        problems += [
            f"{c} must be the column of one attribute" for c, n in columns.items() if n > 1
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _problems(attribute: str, values: dict[str, list[str]]) -> list[str]:
    problems = [
        f"{name!r} of {attribute} must be of letters, digits, _ and -"
        for name in (attribute, *values)
        if not NAME.fullmatch(name)
    ]
    if attribute in COLUMNS:
        problems.append(f"{attribute} must be another name, tables have a column {attribute}")
    if len(values) < 2:
        problems.append(f"{attribute} must have two values or more, got {len(values)}")
    empty = [value for value, tags in values.items() if not tags]
    if len(empty) > 1:
        problems.append(f"{attribute} must have at most one value [], got {', '.join(empty)}")
    counts = Counter(tag for tags in values.values() for tag in tags)
    for tag, count in counts.items():
        if not tag or re.search(r"[\s,]", tag):
            problems.append(f"tag {tag!r} of {attribute} must be one word, with _ for spaces")
        if count > 1:
            problems.append(f"tag {tag} must mean one value of {attribute}, got {count}")
    return problems
