"""Stage tag: tag the sampled images and read their attributes from the tags."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nfe.errors import SourceError, TagsError
from tasks.attributes import AttributeTable
from tasks.stage import Progress, StageParams, write_metrics

if TYPE_CHECKING:
    import numpy as np

    from nfe.tagging.attributes import Labels

SAMPLE = Path("data/sample")
OUT = Path("data/tag")
EXAMPLES, EXAMPLE_SIDE = 12, 64


class Params(StageParams):
    """Parameters of tag.

    Attributes:
        attributes: The attribute table.
        tagger: A folder with a tagger: ours, Illustration2Vec, or another with a tagger.json.
        min_confidence: Least probability of a value, among the attribute's values, of a label.
        min_score: Least score of the value's tags; above 0 for taggers of independent tags.
    """

    attributes: AttributeTable
    tagger: str
    min_confidence: float = Field(ge=0, le=1)
    min_score: float = Field(ge=0, le=1)


def run(params: Params) -> None:
    """Tag data/sample/images.zip."""
    from nfe.files import write_npz
    from nfe.images import read_pixels_zip
    from nfe.tagging.attributes import label_attributes
    from nfe.tagging.tagger import Tagger

    tagger = Tagger.load(Path(params.tagger))
    names, pixels = read_pixels_zip(SAMPLE / "images.zip")
    scores = _timed_scores(tagger, pixels)
    labels = label_attributes(
        scores, tagger.tags, params.attributes.root, params.min_confidence, params.min_score
    )
    if not labels:
        raise TagsError(
            f"{params.tagger} must know two values of an attribute, its {len(tagger.tags)} tags "
            "have none; correct the section attributes or name another tag.tagger"
        )
    write_npz(OUT / "scores.npz", {"tag_scores": scores})
    _write_table(names, labels)
    _write_examples(pixels, labels)
    write_metrics(OUT, _metrics(labels, list(params.attributes.root)))


def _timed_scores(tagger: Any, pixels: "np.ndarray") -> "np.ndarray":
    import time

    started = time.perf_counter()
    scores: np.ndarray = tagger.tag_scores(pixels, Progress("tag"))
    speed = len(pixels) / (time.perf_counter() - started)
    print(f"tag: {speed:,.0f} images a second", flush=True)
    return scores


def _write_table(names: list[str], labels: "dict[str, Labels]") -> None:
    import pandas as pd

    from nfe.files import atomic_path

    columns: dict[str, Any] = {"seed": _seeds(names)}
    for attribute, found in labels.items():
        columns[attribute] = found.names()
        columns[f"{attribute}_confidence"] = found.confidence
    with atomic_path(OUT / "labels.parquet") as partial:
        pd.DataFrame(columns).to_parquet(partial, index=False)


def _seeds(names: list[str]) -> list[int]:
    try:
        return [int(Path(name).stem.removeprefix("seed")) for name in names]
    except ValueError as error:
        raise SourceError(
            f"{SAMPLE / 'images.zip'} must hold pictures named seedNUMBER.png, got: {error}; "
            "run sample again"
        ) from error


def _write_examples(pixels: "np.ndarray", labels: "dict[str, Labels]") -> None:
    """Draw faces of every value in the order of confidence, and of those without a label."""
    import numpy as np

    from nfe.faces.sheets import evenly_spaced, labelled_sheet
    from nfe.files import write_bytes
    from nfe.images import encode_png

    rows = {}
    for attribute, found in labels.items():
        for index, value in (*enumerate(found.values), (-1, "not sure")):
            members = np.flatnonzero(found.index == index)
            members = members[np.argsort(-found.confidence[members], kind="stable")]
            shown = [pixels[members[i]] for i in evenly_spaced(len(members), EXAMPLES)]
            if shown:
                rows[f"{attribute}: {value}: {len(members):,}"] = shown
    write_bytes(OUT / "attributes.png", encode_png(labelled_sheet(rows, EXAMPLES, EXAMPLE_SIDE)))


def _metrics(labels: "dict[str, Labels]", attributes: list[str]) -> dict[str, Any]:
    import numpy as np

    metrics: dict[str, Any] = {"num_images": len(next(iter(labels.values())).index)}
    for attribute, found in labels.items():
        counts = np.bincount(found.index + 1, minlength=len(found.values) + 1)[1:]
        metrics[attribute] = {
            "share_labelled": float((found.index >= 0).mean()),
            "mean_confidence": float(found.confidence.mean()),
            **{f"num_{value}": int(n) for value, n in zip(found.values, counts, strict=True)},
        }
    unknown = [attribute for attribute in attributes if attribute not in labels]
    for attribute in unknown:
        print(f"tag: {attribute} is left out: the tagger does not know two of its values")
    return metrics
