"""The controls of an edit: each attribute changed, kept or free; how far."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from apps.page.parts import QUIET, Page
from nfe.editing import Strength, check_edit
from nfe.picture_editing import strength_range

__all__ = ["EditControls", "chosen_edit", "control_values"]

FREE, KEEP, CHANGE = "free", "keep", "="


class EditControls:
    """The controls, laid out where this is made.

    Attributes:
        attributes: Names of the attributes, in the order of `choices`.
        choices: A dropdown per attribute.
        auto: Move just far enough.
        distance: The distance instead.
    """

    def __init__(self, page: Page, prefix: str) -> None:
        values: dict[str, list[str]] = {}
        for boundary in page.bundle.boundaries:
            values.setdefault(boundary.attribute, []).append(boundary.value)
        self.attributes = list(values)
        with gr.Row(elem_classes="choices"):
            self.choices = [
                gr.Dropdown(
                    [("free", FREE), ("keep", KEEP), *((v, CHANGE + v) for v in names)],
                    value=FREE,
                    label=attribute.replace("_", " ").capitalize(),
                    elem_id=f"{prefix}-{attribute}",
                    min_width=150,
                    filterable=False,
                )
                for attribute, names in values.items()
            ]
        usual, far = strength_range(page.bundle)
        self.auto = gr.Checkbox(True, label="Strength: just enough", container=False)
        self.distance = gr.Slider(
            0, round(far, 1), round(usual, 1), label="Distance", visible=False
        )
        self.auto.change(
            lambda auto: gr.Slider(visible=not auto), self.auto, self.distance, **QUIET
        )

    @property
    def inputs(self) -> list[Any]:
        """What handlers take, for `chosen_edit`."""
        return [self.auto, self.distance, *self.choices]


def chosen_edit(
    attributes: Sequence[str], auto: bool, distance: float, choices: Sequence[str]
) -> tuple[dict[str, str], list[str], Strength]:
    """Read the controls: changes, attributes to keep, strength."""
    named = list(zip(attributes, choices, strict=True))
    changes = {name: c.removeprefix(CHANGE) for name, c in named if c.startswith(CHANGE)}
    return changes, [name for name, c in named if c == KEEP], "auto" if auto else distance


def control_values(
    page: Page,
    attributes: Sequence[str],
    changes: Mapping[str, str],
    keep: Sequence[str],
    strength: Strength,
) -> list[Any]:
    """Set the controls to an edit: values for `EditControls.inputs`.

    Raises:
        ParamsError: If the model cannot make such an edit.
    """
    check_edit(page.bundle.boundaries, changes, keep)
    choices = dict.fromkeys(keep, KEEP) | {n: CHANGE + value for n, value in changes.items()}
    if isinstance(strength, str):
        distance = gr.Slider(visible=False)
    else:
        distance = gr.Slider(value=strength, visible=True)
    return [strength == "auto", distance, *(choices.get(name, FREE) for name in attributes)]
