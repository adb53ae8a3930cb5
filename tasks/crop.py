"""Stage crop: find the faces of the source's pictures, align them, cut them out."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nfe.errors import PictureError, SourceError
from tasks.stage import Progress, StageParams, write_metrics

if TYPE_CHECKING:
    from nfe.faces.alignment import Transform
    from nfe.faces.detection import Detector
    from nfe.sources import SourcePicture

OUT = Path("data/crop")
SHEET_FACES, SHEET_COLUMNS = 96, 12


class Params(StageParams):
    """Parameters of crop.

    Attributes:
        source: Folder, zip or file of pictures.
        detector: ONNX face detector; see models/detector/model.json.
        faces: `detect` them, or take each picture as a `whole` face.
        choose: Of several faces in a picture the `largest`, or `all`.
        resolution: Side of the cut faces, in pixels.
        margin: Space added on each side of a detected face, as a share of its side.
        max_angle: Most degrees by which a face is turned to set its eyes level.
    """

    source: str
    detector: str
    faces: Literal["detect", "whole"]
    choose: Literal["largest", "all"]
    resolution: int = Field(ge=16, le=1024)
    margin: float = Field(ge=-0.4, le=2)
    max_angle: float = Field(ge=0, le=180)


@dataclass
class CutFace:
    """One face as it is written: PNG bytes and where it came from."""

    png: bytes
    transform: "Transform"
    score: float


@dataclass
class Cut:
    """What became of one picture: its faces, or the reason why there are none."""

    faces: list[CutFace] = field(default_factory=list)
    fingerprint: bytes = b""
    reason: str = ""
    detail: str = ""


def run(params: Params) -> None:
    """Cut the faces out of every picture of the source."""
    import pandas as pd

    from nfe.faces.detection import Detector
    from nfe.faces.sheets import evenly_spaced
    from nfe.files import write_stored_zip
    from nfe.images import decode_pixels
    from nfe.sources import list_source

    pictures = list_source(Path(params.source))
    detector = Detector.load(Path(params.detector)) if params.faces == "detect" else None
    rows: list[dict[str, Any]] = []
    rejects: list[dict[str, str]] = []
    shown: list[Any] = []
    to_show = set(evenly_spaced(len(pictures), SHEET_FACES))

    def members() -> Iterator[tuple[str, bytes]]:
        used: set[str] = set()
        for index, (picture, cut) in enumerate(_cut_all(pictures, detector, params)):
            if cut.reason:
                rejects.append({"source": picture.name, "reason": cut.reason, "detail": cut.detail})
            for number, face in enumerate(cut.faces):
                name = _unused_name(picture.name, number, used)
                rows.append(_index_row(name, picture, face, cut.fingerprint))
                if index in to_show and number == 0:
                    shown.append(decode_pixels(face.png, name))
                yield name, face.png
        _check_any(params, len(rows), rejects)

    write_stored_zip(OUT / "faces.zip", members())
    _write_parquet(OUT / "index.parquet", pd.DataFrame(rows))
    columns = ["source", "reason", "detail"]
    _write_parquet(OUT / "rejects.parquet", pd.DataFrame(rejects, columns=columns, dtype="str"))
    _write_sheet(shown, params.resolution)
    write_metrics(OUT, _metrics(len(pictures), rows, rejects))


def _cut_all(
    pictures: "list[SourcePicture]", detector: "Detector | None", params: Params
) -> "Iterator[tuple[SourcePicture, Cut]]":
    """Cut every picture on all cores, in the order of the source."""
    from joblib import cpu_count

    progress = Progress("crop")
    num_faces = 0
    with ThreadPoolExecutor(cpu_count()) as pool:
        cuts = pool.map(lambda picture: _cut(picture, detector, params), pictures)
        try:
            for done, (picture, cut) in enumerate(zip(pictures, cuts, strict=True), start=1):
                num_faces += len(cut.faces)
                yield picture, cut
                progress(done, len(pictures), f"{num_faces:,} faces")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _cut(picture: "SourcePicture", detector: "Detector | None", params: Params) -> Cut:
    """Read one picture and cut its faces; a picture without one gets a reason."""
    from nfe.faces.alignment import align, face_transform, whole_picture_transform
    from nfe.faces.fingerprints import fingerprint
    from nfe.images import decode_pixels, encode_png

    try:
        pixels = decode_pixels(picture.read(), picture.name)
    except (PictureError, SourceError) as error:
        return Cut(reason="unreadable", detail=str(error))
    if detector is None:
        found = [(whole_picture_transform(pixels), 1.0)]
    else:
        faces = detector.detect(pixels)
        if params.choose == "largest":
            faces = sorted(faces, key=lambda face: -(face.box[2] - face.box[0]))[:1]
        found = [(face_transform(f, params.margin, params.max_angle), f.score) for f in faces]
    if not found:
        return Cut(reason="no_face", detail="the detector found none")
    return Cut(
        [CutFace(encode_png(align(pixels, t, params.resolution)), t, score) for t, score in found],
        fingerprint(pixels),
    )


def _unused_name(source: str, number: int, used: set[str]) -> str:
    """Return the member name of a face: its picture's path with .png, made unique.

    The second face of `a.jpg` is `a-1.png`; beside `a.jpg` a picture `a.gif` is `a.gif.png`.
    """
    path = PurePosixPath(source.replace("\\", "/"))
    folder = "".join(f"{part}/" for part in path.parts[:-1] if part not in ("/", ".."))
    suffix = f"-{number}" if number else ""
    stems = chain([path.stem, path.name], (f"{path.name}-{n}" for n in count(2)))
    names = (f"{folder}{stem}{suffix}.png" for stem in stems)
    name = next(name for name in names if name not in used)
    used.add(name)
    return name


def _index_row(
    name: str, picture: "SourcePicture", face: CutFace, fingerprint: bytes
) -> dict[str, Any]:
    x0, y0, x1, y1 = face.transform.box
    return {
        "name": name,
        "source": picture.name,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "angle": face.transform.angle,
        "score": face.score,
        "size": face.transform.side,
        "tags": " ".join(picture.tags),
        "fingerprint": fingerprint,
    }


def _check_any(params: Params, num_faces: int, rejects: list[dict[str, str]]) -> None:
    """Raise a SourceError when not one face was cut."""
    if num_faces:
        return
    if all(reject["reason"] == "unreadable" for reject in rejects):
        raise SourceError(
            f"{params.source} must hold at least one readable picture, got {len(rejects)} files "
            f"that are none, such as {rejects[0]['source']}; add pictures or set crop.source"
        )
    raise SourceError(
        f"{params.source} must hold a face in at least one picture, none was found in "
        f"{len(rejects)}; set crop.faces to whole if each picture is a face, or change "
        f"crop.detector"
    )


def _write_parquet(path: Path, table: Any) -> None:
    from nfe.files import atomic_path

    with atomic_path(path) as partial:
        table.to_parquet(partial, index=False)


def _write_sheet(faces: list[Any], side: int) -> None:
    import numpy as np

    from nfe.files import write_bytes
    from nfe.images import encode_png, make_grid, resize_pixels

    small = np.stack([resize_pixels(face, min(side, 96)) for face in faces])
    write_bytes(OUT / "faces.png", encode_png(make_grid(small, SHEET_COLUMNS)))


def _metrics(
    num_pictures: int, rows: list[dict[str, Any]], rejects: list[dict[str, str]]
) -> dict[str, Any]:
    from statistics import mean, median

    reasons = Counter(reject["reason"] for reject in rejects)
    return {
        "num_pictures": num_pictures,
        "num_faces": len(rows),
        "num_tagged": sum(bool(row["tags"]) for row in rows),
        "num_no_face": reasons["no_face"],
        "num_unreadable": reasons["unreadable"],
        "mean_score": round(mean(row["score"] for row in rows), 4),
        "median_size": round(median(row["size"] for row in rows), 1),
        "mean_turn": round(mean(abs(row["angle"]) for row in rows), 2),
    }
