"""Known singular vectors and planted axes come back; the scale of the weights counts."""

import numpy as np
import pytest
import torch

from nfe.directions import (
    NUM_SAMPLES,
    find_directions,
    move_codes,
    principal_directions,
    sample_w,
    sefa_directions,
    style_weights,
)
from nfe.gan.networks import Generator

DIM = 6
AXES = np.linalg.qr(np.random.default_rng(0).standard_normal((DIM, DIM)))[0]  # rows, orthonormal
STRENGTHS = np.array([9.0, 7.0, 5.0, 3.0, 2.0, 1.0])


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(
        resolution=16,
        z_dim=8,
        w_dim=DIM,
        num_mapping_layers=2,
        channel_base=64,
        channel_max=8,
        architecture="stylegan2",
    ).requires_grad_(False)


def assert_same_up_to_sign(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(np.abs((found * expected).sum(axis=1)), 1, atol=1e-9)


def test_sefa_returns_the_singular_vectors_strongest_first() -> None:
    left = np.linalg.qr(np.random.default_rng(1).standard_normal((20, DIM)))[0]
    found = sefa_directions(left @ np.diag(STRENGTHS) @ AXES, 4)
    assert found.shape == (4, DIM)
    assert_same_up_to_sign(found, AXES[:4])
    assert (found[np.arange(4), np.abs(found).argmax(axis=1)] > 0).all()


def test_no_other_direction_changes_the_styles_more() -> None:
    weights = np.random.default_rng(2).standard_normal((30, DIM))
    first = sefa_directions(weights, 1)[0]
    others = np.random.default_rng(3).standard_normal((1000, DIM))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert np.linalg.norm(weights @ first) >= np.linalg.norm(others @ weights.T, axis=1).max()


def test_pca_recovers_planted_axes_deviations_and_mean() -> None:
    rng = np.random.default_rng(4)
    mean = np.arange(DIM, dtype=float)
    w = mean + (rng.standard_normal((200_000, DIM)) * STRENGTHS) @ AXES
    found = principal_directions(w, 3)
    np.testing.assert_allclose(np.abs((found.vectors * AXES[:3]).sum(axis=1)), 1, atol=1e-3)
    np.testing.assert_allclose(found.scales, STRENGTHS[:3], rtol=0.01)
    np.testing.assert_allclose(found.mean, mean, atol=0.1)


def test_pca_agrees_with_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    w = np.random.default_rng(5).standard_normal((300, DIM)) @ AXES * STRENGTHS
    found, theirs = principal_directions(w, DIM), PCA(DIM).fit(w)
    assert_same_up_to_sign(found.vectors, theirs.components_)
    np.testing.assert_allclose(found.scales, np.sqrt(theirs.explained_variance_))


def test_style_weights_are_what_the_styles_move_by(generator: Generator) -> None:
    step = torch.randn(1, DIM, generator=torch.Generator().manual_seed(0))
    moved = []
    for i in (2, 3):
        driven = [generator.synthesis.layers[i].conv.affine]
        if i == 3:
            driven.append(generator.synthesis.to_rgb[1].affine)
        moved.append([affine(step) - affine(torch.zeros(1, DIM)) for affine in driven])
    expected = torch.cat([moved[0][0], moved[1][0], moved[1][1]], dim=1)[0]
    change = style_weights(generator, range(2, 4)) @ step[0].double().numpy()
    np.testing.assert_allclose(change, expected.numpy(), atol=1e-6)


def test_every_style_is_of_one_layer(generator: Generator) -> None:
    whole = style_weights(generator, range(generator.num_ws))
    each = [style_weights(generator, range(i, i + 1)) for i in range(generator.num_ws)]
    affines = [m for name, m in generator.named_modules() if name.endswith("affine")]
    assert len(whole) == sum(map(len, each)) == sum(len(affine.weight) for affine in affines)


def test_the_first_stylegan_has_one_affine_for_each_code() -> None:
    torch.manual_seed(0)
    first = Generator(16, 8, DIM, 2, 64, 8, architecture="stylegan")
    weights = [style_weights(first, range(i, i + 1)) for i in range(first.num_ws)]
    assert [w.shape for w in weights] == [(16, DIM)] * 4 + [(8, DIM)] * 2
    np.testing.assert_allclose(style_weights(first, range(6)), np.concatenate(weights))


def test_the_learning_rate_scale_counts(generator: Generator) -> None:
    before = style_weights(generator, range(1))
    generator.synthesis.layers[0].conv.affine.scale *= 2
    after = style_weights(generator, range(1))
    generator.synthesis.layers[0].conv.affine.scale /= 2
    np.testing.assert_allclose(after, 2 * before)


@pytest.mark.parametrize("method", ["sefa", "pca"])
def test_scales_are_the_deviations_of_w_along_the_directions(
    generator: Generator, method: str
) -> None:
    w = sample_w(generator, "cpu")
    assert w.shape == (NUM_SAMPLES, DIM)
    found = find_directions(generator, w, method, 3, range(2, 4))
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(found.scales, np.std(w @ found.vectors.T, axis=0, ddof=1))
    np.testing.assert_allclose(found.mean, w.mean(axis=0))


def test_only_the_layers_asked_for_move() -> None:
    w = torch.randn(2, DIM)
    moved = move_codes(w, AXES[0], np.array([-1.0, 0.0, 2.0]), range(1, 3), num_ws=4)
    assert moved.shape == (2, 3, 4, DIM)
    step = (moved - w[:, None, None]).double().numpy()
    assert (step[:, :, [0, 3]] == 0).all()
    np.testing.assert_allclose(step[1, 2, 1], 2 * AXES[0], atol=1e-6)
    assert (step[:, 1] == 0).all()
