"""Stage curate: choose the faces to learn from, and set some aside that nothing learns from."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nfe.errors import SourceError
from tasks.stage import Progress, StageParams, write_metrics

if TYPE_CHECKING:
    from nfe.faces.curation import Measures, Reject

CROP = Path("data/crop")
OUT = Path("data/curate")
SHEET_COLUMNS, SHEET_SIDE = 12, 80
KEEPS_SHOWN, REJECTS_SHOWN = 96, 36


class Params(StageParams):
    """Parameters of curate.

    Attributes:
        min_size: Smallest side of a face in its picture, in pixels.
        min_sharpness: Least sharpness: Laplacian over gradient.
        min_colorfulness: Least spread of colours beside the main tint, in levels of 255.
        max_hash_distance: Most bits of 64 in which near duplicates differ.
        max_color_difference: Greatest mean difference of their colours, in levels of 255.
        want: Tags that a face must have.
        avoid: Tags that a face must not have.
        holdout: Share of the kept faces that nothing trains on.
        seed: Decides which.
    """

    min_size: float = Field(ge=0)
    min_sharpness: float = Field(ge=0)
    min_colorfulness: float = Field(ge=0)
    max_hash_distance: int = Field(ge=0, le=64)
    max_color_difference: float = Field(ge=0, le=255)
    want: list[str]
    avoid: list[str]
    holdout: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)


def run(params: Params) -> None:
    """Sort the cut faces into train, holdout and rejects."""
    import pandas as pd

    from nfe.faces.curation import Rules, find_rejects

    index = _read_index()
    names, tags = list(index["name"]), [str(words).split() for words in index["tags"]]
    rules = Rules(
        params.min_size,
        params.min_sharpness,
        params.min_colorfulness,
        params.max_hash_distance,
        params.max_color_difference,
        tuple(params.want),
        tuple(params.avoid),
    )
    rejects = find_rejects(
        list(index["source"]),
        list(index["size"]),
        tags,
        _measure_all(names),
        list(index["fingerprint"]),
        rules,
    )
    keeps = [i for i in range(len(names)) if i not in rejects]
    _check_enough(keeps, rejects, len(names))
    held_out = _holdout([(names[i], str(index["source"][i])) for i in keeps], params)
    splits = ["holdout" if names[i] in held_out else "train" for i in keeps]
    _write_datasets(names, keeps, splits)
    _write_table(
        "index.parquet",
        pd.DataFrame(
            {
                "name": [names[i] for i in keeps],
                "tags": [" ".join(tags[i]) for i in keeps],
                "split": splits,
            }
        ),
    )
    rows = [(names[i], reject.reason, reject.value) for i, reject in sorted(rejects.items())]
    table = pd.DataFrame(rows, columns=["name", "reason", "value"], dtype="str")
    _write_table("rejects.parquet", table)
    _write_sheets(names, keeps, rejects)
    write_metrics(OUT, _metrics(len(names), splits, rejects))


def _read_index() -> Any:
    import pandas as pd

    try:
        return pd.read_parquet(CROP / "index.parquet")
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{CROP / 'index.parquet'} must be readable, got: {error}; run crop again"
        ) from error


def _members(names: list[str]) -> Iterator[bytes]:
    """Read members of faces.zip, one after the other."""
    import zipfile

    try:
        with zipfile.ZipFile(CROP / "faces.zip") as archive:
            for name in names:
                yield archive.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"{CROP / 'faces.zip'} must hold every face of its index, got: {error}; run crop again"
        ) from error


def _measure_all(names: list[str]) -> "list[Measures]":
    from joblib import cpu_count

    from nfe.faces.curation import measure
    from nfe.images import decode_pixels

    progress = Progress("curate")
    measures = []
    with ThreadPoolExecutor(cpu_count()) as pool:
        results = pool.map(
            lambda pair: measure(decode_pixels(*pair)), zip(_members(names), names, strict=True)
        )
        for done, result in enumerate(results, start=1):
            measures.append(result)
            progress(done, len(names), "measured")
    return measures


def _check_enough(keeps: list[int], rejects: "dict[int, Reject]", count: int) -> None:
    if len(keeps) >= 2:
        return
    reasons = Counter(reject.reason for reject in rejects.values())
    listed = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
    raise SourceError(
        f"data/crop/faces.zip must hold at least 2 faces that pass, got {len(keeps)} of {count}"
        f" ({listed or 'no rejects'}); add pictures or relax the section curate"
    )


def _holdout(faces: list[tuple[str, str]], params: Params) -> set[str]:
    """Choose by a hash of the picture's name, so that new pictures move no old one.

    All faces of a picture go together. The face with the least hash is always held out, the
    one with the greatest never, so that neither part is empty.
    """
    places = {}
    for name, source in faces:
        digest = hashlib.sha256(f"{params.seed}:{source}".encode()).digest()
        places[name] = int.from_bytes(digest[:8]) / 2**64
    chosen = {name for name, place in places.items() if place < params.holdout}
    ordered = sorted(places, key=lambda name: (places[name], name))
    return (chosen | {ordered[0]}) - {ordered[-1]}


def _write_datasets(names: list[str], keeps: list[int], splits: list[str]) -> None:
    """Write dataset.zip and holdout.zip: the PNGs as they came, and StyleGAN's dataset.json."""
    from nfe.files import write_stored_zip

    for file, wanted in (("dataset.zip", "train"), ("holdout.zip", "holdout")):
        part = [names[i] for i, split in zip(keeps, splits, strict=True) if split == wanted]

        def members(part: list[str] = part) -> Iterator[tuple[str, bytes]]:
            yield from zip(part, _members(part), strict=True)
            yield "dataset.json", b'{"labels": null}\n'

        write_stored_zip(OUT / file, members())


def _write_table(file: str, table: Any) -> None:
    from nfe.files import atomic_path

    with atomic_path(OUT / file) as partial:
        table.to_parquet(partial, index=False)


def _write_sheets(names: list[str], keeps: list[int], rejects: "dict[int, Reject]") -> None:
    """Write contact sheets of what was kept, and of what was not by reason."""
    from nfe.faces.sheets import evenly_spaced, labelled_sheet
    from nfe.files import write_bytes
    from nfe.images import decode_pixels, encode_png

    def faces(indices: list[int], most: int) -> list[Any]:
        shown = [names[indices[place]] for place in evenly_spaced(len(indices), most)]
        return [decode_pixels(d, n) for n, d in zip(shown, _members(shown), strict=True)]

    by_reason: dict[str, list[int]] = {}
    for i, reject in sorted(rejects.items(), key=lambda item: (item[1].reason, item[0])):
        by_reason.setdefault(reject.reason, []).append(i)
    kept = {f"kept: {len(keeps):,}": faces(keeps, KEEPS_SHOWN)}
    left = {f"{r}: {len(i):,}": faces(i, REJECTS_SHOWN) for r, i in by_reason.items()}
    for file, groups in (("keeps.png", kept), ("rejects.png", left or {"no rejects": []})):
        sheet = labelled_sheet(groups, SHEET_COLUMNS, SHEET_SIDE)
        write_bytes(OUT / file, encode_png(sheet))


def _metrics(count: int, splits: list[str], rejects: "dict[int, Reject]") -> dict[str, Any]:
    reasons = Counter(reject.reason for reject in rejects.values())
    return {
        "num_faces": count,
        "num_train": splits.count("train"),
        "num_holdout": splits.count("holdout"),
        **{
            f"num_{reason}": reasons[reason]
            for reason in ("small", "blurred", "grey", "duplicate", "tag_rule")
        },
    }
