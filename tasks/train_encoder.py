"""Train the encoder in the domain of the finished generator."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nfe.errors import ParamsError
from tasks.refinement import GENERATOR, HOLDOUT, TAGGER, Weight
from tasks.stage import Progress, StageParams, has_bf16, pick_device, write_metrics

if TYPE_CHECKING:
    from nfe.inversion.training import EncoderSettings, EncoderTrainer

FOLDER = Path("data/train_encoder")
DATASET = Path("data/curate/dataset.zip")
NUM_GRID_ROWS, NUM_GRID_PAIRS = 8, 6


class Params(StageParams):
    """Section `train_encoder` of params.yaml; see nfe.inversion.training.EncoderSettings."""

    channel_base: Annotated[int, Field(ge=16, le=65536)]
    channel_max: Annotated[int, Field(ge=4, le=1024)]
    kimg: Annotated[float, Field(gt=0, strict=False)]
    batch_size: Annotated[int, Field(ge=2, le=1024)]
    num_samples: Annotated[int, Field(ge=1, le=1024)]
    mixing_probability: Annotated[float, Field(ge=0, le=1, strict=False)]
    mirror: bool
    learning_rate: Annotated[float, Field(gt=0, le=0.1)]
    discriminator_learning_rate: Annotated[float, Field(gt=0, le=0.1)]
    pixel_weight: Weight
    perceptual_weight: Weight
    adversarial_weight: Weight
    latent_weight: Weight
    adversarial_interval: Annotated[int, Field(ge=1, le=1000)]
    r1_gamma: Weight
    r1_interval: Annotated[int, Field(ge=1, le=1000)]
    precision: Literal["auto", "fp32", "bf16"]
    checkpoint_steps: Annotated[int, Field(ge=1)]
    seed: int


def run(params: Params) -> None:
    """Train to the end, continuing from a checkpoint of the same run."""
    import time

    import torch

    from nfe.gan.checkpoints import fingerprint_of
    from nfe.inversion.storage import save_encoder

    trainer = build_trainer(params)
    fingerprint = fingerprint_of(
        params.model_dump(),
        DATASET,
        GENERATOR / "generator.safetensors",
        GENERATOR / "discriminator.safetensors",
        TAGGER / "tagger.safetensors",
    )
    _choose_threads(trainer)
    started = time.monotonic()
    trainer.run(FOLDER / "checkpoints", fingerprint, Progress("train_encoder"), write_curves)
    seconds = time.monotonic() - started
    save_encoder(FOLDER / "model", trainer.encoder)
    write_curves(trainer)
    write_metrics(
        FOLDER,
        {
            "kimg": params.kimg,
            "encoder_parameters": sum(p.numel() for p in trainer.encoder.parameters()),
            "seconds": round(seconds, 1),
            "num_threads": torch.get_num_threads(),
            "bf16": trainer.settings.bf16,
            "device": str(trainer.device),
            **evaluate(trainer),
        },
    )


def build_trainer(params: Params) -> "EncoderTrainer":
    """Load what the encoder is trained with; the fresh weights follow from the seed alone."""
    import torch

    from nfe.gan.storage import load_discriminator, load_generator
    from nfe.images import read_pixels_zip
    from nfe.inversion.encoders import Encoder
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        encoder = Encoder(
            resolution=generator.resolution,
            channel_base=params.channel_base,
            channel_max=params.channel_max,
            num_ws=generator.num_ws,
            w_dim=generator.w_dim,
        )
    encoder = encoder.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return EncoderTrainer(
        pixels,
        generator,
        load_discriminator(GENERATOR, device),
        encoder,
        load_tagger_network(TAGGER, device).feature_maps,
        encoder_settings(params, device),
        params.seed,
        device,
    )


def encoder_settings(params: Params, device: str) -> "EncoderSettings":
    """Translate the section into the library's settings, choosing the precision."""
    from nfe.inversion.training import EncoderSettings

    names = set(EncoderSettings.__dataclass_fields__) - {"bf16"}
    return EncoderSettings(
        bf16=params.precision == "bf16" or (params.precision == "auto" and has_bf16(device)),
        **{name: getattr(params, name) for name in names},
    )


def evaluate(trainer: "EncoderTrainer") -> dict[str, Any]:
    """Reconstruct the held-out faces: write reconstructions.png, return the mean figures."""
    import numpy as np

    from nfe.files import write_bytes
    from nfe.images import encode_png, images_from_pixels, pixels_from_images, read_pixels_zip
    from nfe.metrics.reconstruction import mse, psnr
    from tasks.refinement import encode, picture_columns, synthesise

    _, pixels = read_pixels_zip(HOLDOUT)
    images = images_from_pixels(pixels).to(trainer.device)
    batch_size = trainer.settings.batch_size
    w_plus = encode(trainer.encoder, images, batch_size)
    reconstructions = synthesise(trainer.generator, w_plus, batch_size)
    shown = pixels_from_images(reconstructions)
    columns = [
        part[start::NUM_GRID_PAIRS]
        for start in range(min(NUM_GRID_PAIRS, len(pixels) // NUM_GRID_ROWS or 1))
        for part in (pixels, shown)
    ]
    num_rows = min(NUM_GRID_ROWS, *(len(column) for column in columns))
    write_bytes(FOLDER / "reconstructions.png", encode_png(picture_columns(columns, num_rows)))
    return {
        "num_heldout": len(np.asarray(pixels)),
        "heldout_mse": float(mse(reconstructions, images).mean()),
        "heldout_psnr": float(psnr(reconstructions, images).mean()),
    }


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
