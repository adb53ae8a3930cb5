"""Numbers that name faces."""

import math

import gradio as gr

from nfe.errors import ParamsError

__all__ = ["MAX_SHOWN_SEED", "check_seed", "seed_number"]

MAX_SHOWN_SEED = 1_000_000  # people read and type it


def seed_number(label: str, value: int, elem_id: str) -> gr.Number:
    """A field for a seed."""
    return gr.Number(value, label=label, precision=0, minimum=0, elem_id=elem_id)


def check_seed(seed: float | None) -> int:
    """Return the seed as a whole number.

    Raises:
        ParamsError: If the field is empty, or below 0 or too large.
    """
    if seed is None or not math.isfinite(seed) or not 0 <= seed < 2**53:
        raise ParamsError(f"seed must be a whole number from 0 to {2**53}, got {seed}; type one")
    return int(seed)
