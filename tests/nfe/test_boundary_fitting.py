import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.svm import LinearSVC

from nfe.boundary_fitting import (
    FittingSettings,
    bootstrap_interval,
    fit_boundaries,
    fit_whitening,
)
from nfe.errors import TagsError


def planted(rng, num=4000, dim=12, spread=1.0):
    """Codes of uneven spread, and their true distances from a plane that is not through zero."""
    codes = rng.standard_normal((num, dim)) @ rng.standard_normal((dim, dim)) * spread + 0.7
    normal = rng.standard_normal(dim)
    normal /= np.linalg.norm(normal)
    distances = codes @ normal
    return codes, normal, distances - np.quantile(distances, 0.7)


SETTINGS = FittingSettings(
    confident_share=0.8,
    train_share=0.7,
    regularisations=[1.0],
    shared_penalty=0.1,
    num_folds=3,
    centre_share=0.8,
    min_examples=10,
)


def fit_values(codes, labels, rng, values, confidence=None, **changes):
    """Boundaries of a colour's values, and why others have none."""
    return fit_boundaries(
        codes,
        labels,
        np.ones(len(codes)) if confidence is None else confidence,
        fit_whitening(codes, 1e-6),
        replace(SETTINGS, **changes),
        attribute="hair_color",
        values=values,
        space="w",
        rng=rng,
    )


def fit(codes, positive, rng, known=True, **changes):
    """The boundary of blue hair, where all other hair is red."""
    labels = np.where(known, np.where(positive, "blue", "red"), "")
    (boundary,), _ = fit_values(codes, labels, rng, ["blue"], **changes)
    return boundary


def test_a_planted_hyperplane_is_recovered_with_its_intercept():
    rng = np.random.default_rng(0)
    codes, normal, distances = planted(rng)
    boundary = fit(codes, distances > 0, rng, regularisations=[1000.0])
    assert boundary.normal @ normal > 0.995
    assert np.abs(codes @ boundary.normal + boundary.intercept - distances).max() < 0.3
    assert boundary.statistics["remaining_accuracy"] > 0.99
    assert np.linalg.norm(boundary.normal) == pytest.approx(1)
    assert np.linalg.norm(boundary.direction) == pytest.approx(1)


def test_direction_is_the_shift_between_the_means_of_the_two_sides():
    """For Gaussian codes E[w | distance] lies on the line along covariance @ normal."""
    rng = np.random.default_rng(1)
    codes, _, distances = planted(rng, num=40_000)
    boundary = fit(codes, distances > 0, rng, regularisations=[1000.0])
    between = codes[distances > 0].mean(0) - codes[distances < 0].mean(0)
    assert boundary.direction @ between / np.linalg.norm(between) > 0.999
    assert boundary.direction @ boundary.normal > 0
    assert boundary.sigma == pytest.approx(distances.std(), rel=0.02)


def test_scale_of_the_codes_does_not_matter():
    codes, _, distances = planted(np.random.default_rng(2))
    small = fit(codes * 0.01, distances > 0, np.random.default_rng(3))
    large = fit(codes, distances > 0, np.random.default_rng(3))
    assert small.normal @ large.normal > 1 - 1e-9
    assert small.centres == pytest.approx({v: d * 0.01 for v, d in large.centres.items()})


def test_the_less_confident_codes_do_not_train():
    rng = np.random.default_rng(4)
    codes, normal, distances = planted(rng)
    positive = distances > 0
    unsure = np.zeros(len(codes), dtype=bool)
    for side in (positive, ~positive):
        unsure[rng.permutation(np.flatnonzero(side))[: int(0.4 * side.sum())]] = True
    positive = positive ^ unsure  # every unsure label is wrong
    boundary = fit(codes, positive, rng, confidence=1.0 - unsure, confident_share=0.3)
    assert boundary.normal @ normal > 0.95
    assert boundary.statistics["validation_accuracy"] > 0.97
    assert boundary.statistics["remaining_accuracy"] < 0.7


def test_each_labelled_code_either_trains_and_validates_or_remains():
    rng = np.random.default_rng(13)
    codes, _, distances = planted(rng)
    for share in (0.02, 1.0):  # InterFaceGAN's, and the whole labelled set
        boundary = fit(codes, distances > 0, rng, confident_share=share, train_share=0.7)
        train, validation, remaining = (
            boundary.statistics[f"{p}_num"] for p in ("train", "validation", "remaining")
        )
        assert train == validation == pytest.approx(share * 0.7 * len(codes), abs=2)
        assert train + remaining == len(codes)


def test_validation_is_the_accuracy_of_folds_that_did_not_train():
    """With labels that codes tell nothing of, a fit knows its own codes and no others."""
    rng = np.random.default_rng(14)
    codes = rng.standard_normal((300, 100))
    boundary = fit(codes, rng.random(300) > 0.5, rng, confident_share=1.0)
    assert boundary.statistics["train_balanced_accuracy"] > 0.8
    assert boundary.statistics["validation_balanced_accuracy"] < 0.6


def test_the_regularisation_is_the_one_that_validates_best():
    choices = [1e-6, 1e-3, 1e3]
    rng = np.random.default_rng(15)
    clean, _, distances = planted(rng)
    wide = rng.standard_normal((4000, 150))
    for codes, positive, share in ((clean, distances > 0, 0.8), (wide, wide[:, 0] > 0, 0.1)):

        def figures(regularisations, codes=codes, positive=positive, share=share):
            options = {"regularisations": regularisations, "shared_penalty": 1.0}
            options["confident_share"] = share
            return fit(codes, positive, np.random.default_rng(16), **options).statistics

        alone = [figures([c])["validation_balanced_accuracy"] for c in choices]
        together = figures(choices)
        assert together["validation_balanced_accuracy"] == max(alone) > min(alone)
        assert together["regularisation"] == choices[alone.index(max(alone))]


def test_centres_are_the_median_distances_of_the_confident_codes_of_each_value():
    rng = np.random.default_rng(12)
    codes, _, distances = planted(rng)
    confidence = np.abs(distances)
    boundary = fit(codes, distances > 0, rng, confidence=confidence, centre_share=0.5)
    found = codes @ boundary.normal + boundary.intercept
    for value, side in (("blue", distances > 0), ("red", distances < 0)):
        confident = side & (confidence >= np.median(confidence[side]))
        assert boundary.centres[value] == pytest.approx(np.median(found[confident]))


def test_unlabelled_codes_are_left_out():
    rng = np.random.default_rng(5)
    codes, _, distances = planted(rng)
    sure = np.abs(distances) > 0.3
    boundary = fit(codes, distances > 0, rng, known=sure)
    assert sum(boundary.statistics[f"{p}_num"] for p in ("train", "remaining")) == sure.sum()


def test_rare_value_is_found_as_well_as_the_rest():
    rng = np.random.default_rng(6)
    codes, _, distances = planted(rng)
    noisy = distances + 0.5 * distances.std() * rng.standard_normal(len(codes))
    positive = noisy > np.quantile(noisy, 0.95)
    boundary = fit(codes, positive, rng, regularisations=[0.01])
    found = codes @ boundary.normal + boundary.intercept > 0
    assert found[positive].mean() > 0.85
    assert (~found[~positive]).mean() > 0.75


def test_boundary_lies_within_the_codes_span():
    rng = np.random.default_rng(7)
    flat = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 8))
    whitening = fit_whitening(flat, 1e-6)
    white = (flat - whitening.mean) @ whitening.transform
    assert white.shape == (500, 3)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(3), atol=1e-8)


@pytest.mark.parametrize("codes", [np.ones((5, 3)), np.full((5, 3), np.nan)])
def test_codes_that_do_not_vary_are_refused(codes):
    with pytest.raises(TagsError, match="finite and vary"):
        fit_whitening(codes, 1e-6)


def test_values_with_too_few_examples_on_a_side_are_left_out_and_told():
    rng = np.random.default_rng(8)
    codes, _, distances = planted(rng, num=100)
    labels = np.where(distances > 0, "blue", "red")
    fitted, skipped = fit_values(codes, labels, rng, ["blue", "green"], min_examples=60)
    assert fitted == []
    assert "hair_color=blue must have 60 confident positive codes, got 24" in skipped["blue"]
    assert "positive codes, got 0" in skipped["green"]
    fitted, skipped = fit_values(codes, np.full(100, "blue"), rng, ["blue"])
    assert fitted == []
    assert "negative codes, got 0" in skipped["blue"]


def test_values_of_a_code_each_are_spread_over_the_folds():
    rng = np.random.default_rng(22)
    codes, _, _ = planted(rng, num=40)
    labels = np.array(["blue"] * 36 + [*"abcd"])
    fitted, _ = fit_values(codes, labels, rng, ["blue"], min_examples=4, train_share=0.8)
    assert (
        fitted[0].statistics["validation_num"] == 24 + 4
    )  # .8 of the surest 29 blue ones, rounded up


def colours(rng, num, dim=100):
    """Codes of which three numbers say the colour, of eight; the others say nothing."""
    codes = rng.standard_normal((num, dim))
    signs = codes[:, :3] > 0
    noisy = rng.random(num) < 0.1
    labels = signs @ [1, 2, 4]
    labels[noisy] = rng.integers(8, size=noisy.sum())
    return codes, labels.astype(str)


def test_planes_of_an_attribute_lie_where_they_lie_together():
    """What shows nothing of any value takes less part in the planes; other codes gain by it."""
    codes, labels = colours(np.random.default_rng(17), 1200)
    figures = {}
    for shared in (0.03, 1.0):
        fitted, _ = fit_values(
            codes,
            labels,
            np.random.default_rng(18),
            [*"01234567"],
            regularisations=[0.01],
            shared_penalty=shared,
            confident_share=1.0,
        )
        normals = np.stack([b.normal for b in fitted])
        inside = np.linalg.norm(normals[:, :3], axis=1)
        right = np.mean([b.statistics["remaining_balanced_accuracy"] for b in fitted])
        validated = np.mean([b.statistics["validation_balanced_accuracy"] for b in fitted])
        assert validated < right + 0.01  # a fold's planes share nothing with the fold's own codes
        figures[shared] = inside.mean(), right
    assert figures[0.03][0] > figures[1.0][0] + 0.03
    assert figures[0.03][1] > figures[1.0][1] + 0.01


def test_a_penalty_shared_alike_is_the_svm_on_whitened_codes():
    codes, labels = colours(np.random.default_rng(19), 1200, dim=8)
    (boundary,), _ = fit_values(
        codes,
        labels,
        np.random.default_rng(20),
        ["5"],
        shared_penalty=1.0,
        train_share=0.999,
        confident_share=1.0,
        regularisations=[0.01],
    )
    whitening = fit_whitening(codes, 1e-6)
    white = (codes - whitening.mean) @ whitening.transform
    svm = LinearSVC(C=0.01, class_weight="balanced", dual=False).fit(white, labels == "5")
    normal = whitening.transform @ svm.coef_[0]
    assert boundary.normal @ normal / np.linalg.norm(normal) > 0.9999


def test_all_values_train_on_the_same_codes_each_in_every_fold():
    rng = np.random.default_rng(21)
    codes, labels = colours(rng, 1200, dim=8)
    fitted, _ = fit_values(codes, labels, rng, [*"01234567"], confident_share=1.0)
    assert len(fitted) == 8
    assert len({b.statistics["train_num"] for b in fitted}) == 1
    trained = sum(math.ceil(0.7 * (labels == value).sum()) for value in "01234567")
    assert fitted[0].statistics["train_num"] == trained


def test_bootstrap_interval_is_that_of_the_binomial():
    low, high = bootstrap_interval([0.8], [200], np.random.default_rng(9))
    exact = binom.ppf([0.025, 0.975], 200, 0.8) / 200
    np.testing.assert_allclose([low, high], exact, atol=0.0101)


def test_same_generator_state_gives_the_same_boundary():
    codes, _, distances = planted(np.random.default_rng(10))
    a, b = (fit(codes, distances > 0, np.random.default_rng(11)) for _ in range(2))
    assert (a.normal == b.normal).all()
    assert a.statistics == b.statistics
