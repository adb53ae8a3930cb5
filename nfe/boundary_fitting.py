"""Fit the hyperplanes of attribute values by linear SVMs, and measure how well they separate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import LinearSVC

from nfe.boundaries import Boundary
from nfe.errors import TagsError

__all__ = [
    "FittingSettings",
    "Whitening",
    "bootstrap_interval",
    "fit_boundaries",
    "fit_whitening",
]

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


@dataclass(frozen=True)
class FittingSettings:
    """Settings of `fit_boundaries`.

    Attributes:
        confident_share: Share of each value's codes, by confidence, that are candidates, in (0, 1].
        train_share: Share of the candidates that train, in (0, 1).
        regularisations: Values to choose C of the SVM from: the weight of its errors.
        shared_penalty: Of a normal that lies where the attribute's normals lie most, as a share
            of the SVM's penalty of one that lies where none does, in (0, 1]; 1: alike everywhere.
        num_folds: Of the cross-validation.
        centre_share: Share of each value, by confidence, whose median distance is its centre.
        min_examples: Fewest candidates with a value, and without it; `train_share` of them must
            fill the folds.
    """

    confident_share: float
    train_share: float
    regularisations: Sequence[float]
    shared_penalty: float
    num_folds: int
    centre_share: float
    min_examples: int


def fit_boundaries(
    codes: np.ndarray,
    labels: np.ndarray,
    confidence: np.ndarray,
    whitening: Whitening,
    settings: FittingSettings,
    *,
    attribute: str,
    values: Sequence[str],
    space: str,
    rng: np.random.Generator,
) -> tuple[list[Boundary], dict[str, str]]:
    """Fit each value of an attribute against the others by a linear SVM on whitened codes.

    The most confident codes of each value are the candidates, of which a part trains: it chooses
    the regularisation by cross-validation, whose accuracy is the one of "validation", and fits the
    planes. All labelled codes that did not train, sure and unsure, are the remaining ones. The
    separating planes of the whitened codes are folded back into unit normals and intercepts.

    What changes an attribute's value lies along few directions: colours of hair are hardly more
    than three numbers. So planes are fitted twice, the second time with less penalty along the
    directions that the first ones lie in; what a few hundred codes of a rare value happen to have
    in common elsewhere counts less.

    Args:
        codes: Latent codes, [N, D].
        labels: The attribute's value of each code, "" where it is not known, str, [N].
        confidence: How sure the label of each code is, [N].
        whitening: Of all codes, labelled or not.
        settings: How to.
        attribute: The attribute's name.
        values: Those to fit.
        space: "w" or "z".
        rng: Draws the split, the folds and the bootstrap.

    Returns:
        The boundaries, and why the other values have none: too few candidates.

    Source: Shen et al. 2020 (InterFaceGAN), section 3.2 and 4.1. We keep the intercept, whiten,
        weigh the classes equally, take a share per value instead of 2 % of all codes, and choose
        C. That classifiers share directions is Argyriou et al. 2008 (convex multi-task feature
        learning), here one step of it, over unit normals.
    """
    candidates = {
        str(value): _most_confident(labels == value, confidence, settings.confident_share)
        for value in np.unique(labels[labels != ""])
    }
    names, skipped = _fittable(candidates, attribute, values, settings.min_examples)
    if not names:
        return [], skipped
    train, folds = _split(candidates, settings, rng)
    white = (codes[train] - whitening.mean) @ whitening.transform
    truths = np.stack([labels[train] == value for value in names], axis=1)
    choices, validated = _choose_regularisations(white, truths, folds, settings)
    stretch = _shared_stretch(white, truths, settings)
    planes = {c: _fit_svms(white, truths, c, stretch) for c in {*choices}}
    remaining = labels != ""
    remaining[train] = False
    boundaries = []
    for column, (value, choice) in enumerate(zip(names, choices, strict=True)):
        normals, intercepts = planes[choice]
        normal, intercept = _unwhiten(normals[column], intercepts[column], whitening)
        distances = codes @ normal + intercept
        positive = labels == value
        statistics = {
            "num_positive": float(positive.sum()),
            "num_negative": float((labels != "").sum() - positive.sum()),
            "regularisation": choice,
            **_accuracies("train", distances[train] > 0, positive[train], rng),
            **_accuracies("validation", validated[:, column], positive[train], rng),
            **_accuracies("remaining", distances[remaining] > 0, positive[remaining], rng),
        }
        centres = _medians(distances, labels, confidence, settings.centre_share)
        shift = whitening.covariance @ normal
        direction, sigma = shift / np.linalg.norm(shift), float(np.sqrt(normal @ shift))
        boundaries.append(
            Boundary(
                attribute, value, space, normal, intercept, direction, sigma, centres, statistics
            )
        )
    return boundaries, skipped


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


def _fittable(
    candidates: Mapping[str, np.ndarray], attribute: str, values: Sequence[str], least: int
) -> tuple[list[str], dict[str, str]]:
    """Values with `least` candidates on either side; and why the others cannot be fitted."""
    names, skipped, total = [], {}, sum(map(len, candidates.values()))
    for value in values:
        positive = len(candidates.get(value, ()))
        for side, count in (("positive", positive), ("negative", total - positive)):
            if count < least:
                skipped[value] = (
                    f"{attribute}={value} must have {least} confident {side} codes, got {count}; "
                    "sample more images or remove the value"
                )
                break
        else:
            names.append(value)
    return names, skipped


def _split(
    candidates: Mapping[str, np.ndarray], settings: FittingSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the codes that train, and the fold of each; every value in all folds alike.

    The folds go on from value to value: rare values together are in all of them, too.
    """
    train = np.concatenate(
        [
            rng.permutation(indices)[: int(np.ceil(settings.train_share * len(indices)))]
            for indices in candidates.values()
        ]
    )
    return train, np.arange(len(train)) % settings.num_folds


def _choose_regularisations(
    white: np.ndarray, truths: np.ndarray, folds: np.ndarray, settings: FittingSettings
) -> tuple[list[float], np.ndarray]:
    """Return each value's C of the best cross-validated balanced accuracy, and its answers."""
    answers = {c: np.empty_like(truths) for c in settings.regularisations}
    for fold in np.unique(folds):
        out = folds == fold
        stretch = _shared_stretch(white[~out], truths[~out], settings)
        for c, told in answers.items():
            normals, intercepts = _fit_svms(white[~out], truths[~out], c, stretch)
            told[out] = white[out] @ normals.T + intercepts > 0
    choices = [
        max(answers, key=lambda c: balanced_accuracy_score(truths[:, v], answers[c][:, v]))
        for v in range(truths.shape[1])
    ]
    return choices, np.stack([answers[c][:, v] for v, c in enumerate(choices)], axis=1)


def _shared_stretch(
    white: np.ndarray, truths: np.ndarray, settings: FittingSettings
) -> np.ndarray | None:
    """Return the symmetric map of codes, [D, D], that makes an SVM's penalty a shared one.

    Planes under the strongest regularisation are fitted first. With m(u) how much of their normals
    lies along the unit direction u, 1 for the most, a code's part along u grows by the root of
    shared + (1 - shared) m(u). A normal along u costs an SVM 1 / (shared + (1 - shared) m(u))
    then: 1 where they lie most, 1 / shared where none does. None if `shared_penalty` is 1.
    """
    shared = settings.shared_penalty
    if shared == 1:
        return None
    normals, _ = _fit_svms(white, truths, min(settings.regularisations), None)
    units = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    amounts, axes = np.linalg.eigh(units.T @ units)
    amounts = np.maximum(amounts, 0) / amounts[-1]
    stretch: np.ndarray = (axes * np.sqrt(shared + (1 - shared) * amounts)) @ axes.T
    return stretch


def _fit_svms(
    white: np.ndarray, truths: np.ndarray, regularisation: float, stretch: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Normals [V, D] and intercepts [V] of a plane per value, fitted on codes so stretched."""
    stretched = white if stretch is None else white @ stretch
    svms = [
        LinearSVC(C=regularisation, class_weight="balanced", dual=False, max_iter=10_000)
        for _ in truths.T
    ]
    for svm, truth in zip(svms, truths.T, strict=True):
        svm.fit(stretched, truth)
    normals = np.concatenate([svm.coef_ for svm in svms])
    intercepts = np.concatenate([svm.intercept_ for svm in svms])
    return (normals if stretch is None else normals @ stretch), intercepts


def _unwhiten(
    normal: np.ndarray, intercept: float, whitening: Whitening
) -> tuple[np.ndarray, float]:
    """Unit normal and intercept, for the codes as they are, of a plane of whitened codes."""
    scaled = whitening.transform @ normal
    length = np.linalg.norm(scaled)
    unit: np.ndarray = scaled / length
    return unit, float(intercept / length - whitening.mean @ unit)


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
