"""Write one HTML page with the pictures, curves and figures of every stage."""

import base64
import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from tasks.stage import Progress, StageParams, write_metrics

FOLDER = Path("data/report")
TEMPLATE = Path(__file__).with_name("report.html.jinja")
INK = "#808a99"  # readable on white and on black
CURVE_COLOURS = ("#e0559a", "#4c8dff", "#2fae7d", "#e09a2f", "#9a6bff")


class Params(StageParams):
    """Section `report` of params.yaml."""

    title: Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True)
class Section:
    """One part of the page: a stage, in the words of the reader.

    Attributes:
        stage: Name of the stage.
        heading: What the part is about.
        text: One or two sentences on what the reader sees.
        pictures: Pairs of file name in the stage's folder and caption.
        curves: For curves.csv: column names of one plot each.
        table: A CSV file of the stage's folder, or "".
    """

    stage: str
    heading: str
    text: str
    pictures: tuple[tuple[str, str], ...] = ()
    curves: tuple[tuple[str, ...], ...] = ()
    table: str = ""


SECTIONS = (
    Section(
        "edit",
        "Edited pictures",
        "Held-out pictures that nothing was trained on. Success: the judge, a second tagger that "
        "took no part in labelling, now sees the wanted value. Preservation: the share of the "
        "other attributes whose answer stayed the same.",
        (("edits.png", "Picture, reconstruction, and the edits"),),
    ),
    Section(
        "invert",
        "Inversion",
        "Each picture becomes a code of the generator, by the encoder and then by "
        "domain-regularised refinement.",
        (("pairs.png", "Pictures and their reconstructions"),),
    ),
    Section(
        "evaluate_encoder",
        "Inversion methods compared",
        "The same held-out pictures and the same generator for every method. An overlap of 0.5 "
        "means that inverted codes cannot be told from sampled ones. Edits are seen by the judge, "
        "and compared with what it sees in the pictures themselves.",
        (
            ("methods.png", "Rows: pictures. Columns: methods"),
            ("edited.png", "The same after an edit"),
            ("distortion_editability.png", "What a close reconstruction costs in edits"),
            ("overlap.png", "Inverted codes among sampled ones, in two dimensions"),
        ),
        table="table.csv",
    ),
    Section(
        "fit_boundaries",
        "Boundaries",
        "One hyperplane per attribute value. Along a row only that attribute should change.",
        (
            ("directions.png", "From -3 to 3 standard deviations along each direction"),
            ("cosines.png", "Cosines between the boundaries' normals"),
        ),
        table="accuracies.csv",
    ),
    Section(
        "tag",
        "Labels of the samples",
        "What the tagger says of the generator's pictures, surest first.",
        (("attributes.png", "Examples of each value"),),
    ),
    Section(
        "train_gan",
        "Generator",
        "Samples of fixed seeds at the end of the training, and how it went.",
        (("samples.png", "Samples, averaged generator, no truncation"),),
        (("frechet",), ("diversity",), ("loss_g", "loss_d"), ("real_logits", "fake_logits")),
    ),
    Section(
        "evaluate_gan",
        "Distance from the data",
        "Figures with the ending _tagger are over the features of our tagger, which teach the "
        "generator; those with _judge over the judge's, which it never sees. They compare "
        "runs of this project, and are not FID. The table holds the share of each value in the "
        "data and in the samples, as the tagger sees both.",
        (("neighbours.png", "A sample and its seven nearest faces of the data"),),
        table="shares.csv",
    ),
    Section("sample", "Samples", "The pictures that are tagged.", (("samples.png", "Samples"),)),
    Section(
        "train_encoder",
        "Encoder",
        "Trained on real pictures with the generator fixed.",
        (("reconstructions.png", "Faces and their reconstructions"),),
    ),
    Section("train_tagger", "Tagger and judge", "Each trained on its own half of the pictures."),
    Section(
        "curate",
        "Data set",
        "What was kept, and what was not and why.",
        (("keeps.png", "Kept"), ("rejects.png", "Rejected, by reason")),
    ),
    Section("crop", "Faces found", "", (("faces.png", "Crops"),)),
    Section("bundle", "Model folder", "What `nfe edit --model data/bundle/model` takes."),
)


def run(params: Params) -> None:
    """Write report.html."""
    from jinja2 import Environment, StrictUndefined, select_autoescape

    from nfe.files import write_text

    progress = Progress("report")
    parts = []
    for index, section in enumerate(SECTIONS, start=1):
        parts.append(describe(section, Path("data") / section.stage))
        progress(index, len(SECTIONS), section.stage)
    environment = Environment(autoescape=select_autoescape(default=True), undefined=StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    write_text(FOLDER / "report.html", template.render(title=params.title, sections=parts))
    size = (FOLDER / "report.html").stat().st_size
    write_metrics(FOLDER, {"num_sections": len(parts), "megabytes": round(size / 1e6, 2)})


def describe(section: Section, folder: Path) -> dict[str, Any]:
    """Collect what the template shows of one stage."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    plots = [plot_curves(folder / "curves.csv", names) for names in section.curves]
    return {
        "stage": section.stage,
        "heading": section.heading,
        "text": section.text,
        "pictures": [
            (picture_url(folder / name), caption, wide(folder / name))
            for name, caption in section.pictures
        ],
        "plots": plots,
        "table": read_table(folder / section.table) if section.table else None,
        "metrics": flatten(metrics),
        "command": f"nfe run --until {section.stage}",
    }


def flatten(metrics: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Turn nested metrics into rows of name and text."""
    rows = []
    for name, value in metrics.items():
        if isinstance(value, dict):
            rows += flatten(value, f"{prefix}{name}: ")
        else:
            rows.append((prefix + name.replace("_", " "), readable(value)))
    return rows


def readable(value: object) -> str:
    """Write a figure as a person would: three digits that matter, thousands apart."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def read_table(path: Path) -> list[list[str]]:
    """Read a CSV file with its header, figures made readable."""
    with path.open(encoding="utf-8", newline="") as file:
        return [[_cell(cell) for cell in row] for row in csv.reader(file)]


def picture_url(path: Path) -> str:
    """Return a PNG file as a data URL, so that the page is one file."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def wide(path: Path) -> bool:
    """Tell whether a picture wants the page's whole width."""
    from PIL import Image

    with Image.open(path) as picture:
        return picture.width > 1.2 * picture.height


def plot_curves(path: Path, names: tuple[str, ...]) -> str:
    """Plot columns of a CSV file over its first column, as SVG text for light and dark pages."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    x_name = next(iter(rows[0]))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nfe", "font.size": 9}):
        figure = Figure(figsize=(5, 2.6), layout="constrained")
        axes = figure.add_subplot()
        for name, colour in zip(names, CURVE_COLOURS, strict=False):
            values = [float(row[name]) for row in rows]
            label = name.replace("_", " ")
            axes.plot([float(row[x_name]) for row in rows], values, color=colour, label=label)
        axes.set_xlabel(x_name, color=INK)
        axes.tick_params(colors=INK)
        axes.spines[:].set_color(INK)
        axes.patch.set_alpha(0)
        axes.legend(frameon=False, labelcolor=INK)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _cell(cell: str) -> str:
    try:
        return readable(int(cell))
    except ValueError:
        pass
    try:
        return readable(float(cell))
    except ValueError:
        return cell.replace("_", " ")
