"""The layout that docs/design.md promises, read from the files themselves."""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows.code_deps import differences

ROOT = Path(__file__).parents[1]
LAYERS = ("nfe", "tasks", "flows", "apps")  # each may import from itself and from those before
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
MODULES = sorted(p for layer in LAYERS for p in (ROOT / layer).rglob("*.py"))


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imports(file: Path) -> tuple[tuple[str, list[str]], ...]:
    return tuple(found_imports(file))


def found_imports(file: Path) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


def test_imports_go_one_way() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in MODULES
        for module, _ in imports(file)
        if module.split(".")[0] in LAYERS[LAYERS.index(file.relative_to(ROOT).parts[0]) + 1 :]
    ]
    assert wrong == []


def test_the_library_knows_no_orchestration() -> None:
    foreign = {"prefect", "dvc", "ruamel", "yaml", "typer", "apps", "flows", "tasks"}
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in MODULES
        if file.is_relative_to(ROOT / "nfe")
        for module, _ in imports(file)
        if module.split(".")[0] in foreign
    ]
    assert wrong == []


def test_a_stage_has_one_name() -> None:
    assert set(PARAMS) == {*PIPELINE, "attributes"}
    modules = {
        p.stem for p in (ROOT / "tasks").glob("*.py") if {"Params", "run"} <= defined_names(p)
    }
    assert set(PIPELINE) <= modules
    for stage, entry in PIPELINE.items():
        assert entry["cmd"] == f"python -m tasks {stage}"
        for out in outputs(entry):
            assert out.startswith(f"data/{stage}/"), out


def outputs(entry: dict[str, Any]) -> list[str]:
    listed = [*entry.get("outs", []), *entry.get("metrics", []), *entry.get("plots", [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in listed]


def test_stages_declare_the_code_they_import() -> None:
    wrong = {
        stage: f"add {sorted(add)}, take away {sorted(extra)}"
        for stage, (add, extra) in differences(ROOT).items()
    }
    assert wrong == {}, "python -m flows.code_deps --write"


@pytest.mark.parametrize("stage", PIPELINE)
def test_stages_declare_their_parameters_and_real_inputs(stage: str) -> None:
    entry = PIPELINE[stage]
    model = importlib.import_module(f"tasks.{stage}").Params
    expected = {stage} | ({"attributes"} & set(model.model_fields))
    assert expected <= set(entry["params"])
    made = {out for other in PIPELINE.values() for out in outputs(other)}
    for dep in entry["deps"]:
        assert dep in made or dep.startswith("${") or (ROOT / dep).is_file(), dep


def test_the_report_declares_what_it_shows() -> None:
    inputs = importlib.import_module("tasks.report_sections").INPUTS
    shown = {f"data/{stage}/{name}" for stage, names in inputs.items() for name in names}
    assert shown == {dep for dep in PIPELINE["report"]["deps"] if dep.startswith("data/")}


def test_packages_hold_only_a_docstring() -> None:
    for file in MODULES:
        if file.name == "__init__.py":
            body = tree_of(file).body
            assert len(body) == 1 and ast.get_docstring(ast.Module(body, [])), file


def test_public_names_are_honest() -> None:
    wrong = []
    for file in MODULES:
        public = public_names(file)
        if public is None:
            continue
        unknown = public - defined_names(file)
        wrong += [f"{file.relative_to(ROOT)}: {name} is not defined" for name in sorted(unknown)]
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for other in MODULES:
            for name in (n for m, names in imports(other) if m == module for n in names):
                if name not in public:
                    wrong.append(
                        f"{other.relative_to(ROOT)} imports {name}, not public in {module}"
                    )
    assert wrong == []


def public_names(file: Path) -> set[str] | None:
    for node in tree_of(file).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return None


def defined_names(file: Path) -> set[str]:
    names = set()
    for node in tree_of(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def test_the_default_parameters_and_every_profile_pass() -> None:
    params = importlib.import_module("flows.params")
    for profile in [None, *(p.stem for p in (ROOT / "profiles").glob("*.yaml"))]:
        params.prepare_params(ROOT, profile, [])
