"""What every stage shares: a strict model of its parameters, progress, metrics."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from nfe.files import write_json

__all__ = ["Progress", "StageParams", "has_bf16", "pick_device", "runs_bf16", "write_metrics"]


class StageParams(BaseModel):
    """Base of a stage's parameters: every key required, none unknown, no value coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Progress:
    """Tells how far a stage is: a bar on a terminal, a plain line now and then elsewhere.

    Instances are the `on_progress` callables that nfe functions take.
    """

    def __init__(self, stage: str, seconds_between_lines: float = 10.0) -> None:
        self.stage = stage
        self.seconds_between_lines = seconds_between_lines
        self.started = self.last_line = time.monotonic()
        self.first: tuple[int, float] | None = None  # done and time when it was first told
        told = os.environ.get("NFE_TERMINAL")  # the flow relays our output to its terminal
        self.on_terminal = told == "1" if told else sys.stderr.isatty()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` units are done, with a short `note` on the state."""
        now = time.monotonic()
        self.first = self.first or (done, now)
        finished = done >= total
        wait = 0.1 if self.on_terminal else self.seconds_between_lines
        if now - self.last_line < wait and not finished:
            return
        self.last_line = now
        line = f"{self.stage}: {done:,}/{total:,}{self._left(done, total, now)}  {note}".rstrip()
        if not self.on_terminal:
            print(line, file=sys.stderr, flush=True)
            return
        filled = round(24 * done / max(total, 1))
        bar = "█" * filled + "░" * (24 - filled)
        print(f"\r\033[K{bar} {line}", end="\n" if finished else "", file=sys.stderr, flush=True)

    def _left(self, done: int, total: int, now: float) -> str:
        """Tell rate and time left; what was done before a resumed run does not count."""
        if not done or done >= total:
            return f"  in {now - self.started:.0f} s" if done else ""
        first_done, first_time = self.first or (0, self.started)
        if done == first_done or now == first_time:
            return ""
        rate = (done - first_done) / (now - first_time)
        return f"  {rate:,.{0 if rate >= 10 else 1}f}/s, {(total - done) / rate:.0f} s left"


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write a stage's metrics.json for `dvc metrics show` and print them as lines."""
    write_json(folder / "metrics.json", dict(metrics))
    for name, value in metrics.items():
        if not isinstance(value, dict | list):
            print(f"{folder.name}: {name} = {value}", flush=True)


def pick_device() -> str:
    """Return the device to compute on: NFE_DEVICE when set, else cuda where there is one."""
    chosen = os.environ.get("NFE_DEVICE")
    if chosen:
        return chosen
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bf16(device: str) -> bool:
    """Tell whether the device computes in bfloat16 natively."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and torch.cpu._is_avx512_bf16_supported()


def runs_bf16(precision: str, device: str) -> bool:
    """Tell whether `precision`, auto, fp32 or bf16, means bfloat16 on the device."""
    return precision == "bf16" or (precision == "auto" and has_bf16(device))
