import importlib.metadata
import json
from collections.abc import Callable
from typing import Any

import pytest

from apps.doctor import GIVES, PACKAGE

from .conftest import Nfe

REAL_VERSION = importlib.metadata.version


def without(*missing: str) -> Callable[[str], str]:
    def version(name: str) -> str:
        if name in missing:
            raise importlib.metadata.PackageNotFoundError(name)
        return REAL_VERSION(name)

    return version


def test_every_extra_says_what_it_gives() -> None:
    assert set(importlib.metadata.metadata(PACKAGE).get_all("Provides-Extra", [])) == set(GIVES)


def test_one_line_each_and_exit_0_when_the_main_parts_are_there(nfe: Nfe) -> None:
    result = nfe("doctor")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok       python 3.")
    assert "cores" in lines[1]
    assert any(line.startswith("ok       torch 2.") for line in lines)


def test_json_has_machine_and_parts(nfe: Nfe) -> None:
    content: dict[str, Any] = json.loads(nfe("doctor", "--json").stdout)
    assert content["cores"] >= 1
    assert content["device"] in ("cpu", "cuda")
    assert isinstance(content["bf16"], bool)
    parts = {part["name"]: part for part in content["parts"]}
    assert parts["numpy"]["version"] == REAL_VERSION("numpy")


def test_a_missing_optional_part_says_what_it_would_give(
    nfe: Nfe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", without("pytorch-fid"))
    result = nfe("doctor")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if "pytorch-fid" in line)
    assert line.startswith("missing  pytorch-fid, needs ==0.3.0; would give FID in the stage")
    assert line.endswith("pip install -e '.[eval]'")


def test_a_missing_main_part_ends_with_1(nfe: Nfe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", without("safetensors"))
    result = nfe("doctor")
    assert result.exit_code == 1
    assert "missing  safetensors, needs >=0.5: pip install -e ." in result.stdout


def test_a_project_that_is_not_installed_is_named(
    nfe: Nfe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.doctor.PACKAGE", "no-such-package")
    result = nfe("doctor")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no-such-package must be installed, it is not; ")
