"""Which files of a model folder are not those that were written."""

from dataclasses import dataclass
from pathlib import Path

from nfe.errors import ModelFileError
from nfe.files import MANIFEST, read_json, sha256_file

__all__ = ["Difference", "verify_folder"]


@dataclass(frozen=True)
class Difference:
    """A file that is not as recorded.

    Attributes:
        path: The file.
        problem: What is wrong with it.
    """

    path: str
    problem: str


def verify_folder(folder: Path) -> tuple[int, list[Difference]]:
    """Compare every file that a folder's manifest.json names with its sha256.

    Returns:
        How many files it names, and all that differ or are missing.

    Raises:
        ModelFileError: If the manifest is missing or damaged itself.
    """
    manifest = Path(folder) / MANIFEST
    content = read_json(manifest)
    hashes = content.get("sha256") if isinstance(content, dict) else None
    if not isinstance(hashes, dict) or not all(isinstance(h, str) for h in hashes.values()):
        raise ModelFileError(f"{manifest} must list sha256 hashes; restore the folder")
    problems = {Path(folder) / name: _problem(Path(folder) / name, h) for name, h in hashes.items()}
    differences = [Difference(path.as_posix(), why) for path, why in problems.items() if why]
    return len(hashes), differences


def _problem(file: Path, expected: str) -> str:
    try:
        if not file.is_file():
            return "missing"
        return "" if sha256_file(file) == expected else f"differs from {MANIFEST}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
