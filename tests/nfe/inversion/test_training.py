import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nfe.errors import TrainingError
from nfe.images import images_from_pixels, pixels_from_images
from nfe.inversion.losses import pixel_distance
from nfe.inversion.settings import EncoderSettings, LatentDiscriminatorSettings
from nfe.inversion.training import EncoderTrainer

from .conftest import (
    make_discriminator,
    make_encoder,
    make_generator,
    toy_embedding,
    toy_features,
)

LATENT_DISCRIMINATOR = LatentDiscriminatorSettings(
    learning_rate=1e-3, r1_gamma=1.0, r1_interval=2, pool_size=0
)
SETTINGS = EncoderSettings(
    kimg=0.128,
    batch_size=8,
    num_samples=4,
    mixing_probability=0.5,
    mirror=True,
    learning_rate=2e-3,
    discriminator_learning_rate=1e-3,
    pixel_weight=1.0,
    perceptual_weight=0.5,
    adversarial_weight=0.05,
    latent_weight=0.1,
    similarity_weight=0.0,
    delta_weight=0.0,
    latent_adversarial_weight=0.0,
    adversarial_interval=2,
    r1_gamma=1.0,
    r1_interval=2,
    latent_discriminator=LATENT_DISCRIMINATOR,
    first_release=0.3,
    release_interval=0.1,
    bf16=False,
    checkpoint_steps=3,
)
NO_TERMS = {f"{name}_weight": 0.0 for name in ("pixel", "perceptual", "adversarial", "latent")}
METHODS: dict[str, dict[str, Any]] = {
    "in_domain": {},
    "force_in_domain": {"latent_adversarial_weight": 0.1},
    "e4e": {
        **NO_TERMS,
        "pixel_weight": 1.0,
        "perceptual_weight": 0.5,
        "similarity_weight": 0.5,
        "delta_weight": 0.01,
        "latent_adversarial_weight": 0.1,
        "latent_discriminator": dataclasses.replace(LATENT_DISCRIMINATOR, pool_size=20),
    },
    "plain": {**NO_TERMS, "pixel_weight": 1.0},
    "frozen_discriminator": {"discriminator_learning_rate": 0.0},
}


def make_pixels() -> np.ndarray:
    """Pictures that the generator can make: 32 of its own."""
    generator = make_generator()
    return pixels_from_images(generator(torch.randn(32, 16, generator=torch.manual_seed(5))))


def make_trainer(method: str = "in_domain", **changes: float) -> EncoderTrainer:
    settings = dataclasses.replace(SETTINGS, **{**METHODS[method], **changes})
    return EncoderTrainer(
        make_pixels(),
        make_generator(),
        make_discriminator(),
        make_encoder(deltas=method == "e4e"),
        toy_features,
        toy_embedding,
        settings,
        seed=7,
        device="cpu",
    )


def train(trainer: EncoderTrainer, checkpoints: Path) -> dict[str, torch.Tensor]:
    trainer.run(checkpoints, "this run", lambda *_: None, lambda _: None)
    networks = {"E": trainer.encoder, "D": trainer.discriminator}
    if trainer.latent_adversary is not None:
        networks["D_w"] = trainer.latent_adversary.network
    return {
        f"{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }


def assert_same_bytes(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_steps_follow_from_the_images_asked_for() -> None:
    trainer = make_trainer()
    assert trainer.num_steps == 16  # 128 images, 8 at a time


def test_training_brings_reconstructions_closer(tmp_path: Path) -> None:
    images = images_from_pixels(make_pixels())
    trainer = make_trainer(kimg=1.6, checkpoint_steps=1000)
    generator, encoder = trainer.generator, trainer.encoder
    before = pixel_distance(generator(torch.zeros(32, 16)), images).mean()
    train(trainer, tmp_path)
    with torch.no_grad():
        after = pixel_distance(generator.synthesis(encoder(images)), images).mean()
    assert after < 0.5 * before
    assert not encoder.training


def copied(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_every_network_but_the_generator_learns(tmp_path: Path) -> None:
    trainer = make_trainer()
    networks = [trainer.generator, trainer.discriminator, trainer.encoder]
    before = [copied(network) for network in networks]
    train(trainer, tmp_path)
    after = [copied(network) for network in networks]
    assert_same_bytes(before[0], after[0])
    assert not torch.equal(before[1]["output.weight"], after[1]["output.weight"])
    assert all(not torch.equal(before[2][n], after[2][n]) for n in before[2] if "weight" in n)


@pytest.mark.parametrize(
    ("method", "killed_after"),
    [
        ("in_domain", 2),
        ("in_domain", 5),
        ("in_domain", 9),
        ("force_in_domain", 5),
        ("e4e", 8),  # some deltas are on, the pool is full
        ("plain", 5),
        ("frozen_discriminator", 5),
    ],
)
def test_killed_and_resumed_gives_the_same_bytes(
    tmp_path: Path, method: str, killed_after: int
) -> None:
    uninterrupted = make_trainer(method)
    whole = train(uninterrupted, tmp_path / "whole")

    class KilledError(Exception):
        """Stands for the signal."""

    def kill(done: int, total: int, note: str) -> None:
        if done == killed_after:
            raise KilledError

    trainer = make_trainer(method)
    with pytest.raises(KilledError):
        trainer.run(tmp_path / "killed", "this run", kill, lambda _: None)
    resumed = make_trainer(method)
    assert_same_bytes(whole, train(resumed, tmp_path / "killed"))
    assert resumed.history == uninterrupted.history


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("in_domain", {"pixel", "perceptual", "latent", "adversarial", "discriminator"}),
        (
            "e4e",
            {"pixel", "perceptual", "similarity", "delta", "latent_adversarial"}
            | {"latent_discriminator"},
        ),
        ("plain", {"pixel"}),
    ],
)
def test_the_history_holds_the_terms_of_the_method(
    tmp_path: Path, method: str, names: set[str]
) -> None:
    trainer = make_trainer(method, kimg=0.032)
    train(trainer, tmp_path)
    assert set().union(*trainer.history) == {"step", *names}


def test_a_discriminator_that_is_left_as_it_is_still_teaches(tmp_path: Path) -> None:
    trainer = make_trainer("frozen_discriminator")
    before = copied(trainer.discriminator)
    train(trainer, tmp_path)
    assert_same_bytes(before, copied(trainer.discriminator))
    assert "adversarial" in trainer.history[0]
    assert "discriminator" not in trainer.history[0]


def test_deltas_come_on_one_by_one() -> None:
    images = images_from_pixels(make_pixels()[:8])
    trainer = make_trainer("e4e")
    num_apart = []
    for _ in range(16):
        trainer.train_step()
        with torch.no_grad():
            w_plus = trainer.encoder(images)
        apart = [not torch.equal(w_plus[:, i], w_plus[:, 0]) for i in range(1, 6)]
        num_apart.append(sum(apart))
        assert apart == sorted(apart, reverse=True)
    # The deltas come at shares 0.3, 0.4, ... of 16 steps: at steps 5, 7, 8, 10 and 12.
    assert num_apart == [0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 5, 5]


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    whole = train(make_trainer(), tmp_path / "whole")
    train(make_trainer(), tmp_path / "damaged")
    newest = sorted((tmp_path / "damaged").glob("*.pt"))[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    seen = []
    trainer = make_trainer()
    trainer.run(
        tmp_path / "damaged", "this run", lambda done, *_: seen.append(done), lambda _: None
    )
    assert seen == [16]  # steps up to 15 came from the checkpoint before
    assert_same_bytes(whole, train(make_trainer(), tmp_path / "damaged"))


def test_a_checkpoint_of_another_run_is_passed_over(tmp_path: Path) -> None:
    train(make_trainer(), tmp_path)
    seen = []
    make_trainer().run(tmp_path, "another", lambda done, *_: seen.append(done), lambda _: None)
    assert seen[0] == 1


def test_a_term_without_weight_is_left_out(tmp_path: Path) -> None:
    trainer = make_trainer(latent_weight=0.0, adversarial_weight=0.0)
    train(trainer, tmp_path)
    assert {"pixel", "perceptual"} == set(trainer.history[-1]) - {"step"}


def test_adversarial_gradient_is_that_of_the_written_loss() -> None:
    trainer = make_trainer(adversarial_interval=1, discriminator_learning_rate=0.0)
    images = images_from_pixels(make_pixels()[:8])
    codes = trainer.generator.broadcast(torch.randn(8, 16)).clone().requires_grad_(True)
    reconstructions = trainer.generator.synthesis(codes)
    term = trainer._adversarial_term(images, reconstructions)
    (ours,) = torch.autograd.grad(term, codes, retain_graph=True)
    logits = trainer.discriminator(reconstructions)
    plain = torch.nn.functional.softplus(-logits).mean()
    (theirs,) = torch.autograd.grad(plain, codes)
    torch.testing.assert_close(term.detach(), plain.detach())
    torch.testing.assert_close(ours, theirs)


def test_nan_stops_the_run_with_advice(tmp_path: Path) -> None:
    trainer = make_trainer()
    with torch.no_grad():
        trainer.encoder.output.bias[0] = float("nan")
    with pytest.raises(TrainingError, match=r"loss must be finite.*learning_rate"):
        train(trainer, tmp_path)
    assert not list(tmp_path.iterdir())
