"""Calibrated shares: samples show what the data shows, drawn as before; the gradient by hand."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nfe.gan.attribute_reading import AttributeReading, CodeReader
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


Answer = Callable[[Tensor], Sequence[Tensor]]


@pytest.fixture
def answer(generator: Generator, middle: Tensor) -> Answer:
    """Half of the samples are dark, half are bright."""
    scale = 10 / brightness(generator, 1).std()

    def probabilities(images: Tensor) -> Sequence[Tensor]:
        bright = ((images.mean(dim=(1, 2, 3)) - middle) * scale).sigmoid()
        return [torch.stack([1 - bright, bright], dim=1)]

    return probabilities


def calibrated(
    generator: Generator,
    answer: Answer,
    settings: CalibrationSettings,
    reading: AttributeReading | None = None,
) -> Generator:
    """A quarter dark and three quarters bright are wanted."""
    random = torch.Generator().manual_seed(0)
    return calibrate_shares(generator, answer, [TARGET], reading, settings, random, lambda *_: None)


def test_samples_get_the_shares_of_the_data(
    generator: Generator, answer: Answer, middle: Tensor
) -> None:
    after = calibrated(generator, answer, SETTINGS)
    share = (brightness(after, 2) > middle).float().mean().item()
    assert share == pytest.approx(TARGET[1].item(), abs=0.06)


def test_the_mapping_alone_moves(generator: Generator, answer: Answer) -> None:
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    after = calibrated(generator, answer, replace(SETTINGS, num_steps=3))
    for name, tensor in after.state_dict().items():
        assert torch.equal(generator.state_dict()[name], before[name])
        assert torch.equal(tensor, before[name]) == name.startswith("synthesis.")
    z = torch.randn(10_000, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(after.w_avg, after.mapping(z).mean(dim=0))
    assert not any(parameter.requires_grad for parameter in after.parameters())


def test_the_anchor_holds_w_back(generator: Generator, answer: Answer) -> None:
    z = torch.randn(500, 16, generator=torch.Generator().manual_seed(3))
    ways = []
    for anchor in (0.001, 10.0):
        after = calibrated(generator, answer, replace(SETTINGS, anchor=anchor))
        ways.append((after.mapping(z) - generator.mapping(z)).square().mean().item())
    assert ways[1] < ways[0] / 5


def read_term(reader: CodeReader, generator: Generator, answer: Answer, z: Tensor) -> Tensor:
    w_plus = generator.broadcast(generator.mapping(z))
    return reader.term(w_plus, answer(generator.synthesis(w_plus)))


def test_codes_are_held_to_the_planes(generator: Generator, answer: Answer) -> None:
    torch.manual_seed(1)
    reader = CodeReader(generator.num_ws, 16, [TARGET])
    z = torch.randn(1000, 16, generator=torch.Generator().manual_seed(4))
    optimiser = torch.optim.Adam(reader.parameters(), 0.05)
    for _ in range(100):
        optimiser.zero_grad()
        read_term(reader, generator, answer, z).backward()
        optimiser.step()
    optimiser.zero_grad()
    before = {name: tensor.clone() for name, tensor in reader.state_dict().items()}
    terms = []
    for weight in (0.0, 1.0):
        reading = AttributeReading(answer, reader, weight, weight)  # of images here, not of maps
        after = calibrated(generator, answer, SETTINGS, reading)
        with torch.no_grad():
            terms.append(read_term(reader, after, answer, z).item())
    assert terms[1] < 0.9 * terms[0]
    assert all(torch.equal(tensor, before[name]) for name, tensor in reader.state_dict().items())
    assert all(parameter.grad is None for parameter in reader.parameters())


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


def test_attributes_add_up() -> None:
    """However many attributes there are, each is pulled as strongly as if it were alone."""
    target, mean = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.6, 0.3, 0.1])
    probabilities = torch.tensor([[0.2, 0.2, 0.6]])
    alone, both = (RunningShares.of_data([target] * count) for count in (1, 2))
    alone.update([mean], count=400)
    both.update([mean] * 2, count=400)
    total = both.divergence([probabilities] * 2)
    torch.testing.assert_close(total, 2 * alone.divergence([probabilities]))
    assert total.abs() > 0.1


def test_shares_of_the_data_are_left_alone() -> None:
    target = torch.tensor([0.5, 0.3, 0.2])
    probabilities = target.repeat(4, 1).requires_grad_(True)
    running = RunningShares.of_data([target])
    running.update([target], count=4)
    running.divergence([probabilities]).backward()
    assert probabilities.grad is not None
    torch.testing.assert_close(probabilities.grad, torch.zeros(4, 3), atol=1e-6, rtol=0)
