"""Restore picture files: open, restore in batches, write; a bad file does not stop the others."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nfe.errors import ParamsError, PictureError
from nfe.file_discovery import Found
from nfe.files import write_bytes
from nfe.images import encode_png
from nfe.picture_files import read_picture
from nfe.picture_restoring import Restorer

__all__ = ["read_mask", "read_on_white", "restore_files"]


def read_on_white(path: Path, name: str, max_pixels: int) -> np.ndarray:
    """Read a picture as seen on white.

    Returns:
        uint8, [H, W, 3].

    Raises:
        PictureError: If the file cannot be read, is no picture, or is larger than `max_pixels`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{name} must be readable, got: {error.strerror or error}") from error
    return read_picture(data, name, max_pixels).on_white


def read_mask(path: Path, max_pixels: int) -> np.ndarray:
    """Read which part of pictures is to be filled: where the mask is brighter than middle grey.

    Returns:
        bool, [H, W].

    Raises:
        ParamsError: If nothing or all is to be filled.
        PictureError: If the file cannot be read, is no picture, or is larger than `max_pixels`.
    """
    unknown = read_on_white(path, path.name, max_pixels).mean(axis=2) > 127.5
    if unknown.all() or not unknown.any():
        got = "white" if unknown.all() else "black"
        raise ParamsError(
            f"--mask must be white where to fill and black elsewhere, got {path} that is all "
            f"{got}; paint it"
        )
    return unknown


def restore_files(
    planned: Sequence[tuple[Found, Path]],
    restorer: Restorer,
    batch_size: int,
    max_pixels: int,
    on_progress: Callable[[int, int, str], None],
) -> list[str]:
    """Restore files in order, each to its path as a PNG.

    Args:
        planned: Files and where their results go.
        restorer: What to do, with which model and settings.
        batch_size: Pictures at a time; it changes a result by rounding errors only.
        max_pixels: Largest width times height.
        on_progress: Called with pictures times steps done, in all, and a note.

    Returns:
        Why each file failed, in the order of the files; "" for those that did not.

    Raises:
        ModelFileError: If the model's generator is not of StyleGAN2's architecture.
        StorageError: If a result cannot be written.
        TrainingError: If a loss is NaN or infinite.
    """
    problems = []
    for start in range(0, len(planned), batch_size):
        batch = planned[start : start + batch_size]
        opened = [_open(found, restorer, max_pixels) for found, _ in batch]
        problems += [item if isinstance(item, str) else "" for item in opened]
        good = [
            (item, path)
            for item, (_, path) in zip(opened, batch, strict=True)
            if not isinstance(item, str)
        ]

        def show(
            step: int, num_steps: int, note: str, start: int = start, count: int = len(batch)
        ) -> None:
            on_progress(start * num_steps + step * count, len(planned) * num_steps, note)

        results = restorer.restore([pixels for pixels, _ in good], show) if good else []
        for (_, path), result in zip(good, results, strict=True):
            write_bytes(path, encode_png(result))
    return problems


def _open(found: Found, restorer: Restorer, max_pixels: int) -> np.ndarray | str:
    """Return the pixels of a file, or why it cannot be restored."""
    if found.problem:
        return found.problem
    try:
        pixels = read_on_white(found.path, found.name, max_pixels)
        restorer.check(pixels, found.name)
    except PictureError as error:
        return str(error)
    return pixels
