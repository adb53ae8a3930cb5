"""Stage train_tagger: learn the attributes' tags, once for labelling and once for judging."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from nfe.errors import NFEError, ParamsError, SourceError, TagsError
from tasks.attributes import AttributeTable
from tasks.stage import Progress, StageParams, pick_device, runs_bf16, write_metrics

if TYPE_CHECKING:
    import numpy as np
    import torch

    from nfe.tagging import training
    from nfe.tagging.groups import Group
    from nfe.tagging.network import TaggerNetwork

OUT = Path("data/train_tagger")
MIN_HELD_OUT = 2
Share = Annotated[float, Field(ge=0, le=1, strict=False)]


class RegionSwap(StageParams):
    """A region that pictures take from one another while training, with its label.

    Attributes:
        attribute: What the region shows.
        box: Its left, top, right and bottom, as shares of the side.
        share: Share of the pictures that take it from another.
    """

    attribute: str
    box: Annotated[list[Share], Field(min_length=4, max_length=4)]
    share: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _check_box(self) -> Self:
        left, top, right, bottom = self.box
        if not (left < right and top < bottom):
            raise ValueError(f"box must be left, top, right, bottom, got {self.box}")
        return self


class Params(StageParams):
    """Parameters of train_tagger.

    Attributes:
        attributes: The attribute table.
        source: A folder that curate wrote, or a folder or zip of tagged faces.
        teacher: A tagger whose labels are learnt in place of the source's tags, or null.
        teacher_confidence: Least confidence of a label of the teacher.
        min_pictures: Fewest pictures of a value; rarer ones are left out.
        holdout: Share of the pictures for calibration and, as many, for figures: half each.
        judge_share: Share of the other pictures that the judge learns from, the tagger does not.
        resolution: Side that the networks work on, in pixels.
        width: Channels of the networks' first layer.
        num_epochs: How often each picture is shown.
        batch_size: Pictures per step.
        learning_rate: The greatest, of AdamW.
        weight_decay: Of weights.
        label_smoothing: Share of a label spread over all values.
        shift: Greatest random shift, as a share of the side.
        zoom: Greatest random change of size.
        angle: Greatest random rotation, degrees.
        brightness: Greatest random change of levels and contrast.
        noise: Greatest random noise, images being in [-1, 1].
        region_swap: What pictures take from one another, or null.
        precision: Of the networks; auto is bf16 where the device computes in it.
        seed: Of the tagger; the judge's is the next.
    """

    attributes: AttributeTable
    source: str
    teacher: str | None
    teacher_confidence: float = Field(ge=0, le=1)
    min_pictures: int = Field(ge=1)
    holdout: float = Field(gt=0, lt=1)
    judge_share: float = Field(gt=0, lt=1)
    resolution: Literal[16, 32, 64, 128, 256]
    width: int = Field(ge=1, le=512)
    num_epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    shift: float = Field(ge=0, le=0.5)
    zoom: float = Field(ge=0, lt=1)
    angle: float = Field(ge=0, le=180)
    brightness: float = Field(ge=0, lt=1)
    noise: float = Field(ge=0, le=1)
    region_swap: RegionSwap | None
    precision: Literal["auto", "fp32", "bf16"]
    seed: int = Field(ge=0)


def run(params: Params) -> None:
    """Train tagger and judge, measure both, and write both."""
    import numpy as np

    from nfe.tagging.evaluation import label_ceilings
    from nfe.tagging.groups import choose_groups
    from nfe.tagging.training import predict_logits

    pixels, tags = _read_pictures(Path(params.source), params.resolution)
    by_attribute = _labels(params, pixels, tags)
    groups, chosen, left_out = choose_groups(
        params.attributes.root, by_attribute, params.min_pictures
    )
    for name, reason in left_out.items():
        print(f"train_tagger: {name} is left out: {reason}", flush=True)
    region_swap = _region_swap(params, groups)
    labels = np.stack([chosen[group.attribute] for group in groups], axis=1)
    parts = _split(labels, params)
    _choose_threads(params, pixels)
    metrics: dict[str, Any] = {"num_pictures": len(pixels), "left_out": left_out}
    curves, networks = {}, {}
    for number, name in enumerate(("tagger", "judge")):
        own = parts[name]
        networks[name], curve = _train(
            name, params.seed + number, pixels[own], labels[own], groups, region_swap, params
        )
        metrics[name] = _calibrate_and_write(name, networks[name], pixels, labels, groups, parts)
        curves[name] = [loss for _, loss in curve]
    held_out = parts["figures"]
    tagger, judge = (
        predict_logits(network, pixels[held_out], pick_device()) for network in networks.values()
    )
    metrics["label_ceiling"] = label_ceilings(tagger, judge, labels[held_out], groups)
    _write_curves(curves)
    _print_figures(metrics)
    write_metrics(OUT, metrics)


def _read_pictures(source: Path, resolution: int) -> "tuple[np.ndarray, list[tuple[str, ...]]]":
    """Read pictures at the networks' resolution, and the tags of each."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from nfe.images import decode_pixels, resize_pixels

    pictures = _list_curated(source) if (source / "index.parquet").is_file() else _list(source)
    progress = Progress("train_tagger")

    def read(picture: Any) -> "np.ndarray | None":
        try:
            return resize_pixels(decode_pixels(picture.read(), picture.name), resolution)
        except NFEError as error:
            print(f"train_tagger: left out: {error}", flush=True)
            return None

    pixels, tags = [], []
    with ThreadPoolExecutor() as pool:
        for done, (picture, decoded) in enumerate(
            zip(pictures, pool.map(read, pictures), strict=True), start=1
        ):
            progress(done, len(pictures), "read")
            if decoded is not None:
                pixels.append(decoded)
                tags.append(picture.tags)
    if len(pixels) < 2 * MIN_HELD_OUT + 4:
        raise SourceError(f"{source} must hold 8 readable pictures or more, got {len(pixels)}")
    return np.stack(pixels), tags


def _list(source: Path) -> list[Any]:
    from nfe.sources import list_source

    return list(list_source(source))


def _list_curated(folder: Path) -> list[Any]:
    """List the pictures of dataset.zip with the tags of index.parquet; the holdout stays out."""
    from dataclasses import replace

    import pandas as pd

    try:
        index = pd.read_parquet(folder / "index.parquet")
    except (OSError, ValueError) as error:
        raise SourceError(f"{folder / 'index.parquet'} must be readable, got: {error}") from error
    tags = {
        name: tuple(words.split())
        for name, words, split in zip(index["name"], index["tags"], index["split"], strict=True)
        if split == "train"
    }
    pictures = _list(folder / "dataset.zip")
    return [replace(p, tags=tags[p.name]) for p in pictures if p.name in tags]


def _labels(
    params: Params, pixels: "np.ndarray", tags: list[tuple[str, ...]]
) -> "dict[str, np.ndarray]":
    """Return for each attribute the index of the value of each picture, -1 where not known."""
    import numpy as np

    from nfe.tagging.attributes import (
        contradict_themselves,
        label_attributes,
        labels_from_tags,
    )

    table = params.attributes.root
    if params.teacher is None:
        if not any(tags):
            raise TagsError(
                f"{params.source} must have tags (metadata.csv, metadata.jsonl or a .txt beside "
                "each picture), it has none; add them, name another train_tagger.source, or a "
                "ready tagger in train_tagger.teacher"
            )
        several = contradict_themselves(tags, table)
        if several.any():
            print(
                f"train_tagger: {several.sum()} pictures are left out: their tags contradict each "
                "other, as those of several people do",
                flush=True,
            )
        return {
            name: np.where(several, -1, labels_from_tags(tags, values))
            for name, values in table.items()
        }
    from nfe.tagging.tagger import Tagger

    teacher = Tagger.load(Path(params.teacher))
    scores = teacher.tag_scores(pixels, Progress("train_tagger"))
    found = label_attributes(scores, teacher.tags, table, params.teacher_confidence, 0.0)
    labels = {name: np.full(len(pixels), -1) for name in table}
    for name, attribute in found.items():
        places = np.array([list(table[name]).index(v) for v in attribute.values] + [-1])
        labels[name] = places[attribute.index]
    return labels


def _split(labels: "np.ndarray", params: Params) -> "dict[str, np.ndarray]":
    """Divide the pictures with any known label: calibration, figures, judge, tagger."""
    import numpy as np

    known = np.flatnonzero((labels >= 0).any(axis=1))
    order = np.random.default_rng(params.seed).permutation(known)
    half = max(MIN_HELD_OUT, round(len(order) * params.holdout / 2))
    rest = order[2 * half :]
    num_judge = round(len(rest) * params.judge_share)
    parts = {
        "calibration": order[:half],
        "figures": order[half : 2 * half],
        "judge": rest[:num_judge],
        "tagger": rest[num_judge:],
    }
    for name in ("judge", "tagger"):
        if len(parts[name]) < 2:
            raise TagsError(
                f"pictures with tags must be enough for calibration, figures, judge and tagger, "
                f"got {len(order)}; add tagged pictures"
            )
    return parts


def _choose_threads(params: Params, pixels: "np.ndarray") -> None:
    """Time steps of a throw-away network with one and with all threads, take the better."""
    import torch

    from nfe.images import images_from_pixels
    from nfe.tagging.network import TaggerNetwork
    from nfe.threads import measure_num_threads

    most = torch.get_num_threads()
    if pick_device() != "cpu" or most == 1:
        return
    trial = TaggerNetwork(params.resolution, params.width, num_tags=8)
    trial.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = images_from_pixels(pixels[: params.batch_size])
    measure_num_threads(lambda: trial(images).square().mean().backward(), [1, most])


def _region_swap(params: Params, groups: "list[Group]") -> "training.RegionSwap | None":
    from nfe.tagging import training

    swap = params.region_swap
    if swap is None:
        return None
    known = [group.attribute for group in groups]
    if swap.attribute not in known:
        raise ParamsError(
            f"train_tagger.region_swap.attribute must be one of {', '.join(known)}, which the "
            f"pictures have tags of, got {swap.attribute!r}; name one of them, or set region_swap "
            "to null"
        )
    left, top, right, bottom = swap.box
    column = known.index(swap.attribute)
    return training.RegionSwap(column, (left, top, right, bottom), swap.share)


def _train(
    name: str,
    seed: int,
    pixels: "np.ndarray",
    labels: "np.ndarray",
    groups: "list[Group]",
    region_swap: "training.RegionSwap | None",
    params: Params,
) -> "tuple[TaggerNetwork, list[tuple[int, float]]]":
    from nfe.tagging.training import Augmentation, train_tagger_network

    progress, device = Progress("train_tagger"), pick_device()
    return train_tagger_network(
        pixels,
        labels,
        groups,
        width=params.width,
        num_epochs=params.num_epochs,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        weight_decay=params.weight_decay,
        label_smoothing=params.label_smoothing,
        augmentation=Augmentation(
            params.shift, params.zoom, params.angle, params.brightness, params.noise
        ),
        region_swap=region_swap,
        seed=seed,
        bf16=runs_bf16(params.precision, device),
        device=device,
        on_progress=lambda done, total, note: progress(done, total, f"{name}: {note}"),
    )


def _calibrate_and_write(
    name: str,
    network: "TaggerNetwork",
    pixels: "np.ndarray",
    labels: "np.ndarray",
    groups: "list[Group]",
    parts: "dict[str, np.ndarray]",
) -> dict[str, Any]:
    """Fit the temperatures on one half of the held-out pictures, measure on the other."""
    from nfe.tagging.calibration import apply_temperatures, fit_temperatures
    from nfe.tagging.evaluation import attribute_figures, tag_thresholds
    from nfe.tagging.storage import write_tagger
    from nfe.tagging.training import predict_logits

    def logits(part: str) -> "torch.Tensor":
        return predict_logits(network, pixels[parts[part]], pick_device())

    calibration = labels[parts["calibration"]]
    temperatures = fit_temperatures(logits("calibration"), calibration, groups)
    apply_temperatures(network, groups, temperatures)
    figures = attribute_figures(logits("figures"), labels[parts["figures"]], groups)
    notes = {
        "temperatures": dict(zip((g.attribute for g in groups), temperatures, strict=True)),
        "figures": figures,
        "num_pictures": len(parts[name]),
    }
    thresholds = tag_thresholds(logits("calibration"), calibration, groups)
    write_tagger(OUT / name, network, groups, thresholds, notes)
    return {"num_pictures": len(parts[name]), **figures}


def _write_curves(curves: dict[str, list[float]]) -> None:
    from nfe.files import write_text

    rows = ["epoch,tagger_loss,judge_loss"]
    pairs = zip(curves["tagger"], curves["judge"], strict=True)
    rows += [f"{epoch},{a:.6f},{b:.6f}" for epoch, (a, b) in enumerate(pairs, start=1)]
    write_text(OUT / "curves.csv", "\n".join(rows) + "\n")


def _print_figures(metrics: dict[str, Any]) -> None:
    for network in ("tagger", "judge"):
        for attribute, row in metrics[network].items():
            if isinstance(row, dict):
                print(
                    f"train_tagger: {network}: {attribute}: {row['accuracy']:.3f} right, "
                    f"{row['accuracy_surer_half']:.3f} on the surer half, calibration error "
                    f"{row['calibration_error']:.3f}, {row['num_pictures']} pictures held out",
                    flush=True,
                )
    for attribute, row in metrics["label_ceiling"].items():
        print(
            f"train_tagger: {attribute}: labels allow about {row['accuracy']:.3f}, "
            f"{row['accuracy_surer_half']:.3f} on the surer half",
            flush=True,
        )
