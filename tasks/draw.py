"""Stage draw: illustrations with known tags, the embedded default data."""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from nfe.files import write_bytes, write_stored_zip
from tasks.stage import Progress, StageParams, write_metrics

if TYPE_CHECKING:
    from nfe.drawing.scenes import Layout, Scene

FOLDER = Path("data/draw")
CHUNK = 50  # illustrations per unit of work of a process
SHEET = (5, 3, 256)  # columns, rows and side of the faces of faces.png
SHEET_SUPERSAMPLING = 4

Side = Annotated[int, Field(ge=8, le=4096)]
Sides = Annotated[list[Side], Field(min_length=2, max_length=2)]
Share = Annotated[float, Field(ge=0, le=1)]


class Flaws(StageParams):
    """Shares of the illustrations that have a flaw, for curate to find."""

    no_face: Share
    small: Share
    blurred: Share
    monochrome: Share
    duplicate: Share


class Params(StageParams):
    """Parameters of stage draw; lengths in pixels."""

    num_pictures: int = Field(ge=1, le=1_000_000)
    picture_side: Sides
    face_side: Sides
    small_face_side: Sides
    supersampling: int = Field(ge=1, le=8)
    flaws: Flaws
    num_processes: int = Field(ge=1, le=256)
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def check_together(self) -> "Params":
        """Check what only the values together show."""
        for name in ("picture_side", "face_side", "small_face_side"):
            least, greatest = getattr(self, name)
            if least > greatest:
                raise ValueError(f"{name} must rise, got {least}, {greatest}; swap them")
        largest = max(self.face_side[1], self.small_face_side[1])
        if largest > self.picture_side[0]:
            raise ValueError(
                f"face_side must be at most the least picture_side {self.picture_side[0]}, "
                f"got {largest}; draw larger pictures or smaller faces"
            )
        total = sum(self.flaws.model_dump().values())
        if total > 1:
            raise ValueError(f"flaws must add up to 1 or less, got {total}; lower one")
        return self


def run(params: Params) -> None:
    """Draw illustrations.zip, a sheet of faces, and count what was drawn."""
    counts: Counter[str] = Counter()
    names = map("{:06d}".format, itertools.count())
    drawn = _draw_all(params)
    members = _members(zip(names, drawn, strict=False), counts, params.num_pictures)
    write_stored_zip(FOLDER / "illustrations.zip", members)
    write_bytes(FOLDER / "faces.png", _sheet(params.seed))
    flaws = {name: counts.pop(f"flaw {name}", 0) for name in Flaws.model_fields}
    write_metrics(
        FOLDER,
        {
            "num_pictures": params.num_pictures,
            "num_flawed": sum(flaws.values()),
            "flaws": flaws,
            "tags": dict(sorted(counts.items())),
        },
    )


def _layout(params: Params) -> "Layout":
    from nfe.drawing.scenes import Layout

    picture, face, small = (
        (sides[0], sides[1])
        for sides in (params.picture_side, params.face_side, params.small_face_side)
    )
    return Layout(picture, face, small, params.supersampling, params.flaws.model_dump())


def _draw_all(params: Params) -> Iterator[tuple[bytes, "Scene"]]:
    """Draw in several processes; the order and the bytes do not depend on their number."""
    from joblib import Parallel, delayed

    layout = _layout(params)
    parallel = Parallel(n_jobs=params.num_processes, return_as="generator")
    chunks = parallel(
        delayed(_draw_chunk)(params.seed, start, min(start + CHUNK, params.num_pictures), layout)
        for start in range(0, params.num_pictures, CHUNK)
    )
    return itertools.chain.from_iterable(chunks)


def _draw_chunk(seed: int, start: int, stop: int, layout: "Layout") -> list[tuple[bytes, "Scene"]]:
    """Draw illustrations start to stop - 1 and encode them; the pixels are left out."""
    from dataclasses import replace

    import numpy as np

    from nfe.drawing.scenes import draw_illustration
    from nfe.images import encode_png

    nothing = np.empty((0, 0, 3), np.uint8)
    scenes = [draw_illustration(seed, index, layout) for index in range(start, stop)]
    return [(encode_png(scene.pixels), replace(scene, pixels=nothing)) for scene in scenes]


def _members(
    drawn: Iterable[tuple[str, tuple[bytes, "Scene"]]], counts: Counter[str], total: int
) -> Iterator[tuple[str, bytes]]:
    """Yield the three files of each illustration, counting tags and flaws."""
    progress = Progress("draw")
    for done, (name, (png, scene)) in enumerate(drawn, start=1):
        counts.update(scene.tags if scene.flaw is None else [f"flaw {scene.flaw}"])
        yield f"{name}.png", png
        yield f"{name}.txt", (", ".join(scene.tags) + "\n").encode()
        original = None if scene.duplicate_of is None else f"{scene.duplicate_of:06d}"
        sidecar = {"box": scene.box, "eyes": scene.eyes, "flaw": scene.flaw}
        yield f"{name}.json", json.dumps(sidecar | {"duplicate_of": original}).encode()
        progress(done, total, "illustrations")


def _sheet(seed: int) -> bytes:
    """Draw a sheet of faces with every hair colour in it."""
    from dataclasses import replace

    import numpy as np

    from nfe.drawing.faces import draw_face, random_face_spec
    from nfe.drawing.palettes import HAIR_COLORS
    from nfe.images import encode_png, make_grid

    columns, rows, side = SHEET
    rng = np.random.default_rng(seed)
    colors = itertools.islice(itertools.cycle(HAIR_COLORS.items()), columns * rows)
    specs = [replace(random_face_spec(rng), hair_color=n, hair_rgb=rgb) for n, rgb in colors]
    order = rng.permutation(len(specs))
    faces = [draw_face(specs[i], side, SHEET_SUPERSAMPLING) for i in order]
    return encode_png(make_grid(np.stack(faces), columns))
