"""Losses against closed forms."""

import math

import torch

from nfe.gan.losses import (
    discriminator_loss,
    generator_gradient,
    generator_loss,
    r1_penalty,
)


def test_undecided_logits_cost_log_two() -> None:
    zero = torch.zeros(5)
    assert math.isclose(generator_loss(zero).item(), math.log(2), rel_tol=1e-6)
    assert math.isclose(discriminator_loss(zero, zero).item(), 2 * math.log(2), rel_tol=1e-6)


def test_losses_are_the_logarithms_of_probabilities() -> None:
    real, fake = torch.randn(6), torch.randn(6)
    expected = -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(generator_loss(fake), -fake.sigmoid().log().mean())


def test_the_gradient_of_one_loss_gives_that_of_the_other() -> None:
    images = torch.randn(6, 3, 2, 2, requires_grad=True)
    logits = (images.square() * torch.randn(3, 2, 2)).sum(dim=(1, 2, 3))
    loss_d = discriminator_loss(torch.zeros(1), logits)
    (gradient,) = torch.autograd.grad(loss_d, images, retain_graph=True)
    (expected,) = torch.autograd.grad(generator_loss(logits), images)
    torch.testing.assert_close(generator_gradient(gradient, logits), expected)


def test_the_gradient_stays_finite_where_the_discriminator_is_sure() -> None:
    logits = torch.tensor([-1000.0, -50.0, 1000.0])
    gradient = logits.sigmoid()[:, None, None, None]
    found = generator_gradient(gradient, logits).flatten()
    torch.testing.assert_close(found, torch.tensor([0.0, -1.0, 0.0]))


def test_r1_of_a_linear_discriminator_is_its_squared_norm() -> None:
    weight = torch.randn(3, 4, 4, requires_grad=True)
    images = torch.randn(5, 3, 4, 4, requires_grad=True)
    penalty = r1_penalty((images * weight).sum(dim=(1, 2, 3)), images)
    torch.testing.assert_close(penalty, weight.square().sum())
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, 2 * weight)
