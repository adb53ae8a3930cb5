"""The parts of the report: what each stage left, read and put into words."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nfe.reporting.figures import Table, parse_csv, percent, read_table, readable, spoken
from tasks.report_edits import edit_section
from tasks.report_parts import DATA, curve_columns, curves, read_text, section, sheet

if TYPE_CHECKING:
    from nfe.reporting.charts import Interval
    from nfe.reporting.page import Section

__all__ = ["INPUTS", "SECTIONS"]

NUM_LINKS = 12  # of boundaries whose cosines are told
REASONS = {
    "small": "less than curate.min_size pixels wide in its picture",
    "blurred": "less sharp than curate.min_sharpness",
    "grey": "less colourful than curate.min_colorfulness",
    "duplicate": "nearly the same as a face kept already",
    "tag_rule": "its tags are not as curate.want and curate.avoid ask",
}
INPUTS: Mapping[str, tuple[str, ...]] = {  # what the page is made of, below data/
    "edit": ("metrics.json", "edit.jsonl", "pictures"),
    "invert": ("metrics.json", "index.parquet", "faces.zip", "reconstructions.zip", "pairs.png"),
    "evaluate_encoder": (
        "metrics.json",
        "table.csv",
        "methods.png",
        "edited.png",
        "overlap.png",
    ),
    "fit_boundaries": ("metrics.json", "boundaries", "accuracies.csv", "directions.png"),
    "train_gan": ("metrics.json", "samples.png", "curves.csv"),
    "evaluate_gan": ("metrics.json", "shares.csv", "neighbours.png"),
    "sample": ("metrics.json", "samples.png"),
    "tag": ("metrics.json", "attributes.png"),
    "train_encoder": ("metrics.json", "reconstructions.png", "curves.csv"),
    "train_tagger": ("metrics.json", "curves.csv"),
    "curate": ("metrics.json", "keeps.png", "rejects.png"),
    "crop": ("metrics.json", "faces.png"),
    "bundle": ("metrics.json",),
}


def invert_section(metrics: Mapping[str, Any]) -> "Section":
    """Pictures beside their reconstructions."""
    return section(
        "invert",
        "Inversion",
        "Each picture becomes a code of the generator, by the encoder and then by "
        "domain-regularised refinement. Left of each pair the picture, right what is left of it.",
        [sheet("invert", "pairs.png", "Pictures and their reconstructions.", crisp=True)],
        metrics,
    )


def evaluate_encoder_section(metrics: Mapping[str, Any]) -> "Section":
    """The methods of inversion side by side."""
    from nfe.reporting.charts import point_chart
    from nfe.reporting.page import Chart, Tabular

    text = read_text("evaluate_encoder", "table.csv")
    rows = {spoken(row["method"]): row for row in parse_csv(text)}

    def chart(column: str, what: str, low_high: tuple[float, float]) -> str:
        points = {
            name: (float(row["mse"]), float(row[column]))
            for name, row in rows.items()
            if row.get(column)
        }
        return point_chart(points, "mean squared error", what, low_high)

    slowest = max(float(row["seconds_per_image"]) for row in rows.values())
    editable = []
    if any(row.get("edit_success") for row in rows.values()):
        caption = (
            "Faithful against editable: further left is more faithful, higher is edited as asked, "
            "in the judge's eyes."
        )
        editable.append(Chart(caption, chart("edit_success", "edit success", (0.0, 1.0))))

    return section(
        "evaluate_encoder",
        "Inversion methods compared",
        "The same held-out pictures and the same generator for every method. Perceptual: distance "
        "over the judge's features, which no method optimises. Overlap: how well a classifier "
        "tells inverted codes from sampled ones. At 0.5 it cannot, and edits learned on samples "
        "fit; near 1 it always can.",
        [
            Tabular("Means over the held-out pictures.", read_table(text)),
            *editable,
            Chart(
                "What faithfulness costs: seconds per picture.",
                chart("seconds_per_image", "seconds", (0.0, slowest)),
            ),
            sheet("evaluate_encoder", "methods.png", "Rows: pictures. Columns: methods."),
            sheet("evaluate_encoder", "edited.png", "The same after an edit."),
            sheet(
                "evaluate_encoder",
                "overlap.png",
                "Inverted codes, red, among sampled ones, grey, along the two main axes of w.",
            ),
        ],
        metrics,
    )


def fit_boundaries_section(metrics: Mapping[str, Any]) -> "Section":
    """Accuracies of the boundaries, how entangled they are, and what they do."""
    from nfe.boundaries import boundary_correlations, load_boundaries
    from nfe.reporting.charts import interval_chart, matrix_chart
    from nfe.reporting.page import Chart, Tabular

    boundaries = load_boundaries(DATA / "fit_boundaries/boundaries")
    names, cosines = [spoken(b.name) for b in boundaries], boundary_correlations(boundaries)
    attributes = [b.attribute for b in boundaries]
    text = read_text("fit_boundaries", "accuracies.csv")
    blocks: list[Any] = []
    intervals = _accuracy_intervals(text)
    if intervals:
        caption = (
            "Balanced accuracy. Remaining: all samples that the boundary was not fitted on, with "
            "the 95 % interval. Validation: those it was fitted on, by cross-validation."
        )
        blocks.append(Chart(caption, interval_chart(intervals, ("remaining", "validation"))))
    blocks += [
        Tabular(
            "The strongest links between two attributes, one for each two.",
            _links(names, attributes, cosines),
            half=True,
        ),
        Chart(
            "Cosines between the boundaries' normals, for whitened codes: where there is colour "
            "outside the diagonal, moving one attribute moves the other. Blue: together. Pink: "
            "apart.",
            matrix_chart(names, cosines.tolist()),
            narrowest=600,
            half=False,
        ),
        sheet(
            "fit_boundaries",
            "directions.png",
            "One sample from -3 to 3 standard deviations along each direction.",
            crisp=True,
        ),
        Tabular("Accuracies of every boundary, as a table", read_table(text), folded=True),
    ]
    return section(
        "fit_boundaries",
        "Boundaries",
        "One hyperplane per attribute value, fitted on four fifths of the labelled samples. Along "
        "its direction only that attribute should change.",
        blocks,
        metrics,
    )


def _accuracy_intervals(text: str) -> "list[Interval]":
    """Read the balanced accuracies of the boundaries that have remaining samples, from CSV."""
    from nfe.reporting.charts import Interval

    parts: dict[str, dict[str, dict[str, str]]] = {}
    for row in parse_csv(text):
        parts.setdefault(row["boundary"], {})[row["part"]] = row
    return [
        Interval(
            label=spoken(name),
            value=float(own["remaining"]["balanced_accuracy"]),
            low=float(own["remaining"]["balanced_low"]),
            high=float(own["remaining"]["balanced_high"]),
            other=float(own["validation"]["balanced_accuracy"]) if "validation" in own else None,
        )
        for name, own in parts.items()
        if "remaining" in own
    ]


def _links(names: Sequence[str], attributes: Sequence[str], cosines: Any) -> Any:

    links: dict[tuple[str, str], tuple[float, str, str]] = {}
    for j, i in itertools.combinations(range(len(names)), 2):
        two, link = (attributes[j], attributes[i]), (float(cosines[i, j]), names[j], names[i])
        if two[0] != two[1] and abs(link[0]) > abs(links.get(two, (0.0,))[0]):
            links[two] = link
    chosen = sorted(links.values(), key=lambda link: -abs(link[0]))[:NUM_LINKS]
    return Table(("one", "other", "cosine"), tuple((a, b, f"{c:+.2f}") for c, a, b in chosen))


def train_gan_section(metrics: Mapping[str, Any]) -> "Section":
    """Samples and curves of the training."""
    return section(
        "train_gan",
        "Generator",
        "Samples of fixed seeds at the end of the training, and how it went.",
        [
            sheet(
                "train_gan",
                "samples.png",
                "Samples of the averaged generator, without truncation, none picked.",
                crisp=True,
            ),
            curves("train_gan", ("frechet",), "Fréchet distance to the data, over the tagger."),
            curves(
                "train_gan",
                ("diversity",),
                "Spread of the samples' features; a collapse would show.",
            ),
            curves("train_gan", ("loss_g", "loss_d"), "Losses of generator and discriminators."),
            curves(
                "train_gan",
                ("real_logits", "fake_logits"),
                "What the discriminator says of real and of made faces.",
            ),
        ],
        metrics,
    )


def evaluate_gan_section(metrics: Mapping[str, Any]) -> "Section":
    """How far samples are from data."""
    from nfe.reporting.charts import Interval, interval_chart
    from nfe.reporting.page import Chart, Tabular

    names = ("fd", "kd", "precision", "recall")
    rows = [
        (name, *(readable(metrics.get(f"{key}_{network}")) for network in ("judge", "tagger")))
        for key, name in zip(
            names,
            ("Fréchet distance", "kernel distance", "precision", "recall"),
            strict=True,
        )
    ]
    shares = []
    for row in parse_csv(read_text("evaluate_gan", "shares.csv")):
        data, samples = float(row["data"]), float(row["samples"])
        label = spoken(f"{row['attribute']}={row['value']}")
        ends = sorted((data, samples))
        shares.append(Interval(label, samples, ends[0], ends[1], data))
    return section(
        "evaluate_gan",
        "Distance from the data",
        "Over the features of the judge, which the generator never sees, and of the tagger, which "
        "teach it and so flatter it. The figures compare runs of this project; they are not FID.",
        [
            Chart(
                "Share of the pictures with each value, as the tagger sees data and samples.",
                interval_chart(shares, ("samples", "data")),
            ),
            Tabular(
                f"{metrics.get('num_fake', 0):,} samples against the data.",
                Table(("", "judge", "tagger"), tuple(rows)),
                half=True,
            ),
            sheet(
                "evaluate_gan",
                "neighbours.png",
                "Left a sample, then its seven nearest faces of the data: are samples copies?",
                crisp=True,
            ),
        ],
        metrics,
    )


def sample_section(metrics: Mapping[str, Any]) -> "Section":
    """What is tagged."""
    return section(
        "sample",
        "Samples",
        "The first of the pictures that are tagged and that the boundaries are fitted on.",
        [sheet("sample", "samples.png", "Samples in the order of their seeds.", crisp=True)],
        metrics,
    )


def tag_section(metrics: Mapping[str, Any]) -> "Section":
    """What the tagger says of samples."""
    from nfe.reporting.page import Tabular

    rows = [
        (
            spoken(name),
            percent(own["share_labelled"]),
            percent(own["mean_confidence"]),
            str(sum(key.startswith("num_") for key in own)),
        )
        for name, own in metrics.items()
        if isinstance(own, Mapping) and "share_labelled" in own
    ]
    headings = ("attribute", "labelled", "mean confidence", "values")
    return section(
        "tag",
        "Labels of the samples",
        "What the tagger says of the generator's pictures. Samples that it is not sure of get no "
        "label.",
        [
            Tabular("Samples with a label.", Table(headings, tuple(rows))),
            sheet("tag", "attributes.png", "Examples of each value, the surest first."),
        ],
        metrics,
    )


def train_encoder_section(metrics: Mapping[str, Any]) -> "Section":
    """Reconstructions by the encoder, and curves of its training."""
    return section(
        "train_encoder",
        "Encoder",
        "Trained on real pictures with the generator fixed.",
        [
            sheet(
                "train_encoder",
                "reconstructions.png",
                "Held-out faces, and beside each what the encoder alone makes of it.",
                crisp=True,
            ),
            *(
                curves("train_encoder", (name,), f"The term {spoken(name)} of the loss.")
                for name in curve_columns("train_encoder")
            ),
        ],
        metrics,
    )


def train_tagger_section(metrics: Mapping[str, Any]) -> "Section":
    """How right tagger and judge are."""
    from nfe.reporting.page import Tabular

    rows = []
    for name, judge in metrics.get("judge", {}).items():
        tagger = metrics["tagger"].get(name)
        if isinstance(judge, Mapping) and isinstance(tagger, Mapping):
            ceiling = metrics["label_ceiling"][name]["accuracy"]
            shares = (tagger["accuracy"], judge["accuracy"], judge["chance"], ceiling)
            errors = (tagger["calibration_error"], judge["calibration_error"])
            rows.append((spoken(name), *map(percent, shares), *map(readable, errors)))
    headings = (
        "attribute",
        "tagger right",
        "judge right",
        "chance",
        "ceiling",
        "calibration error, tagger",
        "judge",
    )
    return section(
        "train_tagger",
        "Tagger and judge",
        "Each trained on its own half of the pictures, so that the judge can contradict.",
        [
            Tabular(
                "On held-out pictures of the data. Ceiling: the share of labels that the two do "
                "not agree against.",
                Table(headings, tuple(rows)),
            ),
            curves("train_tagger", curve_columns("train_tagger"), "Losses while training."),
        ],
        metrics,
    )


def curate_section(metrics: Mapping[str, Any]) -> "Section":
    """What was kept, and what not and why."""
    from nfe.reporting.page import Tabular

    kept = [("kept, to train on", "num_train"), ("kept, held out", "num_holdout")]
    rows = [(label, readable(metrics.get(key, 0)), "") for label, key in kept]
    rows += [
        (f"rejected: {spoken(reason)}", readable(metrics.get(f"num_{reason}", 0)), meaning)
        for reason, meaning in REASONS.items()
    ]
    return section(
        "curate",
        "Data set",
        "What the networks learn from, and what was sorted out for which reason.",
        [
            Tabular("Faces by what became of them.", Table(("", "faces", "why"), tuple(rows))),
            sheet("curate", "keeps.png", "Kept faces, evenly spaced over the data set."),
            sheet("curate", "rejects.png", "Rejected faces by reason."),
        ],
        metrics,
    )


def crop_section(metrics: Mapping[str, Any]) -> "Section":
    """What was found in the pictures."""
    return section(
        "crop",
        "Faces found",
        "Found by the detector, turned until the eyes are level, and cut out.",
        [sheet("crop", "faces.png", "Faces as they were cut out.")],
        metrics,
    )


def bundle_section(metrics: Mapping[str, Any]) -> "Section":
    """The model folder."""
    return section(
        "bundle",
        "Model folder",
        "All that `nfe edit --model data/bundle/model` needs, in one folder; `nfe info` describes "
        "it.",
        [],
        metrics,
    )


SECTIONS: Mapping[str, Callable[[Mapping[str, Any]], "Section"]] = {
    "edit": edit_section,
    "invert": invert_section,
    "evaluate_encoder": evaluate_encoder_section,
    "fit_boundaries": fit_boundaries_section,
    "train_gan": train_gan_section,
    "evaluate_gan": evaluate_gan_section,
    "sample": sample_section,
    "tag": tag_section,
    "train_encoder": train_encoder_section,
    "train_tagger": train_tagger_section,
    "curate": curate_section,
    "crop": crop_section,
    "bundle": bundle_section,
}
