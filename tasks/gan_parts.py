"""The parts of a GAN's training, as section train_gan of params.yaml describes them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from nfe.errors import ParamsError
from tasks.stage import StageParams, runs_bf16

if TYPE_CHECKING:
    import numpy as np

    from nfe.gan.attribute_reading import AttributeReading
    from nfe.gan.feature_discriminator import FeatureView
    from nfe.gan.networks import Discriminator, Generator
    from nfe.gan.settings import TrainingSettings
    from nfe.tagging.network import TaggerNetwork

__all__ = [
    "TAGGER",
    "GrowthStep",
    "Params",
    "build_features",
    "build_networks",
    "training_settings",
]

TAGGER = Path("data/train_tagger/tagger")
SCALE_IMAGES = 100  # faces that tell how large the tagger's maps are

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
    mapping_rise: Annotated[float, Field(ge=1, strict=False)]
    reading_weight: (
        Annotated[
            list[Annotated[float, Field(ge=0, strict=False)]], Field(min_length=2, max_length=2)
        ]
        | None
    )
    share_calibration: ShareCalibration | None
    colour_weight: Annotated[float, Field(ge=0, strict=False)]
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
    def _reading_has_maps(self) -> "Params":
        if self.reading_weight and not self.feature_weight:
            raise ValueError(
                f"reading_weight must be null where feature_weight is 0, got {self.reading_weight}"
            )
        return self


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
        bf16=runs_bf16(params.precision, device),
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
    """Make a fresh discriminator over the tagger's maps, if it is to have one."""
    import torch

    from nfe.gan.feature_discriminator import FeatureDiscriminator, FeatureView
    from nfe.images import images_from_pixels
    from nfe.tagging.storage import load_tagger_network

    if params.feature_weight == 0:
        return None
    network = load_tagger_network(TAGGER, device)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        maps = network.feature_maps(images_from_pixels(pixels[:SCALE_IMAGES]).to(device))
        heads = FeatureDiscriminator.for_maps(maps)
        reading = _build_reading(params, pixels, network, device)
    return FeatureView(network.feature_maps, heads, params.feature_weight, reading)


def _build_reading(
    params: Params, pixels: "np.ndarray", network: "TaggerNetwork", device: str
) -> "AttributeReading | None":
    """Make a fresh reader of the attributes that the tagger knows, if it is to have one."""
    from nfe.gan.attribute_reading import AttributeReading, CodeReader
    from nfe.tagging.groups import log_probabilities
    from nfe.tagging.storage import load_groups
    from nfe.tagging.training import predict_logits

    if params.reading_weight is None:
        return None
    groups = load_groups(TAGGER)
    of_faces = log_probabilities(predict_logits(network, pixels, device), groups)
    shares = [p.exp().mean(dim=0) for p in of_faces]
    num_ws = 2 * pixels.shape[1].bit_length() - 4
    return AttributeReading(
        lambda maps: [p.exp() for p in log_probabilities(network.logits(maps[-1]), groups)],
        CodeReader(num_ws, params.w_dim, shares),
        *params.reading_weight,
    )
