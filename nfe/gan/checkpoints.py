"""Checkpoints of a training run: whole, hashed, and only of the run that asks for them."""

import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any

import torch

from nfe.files import sha256_file, write_bytes, write_json

__all__ = [
    "fingerprint_of",
    "load_best",
    "load_latest_checkpoint",
    "load_oldest_checkpoint",
    "save_best",
    "save_checkpoint",
]

NUM_KEPT = 2
BEST = "best.pt"


def fingerprint_of(settings: dict[str, Any], *inputs: Path) -> str:
    """Return a hash of what decides a run: its settings and the bytes of its input files."""
    text = json.dumps([settings, [sha256_file(path) for path in inputs]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def save_checkpoint(folder: Path, state: dict[str, Any], step: int) -> None:
    """Write a checkpoint whole or not at all, and keep it and the one before.

    Checkpoints of later steps are of another run, which this one replaces; they are removed.

    Args:
        folder: The run's folder of checkpoints.
        state: Tensors, numbers and strings, nested in dicts and lists.
        step: What the checkpoint is named and ordered by.
    """
    path = folder / f"checkpoint-{step:09d}.pt"
    _write(path, state)
    before = [other for other in sorted(folder.glob("checkpoint-*.pt")) if other <= path]
    for other in set(folder.glob("checkpoint-*.pt")) - set(before[-NUM_KEPT:]):
        other.with_suffix(".json").unlink(missing_ok=True)
        other.unlink()


def load_latest_checkpoint(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """Read the newest whole checkpoint whose state carries `fingerprint`.

    A checkpoint that is damaged or of another run is passed over, and the one before it is tried.

    Args:
        folder: The run's folder of checkpoints; it may be missing.
        fingerprint: What `state["fingerprint"]` must be.

    Returns:
        The state, or None when there is none to continue from.
    """
    newest_first = sorted(folder.glob("checkpoint-*.pt"), reverse=True)
    return _first_of_run(newest_first, fingerprint)


def load_oldest_checkpoint(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """Read the oldest whole checkpoint of the run that was kept, as `load_latest_checkpoint`."""
    return _first_of_run(sorted(folder.glob("checkpoint-*.pt")), fingerprint)


def save_best(folder: Path, state: dict[str, Any]) -> None:
    """Write the best state of a run so far, in place of an older one."""
    _write(folder / BEST, state)


def load_best(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """Read the best state of the run with `fingerprint`, or None where there is none."""
    return _first_of_run([folder / BEST], fingerprint)


def _first_of_run(paths: list[Path], fingerprint: str) -> dict[str, Any] | None:
    for path in paths:
        state = _read(path)
        if state is not None and state.get("fingerprint") == fingerprint:
            return state
    return None


def _write(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    write_bytes(path, data)
    write_json(path.with_suffix(".json"), {"sha256": hashlib.sha256(data).hexdigest()})


def _read(path: Path) -> dict[str, Any] | None:
    try:
        expected = json.loads(path.with_suffix(".json").read_text())["sha256"]
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != expected:
            return None
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError):
        return None
    return state if isinstance(state, dict) else None
