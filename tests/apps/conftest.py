"""One tiny bundle and the whole command `nfe`, for the commands that show what a model can draw."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from apps.cli import app
from tests.tasks.editing_project import make_bundle

Nfe = Callable[..., Result]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/train_gan/model and a bundle in model/."""
    root = tmp_path_factory.mktemp("tiny")
    make_bundle(root, root / "model")
    return root


@pytest.fixture(scope="session")
def bundle(project: Path) -> Path:
    return project / "model"


@pytest.fixture(scope="session")
def nfe() -> Nfe:
    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call
