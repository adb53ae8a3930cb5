"""The parts of the report: what each stage left, read and put into words."""

import itertools
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nfe.reporting.page import Card, Chart, Section, Sheet
    from nfe.reporting.pictures import Picture
    from nfe.reporting.ranking import JudgedEdit

__all__ = ["INPUTS", "SECTIONS"]

DATA = Path("data")
ROOM = 1060  # CSS pixels a sheet has on a wide screen
SHEET_QUALITY, FACE_QUALITY = 80, 88  # of WebP: no difference seen at twice the size
GALLERY_ROWS, NUM_RANKED, NUM_LINKS = 8, 10, 12
EDIT_COLUMNS = {  # of the table: heading -> case and figure of the edit's metrics
    "success": ("unconditional_inverted", "success"),
    "others stay": ("unconditional_inverted", "preservation"),
    "success, keeping": ("conditional_inverted", "success"),
    "others stay, keeping": ("conditional_inverted", "preservation"),
    "generated: success, keeping": ("conditional_generated", "success"),
    "generated: others stay, keeping": ("conditional_generated", "preservation"),
}
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


def edit_section(metrics: Mapping[str, Any]) -> "Section":
    """Edits before and after, per edit, the best and the worst."""
    import pandas as pd

    from nfe.reporting.page import Cards, Gallery
    from nfe.reporting.ranking import first_of_each, rank_edits

    lines = _read("edit", "edit.jsonl").splitlines()
    rows = [json.loads(line) for line in lines]
    index = pd.read_parquet(DATA / "invert/index.parquet")
    ranked = rank_edits(rows, dict(zip(index["name"], index["mse"], strict=True)))
    best = first_of_each(ranked, NUM_RANKED)
    worst = first_of_each(ranked[::-1], NUM_RANKED)
    shown = list(dict.fromkeys(row["name"] for row in rows))[:GALLERY_ROWS]
    sources = _sources({*shown, *(edit.name for edit in [*best, *worst])})
    edits = list(dict.fromkeys(row["output"].partition("/")[0] for row in rows))
    return _section(
        "edit",
        "Edited pictures",
        "Held-out pictures that nothing was trained on. Success: the judge, a second tagger that "
        "took no part in labelling, now sees the wanted value. The others stay: the share of the "
        "judge's other answers that are as before. Keeping: the edit was asked to keep them.",
        [
            Gallery(
                "A picture, what the generator makes of it, and the edits of that.",
                ["picture", "recon\u00adstruction", *(_spoken(name) for name in edits)],
                [_gallery_row(name, sources, edits) for name in shown],
            ),
            _edit_table(metrics),
            Cards(
                f"The {len(best)} best edits",
                "Sorted by success, then by how many other answers stayed, then by how well the "
                "picture was reconstructed; each picture once. Pictures that showed the wanted "
                "value before do not count.",
                [_card(edit, sources) for edit in best],
            ),
            Cards(
                f"The {len(worst)} worst edits",
                "The other end of the same list.",
                [_card(edit, sources) for edit in worst],
            ),
        ],
        metrics,
    )


def _edit_table(metrics: Mapping[str, Any]) -> Any:
    from nfe.reporting.figures import Table, percent, readable
    from nfe.reporting.page import Tabular

    rows = []
    for name, cases in metrics["edits"].items():
        cells = [cases[case].get(figure) for case, figure in EDIT_COLUMNS.values()]
        count = int(cases["unconditional_inverted"]["num_images"])
        shares = ["–" if cell is None else percent(cell) for cell in cells]
        rows.append((_spoken(name), readable(count), *shares))
    headings = ("edit", "pictures", *EDIT_COLUMNS)
    return Tabular("Each edit by the judge's eyes.", Table(headings, tuple(rows)))


def _sources(names: Iterable[str]) -> "dict[str, tuple[Picture, Picture]]":
    """Return name -> the picture and its reconstruction."""
    parts = []
    for file, word in (("faces.zip", "Picture"), ("reconstructions.zip", "Reconstruction of")):
        with zipfile.ZipFile(DATA / "invert" / file) as archive:
            parts.append({name: _face(archive.read(name), f"{word} {name}") for name in names})
    return {name: (parts[0][name], parts[1][name]) for name in parts[0]}


def _gallery_row(
    name: str, sources: "Mapping[str, tuple[Picture, Picture]]", edits: Sequence[str]
) -> "list[Picture]":
    return [*sources[name], *(_edited(f"{edit}/{name}", edit) for edit in edits)]


def _edited(output: str, edit: str) -> "Picture":
    data = (DATA / "edit/pictures" / output).read_bytes()
    return _face(data, f"Edited to {_spoken(edit)}")


def _face(data: bytes, alt: str) -> "Picture":
    from nfe.reporting.pictures import embed_picture

    return embed_picture(data, alt, FACE_QUALITY)


def _card(edit: "JudgedEdit", sources: "Mapping[str, tuple[Picture, Picture]]") -> "Card":
    from nfe.reporting.page import Card

    wanted = "+".join(f"{a}={v}" for a, v in edit.changes.items())
    labels = ("picture", "reconstruction", "edited")
    pictures = (*sources[edit.name], _edited(edit.output, wanted))
    return Card(_spoken(wanted), list(zip(labels, pictures, strict=True)), list(_verdict(edit)))


def _verdict(edit: "JudgedEdit") -> Iterable[str]:
    """Say in words what the judge saw."""
    for name in edit.changes:
        was, now = _spoken(edit.before[name]), _spoken(edit.after[name])
        seen = f"sees {now} now, saw {was} before" if was != now else f"still sees {was}"
        yield f"{_spoken(name).capitalize()}: the judge {seen}."
    if edit.lost:
        lost = (f"{_spoken(a)} {edit.before[a]} → {edit.after[a]}" for a in edit.lost)
        yield f"Changed too, {len(edit.lost)} of {edit.num_others}: {', '.join(lost)}."
    else:
        yield f"All other answers stayed, {edit.num_others} of {edit.num_others}."


def invert_section(metrics: Mapping[str, Any]) -> "Section":
    """Pictures beside their reconstructions."""
    return _section(
        "invert",
        "Inversion",
        "Each picture becomes a code of the generator, by the encoder and then by "
        "domain-regularised refinement. Left of each pair the picture, right what is left of it.",
        [_sheet("invert", "pairs.png", "Pictures and their reconstructions.", crisp=True)],
        metrics,
    )


def evaluate_encoder_section(metrics: Mapping[str, Any]) -> "Section":
    """The methods of inversion side by side."""
    from nfe.reporting.charts import point_chart
    from nfe.reporting.figures import parse_csv, read_table
    from nfe.reporting.page import Chart, Tabular

    text = _read("evaluate_encoder", "table.csv")
    rows = {_spoken(row["method"]): row for row in parse_csv(text)}

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

    return _section(
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
            _sheet("evaluate_encoder", "methods.png", "Rows: pictures. Columns: methods."),
            _sheet("evaluate_encoder", "edited.png", "The same after an edit."),
            _sheet(
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
    from nfe.reporting.charts import Interval, interval_chart, matrix_chart
    from nfe.reporting.figures import parse_csv, read_table
    from nfe.reporting.page import Chart, Tabular

    boundaries = load_boundaries(DATA / "fit_boundaries/boundaries")
    names, cosines = [_spoken(b.name) for b in boundaries], boundary_correlations(boundaries)
    attributes = [b.attribute for b in boundaries]
    text = _read("fit_boundaries", "accuracies.csv")
    parts: dict[str, dict[str, dict[str, str]]] = {}
    for row in parse_csv(text):
        parts.setdefault(row["boundary"], {})[row["part"]] = row
    intervals = [
        Interval(
            label=_spoken(name),
            value=float(own["remaining"]["balanced_accuracy"]),
            low=float(own["remaining"]["balanced_low"]),
            high=float(own["remaining"]["balanced_high"]),
            other=float(own["validation"]["balanced_accuracy"]) if "validation" in own else None,
        )
        for name, own in parts.items()
        if "remaining" in own
    ]
    blocks: list[Any] = []
    if intervals:
        caption = (
            "Balanced accuracy. Remaining: samples whose label was not sure enough to fit on, with "
            "the 95 % interval. Validation: sure ones that were left out of the fit."
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
        _sheet(
            "fit_boundaries",
            "directions.png",
            "One sample from -3 to 3 standard deviations along each direction.",
            crisp=True,
        ),
        Tabular("Accuracies of every boundary, as a table", read_table(text), folded=True),
    ]
    return _section(
        "fit_boundaries",
        "Boundaries",
        "One hyperplane per attribute value, fitted on samples that the tagger is sure of. Along "
        "its direction only that attribute should change.",
        blocks,
        metrics,
    )


def _links(names: Sequence[str], attributes: Sequence[str], cosines: Any) -> Any:
    from nfe.reporting.figures import Table

    links: dict[tuple[str, str], tuple[float, str, str]] = {}
    for j, i in itertools.combinations(range(len(names)), 2):
        two, link = (attributes[j], attributes[i]), (float(cosines[i, j]), names[j], names[i])
        if two[0] != two[1] and abs(link[0]) > abs(links.get(two, (0.0,))[0]):
            links[two] = link
    chosen = sorted(links.values(), key=lambda link: -abs(link[0]))[:NUM_LINKS]
    return Table(("one", "other", "cosine"), tuple((a, b, f"{c:+.2f}") for c, a, b in chosen))


def train_gan_section(metrics: Mapping[str, Any]) -> "Section":
    """Samples and curves of the training."""
    return _section(
        "train_gan",
        "Generator",
        "Samples of fixed seeds at the end of the training, and how it went.",
        [
            _sheet(
                "train_gan",
                "samples.png",
                "Samples of the averaged generator, without truncation, none picked.",
                crisp=True,
            ),
            _curves("train_gan", ("frechet",), "Fréchet distance to the data, over the tagger."),
            _curves(
                "train_gan",
                ("diversity",),
                "Spread of the samples' features; a collapse would show.",
            ),
            _curves("train_gan", ("loss_g", "loss_d"), "Losses of generator and discriminators."),
            _curves(
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
    from nfe.reporting.figures import Table, parse_csv, readable
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
    for row in parse_csv(_read("evaluate_gan", "shares.csv")):
        data, samples = float(row["data"]), float(row["samples"])
        label = _spoken(f"{row['attribute']}={row['value']}")
        ends = sorted((data, samples))
        shares.append(Interval(label, samples, ends[0], ends[1], data))
    return _section(
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
            _sheet(
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
    return _section(
        "sample",
        "Samples",
        "The first of the pictures that are tagged and that the boundaries are fitted on.",
        [_sheet("sample", "samples.png", "Samples in the order of their seeds.", crisp=True)],
        metrics,
    )


def tag_section(metrics: Mapping[str, Any]) -> "Section":
    """What the tagger says of samples."""
    from nfe.reporting.figures import Table, percent
    from nfe.reporting.page import Tabular

    rows = [
        (
            _spoken(name),
            percent(own["share_labelled"]),
            percent(own["mean_confidence"]),
            str(sum(key.startswith("num_") for key in own)),
        )
        for name, own in metrics.items()
        if isinstance(own, Mapping) and "share_labelled" in own
    ]
    headings = ("attribute", "labelled", "mean confidence", "values")
    return _section(
        "tag",
        "Labels of the samples",
        "What the tagger says of the generator's pictures. Samples that it is not sure of get no "
        "label.",
        [
            Tabular("Samples with a label.", Table(headings, tuple(rows))),
            _sheet("tag", "attributes.png", "Examples of each value, the surest first."),
        ],
        metrics,
    )


def train_encoder_section(metrics: Mapping[str, Any]) -> "Section":
    """Reconstructions by the encoder, and curves of its training."""
    return _section(
        "train_encoder",
        "Encoder",
        "Trained on real pictures with the generator fixed.",
        [
            _sheet(
                "train_encoder",
                "reconstructions.png",
                "Held-out faces, and beside each what the encoder alone makes of it.",
                crisp=True,
            ),
            *(
                _curves("train_encoder", (name,), f"The term {_spoken(name)} of the loss.")
                for name in _columns("train_encoder")
            ),
        ],
        metrics,
    )


def train_tagger_section(metrics: Mapping[str, Any]) -> "Section":
    """How right tagger and judge are."""
    from nfe.reporting.figures import Table, percent, readable
    from nfe.reporting.page import Tabular

    rows = []
    for name, judge in metrics.get("judge", {}).items():
        tagger = metrics["tagger"].get(name)
        if isinstance(judge, Mapping) and isinstance(tagger, Mapping):
            shares = (tagger["accuracy"], judge["accuracy"], judge["chance"])
            errors = (tagger["calibration_error"], judge["calibration_error"])
            rows.append((_spoken(name), *map(percent, shares), *map(readable, errors)))
    headings = (
        "attribute",
        "tagger right",
        "judge right",
        "chance",
        "calibration error, tagger",
        "judge",
    )
    return _section(
        "train_tagger",
        "Tagger and judge",
        "Each trained on its own half of the pictures, so that the judge can contradict.",
        [
            Tabular("On held-out pictures of the data.", Table(headings, tuple(rows))),
            _curves("train_tagger", _columns("train_tagger"), "Losses while training."),
        ],
        metrics,
    )


def curate_section(metrics: Mapping[str, Any]) -> "Section":
    """What was kept, and what not and why."""
    from nfe.reporting.figures import Table, readable
    from nfe.reporting.page import Tabular

    kept = [("kept, to train on", "num_train"), ("kept, held out", "num_holdout")]
    rows = [(label, readable(metrics.get(key, 0)), "") for label, key in kept]
    rows += [
        (f"rejected: {_spoken(reason)}", readable(metrics.get(f"num_{reason}", 0)), meaning)
        for reason, meaning in REASONS.items()
    ]
    return _section(
        "curate",
        "Data set",
        "What the networks learn from, and what was sorted out for which reason.",
        [
            Tabular("Faces by what became of them.", Table(("", "faces", "why"), tuple(rows))),
            _sheet("curate", "keeps.png", "Kept faces, evenly spaced over the data set."),
            _sheet("curate", "rejects.png", "Rejected faces by reason."),
        ],
        metrics,
    )


def crop_section(metrics: Mapping[str, Any]) -> "Section":
    """What was found in the pictures."""
    return _section(
        "crop",
        "Faces found",
        "Found by the detector, turned until the eyes are level, and cut out.",
        [_sheet("crop", "faces.png", "Faces as they were cut out.")],
        metrics,
    )


def bundle_section(metrics: Mapping[str, Any]) -> "Section":
    """The model folder."""
    return _section(
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


def _section(
    stage: str, heading: str, text: str, blocks: Sequence[Any], metrics: Mapping[str, Any]
) -> "Section":
    from nfe.reporting.figures import flatten
    from nfe.reporting.page import Section

    return Section(stage, heading, text, blocks, flatten(metrics))


def _sheet(stage: str, name: str, caption: str, crisp: bool = False) -> "Sheet":
    from PIL import Image

    from nfe.reporting.page import Sheet
    from nfe.reporting.pictures import embed_picture, whole_scale

    path = DATA / stage / name
    with Image.open(path) as picture:
        scale = whole_scale(picture.width, ROOM) if crisp else 1
    alt = f"Contact sheet: {caption[0].lower()}{caption[1:]}"
    return Sheet(caption, embed_picture(path.read_bytes(), alt, SHEET_QUALITY, scale), crisp)


def _curves(stage: str, columns: Sequence[str], caption: str) -> "Chart":
    """Plot columns of the stage's curves.csv over its first column."""
    from nfe.reporting.charts import line_chart
    from nfe.reporting.figures import parse_csv
    from nfe.reporting.page import Chart

    rows = parse_csv(_read(stage, "curves.csv"))
    x_name = next(iter(rows[0]))
    series = {_spoken(name): [float(row[name]) for row in rows] for name in columns}
    xs = [float(row[x_name]) for row in rows]
    return Chart(caption, line_chart(xs, series, _spoken(x_name)))


def _columns(stage: str) -> tuple[str, ...]:
    """Return the columns of the stage's curves.csv, except the first."""
    return tuple(_read(stage, "curves.csv").partition("\n")[0].split(",")[1:])


def _read(stage: str, name: str) -> str:
    return (DATA / stage / name).read_text(encoding="utf-8")


def _spoken(name: str) -> str:
    from nfe.reporting.figures import spoken

    return spoken(name)
