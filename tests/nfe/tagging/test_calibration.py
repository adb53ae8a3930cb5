import numpy as np
import pytest
import torch

from nfe.tagging.calibration import (
    apply_temperatures,
    best_thresholds,
    expected_calibration_error,
    fit_temperature,
    fit_temperatures,
)
from nfe.tagging.groups import Group
from nfe.tagging.network import TaggerNetwork


def test_planted_temperature_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.05)
    assert fit_temperature(logits[:0], labels[:0]) == 1


def test_temperature_is_folded_into_the_head():
    network = TaggerNetwork(16, 4, 3).eval()
    groups = [Group("a", ("x", "y"), ("x", "y")), Group("b", ("z", "no"), ("z", ""))]
    images = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    before = network(images)
    apply_temperatures(network, groups, [2.0, 0.5])
    assert torch.allclose(network(images), before / torch.tensor([2, 2, 0.5]), atol=1e-6)


def test_unknown_labels_do_not_count():
    groups = [Group("a", ("x", "y"), ("x", "y"))]
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    labels = np.array([[-1], [-1], [0], [0], [1]])
    # Two of three right, each counted as 4/5: x gets 2 * 4/5 + 1/5 of 3, so exp(1 / T) = 3/2.
    assert fit_temperatures(logits, labels, groups) == pytest.approx([1 / np.log(1.5)], rel=1e-3)


def test_all_right_is_not_certain():
    logits, labels = np.tile([[2.0, 0.0]], (98, 1)), np.zeros(98, dtype=int)
    confidence = 1 / (1 + np.exp(-2 / fit_temperature(logits, labels)))
    assert confidence == pytest.approx(0.99, abs=1e-4)


def test_calibration_error():
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, True, True, False])
    assert expected_calibration_error(confidence, correct, 10) == pytest.approx(0.05)
    assert expected_calibration_error(np.ones(3), np.ones(3, bool), 10) == 0
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool), 10) == 0


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_thresholds_against_a_search(beta):
    rng = np.random.default_rng(3)
    scores = rng.random((60, 1)).round(2)
    present = (rng.random((60, 1)) < scores).astype(int)
    present[:10] = -1

    def f_beta(threshold):
        known = present[:, 0] >= 0
        given, truth = scores[known, 0] > threshold, present[known, 0] == 1
        hits = (given & truth).sum()
        return (1 + beta**2) * hits / (beta**2 * truth.sum() + given.sum())

    best = max(f_beta(threshold) for threshold in np.arange(0, 1, 0.005))
    assert f_beta(best_thresholds(scores, present, beta)[0]) == pytest.approx(best)


def test_threshold_of_a_tag_that_never_occurs():
    assert best_thresholds(np.full((4, 1), 0.2), np.zeros((4, 1), int), 1.0).tolist() == [0.5]
