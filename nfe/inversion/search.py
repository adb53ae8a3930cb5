"""Directions along which a search for codes goes fast, found once for each generator."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.gan.networks import Generator
from nfe.inversion.losses import FeatureMaps

__all__ = ["find_search_directions"]

BATCH_SIZE = 32


def find_search_directions(
    generator: Generator,
    feature_maps: FeatureMaps,
    num_directions: int,
    num_samples: int,
    damping: float,
    pixel_weight: float,
    perceptual_weight: float,
    random: torch.Generator,
    device: str,
) -> Tensor:
    """Find the directions of codes that change pictures most, each as long as a step may be.

    Near its least, the loss of inversion is d^T H d of a change d of the code, H the mean of J^T J
    over sampled codes, J the derivative of pixels and features, weighted as in the loss. A few
    eigenvectors of H hold nearly all that a picture shows, with eigenvalues that differ by
    thousands: plain Adam crawls along the flat ones. Direction i is the eigenvector i times
    sqrt(damping l_0 / (l_i + damping l_0)), so that a step along each changes a picture about as
    much as along any other, and none is longer than 1.

    H is estimated from gradients of sums of the residuals, each times a draw of N(0, 1): their
    outer products have the mean J^T J.

    Args:
        generator: Frozen generator.
        feature_maps: Frozen features F.
        num_directions: How many to keep, at most; no more than samples and entries of a code.
        num_samples: Codes to look at.
        damping: What counts as flat, as a share of the greatest eigenvalue l_0.
        pixel_weight: Of the mean squared difference of pixels.
        perceptual_weight: Of the distance of feature maps.
        random: Draws codes and factors, on the CPU.
        device: Where the networks are.

    Returns:
        [num_directions, num_ws, w_dim], the most visible first.

    Source: Wang and Ponce 2021 (the geometry of deep generative image models): the metric of a
        generator's pictures is nearly the same everywhere, and its eigenbasis speeds inversion.
    """
    gradients: list[Tensor] = []
    for start in range(0, num_samples, BATCH_SIZE):
        count = min(BATCH_SIZE, num_samples - start)
        z = torch.randn(count, generator.z_dim, generator=random).to(device)
        with torch.no_grad():
            w_plus = generator.broadcast(generator.mapping(z)).clone()
        w_plus.requires_grad_(True)
        images = generator.synthesis(w_plus).float()
        total = _random_sum(images, math.sqrt(pixel_weight / images[0].numel()), random)
        maps = feature_maps(images) if perceptual_weight else []
        for each in maps:
            places = each.shape[2] * each.shape[3]
            weight = math.sqrt(perceptual_weight / (len(maps) * places))
            total = total + _random_sum(F.normalize(each.float(), dim=1), weight, random)
        gradients += torch.autograd.grad(total, w_plus)
    rows = torch.cat(gradients)  # [num_samples, num_ws, w_dim]
    _, lengths, axes = torch.linalg.svd(rows.flatten(1), full_matrices=False)
    eigenvalues = lengths.square()  # of H, times num_samples
    flat = damping * eigenvalues[0]
    steps = (flat / (eigenvalues + flat)).sqrt()
    directions: Tensor = (steps[:, None] * axes)[:num_directions]
    return directions.view(-1, *rows.shape[1:]).contiguous()


def _random_sum(values: Tensor, weight: float, random: torch.Generator) -> Tensor:
    """Sum values, each times `weight` and a draw of N(0, 1)."""
    factors = torch.randn(values.shape, generator=random).to(values.device)
    return weight * (values * factors).sum()
