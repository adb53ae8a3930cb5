"""Directions of w that nobody labelled: from the generator's weights, or from its codes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.sampling import z_from_seeds

__all__ = [
    "Directions",
    "Method",
    "find_directions",
    "move_codes",
    "principal_directions",
    "sample_w",
    "sefa_directions",
    "style_weights",
]

Method = Literal["sefa", "pca"]
NUM_SAMPLES = 10_000


@dataclass(frozen=True)
class Directions:
    """Unit vectors of w, the strongest first.

    Attributes:
        vectors: [N, w_dim]; orthogonal to each other, the largest entry of each positive.
        scales: Standard deviation of w along each, [N], in W units.
        mean: Mean of w, [w_dim].
    """

    vectors: np.ndarray
    scales: np.ndarray
    mean: np.ndarray


def find_directions(
    generator: Generator, w: np.ndarray, method: Method, num: int, layers: range
) -> Directions:
    """Find directions by SeFa or by PCA.

    Args:
        generator: A finished generator.
        w: Sampled codes, [M, w_dim]; they give the scales, and with "pca" the directions.
        method: "sefa": `sefa_directions` of the layers' weights; "pca": `principal_directions`.
        num: How many, at most w_dim.
        layers: The layers that the directions shall move; PCA is the same for all.
    """
    if method == "pca":
        return principal_directions(w, num)
    vectors = sefa_directions(style_weights(generator, layers), num)
    scales = (w @ vectors.T).std(axis=0, ddof=1)
    return Directions(vectors, scales, w.mean(axis=0))


def style_weights(generator: Generator, layers: range) -> np.ndarray:
    """Stack the weights that turn the codes of some layers into styles.

    Args:
        generator: A finished generator.
        layers: Which codes.

    Returns:
        [num_styles, w_dim], float64: the weights as used, with the equalised learning rate's
        scale.
    """
    affines = [affine for layer in layers for affine in generator.synthesis.affines(layer)]
    return np.concatenate(
        [(affine.weight * affine.scale).detach().cpu().double().numpy() for affine in affines]
    )


def sefa_directions(weights: np.ndarray, num: int) -> np.ndarray:
    """Return the directions of w that change the styles most: eigenvectors of A^T A.

    Args:
        weights: A, [num_styles, w_dim].
        num: How many, at most w_dim.

    Returns:
        Unit vectors, [num, w_dim], by falling eigenvalue, the largest entry of each positive.

    Source: Shen and Zhou 2021 (SeFa), equation 5. The RGB outputs' weights count too.
    """
    _, vectors = np.linalg.eigh(weights.T @ weights)  # eigenvalues rise
    return _with_fixed_signs(vectors[:, ::-1].T[:num])


def principal_directions(w: np.ndarray, num: int) -> Directions:
    """Return the directions along which codes vary most.

    Args:
        w: Sampled codes, [M, w_dim].
        num: How many, at most w_dim.

    Source: Härkönen et al. 2020 (GANSpace), section 2.1; exact, not incremental.
    """
    mean = w.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(w, rowvar=False))  # variances rise
    scales = np.sqrt(variances[::-1].clip(min=0))
    return Directions(_with_fixed_signs(vectors[:, ::-1].T[:num]), scales[:num], mean)


def sample_w(generator: Generator, device: str) -> np.ndarray:
    """Return the codes of the first 10,000 seeds, not truncated: [10000, w_dim], float64."""
    z = z_from_seeds(range(NUM_SAMPLES), generator.z_dim)
    with torch.no_grad():
        return generator.mapping(z.to(device)).cpu().double().numpy()


def move_codes(
    w: Tensor, direction: np.ndarray, offsets: np.ndarray, layers: range, num_ws: int
) -> Tensor:
    """Move codes along a direction in some layers.

    Args:
        w: Latent codes, [N, w_dim].
        direction: Unit vector, [w_dim].
        offsets: Steps along it, [K], in W units.
        layers: The layers that move.
        num_ws: Layers in all.

    Returns:
        w_plus, [N, K, num_ws, w_dim].
    """
    steps = torch.from_numpy(np.outer(offsets, direction)).to(w.dtype)  # [K, w_dim]
    moved = w[:, None, None].repeat(1, len(steps), num_ws, 1)
    moved[:, :, list(layers)] += steps[:, None]
    return moved


def _with_fixed_signs(vectors: np.ndarray) -> np.ndarray:
    largest = np.abs(vectors).argmax(axis=1)
    return vectors * np.sign(vectors[np.arange(len(vectors)), largest])[:, None]
