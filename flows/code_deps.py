"""Which code a stage depends on: a walk over its imports. `python -m flows.code_deps [--write]`.

Prints, per stage, what dvc.yaml has to gain or lose among its dependencies; --write edits it.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

__all__ = ["code_deps", "differences", "imported_files"]

WALKED = ("nfe", "tasks")


def imported_files(root: Path, file: Path) -> set[Path]:
    """Return the project's modules that `file` imports, at any level of nesting.

    Args:
        root: The project's root.
        file: A Python file, relative to `root`.

    Returns:
        Paths relative to `root`. Packages' `__init__.py` hold no code and are left out.
    """
    tree = ast.parse((root / file).read_text(encoding="utf-8"))
    found = {path for name in _imported_names(tree) for path in _module_files(root, name)}
    return {path for path in found if path.name != "__init__.py"}


def code_deps(root: Path, stage: str) -> set[str]:
    """Return tasks/<stage>.py and every file of tasks and nfe that it imports, transitively."""
    waiting = [Path("tasks") / f"{stage}.py"]
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting.extend(imported_files(root, file) - seen)
    return {path.as_posix() for path in seen}


def differences(root: Path) -> dict[str, tuple[set[str], set[str]]]:
    """Return, per stage of dvc.yaml, the code to add to its dependencies and to take away."""
    stages = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    found = {}
    for stage, entry in stages.items():
        declared = {dep for dep in entry.get("deps", []) if dep.endswith(".py")}
        needed = code_deps(root, stage) if (root / "tasks" / f"{stage}.py").exists() else declared
        if declared != needed:
            found[stage] = (needed - declared, declared - needed)
    return found


def _imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_files(root: Path, name: str) -> Iterator[Path]:
    if name.split(".")[0] in WALKED:
        path = Path(*name.split("."))
        if (root / path.with_suffix(".py")).is_file():
            yield path.with_suffix(".py")


def _write(root: Path) -> None:
    yaml = YAML()
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    pipeline = yaml.load(root / "dvc.yaml")
    for stage, (missing, extra) in differences(root).items():
        deps = pipeline["stages"][stage]["deps"]
        kept = [dep for dep in deps if not dep.endswith(".py")]
        code = sorted({dep for dep in deps if dep.endswith(".py")} - extra | missing)
        deps[:] = [*code, *kept]
    yaml.dump(pipeline, root / "dvc.yaml")


if __name__ == "__main__":
    for stage, (missing, extra) in differences(Path()).items():
        print(f"{stage}: add {sorted(missing)}, take away {sorted(extra)}")
    if "--write" in sys.argv:
        _write(Path())
