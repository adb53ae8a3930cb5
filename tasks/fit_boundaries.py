"""Fit a boundary per attribute value in latent space, measure and draw them."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from nfe.errors import TagsError
from tasks.attributes import AttributeTable
from tasks.stage import Progress, StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from nfe.boundaries import Boundary
    from nfe.boundary_fitting import FittingSettings

FOLDER = Path("data/fit_boundaries")
OFFSETS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # of directions.png, in sigmas
PARTS = ("train", "validation", "remaining")


class Params(StageParams):
    """Section `fit_boundaries` of params.yaml."""

    space: Literal["w", "z"]
    confident_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    train_share: Annotated[float, Field(gt=0, lt=1)]
    regularisations: Annotated[
        list[Annotated[float, Field(gt=0, strict=False)]], Field(min_length=1)
    ]
    shared_penalty: Annotated[float, Field(gt=0, le=1, strict=False)]
    num_folds: Annotated[int, Field(ge=2)]
    centre_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    min_variance: Annotated[float, Field(ge=0, lt=1, strict=False)]
    min_examples: Annotated[int, Field(ge=4)]
    min_accuracy: Annotated[float, Field(ge=0, le=1, strict=False)]
    seed: Annotated[int, Field(ge=0)]
    attributes: AttributeTable

    @model_validator(mode="after")
    def _examples_fill_folds(self) -> "Params":
        if self.min_examples * self.train_share < self.num_folds:
            raise ValueError(
                f"min_examples times train_share must be at least num_folds, {self.num_folds}, got "
                f"{self.min_examples * self.train_share:g}"
            )
        return self

    def fitting(self) -> "FittingSettings":
        """Return what the fit of one attribute depends on."""
        from nfe.boundary_fitting import FittingSettings

        return FittingSettings(
            confident_share=self.confident_share,
            train_share=self.train_share,
            regularisations=self.regularisations,
            shared_penalty=self.shared_penalty,
            num_folds=self.num_folds,
            centre_share=self.centre_share,
            min_examples=self.min_examples,
        )


def run(params: Params) -> None:
    """Write boundaries/, accuracies.csv, cosines.png and directions.png."""
    import pandas as pd

    from nfe.boundaries import save_boundaries
    from nfe.files import read_npz, write_text

    codes = read_npz(Path("data/sample/codes.npz"))
    labels = pd.read_parquet("data/tag/labels.parquet")
    if not (codes["seeds"] == labels["seed"].to_numpy()).all():
        raise TagsError("labels must be those of the sampled images, they differ; run tag again")
    boundaries, skipped = fit_all(codes[params.space].astype("float64"), labels, params)
    if not boundaries:
        raise TagsError(f"one attribute value must be separable, none is: {skipped}")
    save_boundaries(FOLDER / "boundaries", boundaries)
    write_text(FOLDER / "accuracies.csv", accuracies_table(boundaries))
    _draw_cosines(boundaries)
    _draw_directions(boundaries, codes, params.space)
    write_metrics(FOLDER, summarise(boundaries, skipped))


def fit_all(
    codes: "np.ndarray", labels: "pd.DataFrame", params: Params
) -> tuple[list["Boundary"], dict[str, str]]:
    """Fit every value of the attribute table that the labels allow.

    Args:
        codes: Sampled codes, [N, D].
        labels: A column `<attribute>` (a value, or "" when unsure) and `<attribute>_confidence`
            per attribute.
        params: The stage's parameters.

    Returns:
        The boundaries, and the reason for each `attribute=value` that is left out.
    """
    import numpy as np

    from nfe.boundary_fitting import fit_boundaries, fit_whitening

    whitening = fit_whitening(codes, params.min_variance)
    table = params.attributes.root
    boundaries: list[Boundary] = []
    skipped: dict[str, str] = {}
    progress = Progress("fit_boundaries")
    for done, (attribute, values) in enumerate(table.items(), start=1):
        if attribute not in labels:
            unknown = "the tagger does not know its tags"
            skipped |= {f"{attribute}={value}": unknown for value in values}
            continue
        fitted, reasons = fit_boundaries(
            codes,
            labels[attribute].to_numpy(dtype=str),
            labels[f"{attribute}_confidence"].to_numpy(),
            whitening,
            params.fitting(),
            attribute=attribute,
            values=[*values],
            space=params.space,
            rng=np.random.default_rng([params.seed, done]),
        )
        skipped |= {f"{attribute}={value}": reason for value, reason in reasons.items()}
        for boundary in fitted:
            accuracy = boundary.statistics["validation_balanced_accuracy"]
            if accuracy < params.min_accuracy:
                skipped[boundary.name] = (
                    f"balanced accuracy must be {params.min_accuracy}, got {accuracy:.3f}"
                )
            else:
                boundaries.append(boundary)
        progress(done, len(table), attribute)
    return boundaries, skipped


def summarise(boundaries: Sequence["Boundary"], skipped: dict[str, str]) -> dict[str, Any]:
    """Counts, reasons, and per attribute the means of its values' balanced accuracies."""
    import numpy as np

    metrics: dict[str, Any] = {"num_boundaries": len(boundaries), "num_skipped": len(skipped)}
    for attribute in dict.fromkeys(b.attribute for b in boundaries):
        own = [b.statistics for b in boundaries if b.attribute == attribute]
        figures: dict[str, float] = {"num_values": len(own)}
        for key in (f"{part}_balanced_accuracy" for part in PARTS):
            found = [statistics[key] for statistics in own if key in statistics]
            if found:
                figures[key] = round(float(np.mean(found)), 4)
        metrics[attribute] = figures
    return metrics | {"skipped": skipped}


def accuracies_table(boundaries: Sequence["Boundary"]) -> str:
    """One row per boundary and part: counts, accuracies, 95 % interval, as CSV."""
    columns = ("num", "accuracy", "balanced_accuracy", "balanced_low", "balanced_high")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["boundary", "part", *columns])
    for boundary in boundaries:
        for part in PARTS:
            if f"{part}_num" in boundary.statistics:
                figures = [boundary.statistics[f"{part}_{column}"] for column in columns]
                writer.writerow([boundary.name, part, int(figures[0]), *figures[1:]])
    return table.getvalue()


def _draw_cosines(boundaries: Sequence["Boundary"]) -> None:
    """Draw the cosines between all pairs of whitened normals, i.e. how entangled values are."""
    import matplotlib as mpl

    from nfe.boundaries import boundary_correlations
    from nfe.files import atomic_path

    mpl.use("agg")
    from matplotlib import pyplot as plt

    cosines = boundary_correlations(boundaries)
    names = [b.name for b in boundaries]
    side = 2.5 + 0.22 * len(names)
    figure, axes = plt.subplots(figsize=(side + 0.8, side), layout="constrained")
    drawn = axes.imshow(cosines, cmap="RdBu", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_title("Cosines between boundaries (whitened codes)")
    figure.colorbar(drawn, shrink=0.7)
    with atomic_path(FOLDER / "cosines.png") as partial:
        figure.savefig(partial, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _draw_directions(
    boundaries: Sequence["Boundary"], codes: dict[str, "np.ndarray"], space: str
) -> None:
    """Draw a row of faces per boundary: one sampled face moved from -3 to 3 sigmas."""
    import numpy as np
    import torch

    from nfe.editing import edit_strip
    from nfe.files import write_bytes
    from nfe.gan.storage import load_generator
    from nfe.images import encode_png, pixels_from_images

    device = pick_device()
    generator = load_generator(Path("data/train_gan/model"), device)
    near = np.linalg.norm(codes["w"] - codes["w"].mean(axis=0), axis=1).argmin()  # a usual face
    start = codes[space][near][None, None]
    rows = []
    for boundary in boundaries:
        strip = torch.from_numpy(edit_strip(start, [boundary], OFFSETS, [])[0, :, 0]).float()
        with torch.no_grad():
            w = generator.mapping(strip.to(device)) if space == "z" else strip.to(device)
            rows.append(pixels_from_images(generator.synthesis(generator.broadcast(w))))
    sheet = label_rows(np.stack(rows), [b.name for b in boundaries])
    write_bytes(FOLDER / "directions.png", encode_png(sheet))


def label_rows(rows: "np.ndarray", names: Sequence[str]) -> "np.ndarray":
    """Lay out rows of pictures with a name at the left of each.

    Args:
        rows: uint8, [R, C, H, W, 3].
        names: R short texts.

    Returns:
        uint8, [height, width, 3].
    """
    import numpy as np
    from PIL import Image, ImageDraw

    from nfe.images import make_grid

    grid = make_grid(rows.reshape(-1, *rows.shape[2:]), columns=rows.shape[1])
    pitch = (grid.shape[0] + 2) / len(names)
    margin = Image.new("RGB", (8 + 7 * max(map(len, names)), grid.shape[0]), "white")
    pen = ImageDraw.Draw(margin)
    for index, name in enumerate(names):
        pen.text((4, (index + 0.5) * pitch), name, fill="black", anchor="lm")
    return np.concatenate([np.asarray(margin), grid], axis=1)
