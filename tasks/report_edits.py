"""The part of the report that shows edits: before and after, the best and the worst."""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nfe.reporting.figures import Table, percent, readable, spoken
from tasks.report_parts import DATA, face, read_text, section

if TYPE_CHECKING:
    from nfe.reporting.page import Card, Section
    from nfe.reporting.pictures import Picture
    from nfe.reporting.ranking import JudgedEdit

__all__ = ["edit_section"]

GALLERY_ROWS, NUM_RANKED = 8, 10
EDIT_COLUMNS = {  # of the table: heading -> case and figure of the edit's metrics
    "success": ("unconditional_inverted", "success"),
    "others stay": ("unconditional_inverted", "preservation"),
    "success, keeping": ("conditional_inverted", "success"),
    "others stay, keeping": ("conditional_inverted", "preservation"),
    "generated: success, keeping": ("conditional_generated", "success"),
    "generated: others stay, keeping": ("conditional_generated", "preservation"),
}


def edit_section(metrics: Mapping[str, Any]) -> "Section":
    """Edits before and after, per edit, the best and the worst."""
    import pandas as pd

    from nfe.reporting.page import Cards, Gallery
    from nfe.reporting.ranking import first_of_each, rank_edits

    lines = read_text("edit", "edit.jsonl").splitlines()
    rows = [json.loads(line) for line in lines]
    index = pd.read_parquet(DATA / "invert/index.parquet")
    ranked = rank_edits(rows, dict(zip(index["name"], index["mse"], strict=True)))
    best = first_of_each(ranked, NUM_RANKED)
    worst = first_of_each(ranked[::-1], NUM_RANKED)
    shown = list(dict.fromkeys(row["name"] for row in rows))[:GALLERY_ROWS]
    sources = _sources({*shown, *(edit.name for edit in [*best, *worst])})
    edits = list(dict.fromkeys(row["output"].partition("/")[0] for row in rows))
    return section(
        "edit",
        "Edited pictures",
        "Held-out pictures that nothing was trained on. Success: the judge, a second tagger that "
        "took no part in labelling, now sees the wanted value. The others stay: the share of the "
        "judge's other answers that are as before. Keeping: the edit was asked to keep them.",
        [
            Gallery(
                "A picture, what the generator makes of it, and the edits of that.",
                ["picture", "recon\u00adstruction", *(spoken(name) for name in edits)],
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
    from nfe.reporting.page import Tabular

    rows = []
    for name, cases in metrics["edits"].items():
        cells = [cases[case].get(figure) for case, figure in EDIT_COLUMNS.values()]
        count = int(cases["unconditional_inverted"]["num_images"])
        figures = ["–" if cell is None else percent(cell) for cell in cells]
        rows.append((spoken(name), readable(count), *figures))
    headings = ("edit", "pictures", *EDIT_COLUMNS)
    agreement = metrics["same_of_mirror_image"]
    shares = ", ".join(f"{spoken(name)} {percent(share)}" for name, share in agreement.items())
    caption = (
        "Each edit by the judge's eyes, which are not beyond doubt. Of a picture and of its mirror "
        f"image the judge says the same in so many cases: {shares}."
    )
    return Tabular(caption, Table(headings, tuple(rows)))


def _sources(names: Iterable[str]) -> "dict[str, tuple[Picture, Picture]]":
    """Return name -> the picture and its reconstruction."""
    parts = []
    for file, word in (("faces.zip", "Picture"), ("reconstructions.zip", "Reconstruction of")):
        with zipfile.ZipFile(DATA / "invert" / file) as archive:
            parts.append({name: face(archive.read(name), f"{word} {name}") for name in names})
    return {name: (parts[0][name], parts[1][name]) for name in parts[0]}


def _gallery_row(
    name: str, sources: "Mapping[str, tuple[Picture, Picture]]", edits: Sequence[str]
) -> "list[Picture]":
    return [*sources[name], *(_edited(f"{edit}/{name}", edit) for edit in edits)]


def _edited(output: str, edit: str) -> "Picture":
    data = (DATA / "edit/pictures" / output).read_bytes()
    return face(data, f"Edited to {spoken(edit)}")


def _card(edit: "JudgedEdit", sources: "Mapping[str, tuple[Picture, Picture]]") -> "Card":
    from nfe.reporting.page import Card

    wanted = "+".join(f"{a}={v}" for a, v in edit.changes.items())
    labels = ("picture", "reconstruction", "edited")
    pictures = (*sources[edit.name], _edited(edit.output, wanted))
    return Card(spoken(wanted), list(zip(labels, pictures, strict=True)), list(_verdict(edit)))


def _verdict(edit: "JudgedEdit") -> Iterable[str]:
    """Say in words what the judge saw."""
    for name in edit.changes:
        was, now = spoken(edit.before[name]), spoken(edit.after[name])
        seen = f"sees {now} now, saw {was} before" if was != now else f"still sees {was}"
        yield f"{spoken(name).capitalize()}: the judge {seen}."
    if edit.lost:
        lost = (f"{spoken(a)} {edit.before[a]} → {edit.after[a]}" for a in edit.lost)
        yield f"Changed too, {len(edit.lost)} of {edit.num_others}: {', '.join(lost)}."
    else:
        yield f"All other answers stayed, {edit.num_others} of {edit.num_others}."
