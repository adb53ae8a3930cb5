"""Calibrated shares: samples show what the data shows, drawn as before; the gradient by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.gan.share_calibration import (
    MEMORY,
    CalibrationSettings,
    RunningShares,
    calibrate_shares,
)

SETTINGS = CalibrationSettings(num_steps=80, batch_size=64, learning_rate=0.1, anchor=0.001)
TARGET = torch.tensor([0.25, 0.75])


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    result = Generator(8, 16, 16, 2, 64, 16, "stylegan2").requires_grad_(False).eval()
    for name, parameter in result.synthesis.named_parameters():
        if name.startswith("to_rgb"):
            parameter.normal_()  # a fresh generator's images are grey
    return result


def brightness(generator: Generator, seed: int, count: int = 2000) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        images: Tensor = generator(torch.randn(count, generator.z_dim, generator=random))
    return images.mean(dim=(1, 2, 3))


@pytest.fixture
def middle(generator: Generator) -> Tensor:
    return brightness(generator, 1).median()


def calibrated(generator: Generator, middle: Tensor, settings: CalibrationSettings) -> Generator:
    """Half of the samples are dark, half are bright; a quarter and three quarters are wanted."""
    scale = 10 / brightness(generator, 1).std()

    def answer(images: Tensor) -> Sequence[Tensor]:
        bright = ((images.mean(dim=(1, 2, 3)) - middle) * scale).sigmoid()
        return [torch.stack([1 - bright, bright], dim=1)]

    random = torch.Generator().manual_seed(0)
    return calibrate_shares(generator, answer, [TARGET], settings, random)


def test_samples_get_the_shares_of_the_data(generator: Generator, middle: Tensor) -> None:
    after = calibrated(generator, middle, SETTINGS)
    share = (brightness(after, 2) > middle).float().mean().item()
    assert share == pytest.approx(TARGET[1].item(), abs=0.06)


def test_the_mapping_alone_moves(generator: Generator, middle: Tensor) -> None:
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    after = calibrated(generator, middle, replace(SETTINGS, num_steps=3))
    for name, tensor in after.state_dict().items():
        assert torch.equal(generator.state_dict()[name], before[name])
        assert torch.equal(tensor, before[name]) == name.startswith("synthesis.")
    z = torch.randn(10_000, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(after.w_avg, after.mapping(z).mean(dim=0))
    assert not any(parameter.requires_grad for parameter in after.parameters())


def test_the_anchor_holds_w_back(generator: Generator, middle: Tensor) -> None:
    z = torch.randn(500, 16, generator=torch.Generator().manual_seed(3))
    ways = []
    for anchor in (0.001, 10.0):
        after = calibrated(generator, middle, replace(SETTINGS, anchor=anchor))
        ways.append((after.mapping(z) - generator.mapping(z)).square().mean().item())
    assert ways[1] < ways[0] / 5


def test_the_gradient_is_that_of_the_divergence() -> None:
    """With s the running share: the derivative of sum d log(d / s) by p is -d / s."""
    target = torch.tensor([0.5, 0.3, 0.2])
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]], requires_grad=True)
    running = RunningShares.of_data([target])
    mean = probabilities.detach().mean(dim=0)
    running.update([mean], count=2)
    running.divergence([probabilities]).backward()
    expected = -(target / target.lerp(mean, 2 / MEMORY) - 1) / 2  # constants change no softmax
    assert probabilities.grad is not None
    torch.testing.assert_close(probabilities.grad, expected.expand(2, 3))


def test_shares_of_the_data_are_left_alone() -> None:
    target = torch.tensor([0.5, 0.3, 0.2])
    probabilities = target.repeat(4, 1).requires_grad_(True)
    running = RunningShares.of_data([target])
    running.update([target], count=4)
    running.divergence([probabilities]).backward()
    assert probabilities.grad is not None
    torch.testing.assert_close(probabilities.grad, torch.zeros(4, 3), atol=1e-6, rtol=0)
