"""Installed versions against the versions asked for."""

import importlib.metadata

import pytest

from nfe.environment import Part, check_parts, find_parts

INSTALLED = {"torch": "2.13.0+cpu", "fastapi": "0.165.0", "ruff": "0.9"}


def test_each_part_is_ok_wrong_or_missing() -> None:
    requirements = [
        "torch==2.13.0",
        "fastapi<0.151,>=0.139",
        "dvc>=3.60",
        'ruff>=0.8; extra == "dev"',
        'winsound; sys_platform == "nowhere"',
    ]
    assert check_parts(requirements, ["eval", "dev"], INSTALLED.get) == [
        Part("torch", "==2.13.0", "", "2.13.0+cpu", "ok"),
        Part("fastapi", "<0.151,>=0.139", "", "0.165.0", "wrong"),
        Part("dvc", ">=3.60", "", None, "missing"),
        Part("ruff", ">=0.8", "dev", "0.9", "ok"),
    ]


def test_the_project_finds_its_own_parts() -> None:
    parts = {part.name: part for part in find_parts("neural-face-editor")}
    assert parts["numpy"].version == importlib.metadata.version("numpy")
    assert parts["numpy"].state == "ok"
    assert parts["pytest"].extra == "dev"
    assert "neural-face-editor" not in parts


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(importlib.metadata.PackageNotFoundError, match="no-such-package"):
        find_parts("no-such-package")
