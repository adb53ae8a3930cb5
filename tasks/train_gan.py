"""Train the generator and its discriminator on the curated faces."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from nfe.errors import ParamsError, SourceError
from tasks.stage import Progress, StageParams, has_bf16, pick_device, write_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import torch

    from nfe.gan.attribute_shares import Answer
    from nfe.gan.feature_discriminator import FeatureView
    from nfe.gan.networks import Discriminator, Generator
    from nfe.gan.settings import TrainingSettings
    from nfe.gan.training import GanTrainer
    from nfe.gan.watching import Evaluation
    from nfe.tagging.network import TaggerNetwork

FOLDER = Path("data/train_gan")
CHECKPOINTS = FOLDER / "checkpoints"
DATASET = Path("data/curate/dataset.zip")
TAGGER = Path("data/train_tagger/tagger")
WATCH_BATCH_SIZE = 100


Beta = Annotated[float, Field(ge=0, lt=1, strict=False)]


class GrowthStep(StageParams):
    """Train at `side` pixels for `kimg` thousand real images."""

    side: Annotated[int, Field(ge=8, le=256)]
    kimg: Annotated[float, Field(gt=0, strict=False)]
    learning_rate: Annotated[float, Field(gt=0, le=0.1)]
    r1_gamma: Annotated[float, Field(ge=0, strict=False)]


class Watch(StageParams):
    """What is looked at with every checkpoint, and when the run goes back."""

    num_images: Annotated[int, Field(ge=16, le=10_000)]
    min_diversity: Annotated[float, Field(ge=0, lt=1, strict=False)]
    max_logit: Annotated[float, Field(gt=0, strict=False)]
    max_rollbacks: Annotated[int, Field(ge=0, le=100)]


class ShareCalibration(StageParams):
    """See nfe.gan.share_calibration.CalibrationSettings."""

    num_steps: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=4, le=1024)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    anchor: Annotated[float, Field(ge=0, strict=False)]


class Params(StageParams):
    """Section `train_gan` of params.yaml.

    Attributes:
        start: Model folder of a GAN to go on from, of the architecture that this section
            describes; null for fresh networks.
    """

    start: str | None
    architecture: Literal["stylegan2", "stylegan"]
    z_dim: Annotated[int, Field(ge=4, le=1024)]
    w_dim: Annotated[int, Field(ge=4, le=1024)]
    num_mapping_layers: Annotated[int, Field(ge=1, le=16)]
    channel_base: Annotated[int, Field(ge=64, le=65536)]
    channel_max: Annotated[int, Field(ge=4, le=1024)]
    discriminator_channel_base: Annotated[int, Field(ge=64, le=65536)]
    discriminator_channel_max: Annotated[int, Field(ge=4, le=1024)]
    growth: Annotated[list[GrowthStep], Field(min_length=1)]
    adam_betas: Annotated[list[Beta], Field(min_length=2, max_length=2)]
    batch_size: Annotated[int, Field(ge=4, le=1024)]
    decay_share: Annotated[float, Field(ge=0, le=1, strict=False)]
    feature_weight: Annotated[float, Field(ge=0, strict=False)]
    attribute_weight: Annotated[float, Field(ge=0, strict=False)]
    share_calibration: ShareCalibration | None
    r1_interval: Annotated[int, Field(ge=1, le=1000)]
    ema_kimg: Annotated[float, Field(gt=0, strict=False)]
    ema_rampup: Annotated[float, Field(gt=0, le=1, strict=False)]
    mixing_probability: Annotated[float, Field(ge=0, le=1, strict=False)]
    mirror: bool
    augment_target: Annotated[float, Field(ge=0, le=1, strict=False)] | None
    precision: Literal["auto", "fp32", "bf16"]
    checkpoint_kimg: Annotated[float, Field(gt=0, strict=False)]
    num_grid_images: Annotated[int, Field(ge=1, le=1024)]
    watch: Watch
    seed: int

    @model_validator(mode="after")
    def _sides_grow(self) -> "Params":
        sides = [step.side for step in self.growth]
        if sides != sorted(set(sides)) or any(side & (side - 1) for side in sides):
            raise ValueError(f"growth sides must be rising powers of two, got {sides}")
        return self

    @model_validator(mode="after")
    def _attributes_need_features(self) -> "Params":
        if self.attribute_weight and not self.feature_weight:
            raise ValueError(
                f"attribute_weight must be 0 where feature_weight is 0, got {self.attribute_weight}"
            )
        return self


def run(params: Params) -> None:
    """Train to the end of the growth schedule, continuing from a checkpoint of the same run.

    Under torchrun, each process trains on its share of every batch, each on a GPU of its own.
    """
    import time

    from nfe.gan.processes import join_processes, process_rank
    from nfe.gan.storage import save_networks
    from nfe.images import read_pixels_zip

    _, pixels = read_pixels_zip(DATASET)
    _check_data(params, pixels)
    with join_processes(pick_device()) as device:
        started = time.monotonic()
        trainer, fingerprint = _train(params, pixels, device)
        if process_rank() == 0:
            best, discriminator, best_kimg = trainer.finished_networks(CHECKPOINTS, fingerprint)
            calibrated = _calibrated(best, params, pixels, device)
            save_networks(FOLDER / "model", calibrated, discriminator)
            _write_results(trainer, params, best_kimg, time.monotonic() - started)


def _check_data(params: Params, pixels: "np.ndarray") -> None:
    resolution = pixels.shape[1]
    if params.growth[-1].side != resolution:
        raise ParamsError(
            f"train_gan.growth must end at the side of the data set, {resolution}, "
            f"got {params.growth[-1].side}; change it or crop.resolution"
        )
    if len(pixels) < params.batch_size:
        raise SourceError(
            f"{DATASET} must hold at least train_gan.batch_size = {params.batch_size} faces, "
            f"got {len(pixels)}; add pictures or lower the batch size"
        )


def _train(params: Params, pixels: "np.ndarray", device: str) -> "tuple[GanTrainer, str]":
    """Return the trainer at the end of its run, and the run's fingerprint."""
    from nfe.files import MANIFEST
    from nfe.gan.checkpoints import fingerprint_of
    from nfe.gan.processes import num_processes, process_rank
    from nfe.gan.training import GanTrainer

    settings = training_settings(params, device)
    if params.batch_size % num_processes():
        raise ParamsError(
            f"train_gan.batch_size must be a multiple of the {num_processes()} processes, "
            f"got {params.batch_size}"
        )
    networks = build_networks(params, pixels.shape[1])
    inputs = [DATASET, TAGGER / "tagger.safetensors"]
    if params.start is not None:
        inputs.append(Path(params.start) / MANIFEST)
    # A finished run is calibrated anew without training anew.
    fingerprint = fingerprint_of(params.model_dump(exclude={"share_calibration"}), *inputs)
    _choose_threads(params, pixels, settings, device)
    features = build_features(params, pixels, device)
    trainer = GanTrainer(pixels, *networks, features, settings, params.seed, device)
    trainer.run(
        CHECKPOINTS,
        fingerprint,
        _make_evaluation(params, pixels, device),
        Progress("train_gan") if process_rank() == 0 else lambda *_: None,
        lambda trainer: write_snapshot(trainer, params),
    )
    return trainer, fingerprint


def _calibrated(
    generator: "Generator", params: Params, pixels: "np.ndarray", device: str
) -> "Generator":
    """Give samples the shares of attribute values that the tagger sees in the data."""
    import torch

    from nfe.gan.share_calibration import CalibrationSettings, calibrate_shares
    from nfe.tagging.storage import load_tagger_network

    if params.share_calibration is None:
        return generator
    network = load_tagger_network(TAGGER, device)
    answer = _answers_of(network)
    return calibrate_shares(
        generator,
        lambda images: answer(network.feature_maps(images)),
        _target_shares(network, pixels, device),
        CalibrationSettings(**params.share_calibration.model_dump()),
        torch.Generator().manual_seed(params.seed),
    )


def _write_results(trainer: "GanTrainer", params: Params, best_kimg: float, seconds: float) -> None:
    import torch

    from nfe.gan.processes import num_processes

    write_snapshot(trainer, params)  # also when a checkpoint was at the end already
    last = trainer.history[-1]
    write_metrics(
        FOLDER,
        {
            "kimg": trainer.kimg,
            "best_kimg": best_kimg,
            "num_rollbacks": trainer.num_rollbacks,
            "resolution": trainer.generator.resolution,
            "num_faces": len(trainer.data),
            "generator_parameters": sum(p.numel() for p in trainer.generator.parameters()),
            "discriminator_parameters": sum(p.numel() for p in trainer.discriminator.parameters()),
            "seconds": round(seconds, 1),
            "num_processes": num_processes(),
            "num_threads": torch.get_num_threads(),
            "bf16": trainer.settings.bf16,
            "device": str(trainer.device),
            **{name: last[name] for name in ("loss_g", "loss_d", "frechet", "diversity")},
        },
    )


def training_settings(params: Params, device: str) -> "TrainingSettings":
    """Translate the section into the library's settings, choosing the precision."""
    from nfe.gan.settings import GrowthStep as Part
    from nfe.gan.settings import TrainingSettings
    from nfe.gan.watching import WatchLimits

    names = set(TrainingSettings.__dataclass_fields__) - {"growth", "adam_betas", "bf16", "limits"}
    beta1, beta2 = params.adam_betas
    return TrainingSettings(
        growth=tuple(Part(**step.model_dump()) for step in params.growth),
        adam_betas=(beta1, beta2),
        limits=WatchLimits(**params.watch.model_dump(exclude={"num_images"})),
        bf16=params.precision == "bf16" or (params.precision == "auto" and has_bf16(device)),
        **{name: getattr(params, name) for name in names},
    )


def build_networks(params: Params, resolution: int) -> "tuple[Generator, Discriminator]":
    """Make the networks that training begins with.

    Fresh weights follow from the seed alone; with `start` they are that model's.

    Raises:
        ParamsError: If the model to start from is of another architecture.
        ModelFileError: If it is missing or damaged.
    """
    import torch

    from nfe.gan.networks import Discriminator, Generator

    if params.start is not None:
        return _load_start(Path(params.start), params, resolution)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        return (
            Generator(
                resolution=resolution,
                z_dim=params.z_dim,
                w_dim=params.w_dim,
                num_mapping_layers=params.num_mapping_layers,
                channel_base=params.channel_base,
                channel_max=params.channel_max,
                architecture=params.architecture,
            ),
            Discriminator(
                resolution=resolution,
                channel_base=params.discriminator_channel_base,
                channel_max=params.discriminator_channel_max,
            ),
        )


def _load_start(folder: Path, params: Params, resolution: int) -> "tuple[Generator, Discriminator]":
    """Load the networks to go on from, after a check that they are what `params` describes."""
    from nfe.gan.storage import load_discriminator, load_generator

    loaded = load_generator(folder, "cpu"), load_discriminator(folder, "cpu")
    fresh = build_networks(params.model_copy(update={"start": None}), resolution)
    _check_start(folder, "generator", loaded[0].config, fresh[0].config)
    _check_start(folder, "discriminator", loaded[1].config, fresh[1].config)
    return loaded[0].requires_grad_(True).train(), loaded[1]


def _check_start(folder: Path, network: str, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        if found[name] != value:
            raise ParamsError(
                f"train_gan.start must be a model as train_gan describes it, with {name} {value} "
                f"of the {network}, got {found[name]} in {folder}; change train_gan, choose "
                "another model, or set train_gan.start to null to begin from nothing"
            )


def build_features(params: Params, pixels: "np.ndarray", device: str) -> "FeatureView | None":
    """Make what looks at the tagger's maps, with a fresh discriminator, unless its weight is 0."""
    import torch

    from nfe.gan.attribute_shares import AttributeShares
    from nfe.gan.feature_discriminator import FeatureDiscriminator, FeatureView
    from nfe.images import images_from_pixels
    from nfe.tagging.storage import load_tagger_network

    if params.feature_weight == 0:
        return None
    network = load_tagger_network(TAGGER, device)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        maps = network.feature_maps(images_from_pixels(pixels[:WATCH_BATCH_SIZE]).to(device))
        heads = FeatureDiscriminator.for_maps(maps)
    shares = None
    if params.attribute_weight > 0:
        targets = _target_shares(network, pixels, device)
        shares = AttributeShares(_answers_of(network), targets, params.attribute_weight)
    return FeatureView(network.feature_maps, heads, params.feature_weight, shares)


def _answers_of(network: "TaggerNetwork") -> "Answer":
    """Return what maps the tagger's maps to each attribute's probabilities."""
    from nfe.tagging.groups import log_probabilities
    from nfe.tagging.storage import load_groups

    groups = load_groups(TAGGER)
    return lambda maps: [p.exp() for p in log_probabilities(network.logits_of_maps(maps), groups)]


def _target_shares(
    network: "TaggerNetwork", pixels: "np.ndarray", device: str
) -> "list[torch.Tensor]":
    """Return the shares of attribute values in the data, as the tagger sees them."""
    from nfe.tagging.groups import log_probabilities
    from nfe.tagging.storage import load_groups
    from nfe.tagging.training import predict_logits

    logits = predict_logits(network, pixels, device)
    found = log_probabilities(logits, load_groups(TAGGER))
    return [p.exp().mean(dim=0).to(device) for p in found]


def _some_faces(params: Params, pixels: "np.ndarray") -> "np.ndarray":
    """Return the faces of the data that samples are compared with, at most watch.num_images."""
    import numpy as np

    order = np.random.default_rng(params.seed).permutation(len(pixels))
    return pixels[order[: params.watch.num_images]]


def _make_evaluation(
    params: Params, pixels: "np.ndarray", device: str
) -> "Callable[[Generator, int], Evaluation]":
    """Compare samples of fixed seeds with as many faces of the data, over the tagger's features."""
    import numpy as np
    import torch

    from nfe.images import images_from_pixels
    from nfe.metrics.generators import evaluate_generator
    from nfe.tagging.storage import load_tagger_network

    network = load_tagger_network(TAGGER, device)
    faces = _some_faces(params, pixels)
    with torch.no_grad():
        batches = np.array_split(faces, max(1, len(faces) // WATCH_BATCH_SIZE))
        features = [network.embedding(images_from_pixels(b).to(device)).cpu() for b in batches]
    return partial(
        evaluate_generator,
        seeds=range(params.watch.num_images),
        extract=network.embedding,
        real_features=torch.cat(features).numpy(),
        batch_size=WATCH_BATCH_SIZE,
    )


def write_snapshot(trainer: "GanTrainer", params: Params) -> None:
    """Write the grid of fixed seeds and the curves so far, to watch while it trains."""
    from nfe.files import write_bytes
    from nfe.images import encode_png

    png = encode_png(sample_grid(trainer, params.num_grid_images))
    write_bytes(FOLDER / "samples" / f"{round(trainer.kimg * 1000):08d}.png", png)
    write_bytes(FOLDER / "samples.png", png)
    write_curves(trainer)


def sample_grid(trainer: "GanTrainer", count: int) -> "np.ndarray":
    """Return a grid of the averaged generator's images of the seeds from 0 on, as pixels."""
    import torch

    from nfe.images import make_grid, pixels_from_images
    from nfe.sampling import z_from_seeds

    generator = trainer.generator_ema
    with torch.no_grad():
        w = generator.mapping(z_from_seeds(range(count), generator.z_dim).to(trainer.device))
        side = trainer.side_at(max(trainer.step - 1, 0))
        images = generator.synthesis(generator.broadcast(w), side)
    return make_grid(pixels_from_images(images), columns=max(1, round(count**0.5 * 1.5)))


def write_curves(trainer: "GanTrainer") -> None:
    """Write the history as curves.csv for `dvc plots show`."""
    import pandas as pd

    from nfe.files import write_text

    table = pd.DataFrame(trainer.history).round(5)
    write_text(FOLDER / "curves.csv", table.to_csv(index=False))


def _choose_threads(
    params: Params, pixels: "np.ndarray", settings: "TrainingSettings", device: str
) -> None:
    """Time real steps of throw-away networks with one and with all threads, take the better."""
    import torch

    from nfe.gan.processes import num_processes
    from nfe.gan.training import GanTrainer
    from nfe.threads import measure_num_threads

    most = torch.get_num_threads()
    if device != "cpu" or most == 1 or num_processes() > 1:
        return
    networks = build_networks(params, pixels.shape[1])
    features = build_features(params, pixels, device)
    trial = GanTrainer(pixels, *networks, features, settings, 0, device)
    measure_num_threads(trial.train_step, [1, most])
