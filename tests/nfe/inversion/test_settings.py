import dataclasses

import pytest

from .test_training import SETTINGS


@pytest.mark.parametrize(
    ("step", "num_released"),
    [(0, 0), (29, 0), (30, 1), (39, 1), (40, 2), (69, 4), (70, 5), (99, 5)],
)
def test_deltas_are_released_at_shares_of_the_run(step: int, num_released: int) -> None:
    settings = dataclasses.replace(SETTINGS, kimg=0.8)  # 100 steps
    assert settings.num_released_at(step, num_deltas=5) == num_released


def test_without_an_interval_all_deltas_come_at_once() -> None:
    settings = dataclasses.replace(SETTINGS, kimg=0.8, release_interval=0.0)
    assert settings.num_released_at(29, num_deltas=5) == 0
    assert settings.num_released_at(30, num_deltas=5) == 5
