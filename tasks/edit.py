"""Edit the inverted pictures, and let a judge say how well edits do."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from tasks.attributes import AttributeTable
from tasks.edits import Edit, possible_edits
from tasks.stage import Progress, StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    import numpy as np

    from nfe.edit_studio import Studio

FOLDER = Path("data/edit")
GRID_ROWS = 8
GRID_SIDE = 96
FIRST_SEED = 1_000_000_000  # of the generated faces; far from those that boundaries are fitted on


class Params(StageParams):
    """Section `edit` of params.yaml.

    Attributes:
        edits: What to do to every picture, one after the other.
        strength: "auto", or a distance in W units.
        scales: Rising multiples of an automatic edit to try until the tagger sees the change.
        min_confidence: How sure the tagger must be that it sees it.
        num_samples: Generated faces to measure edits on, beside the inverted pictures.
        batch_size: Images at a time.
        attributes: What the judge is asked.
    """

    edits: Annotated[list[Edit], Field(min_length=1)]
    strength: Literal["auto"] | Annotated[float, Field(strict=False)]
    scales: Annotated[list[Annotated[float, Field(gt=0, strict=False)]], Field(min_length=1)]
    min_confidence: Annotated[float, Field(ge=0, le=1, strict=False)]
    num_samples: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    attributes: AttributeTable


@dataclass(frozen=True)
class Look:
    """How codes look: w_plus [N, num_ws, w_dim], pixels, and the judge's value per attribute."""

    w_plus: "np.ndarray"
    pixels: "np.ndarray"
    answers: "dict[str, np.ndarray]"


def run(params: Params) -> None:
    """Write pictures/, edit.jsonl and edits.png, and measure success and preservation."""
    import numpy as np
    import pandas as pd
    import torch

    from nfe.boundaries import load_boundaries
    from nfe.edit_studio import Studio
    from nfe.files import read_npz
    from nfe.gan.storage import load_generator
    from nfe.images import pixels_from_images
    from nfe.sampling import sample_batches
    from nfe.tagging.tagger import Tagger

    device = pick_device()
    generator = load_generator(Path("data/train_gan/model"), device)
    boundaries = load_boundaries(Path("data/fit_boundaries/boundaries"))
    tagger = Tagger.load(Path("data/train_tagger/tagger"))
    judge = Tagger.load(Path("data/train_tagger/judge"))
    edits, skipped = possible_edits(params.edits, boundaries)
    names = pd.read_parquet("data/invert/index.parquet")["name"].tolist()
    inverted = read_npz(Path("data/invert/codes.npz"))["w_plus"]
    seeds = range(FIRST_SEED, FIRST_SEED + params.num_samples)
    batches = sample_batches(generator, seeds, params.batch_size, 1.0, device)
    sampled = np.concatenate([w.cpu().numpy() for _, w, _ in batches])
    generated = np.repeat(sampled[:, None], generator.num_ws, axis=1)

    def synthesise(w_plus: "np.ndarray", _: "np.ndarray") -> "np.ndarray":
        parts = torch.from_numpy(w_plus).to(device).split(params.batch_size)
        with torch.no_grad():
            return np.concatenate([pixels_from_images(generator.synthesis(part)) for part in parts])

    def look(w_plus: "np.ndarray") -> Look:
        pixels = synthesise(w_plus, np.arange(len(w_plus)))
        return Look(w_plus, pixels, studio.look(pixels))

    studio = Studio(
        boundaries,
        tagger,
        judge,
        params.attributes.root,
        params.strength,
        params.scales,
        params.min_confidence,
    )
    progress, measured, shown = Progress("edit"), {}, []
    originals = {"inverted": look(inverted), "generated": look(generated)}
    for done, edit in enumerate(edits, start=1):
        figures = {}
        others = sorted({b.attribute for b in boundaries} - {*edit.changes})
        for mode, keep in (("unconditional", []), ("conditional", edit.keep or others)):
            for kind, before in originals.items():
                after = look(studio.edit(before.w_plus, synthesise, edit.changes, keep))
                answers = before.answers, after.answers
                figures[f"{mode}_{kind}"] = studio.measure(*answers, edit.changes, keep)
        measured[edit.name] = figures
        shown.append(look(studio.edit(inverted, synthesise, edit.changes, edit.keep)))
        progress(done, len(edits), edit.name)
    _write_results(studio, names, originals["inverted"], edits, shown)
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
    before: Look,
    edits: list[Edit],
    shown: list[Look],
) -> None:
    """Write the edited pictures, a row about each, and a sheet: before, then edit after edit."""
    import json

    import numpy as np

    from nfe.boundaries import measure_distances
    from nfe.comparison import comparison_sheet
    from nfe.files import atomic_folder, write_bytes, write_text
    from nfe.images import encode_png, read_pixels_zip

    lines: list[str] = []
    with atomic_folder(FOLDER / "pictures") as partial:
        for edit, after in zip(edits, shown, strict=True):
            targets = [b for b in studio.boundaries if edit.changes.get(b.attribute) == b.value]
            low, high = (measure_distances(x.w_plus.mean(axis=1), targets) for x in (before, after))
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
                    "judge_before": {a: str(v[i]) for a, v in before.answers.items()},
                    "judge_after": {a: str(v[i]) for a, v in after.answers.items()},
                }
                lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_text(FOLDER / "edit.jsonl", "".join(lines))
    faces = dict(zip(*read_pixels_zip(Path("data/invert/faces.zip")), strict=True))
    columns = {"picture": np.stack([faces[name] for name in names]), "inverted": before.pixels}
    columns |= {edit.heading: after.pixels for edit, after in zip(edits, shown, strict=True)}
    write_bytes(FOLDER / "edits.png", encode_png(comparison_sheet(columns, GRID_ROWS, GRID_SIDE)))
