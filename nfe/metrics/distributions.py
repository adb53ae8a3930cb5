"""Distances between two sets of images: Frechet, kernel, precision and recall, sliced Wasserstein.

All but the last take features [N, F] of any network; the network is part of a figure's name.
"""

import numpy as np
import torch
from scipy import linalg
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "frechet_distance",
    "kernel_distance",
    "nearest_neighbours",
    "precision_recall",
    "sliced_wasserstein",
]


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Frechet distance of the Gaussians fitted to two sets of features.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the root's trace from the eigenvalues of
    C1^(1/2) C2 C1^(1/2), which are real and not negative.

    Args:
        real: [N, F].
        fake: [M, F].

    Returns:
        The distance, at least 0 up to rounding.

    Raises:
        ValueError: If a set has fewer than two rows or the lengths of features differ.

    Source: Heusel et al. 2017, equation 6. The same figure as pytorch-fid's.
    """
    if min(len(real), len(fake)) < 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"features must be two tables of equal width and two rows or more, "
            f"got {real.shape} and {fake.shape}"
        )
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    difference = real.mean(axis=0) - fake.mean(axis=0)
    cov_real = np.atleast_2d(np.cov(real, rowvar=False))
    cov_fake = np.atleast_2d(np.cov(fake, rowvar=False))
    values, vectors = linalg.eigh(cov_real)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    mixed = linalg.eigvalsh(root @ cov_fake @ root)
    trace = np.trace(cov_real) + np.trace(cov_fake) - 2 * np.sqrt(np.clip(mixed, 0, None)).sum()
    return float(difference @ difference + trace)


def kernel_distance(
    real: np.ndarray,
    fake: np.ndarray,
    num_subsets: int,
    subset_size: int,
    random: np.random.Generator,
) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / F + 1)^3, over subsets.

    Args:
        real: [N, F].
        fake: [M, F].
        num_subsets: Subsets to average over.
        subset_size: Rows per subset, at most N and M.
        random: Chooses the subsets.

    Returns:
        The mean; around 0 for equal distributions, where it may be slightly negative.

    Source: Binkowski et al. 2018 (KID).
    """
    size = min(subset_size, len(real), len(fake))
    total = 0.0
    for _ in range(num_subsets):
        x = real[random.choice(len(real), size, replace=False)].astype(np.float64)
        y = fake[random.choice(len(fake), size, replace=False)].astype(np.float64)
        within = _kernel(x, x) + _kernel(y, y)
        off_diagonal = (within.sum() - np.trace(within)) / (size * (size - 1))
        total += off_diagonal - 2 * _kernel(x, y).mean()
    return total / num_subsets


def precision_recall(
    real: np.ndarray, fake: np.ndarray, num_neighbours: int
) -> tuple[float, float]:
    """Share of fakes on the manifold of the reals, and of reals on the manifold of the fakes.

    A manifold is the union of balls around its points that reach the k-th neighbour.

    Args:
        real: [N, F].
        fake: [M, F].
        num_neighbours: k.

    Returns:
        Precision and recall, each in [0, 1].

    Source: Kynkaanniemi et al. 2019.
    """
    x, y = torch.from_numpy(real).float(), torch.from_numpy(fake).float()
    radius_x, radius_y = _radii(x, num_neighbours), _radii(y, num_neighbours)
    cross = torch.cdist(y, x)  # [M, N]
    precision = (cross <= radius_x[None]).any(dim=1).float().mean()
    recall = (cross <= radius_y[:, None]).any(dim=0).float().mean()
    return float(precision), float(recall)


def nearest_neighbours(queries: np.ndarray, features: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` rows of `features` [N, F] nearest to each row of `queries` [Q, F].

    Returns:
        int64, [Q, count], nearest first.
    """
    distances = torch.cdist(torch.from_numpy(queries).float(), torch.from_numpy(features).float())
    return distances.topk(count, largest=False).indices.numpy()


def sliced_wasserstein(
    real: Tensor,
    fake: Tensor,
    num_patches: int,
    num_directions: int,
    random: torch.Generator,
) -> dict[int, float]:
    """Sliced Wasserstein distance of 7 x 7 patches at each level of a Laplacian pyramid.

    Args:
        real: images, [N, 3, H, H].
        fake: images, [M, 3, H, H]; the first min(N, M) of each set are used.
        num_patches: Patches per image and level.
        num_directions: Random projections.
        random: Chooses patches and projections.

    Returns:
        Side of the level in pixels -> distance times 1,000. Levels go down to 16 pixels.

    Source: Karras et al. 2018 (progressive growing), section 5.
    """
    count = min(len(real), len(fake))
    pyramids = zip(_laplacian(real[:count]), _laplacian(fake[:count]), strict=True)
    result = {}
    for level_real, level_fake in pyramids:
        side = level_real.shape[-1]
        directions = F.normalize(torch.randn(147, num_directions, generator=random), dim=0)
        projected = [
            (_patches(level, num_patches, random) @ directions).sort(dim=0).values
            for level in (level_real, level_fake)
        ]
        result[side] = 1000 * float((projected[0] - projected[1]).abs().mean())
    return result


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _radii(x: Tensor, num_neighbours: int) -> Tensor:
    """Distance of each row to its k-th neighbour, itself not counted."""
    return torch.cdist(x, x).kthvalue(min(num_neighbours + 1, len(x)), dim=1).values


def _laplacian(images: Tensor) -> list[Tensor]:
    levels = []
    while images.shape[-1] > 16:
        smaller = F.avg_pool2d(images, 2)
        larger = F.interpolate(smaller, scale_factor=2, mode="bilinear", align_corners=False)
        levels.append(images - larger)
        images = smaller
    return [*levels, images]


def _patches(images: Tensor, num_patches: int, random: torch.Generator) -> Tensor:
    """Random 7 x 7 patches, each channel normalised over all of them: [N * num_patches, 147]."""
    count, _, side, _ = images.shape
    rows = torch.randint(side - 6, (count, num_patches), generator=random)
    columns = torch.randint(side - 6, (count, num_patches), generator=random)
    window = torch.arange(7)
    picture = torch.arange(count)[:, None, None, None]
    y = (rows[..., None] + window)[..., :, None]  # [N, P, 7, 1]
    x = (columns[..., None] + window)[..., None, :]  # [N, P, 1, 7]
    patches = images.permute(0, 2, 3, 1)[picture, y, x]  # [N, P, 7, 7, 3]
    flat = patches.reshape(-1, 49, 3)
    flat = (flat - flat.mean(dim=(0, 1))) / flat.std(dim=(0, 1)).clamp_min(1e-8)
    return flat.reshape(len(flat), 147)
