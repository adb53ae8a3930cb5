"""Edit the inverted pictures, and let a judge say how well edits do."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tasks.attributes import AttributeTable
from tasks.edits import Edit, load_studio, possible_edits
from tasks.stage import Progress, StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from nfe.edit_studio import Studio
    from nfe.gan.networks import Generator
    from nfe.guarding import Draw, Guard

FOLDER = Path("data/edit")
GRID_ROWS = 8
GRID_SIDE = 96
Level = Annotated[float, Field(ge=0, le=255, strict=False)]
FIRST_SEED = 1_000_000_000  # of the generated faces; far from those that boundaries are fitted on


class Guarded(StageParams):
    """See nfe.guarding.Guard; an attribute without boundaries cannot be kept, nor guarded."""

    attributes: list[str]
    factor: Annotated[float, Field(gt=0, strict=False)]


class Params(StageParams):
    """Section `edit` of params.yaml.

    Attributes:
        edits: What to do to every picture, one after the other.
        strength: "auto", or a distance in W units.
        scales: Rising multiples of an automatic edit to try until the tagger sees the change.
        first_layers: Layers from which on, to the last, they are tried.
        min_confidence: How sure the tagger must be that it sees it.
        guard: Attributes whose places edits keep away from, where they are kept.
        visible_change: Levels by which an edit must change a pixel to count, and to count whole.
        recolour: Attributes whose change follows the lines of the picture: colours of surfaces.
        num_samples: Generated faces to measure edits on, beside the inverted pictures.
        truncation_psi: Of these faces.
        batch_size: Images at a time.
        attributes: What the judge is asked.
    """

    edits: Annotated[list[Edit], Field(min_length=1)]
    strength: Literal["auto"] | Annotated[float, Field(strict=False)]
    scales: Annotated[list[Annotated[float, Field(gt=0, strict=False)]], Field(min_length=1)]
    first_layers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    min_confidence: Annotated[float, Field(ge=0, le=1, strict=False)]
    guard: Guarded
    visible_change: Annotated[list[Level], Field(min_length=2, max_length=2)]
    recolour: list[str]
    num_samples: Annotated[int, Field(ge=1, le=1_000_000)]
    truncation_psi: Annotated[float, Field(ge=0, le=2, strict=False)]
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    attributes: AttributeTable

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        low, high = self.visible_change
        if not low < high:
            raise ValueError(f"visible_change must rise, got {low:g} and {high:g}")
        return self

    @model_validator(mode="after")
    def _check_attributes(self) -> Self:
        known = self.attributes.root
        for key, names in (("guard", self.guard.attributes), ("recolour", self.recolour)):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise ValueError(
                    f"{key} must name attributes of the table, {', '.join(known)}, "
                    f"got {', '.join(unknown)}"
                )
        return self


@dataclass(frozen=True)
class Pictures:
    """The inverted pictures: names, pixels, codes, and what the generator draws of these."""

    names: list[str]
    pixels: "np.ndarray"
    w_plus: "np.ndarray"
    drawn: "np.ndarray"


@dataclass(frozen=True)
class Faces:
    """Faces that are edited.

    Attributes:
        w_plus: Their codes, [N, num_ws, w_dim].
        drawn: What the generator draws of these, uint8, [N, H, W, 3].
        present: The generator's drawings of edited codes, which faces they are of, [M], and the
            changes made -> what people see.
        before: The judge's value of every attribute before the edit, [N] each.
    """

    w_plus: "np.ndarray"
    drawn: "np.ndarray"
    present: "Callable[[np.ndarray, np.ndarray, Mapping[str, str]], np.ndarray]"
    before: "dict[str, np.ndarray]"


@dataclass(frozen=True)
class Edited:
    """What an edit made of faces: codes, pixels, and the judge's value of every attribute."""

    w_plus: "np.ndarray"
    pixels: "np.ndarray"
    answers: "dict[str, np.ndarray]"


def run(params: Params) -> None:
    """Write pictures/, edit.jsonl and edits.png, and measure success and preservation."""
    from nfe.gan.storage import load_generator
    from nfe.guarding import Guard

    device = pick_device()
    generator = load_generator(Path("data/train_gan/model"), device)
    studio = load_studio(params)
    boundaries = studio.editor.boundaries
    edits, skipped = possible_edits(params.edits, boundaries)
    pictures = _read_pictures(generator, params, device)
    inverted = _faces_of(pictures, studio, params)
    faces = {"inverted": inverted, "generated": sample_faces(studio, generator, params, device)}
    guard = Guard(**params.guard.model_dump())

    def draw(w_plus: "np.ndarray") -> "np.ndarray":
        return _draw(generator, w_plus, params.batch_size, device)

    attributes = {boundary.attribute for boundary in boundaries}
    progress, measured, shown = Progress("edit"), {}, []
    for done, edit in enumerate(edits, start=1):
        keep = {
            "unconditional": [],
            "conditional": edit.keep or sorted(attributes - {*edit.changes}),
        }
        cases = [(mode, kind) for mode in keep for kind in faces]
        edited = {
            (mode, kind): apply(studio, guard, faces[kind], draw, edit, keep[mode])
            for mode, kind in cases
        }
        measured[edit.name] = {
            f"{mode}_{kind}": studio.measure(
                faces[kind].before, edited[mode, kind].answers, edit.changes, keep[mode]
            )
            for mode, kind in cases
        }
        shown.append(edited["conditional" if edit.keep else "unconditional", "inverted"])
        progress(done, len(edits), edit.name)
    _write_results(studio, pictures, inverted, edits, shown)
    write_metrics(
        FOLDER,
        {
            **summarise(measured),
            "num_inverted": len(pictures.names),
            "num_generated": params.num_samples,
            "same_of_mirror_image": agreement_with_mirror(studio, pictures.pixels),
            "edits": measured,
            "skipped": skipped,
        },
    )


def _read_pictures(generator: "Generator", params: Params, device: str) -> Pictures:
    import numpy as np
    import pandas as pd

    from nfe.files import read_npz
    from nfe.images import read_pixels_zip

    names = pd.read_parquet("data/invert/index.parquet")["name"].tolist()
    found = dict(zip(*read_pixels_zip(Path("data/invert/faces.zip")), strict=True))
    w_plus = read_npz(Path("data/invert/codes.npz"))["w_plus"]
    drawn = _draw(generator, w_plus, params.batch_size, device)
    return Pictures(names, np.stack([found[name] for name in names]), w_plus, drawn)


def _faces_of(pictures: Pictures, studio: "Studio", params: Params) -> Faces:
    """Take the pictures as faces, whose edits are laid over them."""
    from nfe.picture_faces import Laying, lay_over

    low, high = params.visible_change

    def present(
        drawn: "np.ndarray", places: "np.ndarray", changes: "Mapping[str, str]"
    ) -> "np.ndarray":
        laying = Laying((low, high), {*changes} <= {*params.recolour})
        return lay_over(pictures.pixels[places], pictures.drawn[places], drawn, laying)

    before = studio.look(pictures.pixels)
    return Faces(pictures.w_plus, pictures.drawn, present, before)


def sample_faces(studio: "Studio", generator: "Generator", params: Params, device: str) -> Faces:
    """Draw faces of seeds that boundaries are not fitted on."""
    import numpy as np

    from nfe.sampling import sample_batches

    seeds = range(FIRST_SEED, FIRST_SEED + params.num_samples)
    batches = sample_batches(generator, seeds, params.batch_size, params.truncation_psi, device)
    w = np.concatenate([w.cpu().numpy() for _, w, _ in batches])
    w_plus = np.repeat(w[:, None], generator.num_ws, axis=1)
    drawn = _draw(generator, w_plus, params.batch_size, device)
    return Faces(w_plus, drawn, lambda after, *_: after, studio.look(drawn))


def _draw(
    generator: "Generator", w_plus: "np.ndarray", batch_size: int, device: str
) -> "np.ndarray":
    import numpy as np
    import torch

    from nfe.images import pixels_from_images

    parts = torch.from_numpy(w_plus).to(device).split(batch_size)
    with torch.no_grad():
        return np.concatenate([pixels_from_images(generator.synthesis(part)) for part in parts])


def apply(
    studio: "Studio", guard: "Guard", faces: Faces, draw: "Draw", edit: Edit, keep: list[str]
) -> Edited:
    """Edit faces, and ask the judge what they show then."""
    import numpy as np

    boundaries = studio.editor.boundaries
    levels = guard.places(faces.w_plus, faces.drawn, draw, boundaries, edit.changes, keep)

    def show(w_plus: "np.ndarray", places: "np.ndarray") -> "np.ndarray":
        held = guard.hold_back(faces.drawn[places], draw(w_plus), levels[places])
        return faces.present(held, places, edit.changes)

    w_plus = studio.edit(faces.w_plus, show, edit.changes, keep)
    pixels = show(w_plus, np.arange(len(w_plus)))
    return Edited(w_plus, pixels, studio.look(pixels))


def agreement_with_mirror(studio: "Studio", pixels: "np.ndarray") -> dict[str, float]:
    """Return by attribute the share of pictures of whose mirror image the judge says the same.

    The rest is the judge's own doubt: no edit can be expected to keep more of its answers.
    """
    import numpy as np

    seen, mirrored = studio.look(pixels), studio.look(np.ascontiguousarray(pixels[:, :, ::-1]))
    return {name: round(float((seen[name] == mirrored[name]).mean()), 4) for name in seen}


def summarise(measured: dict[str, dict[str, dict[str, float]]]) -> dict[str, float]:
    """Means over the edits, weighted by their images: `<mode>_<kind>_success` and so on."""
    from nfe.metrics.edit_quality import mean_over_edits

    return {
        f"{case}_{name}": round(mean, 4)
        for case in next(iter(measured.values()))
        for name, mean in mean_over_edits([each[case] for each in measured.values()]).items()
    }


def _write_results(
    studio: "Studio",
    pictures: Pictures,
    faces: Faces,
    edits: list[Edit],
    shown: list[Edited],
) -> None:
    """Write the edited pictures, a row about each, and a sheet: before, then edit after edit."""
    import json

    from nfe.boundaries import measure_distances
    from nfe.comparison import comparison_sheet
    from nfe.files import atomic_folder, write_bytes, write_text
    from nfe.images import encode_png

    lines: list[str] = []
    with atomic_folder(FOLDER / "pictures") as partial:
        for edit, after in zip(edits, shown, strict=True):
            boundaries = studio.editor.boundaries
            targets = [b for b in boundaries if edit.changes.get(b.attribute) == b.value]
            low, high = (measure_distances(x.w_plus.mean(axis=1), targets) for x in (faces, after))
            for i, name in enumerate(pictures.names):
                output = f"{edit.name}/{name}"
                write_bytes(partial / output, encode_png(after.pixels[i]))
                row: dict[str, Any] = {
                    "name": name,
                    "output": output,
                    "set": edit.changes,
                    "keep": edit.keep,
                    "distance_before": [round(float(d), 4) for d in low[i]],
                    "distance_after": [round(float(d), 4) for d in high[i]],
                    "judge_before": {a: str(v[i]) for a, v in faces.before.items()},
                    "judge_after": {a: str(v[i]) for a, v in after.answers.items()},
                }
                lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_text(FOLDER / "edit.jsonl", "".join(lines))
    columns = {"picture": pictures.pixels, "inverted": pictures.drawn}
    columns |= {edit.heading: after.pixels for edit, after in zip(edits, shown, strict=True)}
    write_bytes(FOLDER / "edits.png", encode_png(comparison_sheet(columns, GRID_ROWS, GRID_SIDE)))
