"""Train the encoder of the finished generator, by one of several methods."""

import copy
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from nfe.errors import ParamsError
from tasks.encoder_figures import evaluate, write_grid
from tasks.refinement import BASELINES, GENERATOR, INDEX, TAGGER, Weight
from tasks.stage import Progress, StageParams, pick_device, runs_bf16, write_metrics

if TYPE_CHECKING:
    from nfe.gan.networks import Generator
    from nfe.inversion.encoders import Encoder
    from nfe.inversion.losses import FeatureMaps
    from nfe.inversion.settings import EncoderSettings
    from nfe.inversion.training import EncoderTrainer
    from nfe.tagging.network import TaggerNetwork

FOLDER = Path("data/train_encoder")
DATASET = Path("data/curate/dataset.zip")
Method = Literal["in_domain", "force_in_domain", "e4e", "plain"]
WEIGHTS = (
    "pixel_weight",
    "perceptual_weight",
    "adversarial_weight",
    "latent_weight",
    "similarity_weight",
    "delta_weight",
    "latent_adversarial_weight",
)


class PlainWeights(StageParams):
    """Terms of `plain`, which knows pixels alone."""

    pixel: Weight


class InDomainWeights(PlainWeights):
    """Terms of `in_domain`: Zhu et al. 2020 with our latent term."""

    perceptual: Weight
    adversarial: Weight
    latent: Weight


class ForceInDomainWeights(InDomainWeights):
    """Terms of `force_in_domain`: Leng et al. 2021 add the discriminator of codes."""

    latent_adversarial: Weight


class E4eWeights(PlainWeights):
    """Terms of `e4e`: Tov et al. 2021 with our latent term."""

    perceptual: Weight
    latent: Weight
    similarity: Weight
    delta: Weight
    latent_adversarial: Weight


class MethodWeights(StageParams):
    """Weights of the terms of every method; see nfe.inversion.settings.EncoderSettings."""

    in_domain: InDomainWeights
    force_in_domain: ForceInDomainWeights
    e4e: E4eWeights
    plain: PlainWeights


class LatentDiscriminator(StageParams):
    """How D_w is trained; see nfe.inversion.settings.LatentDiscriminatorSettings."""

    learning_rate: Annotated[float, Field(gt=0, le=0.1)]
    r1_gamma: Weight
    r1_interval: Annotated[int, Field(ge=1, le=1000)]
    pool_size: Annotated[int, Field(ge=0, le=100_000)]


class SearchDirections(StageParams):
    """Which are found for the refinement; see nfe.inversion.search.find_search_directions."""

    num_directions: Annotated[int, Field(ge=1, le=100_000)]
    num_samples: Annotated[int, Field(ge=1, le=1_000_000)]
    damping: Annotated[float, Field(gt=0, le=1, strict=False)]

    @field_validator("num_samples")
    @classmethod
    def check_samples(cls, num_samples: int, info: ValidationInfo) -> int:
        """Check that the samples can give so many directions."""
        least = info.data.get("num_directions", 0)
        if num_samples < least:
            raise ValueError(f"must be at least num_directions = {least}, got {num_samples}")
        return num_samples


class Params(StageParams):
    """Section `train_encoder` of params.yaml; see nfe.inversion.settings.EncoderSettings.

    Attributes:
        method: Which terms take part, with which weights; the codes of e4e are a first one and
            deltas, those of force_in_domain are standardised.
        baselines: Further methods, trained beside it for evaluate_encoder's table.
        channel_base: Width times side of the layers of E, up to `channel_max`.
        channel_max: Largest width.
        vgg16_weights: File of torchvision's weights of VGG16, whose maps the perceptual term is to
            compare; null for the tagger's maps.
        search_directions: Which are found for the refinement of codes.
        weights: Of each method's terms.
        precision: Of the networks; auto is bf16 where the device computes in it.
        seed: Of the fresh weights and of all that is drawn.
    """

    method: Method
    baselines: list[Method]
    channel_base: Annotated[int, Field(ge=16, le=65536)]
    channel_max: Annotated[int, Field(ge=4, le=1024)]
    kimg: Annotated[float, Field(gt=0, strict=False)]
    batch_size: Annotated[int, Field(ge=2, le=1024)]
    num_samples: Annotated[int, Field(ge=1, le=1024)]
    mixing_probability: Annotated[float, Field(ge=0, le=1, strict=False)]
    mirror: bool
    learning_rate: Annotated[float, Field(gt=0, le=0.1)]
    discriminator_learning_rate: Annotated[float, Field(ge=0, le=0.1, strict=False)]
    weights: MethodWeights
    adversarial_interval: Annotated[int, Field(ge=1, le=1000)]
    r1_gamma: Weight
    r1_interval: Annotated[int, Field(ge=1, le=1000)]
    latent_discriminator: LatentDiscriminator
    first_release: Annotated[float, Field(ge=0, lt=1, strict=False)]
    release_interval: Annotated[float, Field(ge=0, lt=1, strict=False)]
    vgg16_weights: str | None
    search_directions: SearchDirections
    precision: Literal["auto", "fp32", "bf16"]
    checkpoint_steps: Annotated[int, Field(ge=1)]
    seed: int

    @field_validator("baselines")
    @classmethod
    def check_baselines(cls, baselines: list[Method], info: ValidationInfo) -> list[Method]:
        """Check that no method is trained twice."""
        if len({*baselines, info.data.get("method")}) <= len(baselines):
            raise ValueError(f"must name methods other than `method`, once each, got {baselines}")
        return baselines


def run(params: Params) -> None:
    """Train to the end, continuing from checkpoints of the same run; then each baseline."""
    from nfe.files import write_json

    metrics, trainer = train(params, FOLDER / "model", FOLDER / "checkpoints", write_curves)
    write_curves(trainer)
    write_grid(trainer, FOLDER / "reconstructions.png")
    baselines = {}
    for method in params.baselines:
        own = params.model_copy(update={"method": method})
        checkpoints = FOLDER / "checkpoints" / method
        baselines[method], _ = train(own, BASELINES / method, checkpoints, lambda _: None)
    for model in BASELINES.glob("*/"):  # DVC may have left those of another run
        if model.name not in baselines:
            shutil.rmtree(model)
    write_json(BASELINES / INDEX, {"methods": params.baselines})
    write_metrics(FOLDER, metrics | {"baselines": baselines})


def train(
    params: Params,
    model: Path,
    checkpoints: Path,
    on_snapshot: "Callable[[EncoderTrainer], None]",
) -> "tuple[dict[str, Any], EncoderTrainer]":
    """Train one encoder, write it to the folder `model`, and return its figures."""
    import torch

    from nfe.gan.checkpoints import fingerprint_of
    from nfe.inversion.storage import save_encoder

    trainer = build_trainer(params)
    fingerprint = fingerprint_of(
        params.model_dump(exclude={"baselines", "weights"}) | weights_of(params),
        DATASET,
        GENERATOR / "generator.safetensors",
        GENERATOR / "discriminator.safetensors",
        TAGGER / "tagger.safetensors",
        *([] if params.vgg16_weights is None else [Path(params.vgg16_weights)]),
    )
    _choose_threads(trainer)
    started = time.monotonic()
    trainer.run(checkpoints, fingerprint, Progress("train_encoder"), on_snapshot)
    seconds = time.monotonic() - started
    save_encoder(model, trainer.encoder)
    return {
        "kimg": params.kimg,
        "encoder_parameters": sum(p.numel() for p in trainer.encoder.parameters()),
        "seconds": round(seconds, 1),
        "num_threads": torch.get_num_threads(),
        "bf16": trainer.settings.bf16,
        "device": str(trainer.device),
        **evaluate(trainer),
    }, trainer


def build_trainer(params: Params) -> "EncoderTrainer":
    """Load what the encoder is trained with.

    Raises:
        ModelFileError: If vgg16_weights are none.
        ParamsError: If the pictures are not of the generator's size, or if a delta would never
            be released.
    """
    import torch

    from nfe.gan.storage import load_discriminator, load_generator
    from nfe.images import read_pixels_zip
    from nfe.inversion.search import find_search_directions
    from nfe.inversion.training import EncoderTrainer
    from nfe.tagging.storage import load_tagger_network

    device = pick_device()
    _, pixels = read_pixels_zip(DATASET)
    generator = load_generator(GENERATOR, device)
    if pixels.shape[1] != generator.resolution:
        raise ParamsError(
            f"crop.resolution must be the generator's, {generator.resolution}, "
            f"got {pixels.shape[1]}; run train_gan again"
        )
    tagger = load_tagger_network(TAGGER, device)
    settings = encoder_settings(params, device)
    encoder = fresh_encoder(params, generator).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    directions = find_search_directions(
        generator,
        tagger.feature_maps,
        len(encoder.search_directions),
        params.search_directions.num_samples,
        params.search_directions.damping,
        settings.pixel_weight,
        settings.perceptual_weight,
        torch.Generator().manual_seed(params.seed),
        device,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        encoder.search_along(directions)
    return EncoderTrainer(
        pixels,
        generator,
        load_discriminator(GENERATOR, device),
        encoder,
        _perceptual_maps(params, tagger, device),
        tagger.embedding,
        settings,
        params.seed,
        device,
    )


def _perceptual_maps(params: Params, tagger: "TaggerNetwork", device: str) -> "FeatureMaps":
    from nfe.inversion.vgg16 import VGG16

    if params.vgg16_weights is None:
        return tagger.feature_maps
    return VGG16.load(Path(params.vgg16_weights), device).feature_maps


def fresh_encoder(params: Params, generator: "Generator") -> "Encoder":
    """Make the encoder; its weights follow from the seed alone.

    Raises:
        ParamsError: If the run ends before the last delta of e4e is released.
    """
    import torch

    from nfe.inversion.encoders import Encoder

    deltas = params.method == "e4e"
    last_release = params.first_release + (generator.num_ws - 2) * params.release_interval
    if deltas and last_release >= 1:
        raise ParamsError(
            f"train_encoder.first_release + {generator.num_ws - 2} * release_interval must be "
            f"less than 1, got {last_release:g}; lower one of them"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        return Encoder(
            resolution=generator.resolution,
            channel_base=params.channel_base,
            channel_max=params.channel_max,
            num_ws=generator.num_ws,
            w_dim=generator.w_dim,
            num_directions=min(
                params.search_directions.num_directions, generator.num_ws * generator.w_dim
            ),
            deltas=deltas,
            standardised=params.method == "force_in_domain",
        )


def encoder_settings(params: Params, device: str) -> "EncoderSettings":
    """Translate the section into the library's settings, choosing terms and precision."""
    from nfe.inversion.settings import EncoderSettings, LatentDiscriminatorSettings

    adversary = params.latent_discriminator.model_dump()
    if params.method != "e4e":
        adversary["pool_size"] = 0
    chosen: dict[str, Any] = {
        "bf16": runs_bf16(params.precision, device),
        "latent_discriminator": LatentDiscriminatorSettings(**adversary),
        **weights_of(params),
    }
    names = set(EncoderSettings.__dataclass_fields__) - set(chosen)
    return EncoderSettings(**chosen, **{name: getattr(params, name) for name in names})


def weights_of(params: Params) -> dict[str, float]:
    """Return the weight of every term, 0 where the method has no such term."""
    own = getattr(params.weights, params.method).model_dump()
    return {name: own.get(name.removesuffix("_weight"), 0.0) for name in WEIGHTS}


def write_curves(trainer: "EncoderTrainer") -> None:
    """Write the history as curves.csv for `dvc plots show`."""
    import pandas as pd

    from nfe.files import write_text

    table = pd.DataFrame(trainer.history).round(5)
    write_text(FOLDER / "curves.csv", table.to_csv(index=False))


def _choose_threads(trainer: "EncoderTrainer") -> None:
    """Time real steps of a throw-away copy with one and with all threads, take the better."""
    import torch

    from nfe.threads import measure_num_threads

    most = torch.get_num_threads()
    if trainer.device.type != "cpu" or most == 1:
        return
    trial = copy.deepcopy(trainer)
    trial.step = 1  # a step without D, as most are
    measure_num_threads(trial.train_step, [1, most])
