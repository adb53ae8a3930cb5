"""Whether the outputs of the stages, here and in DVC's cache, are the bytes that dvc.lock names.

DVC takes a cached file at its word, by its name: a flipped bit is delivered as good.
"""

import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nfe.verification import Difference

__all__ = ["verify_cache", "verify_outputs"]

DIR = ".dir"
OBJECT = re.compile(r"[0-9a-f]{30}(\.dir)?")
Stages = Mapping[str, Mapping[str, Any]]
OnProgress = Callable[[int, int, str], None]


def verify_cache(
    stages: Stages, cache: Path, on_progress: OnProgress
) -> tuple[int, list[Difference]]:
    """Hash every object of DVC's cache; each must have the md5 that is its name.

    Args:
        stages: The section `stages` of dvc.lock.
        cache: The folder with the sub-folders 00 to ff.
        on_progress: Called with objects done, in all, and a note.

    Returns:
        How many objects there are, and all that differ.
    """
    objects = sorted(p for p in cache.glob("[0-9a-f][0-9a-f]/*") if OBJECT.fullmatch(p.name))
    outputs, differences = _outputs_by_md5(stages, cache), []
    for done, path in enumerate(objects, start=1):
        md5 = path.parent.name + path.name
        if _md5(path) != md5.removesuffix(DIR):
            holds = outputs.get(md5, "an earlier run")
            problem = f"damaged copy for {holds}; delete it, it is made again when needed"
            differences.append(Difference(os.path.relpath(path), problem))
        on_progress(done, len(objects), "cache")
    return len(objects), differences


def verify_outputs(
    root: Path, stages: Stages, cache: Path, on_progress: OnProgress
) -> tuple[int, list[Difference]]:
    """Hash the outputs of all stages in the workspace.

    Args:
        root: The project's root.
        stages: The section `stages` of dvc.lock.
        cache: As in `verify_cache`: it says which files a folder has.
        on_progress: Called with outputs done, in all, and a note.

    Returns:
        How many files were recorded, and all that differ or are missing.
    """
    outputs = [(stage, out) for stage, entry in stages.items() for out in entry.get("outs", [])]
    ignored = _ignored(root)
    count, differences = 0, []
    for done, (stage, out) in enumerate(outputs, start=1):
        problems = dict(_verify(root, out["path"], out["md5"], cache, ignored))
        count += out.get("nfiles", 1)
        differences += [Difference(p, f"{why}, output of {stage}") for p, why in problems.items()]
        on_progress(done, len(outputs), stage)
    return count, differences


def _outputs_by_md5(stages: Stages, cache: Path) -> dict[str, str]:
    """Return md5 -> output, for every file, and for every folder, that dvc.lock names."""
    found = {}
    for entry in stages.values():
        for out in entry.get("outs", []):
            found[out["md5"]] = out["path"]
            listed = _read_listing(cache, out["md5"]) if out["md5"].endswith(DIR) else None
            found |= {md5: f"{out['path']}/{name}" for name, md5 in (listed or {}).items()}
    return found


def _verify(
    root: Path, name: str, md5: str, cache: Path, ignored: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield path and problem of what differs in one output, a file or a folder."""
    path = root / name
    if not path.exists():
        yield name, "missing"
    elif not md5.endswith(DIR):
        if not path.is_file() or _md5(path) != md5:
            yield name, "differs from dvc.lock"
    else:
        found = _hash_folder(path, ignored)
        listed = _read_listing(cache, md5)
        if listed is None:  # the cache is gone: only the folder as a whole can be compared
            if _hash_listing(found) != md5.removesuffix(DIR):
                yield name, "differs from dvc.lock"
            return
        for file in sorted({*found, *listed}):
            if found.get(file) != listed.get(file):
                problem = "differs from dvc.lock" if file in found else "missing"
                yield f"{name}/{file}", problem if file in listed else "not in dvc.lock"


def _hash_folder(folder: Path, ignored: list[str]) -> dict[str, str]:
    """Return the relative path and md5 of every file, without what DVC does not see."""
    found = {}
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        seen = not any(fnmatch.fnmatch(part, p) for part in relative.parts for p in ignored)
        if seen and path.is_file():
            found[relative.as_posix()] = _md5(path)
    return found


def _read_listing(cache: Path, md5: str) -> dict[str, str] | None:
    """Return the files of a folder by its object in the cache; None if that is not whole."""
    path = cache / md5[:2] / md5[2:]
    if not path.is_file() or _md5(path) != md5.removesuffix(DIR):
        return None
    return {entry["relpath"]: entry["md5"] for entry in json.loads(path.read_bytes())}


def _hash_listing(found: Mapping[str, str]) -> str:
    """Return the md5 of a folder as DVC computes it."""
    entries = [{"md5": md5, "relpath": name} for name, md5 in sorted(found.items())]
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _ignored(root: Path) -> list[str]:
    """Return the patterns of .dvcignore, which are of names."""
    file = root / ".dvcignore"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line.strip("/ ") for line in lines if line.strip() and not line.startswith("#")]


def _md5(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"
