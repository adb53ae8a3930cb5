"""Speed of the models that `make run` left in data/: `python -m benchmarks.pipeline [--json]`.

Each row is ours beside the usual way of the projects this one follows, in one run: a separate
pass through G for each of the two losses, networks that make one image after the other,
InterFaceGAN's SVC on codes as they are, the first Neural Face Editor's thousand steps in Z, a
process per picture, `dvc repro` without our flow.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ruamel.yaml import YAML
from sklearn.svm import SVC

from nfe.boundary_fitting import fit_boundaries, fit_whitening
from nfe.files import read_npz, write_bytes
from nfe.gan.feature_discriminator import FeatureView
from nfe.gan.losses import discriminator_loss, generator_loss
from nfe.gan.storage import load_generator
from nfe.gan.training import GanTrainer
from nfe.images import encode_png, images_from_pixels, pixels_from_images, read_pixels_zip
from nfe.inversion.blurred import optimise_z
from nfe.inversion.optimise import refine
from nfe.inversion.storage import load_encoder
from nfe.sampling import sample_batches
from nfe.tagging.storage import load_tagger_network
from nfe.tagging.tagger import Tagger
from nfe.threads import measure_num_threads
from tasks.fit_boundaries import Params as BoundaryParams
from tasks.gan_parts import Params as GanParams
from tasks.gan_parts import build_features, build_networks, training_settings
from tasks.invert import Params as InvertParams

ROUNDS = 3
NUM_EDITED = 20  # pictures in the folder that is edited
SEED_STEPS = 1000  # of the first Neural Face Editor's optimisation in Z
SEED_RATE, SEED_BLUR, SEED_PRIOR = 0.01, (3, 11.0), 20.0


def rate(work: Callable[[], object], count: int) -> float:
    """Return units per second of wall time, the best of a few rounds after a first one."""
    best = 0.0
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        work()
        best = max(best, count / (time.perf_counter() - started))
    return best


def training(values: dict, pixels: np.ndarray) -> tuple[float, float]:
    """Training images a second at full resolution: ours, and with two passes through G."""
    params = GanParams.model_validate(values["train_gan"])
    settings = training_settings(params, "cpu")
    networks = build_networks(params, pixels.shape[1])
    features = build_features(params, pixels, "cpu")
    trainer = GanTrainer(pixels, *networks, features, settings, 0, "cpu")
    trainer.step = trainer.num_steps - 200  # the last, largest side
    measure_num_threads(trainer.train_step, sorted({1, torch.get_num_threads()}))
    steps = 8
    ours = rate(lambda: [trainer.train_step() for _ in range(steps)], steps * params.batch_size)
    images = images_from_pixels(pixels[: params.batch_size])
    usual = rate(lambda: two_passes(trainer, images, steps), steps * len(images))
    return ours, usual


def two_passes(trainer: GanTrainer, reals: torch.Tensor, num_steps: int) -> None:
    """Steps of the usual loop, without its R1: fresh images for each of the two losses."""
    generator, discriminator = trainer.generator, trainer.discriminator
    for _ in range(num_steps):
        z = torch.randn(len(reals), generator.z_dim)
        with torch.autocast("cpu", torch.bfloat16, enabled=trainer.settings.bf16):
            with torch.no_grad():
                fakes = generator(z)
            loss = discriminator_loss(discriminator(reals), discriminator(fakes))
            if trainer.features is not None:
                logits = felt(trainer.features, reals), felt(trainer.features, fakes)
                loss = loss + discriminator_loss(*logits)
        loss.backward()
        trainer.discriminator_optimiser.step()
        trainer.discriminator_optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=trainer.settings.bf16):
            fakes = generator(z)
            loss = generator_loss(discriminator(fakes))
            if trainer.features is not None:
                weight = trainer.features.weight
                loss = loss + weight * generator_loss(felt(trainer.features, fakes))
        loss.backward()
        trainer.generator_optimiser.step()
        trainer.generator_optimiser.zero_grad()
        trainer.discriminator_optimiser.zero_grad()


def felt(features: FeatureView, images: torch.Tensor) -> torch.Tensor:
    """Logits of the heads over the frozen maps of images."""
    return features.heads(features.extract(images))


def sampling() -> tuple[float, float]:
    """Samples a second: in batches of 100, and one by one."""
    generator = load_generator(Path("data/train_gan/model"), "cpu")

    def run(count: int, batch_size: int) -> None:
        for _, _, images in sample_batches(generator, range(count), batch_size, 1.0, "cpu"):
            pixels_from_images(images)

    return rate(lambda: run(400, 100), 400), rate(lambda: run(40, 1), 40)


def tagging(pixels: np.ndarray) -> tuple[float, float]:
    """Pictures tagged a second: together, and one by one."""
    tagger = Tagger.load(Path("data/train_tagger/tagger"))
    few = pixels[:100]
    ours = rate(lambda: tagger.tag_scores(pixels[:2000]), len(pixels[:2000]))
    return ours, rate(lambda: [tagger.tag_scores(few[i : i + 1]) for i in range(100)], 100)


def refinement(values: dict, pixels: np.ndarray) -> tuple[float, float]:
    """Faces refined a second: 64 together, and one by one as idinvert's loop does."""
    params = InvertParams.model_validate(values["invert"])
    generator = load_generator(Path("data/train_gan/model"), "cpu")
    encoder = load_encoder(Path("data/train_encoder/model"), "cpu")
    feature_maps = load_tagger_network(Path("data/train_tagger/tagger"), "cpu").feature_maps
    images = images_from_pixels(pixels[:64])

    def run(images: torch.Tensor, batch_size: int) -> float:
        started = time.perf_counter()
        with torch.no_grad():
            codes = encoder(images)
        refine(
            images,
            codes,
            generator,
            encoder,
            feature_maps,
            **params.refinement.model_dump(),
            batch_size=batch_size,
            bf16=False,
            on_progress=lambda *_: None,
        )
        return len(images) / (time.perf_counter() - started)

    return run(images, params.batch_size), run(images[:4], 1)


def seed_inversion(pixels: np.ndarray) -> float:
    """Faces a second that the first Neural Face Editor's optimisation in Z inverts."""
    generator = load_generator(Path("data/train_gan/model"), "cpu")
    image = images_from_pixels(pixels[:1])
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(0))
    started = time.perf_counter()
    optimise_z(
        image, z, generator, SEED_STEPS, SEED_RATE, *SEED_BLUR, SEED_PRIOR, 0.0, lambda *_: None
    )
    return 1 / (time.perf_counter() - started)


def boundaries(values: dict) -> tuple[float, float]:
    """Boundaries a second on 10,000 codes: ours, and InterFaceGAN's SVC on as many codes."""
    params = BoundaryParams.model_validate(
        {**values["fit_boundaries"], "attributes": values["attributes"]}
    )
    codes = read_npz(Path("data/sample/codes.npz"))["w"].astype("float64")
    table = pd.read_parquet("data/tag/labels.parquet")
    attribute = next(name for name in values["attributes"] if name in table)
    labels = table[attribute].to_numpy(dtype=str)
    known = np.flatnonzero(labels != "")
    names, counts = np.unique(labels[known], return_counts=True)
    whitening = fit_whitening(codes, params.min_variance)
    started = time.perf_counter()
    fitted, _ = fit_boundaries(
        codes,
        labels,
        table[f"{attribute}_confidence"].to_numpy(),
        whitening,
        params.fitting(),
        attribute=attribute,
        values=names.tolist(),
        space="w",
        rng=np.random.default_rng(0),
    )
    ours = len(fitted) / (time.perf_counter() - started)
    train = np.random.default_rng(0).permutation(known)[: round(params.train_share * len(known))]
    started = time.perf_counter()
    SVC(kernel="linear").fit(codes[train], labels[train] == names[counts.argmax()])
    return ours, 1 / (time.perf_counter() - started)


def folder_edit(pixels: np.ndarray) -> tuple[float, float]:
    """Pictures edited a second by `nfe edit`: a folder in one go, and a process per picture."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        for index, face in enumerate(pixels[:NUM_EDITED]):
            write_bytes(pictures / f"{index:02d}.png", encode_png(face))
        edit = (sys.executable, "-m", "apps.cli", "edit")
        wish = ("--set", "hair_color=blue", "--quiet", "--model", "data/bundle/model")

        def run(source: Path, out: str) -> float:
            started = time.perf_counter()
            command = [*edit, str(source), "--out", str(Path(folder) / out), *wish]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - started

        together = run(pictures, "together")
        alone = [run(pictures / f"{index:02d}.png", f"alone{index}") for index in range(3)]
    return NUM_EDITED / together, 1 / min(alone)


def no_op() -> tuple[float, float]:
    """Runs a minute with nothing to do: `nfe run`, and plain `dvc repro`."""

    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", *arguments], check=True, stdout=subprocess.DEVNULL)

    return 60 * rate(lambda: run("apps.cli", "run"), 1), 60 * rate(lambda: run("dvc", "repro"), 1)


def start_up() -> tuple[float, float]:
    """Starts of `nfe --help` a second, beside those of a Python that imports torch."""
    python = sys.executable

    def run(*arguments: str) -> None:
        subprocess.run([python, *arguments], check=True, stdout=subprocess.DEVNULL)

    return rate(lambda: run("-m", "apps.cli", "--help"), 1), rate(
        lambda: run("-c", "import torch"), 1
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    values = YAML(typ="safe").load(Path("params.yaml"))
    _, pixels = read_pixels_zip(Path("data/curate/dataset.zip"))
    refined = refinement(values, pixels)
    rows = {
        "training, images a second (against two passes through G)": training(values, pixels),
        "samples a second (against one by one)": sampling(),
        "pictures tagged a second (against one by one)": tagging(pixels),
        "faces refined a second (against one by one)": refined,
        "faces inverted a second (against the seed)": (refined[0], seed_inversion(pixels)),
        "boundaries a second (against SVC)": boundaries(values),
        "pictures edited a second (against a process each)": folder_edit(pixels),
        "runs with nothing to do a minute (against dvc repro)": no_op(),
        "nfe --help, starts a second (against import torch)": start_up(),
    }
    table = [
        {
            "what": what,
            "ours": round(ours, 2),
            "usual": round(usual, 2),
            "ratio": round(ours / usual, 2),
        }
        for what, (ours, usual) in rows.items()
    ]
    if arguments.json:
        print(json.dumps({"threads": torch.get_num_threads(), "rows": table}))
        return
    for row in table:
        print(f"{row['what']:60} {row['ours']:9.2f} {row['usual']:9.2f}  x{row['ratio']:.2f}")


if __name__ == "__main__":
    main()
