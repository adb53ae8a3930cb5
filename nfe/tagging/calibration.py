"""Probabilities that mean what they say: temperatures, calibration error, thresholds per tag."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from nfe.tagging.groups import Group, log_probabilities
from nfe.tagging.network import TaggerNetwork

__all__ = [
    "apply_temperatures",
    "best_thresholds",
    "expected_calibration_error",
    "fit_temperature",
    "fit_temperatures",
]

LOG_RANGE = (-3.0, 3.0)  # temperatures from 0.05 to 20


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the T that makes softmax(logits / T) most likely.

    Each label counts as 1 - 1 / (N + 2) of its class and the rest of the others: N pictures
    that are all right do not show that the next one will be, and T stays above 0.

    Args:
        logits: One column per class, [N, V], V 2 or more.
        labels: The true class, [N], none unknown.

    Returns:
        The temperature; 1 if there is nothing to fit it to.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks; the targets are those of
    Platt 1999, Probabilistic Outputs for Support Vector Machines.
    """
    count, num_classes = logits.shape
    if count == 0:
        return 1.0
    targets = np.full((count, num_classes), 1 / (count + 2) / (num_classes - 1))
    targets[np.arange(count), labels] = 1 - 1 / (count + 2)

    def loss(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        likelihood = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return -float((targets * likelihood).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=LOG_RANGE, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def fit_temperatures(
    logits: torch.Tensor, labels: np.ndarray, groups: Sequence[Group]
) -> list[float]:
    """Fit one temperature per group, on the pictures whose value is known.

    Args:
        logits: [N, T].
        labels: Index of the value per group, [N, G], -1 where it is not known.
        groups: The G groups.
    """
    temperatures = []
    for column, scores in enumerate(log_probabilities(logits, groups)):
        known = labels[:, column] >= 0
        temperatures.append(fit_temperature(scores.numpy()[known], labels[known, column]))
    return temperatures


def apply_temperatures(
    network: TaggerNetwork, groups: Sequence[Group], temperatures: Sequence[float]
) -> None:
    """Divide each group's rows of the head by its temperature, in place."""
    divisors = [t for g, t in zip(groups, temperatures, strict=True) for _ in range(g.num_outputs)]
    scale = torch.tensor(divisors, device=network.head.weight.device)
    with torch.no_grad():
        network.head.weight.div_(scale[:, None])
        network.head.bias.div_(scale)


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, num_bins: int) -> float:
    """Return the mean distance of confidence from accuracy, over bins of equal width.

    Args:
        confidence: Probability of the chosen class, [N], in [0, 1].
        correct: Whether it was the true one, bool, [N].
        num_bins: Number of bins of [0, 1].
    """
    bins = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=num_bins)
    return float(np.abs(gaps).sum() / max(len(confidence), 1))


def best_thresholds(scores: np.ndarray, present: np.ndarray, beta: float) -> np.ndarray:
    """Find for each tag the threshold with the greatest F-beta: a tag is given when above it.

    Args:
        scores: Probabilities, [N, T].
        present: Whether the picture has the tag: 1, 0, or -1 where it is not known, [N, T].
        beta: Above 1 favours recall, below 1 precision.

    Returns:
        Thresholds, float64, [T]; 0.5 for a tag that no picture has.
    """
    thresholds = np.full(scores.shape[1], 0.5)
    for tag in range(scores.shape[1]):
        known = present[:, tag] >= 0
        order = np.argsort(-scores[known, tag], kind="stable")
        values, truth = scores[known, tag][order], present[known, tag][order]
        if truth.sum() == 0:
            continue
        hits, given = np.cumsum(truth), np.arange(1, len(truth) + 1)
        f_beta = (1 + beta**2) * hits / (beta**2 * truth.sum() + given)
        f_beta[:-1][values[:-1] == values[1:]] = -1  # no threshold lies between equal scores
        best = int(f_beta.argmax())
        below = values[best + 1] if best + 1 < len(values) else 0.0
        thresholds[tag] = (values[best] + below) / 2
    return thresholds
