"""What a stage reads, as dvc.yaml declares it, and whether it stayed the same meanwhile."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["changed_inputs", "fingerprint", "input_paths"]

SMALL = 1 << 20  # bytes: files up to here are compared by content, larger ones by time and size
OF_DVC = {".gitignore"}  # written by DVC into the folders of outputs


def input_paths(stage: str, pipeline: Mapping[str, Any], values: Mapping[str, Any]) -> list[Path]:
    """Return the dependencies of a stage with its `${section.key}` filled in.

    Args:
        stage: Name of the stage.
        pipeline: Content of dvc.yaml.
        values: Content of params.yaml.
    """
    declared = pipeline.get("stages", {}).get(stage, {}).get("deps", [])
    return [Path(re.sub(r"\$\{(.+?)\}", lambda m: _look_up(m[1], values), d)) for d in declared]


def fingerprint(paths: list[Path], values: Any) -> dict[str, str]:
    """Return a short description of each file under `paths`, and of the parameters."""
    described = {"params.yaml": repr(values)}
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        described[str(path)] = str(path.is_dir())
        described.update({str(f): _describe(f) for f in files if f.name not in OF_DVC})
    return described


def changed_inputs(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of what differs between two fingerprints."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _describe(file: Path) -> str:
    try:
        facts = file.stat()
        if file.is_dir():
            return "folder"
        if facts.st_size <= SMALL:
            return hashlib.sha256(file.read_bytes()).hexdigest()
        return f"{facts.st_size} {facts.st_mtime_ns}"
    except OSError:
        return "missing"


def _look_up(key: str, values: Any) -> str:
    for part in key.split("."):
        values = values[part]
    return str(values)
