"""Adversarial losses."""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["discriminator_loss", "generator_gradient", "generator_loss", "r1_penalty"]

SUREST = -60.0  # logit; what is less likely to be real than e^-60 is taken for that


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


def generator_gradient(gradient: Tensor, fake_logits: Tensor) -> Tensor:
    """Turn the gradient of `discriminator_loss` into that of `generator_loss`.

    softplus(-l) has -exp(-l) times the gradient of softplus(l): one pass back through a
    discriminator serves both networks. Exact where a logit depends on its own image alone.

    Args:
        gradient: Of `discriminator_loss` by what the logits were made of, [N, C, H, W].
        fake_logits: [N].

    Returns:
        [N, C, H, W], in the number format of the gradient.

    Source: Shen et al. 2021 (training GANs in one stage), section 3.
    """
    factor = -(-fake_logits.detach().float().clamp_min(SUREST)).exp()
    return gradient * factor.type_as(gradient)[:, None, None, None]


def r1_penalty(real_logits: Tensor, real_images: Tensor) -> Tensor:
    """Mean squared norm of the gradient of D at real images; half of it times gamma is R1.

    Args:
        real_logits: D(real_images), [N].
        real_images: [N, 3, H, W], requiring gradients.

    Source: Mescheder et al. 2018, equation 9.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), real_images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()
