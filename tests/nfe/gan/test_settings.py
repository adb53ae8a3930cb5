"""What follows from settings at each step: sides, and the two learning rates."""

from dataclasses import replace

import pytest

from nfe.gan.settings import GrowthStep, TrainingSettings
from nfe.gan.watching import WatchLimits

SETTINGS = TrainingSettings(  # 40 steps at 8 px, then 60 at 16 px
    growth=(GrowthStep(8, 0.4, 0.004, 1.0), GrowthStep(16, 0.6, 0.002, 1.0)),
    adam_betas=(0.0, 0.99),
    batch_size=10,
    decay_share=0.5,
    mapping_rise=5.0,
    r1_interval=16,
    ema_kimg=1.0,
    ema_rampup=0.5,
    mixing_probability=0.9,
    mirror=True,
    colour_weight=0.0,
    augment_target=None,
    bf16=False,
    checkpoint_kimg=1.0,
    limits=WatchLimits(min_diversity=0.3, max_logit=50, max_rollbacks=2),
)


def test_sides_follow_one_another() -> None:
    assert SETTINGS.num_steps == 100
    assert [SETTINGS.growth_at(step).side for step in (0, 39, 40, 99, 100)] == [8, 8, 16, 16, 16]


@pytest.mark.parametrize(
    ("step", "rate", "mapping_rate"),
    [
        (0, 0.004, 0.004),
        (40, 0.002, 0.002),
        (50, 0.002, 0.002),  # the fall begins
        (75, 0.001, 0.001 * 3),  # half fallen, half risen
        (90, 0.0004, 0.0004 * 4.2),
        (100, 0.0, 0.0),
    ],
)
def test_rates_fall_over_the_last_share_of_the_run(
    step: int, rate: float, mapping_rate: float
) -> None:
    assert SETTINGS.rate_at(step) == pytest.approx(rate)
    assert SETTINGS.mapping_rate_at(step) == pytest.approx(mapping_rate)


def test_a_rise_of_one_leaves_one_rate() -> None:
    one = replace(SETTINGS, mapping_rise=1.0)
    assert [one.mapping_rate_at(s) for s in range(101)] == [one.rate_at(s) for s in range(101)]


def test_without_decay_nothing_falls() -> None:
    steady = replace(SETTINGS, decay_share=0.0)
    assert [steady.fall_at(step) for step in (0, 75, 100)] == [0.0, 0.0, 0.0]
    assert steady.mapping_rate_at(99) == steady.rate_at(99) == 0.002
