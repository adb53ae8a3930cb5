"""Files that are whole or absent: atomic writing, stored zips, tensors, manifests, hashes."""

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nfe.errors import ModelFileError, StorageError

__all__ = [
    "MANIFEST",
    "atomic_folder",
    "atomic_path",
    "check_manifest",
    "read_json",
    "read_npz",
    "sha256_file",
    "sweep_leftovers",
    "write_bytes",
    "write_json",
    "write_manifest",
    "write_npz",
    "write_stored_zip",
    "write_text",
]

LEFTOVER_PREFIX = ".partial-"
MANIFEST = "manifest.json"
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal contents give equal bytes


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success flush it and rename it to `path`.

    Args:
        path: The file to replace. Its folder is made when missing.

    Raises:
        StorageError: If the file cannot be written (no space, no permission). The previous
            file is then intact.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=LEFTOVER_PREFIX, suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _storage_error(path, error) from error
    partial = Path(name)
    try:
        yield partial
        _flush(partial)
        partial.chmod(0o644)
        partial.replace(path)
    except OSError as error:
        raise _storage_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` to fill; on success it takes the place of `path`.

    Raises:
        StorageError: If the folder cannot be written. The previous folder is then intact.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=LEFTOVER_PREFIX, dir=path.parent))
    except OSError as error:
        raise _storage_error(path, error) from error
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                _flush(file)
        partial.chmod(0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=LEFTOVER_PREFIX, dir=path.parent))
            path.replace(old / path.name)
            partial.replace(path)
            shutil.rmtree(old)
        else:
            partial.replace(path)
    except OSError as error:
        raise _storage_error(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sweep_leftovers(folder: Path) -> None:
    """Remove what a killed run left half-written in `folder`."""
    for leftover in Path(folder).glob(LEFTOVER_PREFIX + "*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON. NaN and infinity are refused with a ValueError."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ModelFileError: If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} must be a readable JSON file, got: {error}") from error


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as one npz with fixed dates: equal arrays give equal bytes."""
    with atomic_path(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", ZIP_DATE), "w", force_zip64=True) as f:
                np.lib.format.write_array(f, np.asanyarray(array), allow_pickle=False)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an npz; pickled objects are refused.

    Raises:
        ModelFileError: If the file is missing, damaged, or holds a pickle.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ModelFileError(f"{path} must be a readable npz file, got: {error}") from error


def write_stored_zip(path: Path, members: Iterable[tuple[str, bytes]]) -> int:
    """Write a zip without compression and with fixed dates, whole or not at all.

    Args:
        path: The zip to write.
        members: Pairs of member name and content, consumed one by one.

    Returns:
        The number of members written.
    """
    count = 0
    with atomic_path(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), data)
            count += 1
    return count


def sha256_file(path: Path) -> str:
    """Return the hexadecimal sha256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path) -> None:
    """Write manifest.json: the sha256 of every other file in `folder`."""
    files = sorted(p for p in Path(folder).rglob("*") if p.is_file() and p.name != MANIFEST)
    write_json(
        Path(folder) / MANIFEST,
        {"sha256": {p.relative_to(folder).as_posix(): sha256_file(p) for p in files}},
    )


def check_manifest(folder: Path) -> None:
    """Check every file that manifest.json names.

    Raises:
        ModelFileError: If the manifest is missing, or a file is missing or has another hash.
    """
    folder = Path(folder)
    manifest = read_json(folder / MANIFEST)
    hashes = manifest.get("sha256") if isinstance(manifest, dict) else None
    if not isinstance(hashes, dict):
        raise ModelFileError(f"{folder / MANIFEST} must list sha256 hashes; restore the folder")
    for name, expected in hashes.items():
        file = folder / name
        if not file.is_file():
            raise ModelFileError(f"{file} must exist, it is missing; restore the folder")
        if sha256_file(file) != expected:
            raise ModelFileError(
                f"{file} must have the sha256 of {MANIFEST}, it is damaged; restore the folder"
            )


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _storage_error(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} must be writable, got: {error.strerror or error}; "
        "free space or choose another folder"
    )
