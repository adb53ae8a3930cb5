"""Random changes to what the discriminator sees, as strong as its overfitting asks for."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["adapt_strength", "augment"]

ADJUST_KIMG = 100.0  # time in which the strength goes from 0 to 1, a fifth of the paper's
LUMA = 1 / math.sqrt(3)  # the grey axis of RGB, of unit length


def augment(images: Tensor, strength: float, random: torch.Generator) -> Tensor:
    """Warp, colour and cut out, each with probability `strength` for each image.

    Differentiable in the images. With strength 0 they come back as they are.

    Args:
        images: [N, 3, H, H], in [-1, 1].
        strength: Probability of each change, in [0, 1].
        random: Draws the changes.

    Returns:
        [N, 3, H, H]; colours may leave [-1, 1].

    Source: Karras et al. 2020 (StyleGAN2-ADA), appendix B: its geometric, colour and cutout
    groups, the geometric ones as one bilinear warp.
    """
    if strength <= 0:
        return images
    images = _warp(images, strength, random)
    images = _colour(images, strength, random)
    return _cut_out(images, strength, random)


def adapt_strength(strength: float, sign: float, target: float, num_images: int) -> float:
    """Move the strength one bit towards the point where overfitting is at its target.

    Args:
        strength: In [0, 1].
        sign: Mean sign of the discriminator's logits of real images, in [-1, 1].
        target: What `sign` should be; 0.6 in the paper.
        num_images: Real images shown since the last call.

    Returns:
        The new strength, in [0, 1].

    Source: Karras et al. 2020 (StyleGAN2-ADA), section 3, heuristic r_t.
    """
    step = math.copysign(num_images / (ADJUST_KIMG * 1000), sign - target)
    return min(1.0, max(0.0, strength + step))


def _warp(images: Tensor, strength: float, random: torch.Generator) -> Tensor:
    """Scale by 2^N(0, 0.2), turn by up to 20 degrees, shift by up to an eighth of the side."""
    count = len(images)
    on = _chosen(count, strength, random)
    scale = torch.exp2(-0.2 * torch.randn(count, generator=random) * on)
    angle = math.radians(20) * _uniform(count, random) * _chosen(count, strength, random)
    shift = 0.25 * torch.stack([_uniform(count, random), _uniform(count, random)])
    shift = shift * _chosen(count, strength, random)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = torch.stack([cos, -sin, shift[0], sin, cos, shift[1]], dim=1).view(count, 2, 3)
    grid = F.affine_grid(rows.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)


def _colour(images: Tensor, strength: float, random: torch.Generator) -> Tensor:
    """Brightness + N(0, 0.2), contrast * 2^N(0, 0.5), any hue, saturation * 2^N(0, 1)."""
    count = len(images)
    brightness = 0.2 * torch.randn(count, generator=random) * _chosen(count, strength, random)
    contrast = torch.exp2(
        0.5 * torch.randn(count, generator=random) * _chosen(count, strength, random)
    )
    hue = math.pi * _uniform(count, random) * _chosen(count, strength, random)
    saturation = torch.exp2(torch.randn(count, generator=random) * _chosen(count, strength, random))
    grey = torch.full((3, 3), LUMA**2)
    cross = LUMA * torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    turn = hue.cos()[:, None, None] * (torch.eye(3) - grey) + hue.sin()[:, None, None] * cross
    matrix = contrast[:, None, None] * (grey + saturation[:, None, None] * turn)
    coloured = torch.einsum("nij,njhw->nihw", matrix.to(images), images)
    return coloured + brightness.to(images)[:, None, None, None]


def _cut_out(images: Tensor, strength: float, random: torch.Generator) -> Tensor:
    """Set a square of half the side to zero."""
    count, _, height, width = images.shape
    on = _chosen(count, strength, random)
    inside = on[:, None, None] > 0
    for size, axis in ((height, 1), (width, 2)):
        centre = torch.rand(count, generator=random) * size
        near = (torch.arange(size) + 0.5 - centre[:, None]).abs() < size / 4
        inside = inside & near.unsqueeze(3 - axis)
    return images * (~inside[:, None]).to(images)


def _chosen(count: int, strength: float, random: torch.Generator) -> Tensor:
    return torch.rand(count, generator=random).lt(strength).float()


def _uniform(count: int, random: torch.Generator) -> Tensor:
    return 2 * torch.rand(count, generator=random) - 1
