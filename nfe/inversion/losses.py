"""The terms of inversion, each one number per image, so that images of a batch never mix."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "Embedding",
    "FeatureMaps",
    "code_distance",
    "delta_length",
    "embedding_distance",
    "perceptual_distance",
    "pixel_distance",
]

FeatureMaps = Callable[[Tensor], list[Tensor]]
"""images [N, 3, H, W] -> feature maps, each [N, C, h, w], of a frozen network."""

Embedding = Callable[[Tensor], Tensor]
"""images [N, 3, H, W] -> one feature vector each, [N, C], of a frozen network."""


def pixel_distance(images: Tensor, others: Tensor) -> Tensor:
    """Mean squared difference per image.

    Args:
        images: [N, 3, H, W].
        others: [N, 3, H, W].

    Returns:
        [N].
    """
    return (images - others).square().mean(dim=(1, 2, 3))


def perceptual_distance(maps: list[Tensor], others: list[Tensor]) -> Tensor:
    """Squared difference of feature vectors of unit length, mean over places and layers.

    Args:
        maps: Feature maps of images, each [N, C, h, w].
        others: Those of the images to compare with, of the same shapes.

    Returns:
        [N], each in [0, 4].

    Source: Zhang et al. 2018 (LPIPS), equation 1, with all channel weights 1. IDInvert takes the
        plain difference of VGG features; unit vectors make the weight independent of the
        network's scale.
    """
    total = maps[0].new_zeros(len(maps[0]))
    for one, other in zip(maps, others, strict=True):
        difference = F.normalize(one.float(), dim=1) - F.normalize(other.float(), dim=1)
        total = total + difference.square().sum(dim=1).mean(dim=(1, 2))
    return total / len(maps)


def code_distance(w_plus: Tensor, others: Tensor, w_scale: Tensor) -> Tensor:
    """Mean squared difference of codes per image, in standard deviations of w.

    Args:
        w_plus: [N, num_ws, w_dim].
        others: [N, num_ws, w_dim].
        w_scale: Unit per dimension, [w_dim].

    Returns:
        [N].
    """
    return ((w_plus - others) / w_scale).square().mean(dim=(1, 2))


def delta_length(w_plus: Tensor, w_scale: Tensor) -> Tensor:
    """Length of each layer's difference from the first, summed over layers, per image.

    sum_i ||w_i - w_0||_2, in standard deviations of w.

    Args:
        w_plus: [N, num_ws, w_dim].
        w_scale: Unit per dimension, [w_dim].

    Returns:
        [N]. At a difference of zero its gradient is zero.

    Source: Tov et al. 2021 (e4e); in deviations of w, so that the weight does not
        depend on the generator.
    """
    deltas = (w_plus[:, 1:] - w_plus[:, :1]) / w_scale
    return torch.linalg.vector_norm(deltas, dim=2).sum(dim=1)


def embedding_distance(embeddings: Tensor, others: Tensor) -> Tensor:
    """One minus the cosine of the embeddings of two images.

    Args:
        embeddings: [N, C].
        others: [N, C].

    Returns:
        [N], each in [0, 2].

    Source: Tov et al. 2021 (e4e); over the tagger's embedding, which knows faces.
    """
    return 1 - F.cosine_similarity(embeddings.float(), others.float(), dim=1)
