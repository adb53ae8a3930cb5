"""Edit the inverted pictures, and let a judge say how well edits do."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nfe.errors import ParamsError
from tasks.attributes import AttributeTable
from tasks.stage import Progress, StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    import numpy as np

    from nfe.boundaries import Boundary
    from nfe.gan.networks import Generator
    from nfe.tagging.tagger import Tagger

FOLDER = Path("data/edit")
GRID_ROWS = 8
GRID_SIDE = 96
FIRST_SEED = 1_000_000_000  # of the generated faces; far from those that boundaries are fitted on


class Edit(StageParams):
    """One edit: what to set and what to keep."""

    changes: Annotated[dict[str, str], Field(alias="set", min_length=1)]
    keep: list[str]

    @property
    def name(self) -> str:
        """Name of the edit's folder, such as `hair_color=blue`."""
        return "+".join(f"{attribute}={value}" for attribute, value in self.changes.items())


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


def run(params: Params) -> None:
    """Write pictures/, edit.jsonl and edits.png, and measure success and preservation."""
    import pandas as pd

    from nfe.boundaries import load_boundaries
    from nfe.files import read_npz
    from nfe.gan.storage import load_generator
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
    generated = _stack([generator.broadcast(w.to(device)).cpu().numpy() for _, w, _ in batches])

    studio = Studio(generator, device, boundaries, tagger, judge, params)
    progress, measured, shown = Progress("edit"), {}, []
    inverted_before = studio.look(inverted)
    generated_before = studio.look(generated)
    for done, edit in enumerate(edits, start=1):
        figures = {}
        others = sorted({b.attribute for b in boundaries} - {*edit.changes})
        for mode, keep in (("unconditional", []), ("conditional", edit.keep or others)):
            for kind, codes, before in (
                ("inverted", inverted, inverted_before),
                ("generated", generated, generated_before),
            ):
                figures[f"{mode}_{kind}"] = studio.measure(codes, before, edit.changes, keep)
        measured[edit.name] = figures
        shown.append(studio.edit(inverted, edit.changes, edit.keep))
        progress(done, len(edits), edit.name)
    _write_results(studio, names, inverted, inverted_before, edits, shown)
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


class Studio:
    """How edits are made, by boundaries and the tagger, and seen, by the judge."""

    def __init__(
        self,
        generator: "Generator",
        device: str,
        boundaries: Sequence["Boundary"],
        tagger: "Tagger",
        judge: "Tagger",
        params: Params,
    ) -> None:
        self.generator, self.device, self.params = generator, device, params
        self.boundaries, self.tagger, self.judge = boundaries, tagger, judge

    def look(self, w_plus: "np.ndarray") -> "tuple[np.ndarray, dict[str, np.ndarray]]":
        """Synthesise codes, and return the pixels and the judge's value of every attribute."""
        import numpy as np

        from nfe.shown import shown_labels

        pixels = self.synthesise(w_plus)
        labels = shown_labels(pixels, self.judge, self.params.attributes.root)
        return pixels, {name: np.array(label.names()) for name, label in labels.items()}

    def synthesise(self, w_plus: "np.ndarray") -> "np.ndarray":
        """Return the pixels of codes, [N, H, W, 3]."""
        import numpy as np
        import torch

        from nfe.images import pixels_from_images

        parts = []
        with torch.no_grad():
            for codes in torch.from_numpy(w_plus).split(self.params.batch_size):
                parts.append(pixels_from_images(self.generator.synthesis(codes.to(self.device))))
        return np.concatenate(parts)

    def edit(
        self, w_plus: "np.ndarray", changes: dict[str, str], keep: list[str]
    ) -> "tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]":
        """Edit codes and return them, their pixels and the judge's values."""
        from nfe.editing import edit_codes, extend_edits
        from nfe.shown import are_shown, shown_labels

        params = self.params
        edited = edit_codes(w_plus, self.boundaries, changes, keep, params.strength)
        if params.strength == "auto":

            def shows(codes: "np.ndarray") -> "np.ndarray":
                pixels = self.synthesise(codes)
                labels = shown_labels(pixels, self.tagger, params.attributes.root)
                return are_shown(labels, changes, params.min_confidence)

            edited = extend_edits(w_plus, edited, params.scales, shows)
        return (edited, *self.look(edited))

    def measure(
        self,
        w_plus: "np.ndarray",
        before: "tuple[np.ndarray, dict[str, np.ndarray]]",
        changes: dict[str, str],
        keep: list[str],
    ) -> dict[str, float]:
        """Success and preservation of one edit of these codes; `before` is how they look."""
        from nfe.metrics.edit_quality import measure_edit

        _, _, after = self.edit(w_plus, changes, keep)
        known = before[1]
        if not {*changes} <= {*known}:
            return {"num_images": 0.0}
        figures = measure_edit(known, after, changes, [name for name in keep if name in known])
        return {name: round(value, 4) for name, value in figures.items()}


def possible_edits(
    edits: Sequence[Edit], boundaries: Sequence["Boundary"]
) -> tuple[list[Edit], dict[str, str]]:
    """Sort out the edits that these boundaries cannot make, with the reasons.

    Raises:
        ParamsError: If no edit is possible, or the boundaries are of another space than W.
    """
    from nfe.editing import check_edit

    if any(boundary.space != "w" for boundary in boundaries):
        raise ParamsError("fit_boundaries.space must be w to edit inverted pictures; set it to w")
    possible, skipped = [], {}
    for edit in edits:
        try:
            check_edit(boundaries, edit.changes, edit.keep)
            possible.append(edit)
        except ParamsError as error:
            skipped[edit.name] = str(error)
    if not possible:
        raise ParamsError(f"edits must hold one that is possible: {'; '.join(skipped.values())}")
    return possible, skipped


def summarise(measured: dict[str, dict[str, dict[str, float]]]) -> dict[str, float]:
    """Means over the edits, weighted by their images: `<mode>_<kind>_success` and so on."""
    summary: dict[str, float] = {}
    for case in next(iter(measured.values())):
        rows = [figures[case] for figures in measured.values() if "success" in figures[case]]
        for name in ("success", "preservation"):
            own = [row for row in rows if name in row]
            total = sum(row["num_images"] for row in own)
            if total:
                mean = sum(row[name] * row["num_images"] for row in own) / total
                summary[f"{case}_{name}"] = round(mean, 4)
    return summary


def _write_results(
    studio: Studio,
    names: list[str],
    inverted: "np.ndarray",
    before: "tuple[np.ndarray, dict[str, np.ndarray]]",
    edits: list[Edit],
    shown: "list[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]",
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
        for edit, (codes, pixels, answers) in zip(edits, shown, strict=True):
            targets = [b for b in studio.boundaries if edit.changes.get(b.attribute) == b.value]
            low, high = (measure_distances(c.mean(axis=1), targets) for c in (inverted, codes))
            for i, name in enumerate(names):
                output = f"{edit.name}/{name}"
                write_bytes(partial / output, encode_png(pixels[i]))
                row: dict[str, Any] = {
                    "name": name,
                    "output": output,
                    "set": edit.changes,
                    "keep": edit.keep,
                    "distance_before": [round(float(d), 4) for d in low[i]],
                    "distance_after": [round(float(d), 4) for d in high[i]],
                    "judge_before": {a: str(v[i]) for a, v in before[1].items()},
                    "judge_after": {a: str(v[i]) for a, v in answers.items()},
                }
                lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_text(FOLDER / "edit.jsonl", "".join(lines))
    faces = dict(zip(*read_pixels_zip(Path("data/invert/faces.zip")), strict=True))
    columns = {"picture": np.stack([faces[name] for name in names]), "inverted": before[0]}
    columns |= {_heading(edit): pixels for edit, (_, pixels, _) in zip(edits, shown, strict=True)}
    write_bytes(FOLDER / "edits.png", encode_png(comparison_sheet(columns, GRID_ROWS, GRID_SIDE)))


def _heading(edit: Edit) -> str:
    """Return the edit in lines that fit over a picture."""
    return "\n".join(edit.name.replace("_", " ").replace("+", "\n").split("="))


def _stack(parts: "list[np.ndarray]") -> "np.ndarray":
    import numpy as np

    return np.concatenate(parts)
