"""What DVC knows: the stages in order, and what of each is out of date, with the reasons."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from nfe.errors import NFEError

__all__ = [
    "GraphError",
    "StageStatus",
    "find_cache",
    "needed_stages",
    "read_graph",
    "read_lock",
    "read_status",
]

RESULTS = ("report", "bundle")  # what a run is for; other ends of the graph are not run


class GraphError(NFEError):
    """dvc.yaml, or the DVC repository around it, cannot be read."""


@dataclass(frozen=True)
class StageStatus:
    """State of one stage: unchanged, changed or never_run; why, in words."""

    stage: str
    state: str
    why: str


def read_graph(root: Path) -> dict[str, tuple[str, ...]]:
    """Return, for each stage in order, the stages that it directly follows.

    Raises:
        GraphError: If there is no DVC repository in `root`, or DVC refuses dvc.yaml.
    """
    import networkx

    with _Repository(root) as repo:
        graph = repo.index.graph  # edges point from a stage to what it needs
        order = list(networkx.dfs_postorder_nodes(graph))
        return {s.addressing: tuple(n.addressing for n in graph.successors(s)) for s in order}


def needed_stages(
    graph: Mapping[str, Sequence[str]], ends: Sequence[str] | None = None
) -> list[str]:
    """Return `ends` and what leads to them, in order; without ends the results of the project."""
    waiting = list(ends or [s for s in RESULTS if s in graph] or graph)
    needed: set[str] = set()
    while waiting:
        stage = waiting.pop()
        if stage not in needed:
            needed.add(stage)
            waiting.extend(graph[stage])
    return [stage for stage in graph if stage in needed]


def read_status(root: Path, stages: Sequence[str]) -> dict[str, StageStatus]:
    """Return the status of stages, compared with what dvc.lock recorded of their last run.

    Args:
        root: The project's root; it must be the current folder.
        stages: Names of stages.

    Raises:
        GraphError: If DVC refuses dvc.yaml.
    """
    with _Repository(root) as repo:
        found = _ask(repo, stages)
    recorded = read_lock(root)
    values = _read_yaml(root / "params.yaml")
    status = {}
    for stage in stages:
        if stage not in recorded:
            status[stage] = StageStatus(stage, "never_run", _missing_inputs(found.get(stage, [])))
            continue
        then = recorded[stage].get("params", {}).get("params.yaml", {})
        why = "; ".join(_reasons(found.get(stage, []), then, values))
        status[stage] = StageStatus(stage, "changed" if why else "unchanged", why)
    return status


def read_lock(root: Path) -> dict[str, Any]:
    """Return the section `stages` of dvc.lock, empty when no stage ran yet."""
    return dict(_read_yaml(root / "dvc.lock").get("stages", {}))


def find_cache(root: Path) -> Path:
    """Return the folder of DVC's local cache with the sub-folders 00 to ff.

    Raises:
        GraphError: If there is no DVC repository in `root`.
    """
    with _Repository(root) as repo:
        return Path(repo.cache.local.path)


def _ask(repo: Any, stages: Sequence[str]) -> dict[str, Any]:
    """Return DVC's findings per stage; a stage that is running now is locked, and told so."""
    from dvc.lock import LockError

    if len(stages) > 1:  # each target makes DVC read its files again: ask for all at once
        try:
            return dict(repo.status())
        except LockError:
            return {name: found for stage in stages for name, found in _ask(repo, [stage]).items()}
    try:
        return dict(repo.status(targets=list(stages)))
    except LockError:
        return {stages[0]: ["a run of it, or of what it needs, is going on"]}


class _Repository:
    """A DVC repository for one call: shared by threads, it breaks."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __enter__(self) -> Any:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        logging.getLogger("dvc").setLevel(logging.CRITICAL)
        self.refused: type[Exception] = DvcException
        try:
            self.repo: Any = Repo(str(self.root), _wait_for_lock=True)
        except DvcException as error:
            raise _graph_error(error) from error
        return self.repo

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.repo.close()
        if isinstance(error, self.refused):
            raise _graph_error(error) from error


def _graph_error(error: BaseException) -> GraphError:
    words = " ".join(str(error).split())
    if "not a git repository" in words:
        return GraphError(f"project must be in a git repository, got: {words}; run `git init`")
    return GraphError(f"dvc.yaml must be a pipeline of DVC, got: {words}; repair it")


def _reasons(
    entries: Sequence[Any], then: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry  # "changed command"
            continue
        for path, change in {
            **entry.get("changed deps", {}),
            **entry.get("changed outs", {}),
        }.items():
            if isinstance(change, dict):  # a params file: section -> modified
                yield from (t for section in change for t in _changes(section, then, now))
            else:
                yield f"{path} {change}"


def _changes(section: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    present: Any = now
    for name in section.split("."):
        present = present.get(name) if isinstance(present, Mapping) else None
    before, after = _flatten(section, then.get(section)), _flatten(section, present)
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield f"{key} {before.get(key, 'absent')} -> {after.get(key, 'absent')}"


def _flatten(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        return {key: value}
    return {
        k: v for name, part in value.items() for k, v in _flatten(f"{key}.{name}", part).items()
    }


def _missing_inputs(entries: Sequence[Any]) -> str:
    deps = [entry.get("changed deps", {}) for entry in entries if isinstance(entry, dict)]
    missing = [path for found in deps for path, change in found.items() if change == "deleted"]
    if not missing:
        return "no run recorded"
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"no run recorded; waits for {missing[0]}{others}"


def _read_yaml(path: Path) -> dict[str, Any]:
    return (YAML(typ="safe").load(path) or {}) if path.exists() else {}
