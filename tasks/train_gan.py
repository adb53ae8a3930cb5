"""Train the generator and its discriminator on the curated faces."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nfe.errors import ParamsError, SourceError
from tasks.gan_parts import TAGGER, Params, build_features, build_networks, training_settings
from tasks.stage import Progress, pick_device, write_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from nfe.gan.attribute_reading import AttributeReading
    from nfe.gan.networks import Generator
    from nfe.gan.settings import TrainingSettings
    from nfe.gan.training import GanTrainer
    from nfe.gan.watching import Evaluation

FOLDER = Path("data/train_gan")
CHECKPOINTS = FOLDER / "checkpoints"
DATASET = Path("data/curate/dataset.zip")
WATCH_BATCH_SIZE = 100


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
            calibrated = _calibrated(best, trainer.reading, params, pixels, device)
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
    generator: "Generator",
    reading: "AttributeReading | None",
    params: Params,
    pixels: "np.ndarray",
    device: str,
) -> "Generator":
    """Give samples the shares of attribute values that the tagger sees in the data."""
    import torch

    from nfe.gan.share_calibration import CalibrationSettings, calibrate_shares
    from nfe.tagging.groups import log_probabilities
    from nfe.tagging.storage import load_groups, load_tagger_network
    from nfe.tagging.training import predict_logits

    if params.share_calibration is None:
        return generator
    network, groups = load_tagger_network(TAGGER, device), load_groups(TAGGER)

    def probabilities(logits: torch.Tensor) -> list[torch.Tensor]:
        return [p.exp() for p in log_probabilities(logits, groups)]

    of_faces = probabilities(predict_logits(network, pixels, device))
    return calibrate_shares(
        generator,
        lambda images: probabilities(network(images)),
        [p.mean(dim=0).to(device) for p in of_faces],
        reading,
        CalibrationSettings(**params.share_calibration.model_dump()),
        torch.Generator().manual_seed(params.seed),
        Progress("train_gan"),
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
