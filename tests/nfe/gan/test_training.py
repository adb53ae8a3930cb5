"""Training: resume to the same bytes, growth, averaging, errors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nfe.errors import TrainingError
from nfe.gan.networks import Discriminator, Generator
from nfe.gan.training import GanTrainer, TrainingSettings

Networks = Callable[[], tuple[Generator, Discriminator]]

SETTINGS = TrainingSettings(
    growth=((8, 0.024, 0.004), (16, 0.04, 0.002)),
    adam_betas=(0.0, 0.99),
    batch_size=4,
    decay_share=0.5,
    r1_gamma=1.0,
    r1_interval=3,
    ema_kimg=0.01,
    ema_rampup=0.5,
    mixing_probability=0.9,
    mirror=True,
    bf16=False,
    checkpoint_kimg=0.012,
)


class KilledError(Exception):
    """Stands for a kill between two steps."""


def _trainer(make_networks: Networks, pixels: np.ndarray) -> GanTrainer:
    return GanTrainer(pixels, *make_networks(), SETTINGS, seed=3, device="cpu")


def _run(trainer: GanTrainer, folder: Path, stop_at: int | None = None) -> GanTrainer:
    def on_progress(done: int, total: int, note: str) -> None:
        if stop_at is not None and done >= stop_at * 4:
            raise KilledError

    trainer.run(folder, "run", on_progress, lambda _: None)
    return trainer


def test_killed_and_resumed_equals_unkilled(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    whole = _run(_trainer(make_networks, pixels), tmp_path / "whole")
    assert whole.step == whole.num_steps == 16
    for stop_at in (1, 4, 7, 11, 15):
        with pytest.raises(KilledError):
            _run(_trainer(make_networks, pixels), tmp_path / "killed", stop_at)
    resumed = _run(_trainer(make_networks, pixels), tmp_path / "killed")
    assert resumed.history == whole.history
    for name in ("generator", "generator_ema", "discriminator"):
        states = getattr(whole, name).state_dict(), getattr(resumed, name).state_dict()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_both_sides_are_trained_and_everything_changes(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    trainer = _trainer(make_networks, pixels)
    assert [trainer.side_at(step) for step in (0, 5, 6, 15, 16)] == [8, 8, 16, 16, 16]
    before = {k: v.clone() for k, v in trainer.generator.named_parameters()}
    _run(trainer, tmp_path)
    assert [row["side"] for row in trainer.history] == [8, 16, 16, 16, 16, 16]
    moved = {k for k, v in trainer.generator.named_parameters() if not torch.equal(v, before[k])}
    assert moved == set(before)
    averaged = dict(trainer.generator_ema.named_parameters())
    assert all(not torch.equal(averaged[k], before[k]) for k in before)


def test_the_finished_generator_knows_the_mean_of_w(
    make_networks: Networks, pixels: np.ndarray
) -> None:
    generator = _trainer(make_networks, pixels).finished_generator()
    z = torch.randn(10_000, 8, generator=torch.Generator().manual_seed(1))
    mean = generator.mapping(z).mean(dim=0)
    torch.testing.assert_close(generator.w_avg, mean, atol=0.05, rtol=0)


def test_nan_stops_the_run_with_advice(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    trainer = _trainer(make_networks, pixels)
    trainer.discriminator.output.weight.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="learning rates"):
        _run(trainer, tmp_path)
    assert not list(tmp_path.glob("*.pt"))


def test_learning_rate_falls_to_zero_over_the_last_share(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    trainer = _trainer(make_networks, pixels)
    rates = []

    def on_progress(*_: object) -> None:
        rates.append(trainer.generator_optimiser.param_groups[0]["lr"])

    trainer.run(tmp_path, "run", on_progress, lambda _: None)
    assert rates[:9] == [0.004] * 6 + [0.002] * 3
    np.testing.assert_allclose(rates[8:], 0.002 * np.arange(8, 0, -1) / 8)


def test_a_generator_without_mixing_uses_one_code(
    make_networks: Networks, pixels: np.ndarray
) -> None:
    settings = replace(SETTINGS, mixing_probability=0.0)
    trainer = GanTrainer(pixels, *make_networks(), settings, seed=3, device="cpu")
    state = trainer.random.get_state()
    images = trainer._fake_images(16)
    z = torch.randn(8, 8, generator=torch.Generator().set_state(state))[:4]
    torch.testing.assert_close(images, trainer.generator(z))
