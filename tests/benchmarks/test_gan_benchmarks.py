"""The arithmetic of the generator's benchmarks, and the seed's step on tiny networks."""

import sys
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import gan_quality, train_gan
from benchmarks.peers import Ours, Seed, gan_params, import_peer, num_parameters
from nfe.errors import NFEError

TINY: dict[str, Any] = {
    "z_dim": 8,
    "w_dim": 8,
    "num_mapping_layers": 2,
    "channel_base": 64,
    "channel_max": 8,
    "discriminator_channel_base": 64,
    "discriminator_channel_max": 8,
    "growth": [
        {"side": 8, "kimg": 1.0, "learning_rate": 0.001, "r1_gamma": 1.0},
        {"side": 16, "kimg": 3.0, "learning_rate": 0.001, "r1_gamma": 1.0},
    ],
    "feature_weight": 0.0,
    "mapping_rise": 1.0,
    "reading_weight": None,
    "colour_weight": 0.0,
    "batch_size": 4,
}


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)


def test_a_stretched_schedule_takes_the_seconds_and_keeps_its_shares() -> None:
    growth = gan_params("scratch", **TINY).growth
    rates = {8: 100.0, 16: 25.0}  # 10 s and 120 s
    stretched = gan_quality.stretched_growth(growth, rates, seconds=65)
    assert sum(s["kimg"] * 1000 / rates[int(s["side"])] for s in stretched) == pytest.approx(65)
    assert [s["kimg"] for s in stretched] == pytest.approx([0.5, 1.5])


def test_ratios_say_how_many_times_better_ours_is() -> None:
    ours = {"frechet_distance": 2.0, "recall": 0.5}
    seed = {"frechet_distance": 9.0, "recall": 0.1}
    expected = {"seed": {"frechet_distance": 4.5, "recall": 5.0}}
    assert gan_quality.ratios({"ours": ours, "seed": seed}) == expected
    assert gan_quality.ratios({"seed": seed}) == {}


def test_equal_features_have_no_distance() -> None:
    features = np.random.default_rng(0).normal(size=(40, 4))
    values = gan_quality.figures(features, features)
    assert values["frechet_distance"] == pytest.approx(0, abs=1e-3)
    assert values["precision"] == values["recall"] == 1


def test_unequal_sizes_are_not_compared() -> None:
    def sizes(peer: int) -> dict[str, dict[str, int]]:
        half = {"generator_parameters": 50, "discriminator_parameters": 50, "batch_size": 1}
        other = {**half, "generator_parameters": peer - 50}
        return {"ours": half, "ours_at_peer_size": half, "seed": half, "peer": other}

    rates = {
        "ours": [40.0, 80.0, 40.0],
        "ours_at_peer_size": [6.0, 12.0, 8.0],
        "peer": [2.0, 4.0, 2.0],  # the machine is twice as fast in the second round
        "seed": [1.0, 2.0, 0.5],
    }
    result = train_gan.summary(rates, sizes(110))
    assert (result["ratio_peer"], result["ratio_seed"]) == (3.0, 40.0)
    assert (result["ours"], result["seed"]) == (40.0, 1.0)
    with pytest.raises(NFEError, match="change PEER_SIZE"):
        train_gan.summary(rates, sizes(130))


def test_a_missing_peer_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "stylegan2_pytorch.stylegan2_pytorch", None)
    with pytest.raises(NFEError, match="run: pip install") as error:
        import_peer()
    assert "\n" not in str(error.value)


def test_the_seed_trains_both_networks(pixels: np.ndarray) -> None:
    torch.manual_seed(0)
    seed = Seed(pixels, gan_params("nfe64", **TINY), "cpu")
    before = [[p.clone() for p in network.parameters()] for network in seed.networks()]
    for _ in range(3):  # the RGB outputs are zero at first
        seed.step()
    for network, old in zip(seed.networks(), before, strict=True):
        moved = [not torch.equal(a, b) for a, b in zip(network.parameters(), old, strict=True)]
        assert sum(moved) > 0.9 * len(moved)
    assert seed.sample(5).shape == (5, 16, 16, 3)


def test_ours_trains_to_the_end_of_its_schedule(pixels: np.ndarray) -> None:
    growth = [{"side": 16, "kimg": 0.012, "learning_rate": 0.001, "r1_gamma": 1.0}]
    ours = Ours(pixels, gan_params("scratch", **{**TINY, "growth": growth}), "cpu")
    assert gan_quality.train(ours, 60, lambda *_: None) == 12
    assert ours.sample(3).shape == (3, 16, 16, 3)
    assert train_gan.size(ours)["generator_parameters"] == num_parameters(ours.networks()[0])
