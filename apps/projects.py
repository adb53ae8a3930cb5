"""Where the project is that a command works on."""

import os
import sys
from pathlib import Path

from apps.exits import fail

__all__ = ["enter_project"]


def enter_project() -> Path:
    """Make the folder of dvc.yaml at or above this one the current one, and import from it."""
    here = Path.cwd()
    homes = (f for f in (here, *here.parents) if (f / "dvc.yaml").is_file())
    root = next(homes, None)
    if root is None:
        fail(2, f"folder must be in a project with a dvc.yaml, got {here}; change to one")
    os.chdir(root)
    sys.path.insert(0, str(root))  # its tasks, before those of the installation
    return root
