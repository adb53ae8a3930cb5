"""Adversarial losses."""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["discriminator_loss", "generator_loss", "r1_penalty"]


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss of the generator: mean softplus(-D(G(z))).

    Args:
        fake_logits: [N].

    Source: Goodfellow et al. 2014, section 3.
    """
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss of the discriminator: mean softplus(D(G(z))) + mean softplus(-D(x)).

    Args:
        real_logits: [N].
        fake_logits: [M].
    """
    return F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()


def r1_penalty(real_logits: Tensor, real_images: Tensor) -> Tensor:
    """Mean squared norm of the gradient of D at real images; half of it times gamma is R1.

    Args:
        real_logits: D(real_images), [N].
        real_images: [N, 3, H, W], requiring gradients.

    Source: Mescheder et al. 2018, equation 9.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), real_images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()
