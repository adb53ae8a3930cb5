"""One tiny bundle and the whole command `nfe`, for the commands that show what a model can draw."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from apps.cli import app
from tests.tasks.editing_project import make_bundle

Nfe = Callable[..., Result]

# What the tiny bundle's detector sees: a face in BOX of SCENE, none in DARK.
SCENE = np.random.default_rng(0).integers(150, 256, (40, 50, 3), dtype=np.uint8)
DARK = np.zeros((40, 50, 3), dtype=np.uint8)
FACE = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
BOX = (8, 6, 28, 26)  # x0, y0, x1, y1


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


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a scene, a face in a sub-folder, and a picture without a face."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for name, pixels in (("scene", SCENE), ("sub/face", FACE), ("dark", DARK)):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder
