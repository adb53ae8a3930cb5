"""Training: resume to the same bytes, growth, averaging, errors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nfe.errors import TrainingError
from nfe.gan.attribute_reading import AttributeReading, CodeReader
from nfe.gan.feature_discriminator import FeatureDiscriminator, FeatureView
from nfe.gan.losses import discriminator_loss, generator_loss
from nfe.gan.networks import Discriminator, Generator
from nfe.gan.settings import GrowthStep, TrainingSettings
from nfe.gan.training import GanTrainer
from nfe.gan.watching import Evaluation, WatchLimits

Networks = Callable[[], tuple[Generator, Discriminator]]

SETTINGS = TrainingSettings(
    growth=(GrowthStep(8, 0.024, 0.004, 1.0), GrowthStep(16, 0.04, 0.002, 1.0)),
    adam_betas=(0.0, 0.99),
    batch_size=4,
    decay_share=0.5,
    mapping_rise=2.0,
    r1_interval=3,
    ema_kimg=0.01,
    ema_rampup=0.5,
    mixing_probability=0.9,
    mirror=True,
    colour_weight=0.1,
    augment_target=0.1,
    bf16=False,
    checkpoint_kimg=0.012,
    limits=WatchLimits(min_diversity=0.3, max_logit=50, max_rollbacks=2),
)


class KilledError(Exception):
    """Stands for a kill between two steps."""


def _look(generator: Generator, side: int) -> Evaluation:
    """Stands for features: the mean and the variance of the images of one code."""
    with torch.no_grad():
        w_plus = generator.broadcast(generator.mapping(torch.ones(1, generator.z_dim)))
        images = generator.synthesis(w_plus, side)
    return Evaluation(frechet=float(images.mean().abs()), diversity=1 + float(images.var()))


def _features() -> FeatureView:
    """A frozen network of two layers and its discriminator."""
    torch.manual_seed(1)
    network = torch.nn.Conv2d(3, 5, 3, stride=2).requires_grad_(False)

    def extract(images: torch.Tensor) -> list[torch.Tensor]:
        return [images, network(images).relu()]

    heads = FeatureDiscriminator.for_maps(extract(torch.rand(8, 3, 16, 16)))
    reading = AttributeReading(_answer, CodeReader(6, 8, [torch.full((5,), 0.2)]), 0.5, 1.5)
    return FeatureView(extract, heads, weight=1.0, reading=reading)


def _parameters(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [p for group in optimiser.param_groups for p in group["params"]]


def _answer(maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Stand for a tagger: five values of one attribute, by the means of the last map."""
    return [(10 * maps[-1].mean(dim=(2, 3))).softmax(dim=1)]


def _trainer(make_networks: Networks, pixels: np.ndarray) -> GanTrainer:
    return GanTrainer(pixels, *make_networks(), _features(), SETTINGS, seed=3, device="cpu")


def _run(trainer: GanTrainer, folder: Path, stop_at: int | None = None) -> GanTrainer:
    def on_progress(done: int, total: int, note: str) -> None:
        if stop_at is not None and done >= stop_at * 4:
            raise KilledError

    trainer.run(folder, "run", _look, on_progress, lambda _: None)
    return trainer


def test_each_side_has_its_own_weight_of_r1(make_networks: Networks, pixels: np.ndarray) -> None:
    first, second = SETTINGS.growth
    settings = replace(SETTINGS, growth=(first, replace(second, r1_gamma=50.0)))
    runs = [
        GanTrainer(pixels, *make_networks(), _features(), each, seed=3, device="cpu")
        for each in (SETTINGS, settings)
    ]

    def are_alike() -> bool:
        weights = [list(run.discriminator.parameters()) for run in runs]
        return all(torch.equal(a, b) for a, b in zip(*weights, strict=True))

    alike = []
    for _ in range(8):
        for run in runs:
            run.train_step()
        alike.append(are_alike())
    assert alike == [True] * 6 + [False] * 2  # six steps of 4 pictures make 0.024 kimg


def test_one_pass_back_gives_the_gradients_of_all_losses(
    make_networks: Networks, pixels: np.ndarray
) -> None:
    settings = replace(SETTINGS, growth=SETTINGS.growth[1:])  # ten steps
    trainer, again = (
        GanTrainer(pixels, *make_networks(), _features(), settings, seed=3, device="cpu")
        for _ in range(2)
    )
    trainer.step = again.step = 8  # without R1; the learning rate has fallen by 3 / 5
    found: list[torch.Tensor] = []
    for optimiser in (trainer.generator_optimiser, trainer.discriminator_optimiser):
        optimiser.register_step_pre_hook(
            lambda each, *_: found.extend(p.grad.clone() for p in _parameters(each))
        )
    trainer.train_step()

    reals, codes = again._real_images(16), again._fake_codes(16)
    fakes = again.generator.synthesis(codes, 16)
    assert again.features is not None and again.colours is not None
    features, reading = again.features, again.features.reading
    assert reading is not None
    real_logits, fake_logits, real_felt, fake_felt = (
        judge(images)
        for judge in (again.discriminator, lambda images: features.heads(features.extract(images)))
        for images in (reals, fakes)
    )
    loss_g = generator_loss(fake_logits) + generator_loss(fake_felt)
    loss_g = loss_g + settings.colour_weight * again.colours.term(fakes)
    answers = reading.answer(features.extract(fakes))
    loss_g = loss_g + (0.5 + 0.6 * 1.0) * reading.reader.term(codes, answers)
    loss_d = discriminator_loss(real_logits, fake_logits)
    loss_d = loss_d + discriminator_loss(real_felt, fake_felt)
    drawers = _parameters(again.generator_optimiser)
    judges = _parameters(again.discriminator_optimiser)
    assert {id(p) for p in again.generator.parameters()} <= {id(p) for p in drawers}
    expected = [
        *torch.autograd.grad(loss_g, drawers, retain_graph=True),
        *torch.autograd.grad(loss_d, judges),
    ]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_checkpoints_of_other_networks_are_refused_with_advice(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    _run(_trainer(make_networks, pixels), tmp_path)
    other = GanTrainer(pixels, *make_networks(), None, SETTINGS, seed=3, device="cpu")
    other.features = FeatureView(lambda x: [x], FeatureDiscriminator([7], [16], [1.0]), 1.0, None)
    with pytest.raises(TrainingError, match="--force train_gan"):
        _run(other, tmp_path)


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
    assert [row["side"] for row in trainer.history] == [8, 8, 16, 16, 16, 16]
    moved = {k for k, v in trainer.generator.named_parameters() if not torch.equal(v, before[k])}
    assert moved == set(before)
    assert trainer.features is not None
    fresh = _features().heads.state_dict()
    moved = {
        k for k, v in trainer.features.heads.named_parameters() if not torch.equal(v, fresh[k])
    }
    assert moved == {k for k in fresh if k != "scales"}
    averaged = dict(trainer.generator_ema.named_parameters())
    assert all(not torch.equal(averaged[k], before[k]) for k in before)


def test_the_finished_generator_knows_the_mean_of_w(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    generator, _, _ = _trainer(make_networks, pixels).finished_networks(tmp_path, "run")
    z = torch.randn(10_000, 8, generator=torch.Generator().manual_seed(1))
    mean = generator.mapping(z).mean(dim=0)
    torch.testing.assert_close(generator.w_avg, mean, atol=0.05, rtol=0)


def test_nan_sends_the_run_back_at_half_the_rate(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = _trainer(make_networks, pixels)
    poisoned = []

    def on_progress(done: int, total: int, note: str) -> None:
        if done == 8 * 4 and not poisoned:
            poisoned.append(done)
            trainer.discriminator.output.weight.data.fill_(float("nan"))

    trainer.run(tmp_path, "run", _look, on_progress, lambda _: None)
    assert poisoned
    assert trainer.step == trainer.num_steps
    assert trainer.num_rollbacks == 1
    assert [row["rate_scale"] for row in trainer.history] == [1, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert all(torch.isfinite(p).all() for p in trainer.generator.parameters())
    assert "loss must be finite" in capsys.readouterr().err


def test_nan_again_and_again_stops_the_run_with_advice(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    trainer = _trainer(make_networks, pixels)
    trainer.discriminator.output.weight.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"after 2 times going back; lower the learning rates"):
        _run(trainer, tmp_path)


def test_collapse_is_seen_at_the_next_evaluation(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    """Diversity falls at the third look, once; the same run then goes on from the second."""
    looks = []

    def look(generator: Generator, side: int) -> Evaluation:
        looks.append(side)
        return Evaluation(frechet=1.0, diversity=0.1 if len(looks) == 3 else 1.0)

    trainer = _trainer(make_networks, pixels)
    trainer.run(tmp_path, "run", look, lambda *_: None, lambda _: None)
    assert trainer.num_rollbacks == 1
    assert [row["diversity"] for row in trainer.history] == [1.0] * 6
    assert len(looks) == 8  # the third and the second again


def test_killed_after_a_rollback_equals_unkilled(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    def look(generator: Generator, side: int) -> Evaluation:
        rate_is_halved = trainer.rate_scale < 1
        return Evaluation(frechet=1.0, diversity=1.0 if rate_is_halved or side == 8 else 0.1)

    trainer = _trainer(make_networks, pixels)
    trainer.run(tmp_path / "whole", "run", look, lambda *_: None, lambda _: None)
    whole = trainer
    for stop_at in (2, 4, 7, 9, 12):

        def kill(done: int, total: int, note: str, stop_at: int = stop_at) -> None:
            if done >= stop_at * 4:
                raise KilledError

        trainer = _trainer(make_networks, pixels)
        with pytest.raises(KilledError):
            trainer.run(tmp_path / "killed", "run", look, kill, lambda _: None)
    trainer = _trainer(make_networks, pixels)
    trainer.run(tmp_path / "killed", "run", look, lambda *_: None, lambda _: None)
    assert whole.num_rollbacks == trainer.num_rollbacks == 1
    states = whole.generator.state_dict(), trainer.generator.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_the_best_networks_at_full_resolution_are_kept(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    distances = iter([1.0, 9.0, 4.0, 2.0, 3.0, 5.0])  # the first is of the smaller side
    seen = {}

    def look(generator: Generator, side: int) -> Evaluation:
        seen[trainer.kimg] = {k: v.clone() for k, v in generator.state_dict().items()}
        return Evaluation(frechet=next(distances), diversity=1.0)

    trainer = _trainer(make_networks, pixels)
    trainer.run(tmp_path, "run", look, lambda *_: None, lambda _: None)
    best, _, kimg = trainer.finished_networks(tmp_path, "run")
    assert kimg == pytest.approx(0.048)
    expected = {**seen[kimg], "w_avg": best.w_avg}
    assert all(torch.equal(value, expected[key]) for key, value in best.state_dict().items())


def test_learning_rate_falls_to_zero_over_the_last_share(
    tmp_path: Path, make_networks: Networks, pixels: np.ndarray
) -> None:
    trainer = _trainer(make_networks, pixels)
    rates, mapping_rates = [], []

    def on_progress(*_: object) -> None:
        synthesis, mapping = trainer.generator_optimiser.param_groups
        assert {id(p) for p in mapping["params"]} == {
            id(p) for p in trainer.generator.mapping.parameters()
        }
        rates.append(synthesis["lr"])
        mapping_rates.append(mapping["lr"])

    trainer.run(tmp_path, "run", _look, on_progress, lambda _: None)
    assert rates[:9] == mapping_rates[:9] == [0.004] * 6 + [0.002] * 3
    left = np.arange(8, 0, -1) / 8
    np.testing.assert_allclose(rates[8:], 0.002 * left)
    np.testing.assert_allclose(mapping_rates[8:], 0.002 * left * (2 - left))


def test_augmentation_grows_while_the_discriminator_is_too_sure(
    make_networks: Networks, pixels: np.ndarray
) -> None:
    for target, expected in ((0.6, 4 * 4 / 100_000), (None, 0.0)):
        settings = replace(SETTINGS, augment_target=target)
        trainer = GanTrainer(pixels, *make_networks(), None, settings, seed=3, device="cpu")
        trainer.discriminator.output.bias.data.fill_(30.0)  # every picture looks real
        for _ in range(4):
            trainer.train_step()
        assert trainer.augment_strength == pytest.approx(expected)


@pytest.mark.parametrize("side", [8, 16])
def test_a_generator_without_mixing_uses_one_code(
    make_networks: Networks, pixels: np.ndarray, side: int
) -> None:
    settings = replace(SETTINGS, mixing_probability=0.0)
    trainer = GanTrainer(pixels, *make_networks(), None, settings, seed=3, device="cpu")
    state = trainer.random.get_state()
    codes = trainer._fake_codes(side)
    z = torch.randn(8, 8, generator=torch.Generator().set_state(state))[:4]
    w = trainer.generator.mapping(z)
    torch.testing.assert_close(codes, trainer.generator.broadcast(w))


@pytest.mark.parametrize("side", [8, 16])
def test_a_mixed_picture_is_of_one_code_and_then_of_another(
    make_networks: Networks, pixels: np.ndarray, side: int
) -> None:
    """The layers that small pictures leave out have the code of the last one that they use."""
    settings = replace(SETTINGS, mixing_probability=1.0, batch_size=64)
    trainer = GanTrainer(pixels, *make_networks(), None, settings, seed=3, device="cpu")
    codes, num_drawn = trainer._fake_codes(side), 2 * int(math.log2(side)) - 2
    changes = codes.diff(dim=1).abs().sum(dim=2).gt(1e-6)  # [64, num_ws - 1]
    assert (changes.sum(dim=1) == 1).all()
    assert set(changes.int().argmax(dim=1).tolist()) == set(range(num_drawn - 1))
