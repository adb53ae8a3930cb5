"""What the stages that edit pictures share: one edit of params.yaml, and which are possible."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nfe.errors import ParamsError
from tasks.stage import StageParams

if TYPE_CHECKING:
    from nfe.boundaries import Boundary
    from nfe.edit_studio import Studio

__all__ = ["Edit", "load_studio", "possible_edits"]


class Edit(StageParams):
    """One edit: what to set and what to keep."""

    changes: Annotated[dict[str, str], Field(alias="set", min_length=1)]
    keep: list[str]

    @property
    def name(self) -> str:
        """Name of the edit's folder, such as `hair_color=blue`."""
        return "+".join(f"{attribute}={value}" for attribute, value in self.changes.items())

    @property
    def heading(self) -> str:
        """The edit in lines that fit over a picture."""
        return "\n".join(self.name.replace("_", " ").replace("+", "\n").split("="))


def possible_edits(
    edits: Sequence[Edit], boundaries: Sequence["Boundary"]
) -> tuple[list[Edit], dict[str, str]]:
    """Sort out the edits that these boundaries cannot make, with the reasons.

    Raises:
        ParamsError: If no edit is possible, or the boundaries are of another space than W.
    """
    from nfe.editing import check_edit

    if any(boundary.space != "w" for boundary in boundaries):
        raise ParamsError("fit_boundaries.space must be w to edit inverted pictures; set it to w")
    possible, skipped = [], {}
    for edit in edits:
        try:
            check_edit(boundaries, edit.changes, edit.keep)
            possible.append(edit)
        except ParamsError as error:
            skipped[edit.name] = str(error)
    if not possible:
        raise ParamsError(f"edits must hold one that is possible: {'; '.join(skipped.values())}")
    return possible, skipped


def load_studio(editing: Any) -> "Studio":
    """Load the boundaries, the tagger that edits go by, and the judge; `editing`: section edit."""
    from nfe.auto_editing import AutoEditor
    from nfe.boundaries import load_boundaries
    from nfe.edit_studio import Studio
    from nfe.tagging.tagger import Tagger

    editor = AutoEditor(
        load_boundaries(Path("data/fit_boundaries/boundaries")),
        Tagger.load(Path("data/train_tagger/tagger")),
        editing.attributes.root,
        editing.scales,
        editing.first_layers,
        editing.min_confidence,
    )
    return Studio(editor, Tagger.load(Path("data/train_tagger/judge")), editing.strength)
