"""Shares of attribute values: the term's gradient in closed form, and what it does to samples."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from nfe.gan.attribute_shares import MEMORY, AttributeShares

TARGET = torch.tensor([0.5, 0.3, 0.2])


def _as_is(maps: Sequence[Tensor]) -> list[Tensor]:
    return [maps[-1]]


def test_the_gradient_is_that_of_the_divergence() -> None:
    """With s the running share: the derivative of sum d log(d / s) by p is -d / s."""
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]], requires_grad=True)
    AttributeShares(_as_is, [TARGET], weight=1.0).term([probabilities]).backward()
    share = TARGET.lerp(probabilities.detach().mean(dim=0), 2 / MEMORY)
    expected = -(TARGET / share - 1) / 2  # over two samples; a constant changes no softmax
    assert probabilities.grad is not None
    torch.testing.assert_close(probabilities.grad, expected.expand(2, 3))


def test_samples_that_have_the_shares_are_left_alone() -> None:
    probabilities = TARGET.repeat(4, 1).requires_grad_(True)
    AttributeShares(_as_is, [TARGET], weight=1.0).term([probabilities]).backward()
    assert probabilities.grad is not None
    torch.testing.assert_close(probabilities.grad, torch.zeros(4, 3), atol=1e-6, rtol=0)


def test_it_brings_back_a_value_that_has_almost_vanished() -> None:
    """A toy generator, noise plus a learnt offset, whose samples are clearly of one value each."""
    random = torch.Generator().manual_seed(0)
    offset = torch.tensor([0.0, 2.5, -2.5], requires_grad=True)
    shares = AttributeShares(_as_is, [TARGET], weight=1.0)
    optimiser = torch.optim.Adam([offset], lr=0.02)

    def answers(count: int) -> Tensor:
        return (4 * (offset + torch.randn(count, 3, generator=random))).softmax(dim=1)

    before = answers(4000).mean(dim=0)
    for _ in range(600):
        loss = shares.term([answers(16)])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    after = answers(4000).mean(dim=0)
    assert before[2].item() < 0.01
    assert after.tolist() == pytest.approx(TARGET.tolist(), abs=0.06)


def test_it_goes_on_from_its_state() -> None:
    random = torch.Generator().manual_seed(0)
    first, second = (AttributeShares(_as_is, [TARGET], weight=1.0) for _ in range(2))
    batch = torch.rand(8, 3, generator=random).softmax(dim=1)
    first.term([batch])
    second.load_state_dict(first.state_dict())
    assert first.term([batch]).item() == second.term([batch]).item()
    assert second.running.targets[0].tolist() == TARGET.tolist()
