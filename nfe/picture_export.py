"""Pictures for other trainers: StyleGAN's zip, and the imagefolder of Hugging Face datasets."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from nfe.errors import SourceError
from nfe.files import write_bytes, write_stored_zip, write_text
from nfe.images import decode_pixels, encode_png
from nfe.sources import SourcePicture, list_source

__all__ = ["IMAGEFOLDER_TABLE", "list_curated", "write_imagefolder", "write_stylegan_zip"]

IMAGEFOLDER_TABLE = "metadata.jsonl"
FOLDER_SIZE = 1000  # pictures per folder of the zip, as in StyleGAN's dataset_tool.py


def list_curated(folder: Path) -> list[SourcePicture]:
    """List the pictures of a curated data set's dataset.zip with the tags of its index.parquet.

    Raises:
        SourceError: If one of the two cannot be read.
    """
    import pandas as pd

    index = folder / "index.parquet"
    try:
        table = pd.read_parquet(index, columns=["name", "tags"])
    except (OSError, ValueError) as error:
        raise SourceError(f"{index} must be readable, got: {error}; run curate again") from error
    tags_of = {name: tuple(str(tags).split()) for name, tags in table.itertuples(index=False)}
    pictures = list_source(folder / "dataset.zip")
    return [replace(picture, tags=tags_of.get(picture.name, ())) for picture in pictures]


def write_stylegan_zip(path: Path, pictures: Sequence[SourcePicture]) -> int:
    """Write pictures as StyleGAN2-ADA and StyleGAN3 read them: 00000/img00000000.png ... .

    dataset.json holds `labels: null`, as there is no class.

    Args:
        path: The zip to write.
        pictures: All square, of one side, a power of two.

    Returns:
        Number of pictures.

    Raises:
        SourceError: If a picture has another size.
        PictureError: If a picture is damaged.
        StorageError: If the zip cannot be written.
    """

    def members() -> Iterator[tuple[str, bytes]]:
        side = 0
        for index, picture in enumerate(pictures):
            pixels = decode_pixels(picture.read(), picture.name)
            side = side or pixels.shape[0]
            _check_side(pixels, side, picture.name)
            name = f"{index // FOLDER_SIZE:05d}/img{index:08d}.png"
            yield name, encode_png(pixels)
        yield "dataset.json", b'{"labels": null}\n'

    return write_stored_zip(path, members()) - 1


def write_imagefolder(folder: Path, pictures: Sequence[SourcePicture]) -> int:
    """Write pictures as PNGs below a folder, their tags to its metadata.jsonl.

    Args:
        folder: Where to. Sub-folders and names are kept; two that differ in their suffix alone
            keep it: `a.jpg.png`.
        pictures: Of any size.

    Returns:
        Number of pictures.

    Raises:
        PictureError: If a picture is damaged.
        StorageError: If a file cannot be written.
    """
    rows: list[dict[str, Any]] = []
    used: set[str] = set()
    for picture in pictures:
        name = _unused_name(picture.name, used)
        write_bytes(folder / name, encode_png(decode_pixels(picture.read(), picture.name)))
        rows.append({"file_name": name, "tags": list(picture.tags)})
    lines = [json.dumps(row) + "\n" for row in rows]
    write_text(folder / IMAGEFOLDER_TABLE, "".join(lines))
    return len(rows)


def _check_side(pixels: np.ndarray, side: int, name: str) -> None:
    height, width = pixels.shape[:2]
    if height != width or height != side or side & (side - 1):
        wanted = f"{side} x {side}" if not side & (side - 1) else "square, of a power of two"
        raise SourceError(
            f"{name} must be {wanted} as StyleGAN wants all alike, got {width} x {height}; "
            "`nfe crop --size 256` makes such pictures"
        )


def _unused_name(name: str, used: set[str]) -> str:
    """Return a PNG name inside the folder that is not taken; `..` of a zip's name is dropped."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
    path = PurePosixPath(*parts)
    chosen, number = path.with_suffix(".png"), 2
    if str(chosen).casefold() in used:
        chosen = path.with_name(f"{path.name}.png")
    while str(chosen).casefold() in used:
        chosen = path.with_name(f"{path.name}-{number}.png")
        number += 1
    used.add(str(chosen).casefold())
    return str(chosen)
