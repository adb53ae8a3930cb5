"""Cut the faces out of picture files: what editing, inverting, cropping and tagging begin with."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np

from nfe.errors import PictureError
from nfe.faces.alignment import Transform, align, face_transform, whole_picture_transform
from nfe.faces.detection import Detector, Face
from nfe.file_discovery import Found
from nfe.picture_files import read_picture

__all__ = [
    "Choose",
    "Cut",
    "CutFace",
    "FaceCutter",
    "Faces",
    "cut_files",
    "name_faces",
    "take_whole",
]

Faces = Literal["auto", "detect", "whole"]
Choose = Literal["all", "largest"]


@dataclass(frozen=True)
class CutFace:
    """A face cut out of its picture.

    Attributes:
        pixels: uint8, [R, R, 3].
        transform: Where it lies in the picture.
        score: The detector's, in [0, 1]; 1 where the picture was taken as a face.
    """

    pixels: np.ndarray
    transform: Transform
    score: float


@dataclass(frozen=True)
class Cut:
    """What became of a file: its faces, or why there are none ("" when there just is none)."""

    found: Found
    faces: list[CutFace]
    problem: str


@dataclass(frozen=True)
class FaceCutter:
    """Finds the faces of a picture and cuts them out as upright squares.

    Attributes:
        detector: Finds faces; None where every picture must be a face already.
        faces: "detect", "whole" (each picture is a face), or "auto": whole where a picture is a
            square of at most twice `resolution`, else detect.
        choose: "all" faces of a picture, best first, or the "largest".
        margin: Space added on each side of a detected face, as a share of its side.
        max_angle: Most degrees by which a face is turned to set its eyes level.
        resolution: Side of the cut faces, in pixels.
    """

    detector: Detector | None
    faces: Faces
    choose: Choose
    margin: float
    max_angle: float
    resolution: int

    @classmethod
    def of_model(
        cls,
        description: Mapping[str, Any],
        detector: Detector | None,
        faces: Faces,
        choose: Choose,
    ) -> "FaceCutter":
        """Cut as a model wants its faces.

        Args:
            description: Content of the model's model.json.
            detector: The model's.
            faces, choose: As in the class.
        """
        alignment = description["alignment"]
        resolution = description["architecture"]["generator"]["resolution"]
        margin, max_angle = alignment["margin"], alignment["max_angle"]
        return cls(detector, faces, choose, margin, max_angle, resolution)

    def is_whole(self, pixels: np.ndarray) -> bool:
        """Tell whether a picture, [H, W, 3], is taken as a face."""
        height, width = pixels.shape[:2]
        small_square = height == width <= 2 * self.resolution
        return self.faces == "whole" or (self.faces == "auto" and small_square)

    def cut(self, pixels: np.ndarray, name: str) -> list[CutFace]:
        """Cut the faces out of one picture.

        Args:
            pixels: uint8, [H, W, 3].
            name: What to call it in errors.

        Raises:
            PictureError: If faces must be found and there is no detector.
        """
        if self.is_whole(pixels):
            found = [(whole_picture_transform(pixels), 1.0)]
        elif self.detector is None:
            raise PictureError(
                f"{name} must be a face itself, as the model has no face detector; "
                "cut the face out and give --faces whole"
            )
        else:
            seen = self.detector.detect(pixels)
            if self.choose == "largest":
                seen = sorted(seen, key=_area, reverse=True)[:1]
            found = [(face_transform(f, self.margin, self.max_angle), f.score) for f in seen]
        return [CutFace(align(pixels, t, self.resolution), t, score) for t, score in found]


def take_whole(pixels: np.ndarray, name: str) -> list[CutFace]:
    """Take a picture as it is, for those who look at all of it."""
    return [CutFace(pixels, whole_picture_transform(pixels), 1.0)]


def cut_files(
    planned: Iterable[Found],
    cut: Callable[[np.ndarray, str], list[CutFace]],
    max_pixels: int,
    num_threads: int,
) -> Iterator[Cut]:
    """Read files and cut out their faces, in order, a few ahead of the caller.

    A file with a problem yields that problem; nothing that a file holds raises.

    Args:
        planned: Files.
        cut: `FaceCutter.cut` or `take_whole`; transparent pictures come laid on white.
        max_pixels: Largest width times height.
        num_threads: Files that are read side by side.
    """
    with ThreadPoolExecutor(num_threads) as pool:
        waiting: deque[Future[Cut]] = deque()
        try:
            for found in planned:
                waiting.append(pool.submit(_cut_file, found, cut, max_pixels))
                if len(waiting) > num_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def name_faces(output: str, count: int, used: set[str]) -> list[str]:
    """Name the faces of one picture: `a.png`, `a-2.png`, `a-3.png`.

    Args:
        output: The picture's own name, kept for its first face.
        count: Number of faces.
        used: Names that are taken, in `str.casefold`; it gains the new ones.
    """
    path, names, number = PurePosixPath(output), [output][:count], 1
    while len(names) < count:
        number += 1
        name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        if name.casefold() not in used:
            names.append(name)
    used.update(name.casefold() for name in names)
    return names


def _area(face: Face) -> float:
    x0, y0, x1, y1 = face.box
    return (x1 - x0) * (y1 - y0)


def _cut_file(
    found: Found, cut: Callable[[np.ndarray, str], list[CutFace]], max_pixels: int
) -> Cut:
    if found.problem:
        return Cut(found, [], found.problem)
    try:
        picture = read_picture(found.path.read_bytes(), found.name, max_pixels)
        return Cut(found, cut(picture.on_white, found.name), "")
    except OSError as error:
        problem = f"{found.name} must be readable, got: {error.strerror or error}"
    except MemoryError:
        problem = f"{found.name} must fit into memory, it does not; make it smaller"
    except PictureError as error:
        problem = str(error)
    return Cut(found, [], problem)
