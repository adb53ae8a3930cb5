"""Fit the hyperplane of an attribute value by a linear SVM, and measure how well it separates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import LinearSVC

from nfe.boundaries import Boundary
from nfe.errors import TagsError

__all__ = ["Whitening", "bootstrap_interval", "fit_boundary", "fit_whitening"]

NUM_BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Whitening:
    """The affine map that gives codes zero mean and unit covariance.

    Attributes:
        mean: Mean code, [D].
        covariance: Covariance of the codes, [D, D].
        transform: `(codes - mean) @ transform` is white, [D, R], R the rank of the covariance.
    """

    mean: np.ndarray
    covariance: np.ndarray
    transform: np.ndarray


def fit_whitening(codes: np.ndarray, min_variance: float) -> Whitening:
    """Find the map that whitens `codes`, leaving out axes along which they hardly vary.

    Args:
        codes: Latent codes, [N, D].
        min_variance: Least variance of a principal axis, as a share of the largest one.

    Raises:
        TagsError: If the codes do not vary, or are not finite.
    """
    codes = np.asarray(codes, dtype=np.float64)
    mean = codes.mean(axis=0)
    covariance = np.atleast_2d(np.cov(codes, rowvar=False))
    if not np.isfinite(covariance).all() or not covariance.any():
        raise TagsError("codes must be finite and vary, got a constant or NaN; train the GAN again")
    variances, axes = np.linalg.eigh(covariance)
    kept = variances > min_variance * variances[-1]
    return Whitening(mean, covariance, axes[:, kept] / np.sqrt(variances[kept]))


def fit_boundary(
    codes: np.ndarray,
    labels: np.ndarray,
    confidence: np.ndarray,
    whitening: Whitening,
    *,
    attribute: str,
    value: str,
    space: str,
    confident_share: float,
    train_share: float,
    regularisations: Sequence[float],
    num_folds: int,
    centre_share: float,
    min_examples: int,
    rng: np.random.Generator,
) -> Boundary:
    """Fit one value against the rest by a linear SVM on whitened codes.

    The most confident codes of each class are the candidates, of which a part trains: it chooses
    the regularisation by cross-validation, whose accuracy is the one of "validation", and fits the
    plane. All labelled codes that did not train, sure and unsure, are the remaining ones. The
    separating plane of the whitened codes is folded back into one unit normal and intercept.

    Args:
        codes: Latent codes, [N, D].
        labels: The attribute's value of each code, "" where it is not known, str, [N].
        confidence: How sure the label of each code is, [N].
        whitening: Of all codes, labelled or not.
        attribute: The attribute's name.
        value: The value's name.
        space: "w" or "z".
        confident_share: Share of each class, by confidence, that are candidates, in (0, 1].
        train_share: Share of the candidates that train, in (0, 1).
        regularisations: Values to choose C of the SVM from: the weight of its errors.
        num_folds: Of the cross-validation.
        centre_share: Share of each value, by confidence, whose median distance is its centre.
        min_examples: Fewest candidates of a class; `train_share` of them must fill the folds.
        rng: Draws the split, the folds and the bootstrap.

    Raises:
        TagsError: If a class has fewer than `min_examples` candidates.

    Source: Shen et al. 2020 (InterFaceGAN), section 3.2 and 4.1. We keep the intercept, whiten,
        weigh the classes equally, take a share per class instead of 2 % of all codes, and choose C.
    """
    positive = labels == value
    negative = (labels != value) & (labels != "")
    candidates = [
        _candidates(side, chosen, confidence, confident_share, min_examples, f"{attribute}={value}")
        for side, chosen in (("positive", positive), ("negative", negative))
    ]
    train = np.concatenate(
        [rng.permutation(indices)[: round(train_share * len(indices))] for indices in candidates]
    )
    white = (codes[train] - whitening.mean) @ whitening.transform
    regularisation, validated = _choose_regularisation(
        white, positive[train], regularisations, num_folds, rng
    )
    normal, intercept = _separate(white, positive[train], whitening, regularisation)
    distances = codes @ normal + intercept
    remaining = positive | negative
    remaining[train] = False
    statistics = {
        "num_positive": float(positive.sum()),
        "num_negative": float(negative.sum()),
        "regularisation": regularisation,
        **_accuracies("train", distances[train] > 0, positive[train], rng),
        **_accuracies("validation", validated, positive[train], rng),
        **_accuracies("remaining", distances[remaining] > 0, positive[remaining], rng),
    }
    shift = whitening.covariance @ normal
    return Boundary(
        attribute=attribute,
        value=value,
        space=space,
        normal=normal,
        intercept=intercept,
        direction=shift / np.linalg.norm(shift),
        sigma=float(np.sqrt(normal @ shift)),
        centres=_medians(distances, labels, confidence, centre_share),
        statistics=statistics,
    )


def bootstrap_interval(
    rates: Sequence[float], counts: Sequence[int], rng: np.random.Generator
) -> tuple[float, float]:
    """95 % interval of the mean of the classes' accuracies, by stratified bootstrap.

    Drawing n of n answers, of which a share p is right, gives Binomial(n, p) right ones.

    Args:
        rates: Share of right answers per class.
        counts: Number of answers per class, each at least 1.
        rng: Draws the resamples.
    """
    draws = [rng.binomial(n, p, NUM_BOOTSTRAPS) / n for p, n in zip(rates, counts, strict=True)]
    low, high = np.quantile(np.mean(draws, axis=0), (0.025, 0.975))
    return float(low), float(high)


def _choose_regularisation(
    white: np.ndarray,
    positive: np.ndarray,
    regularisations: Sequence[float],
    num_folds: int,
    rng: np.random.Generator,
) -> tuple[float, np.ndarray]:
    """Return the C of the best cross-validated balanced accuracy, and the answers it gave."""
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=int(rng.integers(2**31)))
    answers = {c: cross_val_predict(_svm(c), white, positive, cv=folds) for c in regularisations}
    best = max(answers, key=lambda c: balanced_accuracy_score(positive, answers[c]))
    return best, answers[best]


def _separate(
    white: np.ndarray, positive: np.ndarray, whitening: Whitening, regularisation: float
) -> tuple[np.ndarray, float]:
    """Unit normal and intercept, for the codes as they are, of the SVM on whitened codes."""
    svm = _svm(regularisation).fit(white, positive)
    scaled = whitening.transform @ svm.coef_[0]
    length = np.linalg.norm(scaled)
    normal: np.ndarray = scaled / length
    return normal, float(svm.intercept_[0] / length - whitening.mean @ normal)


def _svm(regularisation: float) -> LinearSVC:
    return LinearSVC(C=regularisation, class_weight="balanced", dual=False, max_iter=10_000)


def _candidates(
    side: str,
    chosen: np.ndarray,
    confidence: np.ndarray,
    share: float,
    min_examples: int,
    name: str,
) -> np.ndarray:
    """Indices of the most confident of the chosen codes; an error if they are too few."""
    indices = _most_confident(chosen, confidence, share)
    if len(indices) < min_examples:
        raise TagsError(
            f"{name} must have {min_examples} confident {side} codes, got {len(indices)}; "
            "sample more images or remove the value"
        )
    return indices


def _most_confident(chosen: np.ndarray, confidence: np.ndarray, share: float) -> np.ndarray:
    """Indices of the `share` of the chosen codes with the highest confidence, ties by index."""
    indices = np.flatnonzero(chosen)
    order = np.argsort(-confidence[indices], kind="stable")
    return indices[order[: int(np.ceil(share * len(indices)))]]


def _medians(
    distances: np.ndarray, labels: np.ndarray, confidence: np.ndarray, share: float
) -> dict[str, float]:
    """Median distance of the most confident codes of each value."""
    return {
        str(value): float(np.median(distances[_most_confident(labels == value, confidence, share)]))
        for value in np.unique(labels)
        if value
    }


def _accuracies(
    part: str, answers: np.ndarray, truth: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    """Accuracy, balanced accuracy and its interval; nothing where a class is empty."""
    counts = [int(truth.sum()), int((~truth).sum())]
    if min(counts) == 0:
        return {}
    rates = [float(answers[truth].mean()), float((~answers[~truth]).mean())]
    low, high = bootstrap_interval(rates, counts, rng)
    return {
        f"{part}_num": float(len(truth)),
        f"{part}_accuracy": float((answers == truth).mean()),
        f"{part}_balanced_accuracy": float(np.mean(rates)),
        f"{part}_balanced_low": low,
        f"{part}_balanced_high": high,
    }
