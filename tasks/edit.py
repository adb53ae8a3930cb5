"""Edit the inverted pictures, and let a judge say how well edits do."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tasks.attributes import AttributeTable
from tasks.edits import Edit, load_studio, possible_edits
from tasks.stage import Progress, StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    import numpy as np

    from nfe.auto_editing import Show
    from nfe.edit_studio import Studio

FOLDER = Path("data/edit")
GRID_ROWS = 8
GRID_SIDE = 96
Level = Annotated[float, Field(ge=0, le=255, strict=False)]
FIRST_SEED = 1_000_000_000  # of the generated faces; far from those that boundaries are fitted on


class Params(StageParams):
    """Section `edit` of params.yaml.

    Attributes:
        edits: What to do to every picture, one after the other.
        strength: "auto", or a distance in W units.
        scales: Rising multiples of an automatic edit to try until the tagger sees the change.
        first_layers: Layers from which on, to the last, they are tried.
        min_confidence: How sure the tagger must be that it sees it.
        visible_change: Levels by which an edit must change a pixel to count, and to count whole.
        num_samples: Generated faces to measure edits on, beside the inverted pictures.
        batch_size: Images at a time.
        attributes: What the judge is asked.
    """

    edits: Annotated[list[Edit], Field(min_length=1)]
    strength: Literal["auto"] | Annotated[float, Field(strict=False)]
    scales: Annotated[list[Annotated[float, Field(gt=0, strict=False)]], Field(min_length=1)]
    first_layers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    min_confidence: Annotated[float, Field(ge=0, le=1, strict=False)]
    visible_change: Annotated[list[Level], Field(min_length=2, max_length=2)]
    num_samples: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    attributes: AttributeTable

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        low, high = self.visible_change
        if not low < high:
            raise ValueError(f"visible_change must rise, got {low:g} and {high:g}")
        return self


@dataclass(frozen=True)
class Faces:
    """Faces that are edited.

    Attributes:
        w_plus: Their codes, [N, num_ws, w_dim].
        show: What people see of codes such as edited ones.
        before: The judge's value of every attribute before the edit, [N] each.
    """

    w_plus: "np.ndarray"
    show: "Show"
    before: "dict[str, np.ndarray]"


@dataclass(frozen=True)
class Edited:
    """What an edit made of faces: codes, pixels, and the judge's value of every attribute."""

    w_plus: "np.ndarray"
    pixels: "np.ndarray"
    answers: "dict[str, np.ndarray]"


def run(params: Params) -> None:
    """Write pictures/, edit.jsonl and edits.png, and measure success and preservation."""
    import numpy as np
    import pandas as pd
    import torch

    from nfe.files import read_npz
    from nfe.gan.storage import load_generator
    from nfe.images import pixels_from_images, read_pixels_zip
    from nfe.picture_faces import lay_over
    from nfe.sampling import sample_batches

    device = pick_device()
    generator = load_generator(Path("data/train_gan/model"), device)
    studio = load_studio(params)
    edits, skipped = possible_edits(params.edits, studio.editor.boundaries)
    names = pd.read_parquet("data/invert/index.parquet")["name"].tolist()
    found = dict(zip(*read_pixels_zip(Path("data/invert/faces.zip")), strict=True))
    pictures = np.stack([found[name] for name in names])
    inverted = read_npz(Path("data/invert/codes.npz"))["w_plus"]
    seeds = range(FIRST_SEED, FIRST_SEED + params.num_samples)
    batches = sample_batches(generator, seeds, params.batch_size, 1.0, device)
    sampled = np.concatenate([w.cpu().numpy() for _, w, _ in batches])
    generated = np.repeat(sampled[:, None], generator.num_ws, axis=1)
    low, high = params.visible_change

    def draw(w_plus: "np.ndarray") -> "np.ndarray":
        parts = torch.from_numpy(w_plus).to(device).split(params.batch_size)
        with torch.no_grad():
            return np.concatenate([pixels_from_images(generator.synthesis(part)) for part in parts])

    drawn = draw(inverted)

    def show_inverted(w_plus: "np.ndarray", places: "np.ndarray") -> "np.ndarray":
        return lay_over(pictures[places], drawn[places], draw(w_plus), (low, high))

    faces = {
        "inverted": Faces(inverted, show_inverted, studio.look(pictures)),
        "generated": Faces(generated, lambda codes, _: draw(codes), studio.look(draw(generated))),
    }
    progress, measured, shown = Progress("edit"), {}, []
    others = {*(b.attribute for b in studio.editor.boundaries)}
    for done, edit in enumerate(edits, start=1):
        keep = {
            "unconditional": [],
            "conditional": edit.keep or sorted(others - {*edit.changes}),
        }
        measured[edit.name] = {
            f"{mode}_{kind}": studio.measure(
                own.before, apply(studio, own, edit, kept).answers, edit.changes, kept
            )
            for mode, kept in keep.items()
            for kind, own in faces.items()
        }
        shown.append(apply(studio, faces["inverted"], edit, edit.keep))
        progress(done, len(edits), edit.name)
    _write_results(studio, names, pictures, drawn, faces["inverted"], edits, shown)
    write_metrics(
        FOLDER,
        {
            **summarise(measured),
            "num_inverted": len(inverted),
            "num_generated": len(generated),
            "edits": measured,
            "skipped": skipped,
        },
    )


def apply(studio: "Studio", faces: Faces, edit: Edit, keep: list[str]) -> Edited:
    """Edit faces, and ask the judge what they show then."""
    import numpy as np

    w_plus = studio.edit(faces.w_plus, faces.show, edit.changes, keep)
    pixels = faces.show(w_plus, np.arange(len(w_plus)))
    return Edited(w_plus, pixels, studio.look(pixels))


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
    names: list[str],
    pictures: "np.ndarray",
    drawn: "np.ndarray",
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
            for i, name in enumerate(names):
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
    columns = {"picture": pictures, "inverted": drawn}
    columns |= {edit.heading: after.pixels for edit, after in zip(edits, shown, strict=True)}
    write_bytes(FOLDER / "edits.png", encode_png(comparison_sheet(columns, GRID_ROWS, GRID_SIDE)))
