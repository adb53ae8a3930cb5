"""Steps of colour: lengths by hand, distances beside SciPy's, and what the term takes away."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor
from torch.nn import functional as F

from nfe.gan.colour_steps import ColourSteps, step_lengths

CPU = torch.device("cpu")


@pytest.fixture
def pixels() -> np.ndarray:
    """Drawings: two surfaces of one colour each, the upper one of any height."""
    random = np.random.default_rng(0)
    pixels = np.empty((300, 32, 32, 3), np.uint8)
    for picture in pixels:
        upper, lower = random.integers(0, 256, (2, 3))
        picture[:] = lower
        picture[: random.integers(4, 28)] = upper
    return pixels


def images_of(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_a_step_is_as_long_as_colours_are_apart_without_their_brightness() -> None:
    """One picture of 2 pixels a side: red beside black, white beside grey."""
    image = torch.full((1, 3, 2, 2), -1.0)
    image[0, 0, 0, 0] = 1.0  # red; black at its right
    image[0, :, 1, 0] = 1.0  # white under the red
    image[0, :, 1, 1] = 0.0  # grey under the black
    red = (2 * 2 - 4 / 3) ** 0.5  # 2 long in RGB, less the part along grey, 2 / sqrt 3
    expected = torch.tensor([red, 0.0, red, 0.0])  # across: above, below; down: left, right
    torch.testing.assert_close(step_lengths(image), expected, atol=2e-3, rtol=0)


def test_of_longer_steps_the_term_is_the_wasserstein_distance(pixels: np.ndarray) -> None:
    colours = ColourSteps(pixels, CPU)
    batch = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 40
    distances = [
        wasserstein_distance(
            *(step_lengths(F.avg_pool2d(x, 32 // side)).numpy() for x in (batch, images_of(pixels)))
        )
        for side in (32, 16)
    ]
    assert colours.term(batch).item() == pytest.approx(np.mean(distances), rel=0.01)


def test_samples_like_the_data_are_near(pixels: np.ndarray) -> None:
    colours = ColourSteps(pixels[:200], CPU)
    assert colours.term(images_of(pixels[200:])).item() < 0.01


def test_it_takes_away_a_tint_that_the_data_lacks(pixels: np.ndarray) -> None:
    """Toy samples: pictures of the data and a learnt amount of soft green waves over them."""
    colours = ColourSteps(pixels, CPU)
    random = torch.Generator().manual_seed(0)
    tint = torch.tensor(0.3, requires_grad=True)
    optimiser = torch.optim.Adam([tint], lr=0.01)
    x = torch.linspace(0, 2 * torch.pi, 32)
    for _ in range(200):
        index = torch.randint(len(pixels), (16,), generator=random).numpy()
        phase = torch.rand(16, 1, 1, generator=random) * 2 * torch.pi
        waves = torch.zeros(16, 3, 32, 32)
        waves[:, 1] = torch.sin(x[None, :, None] + phase) * torch.sin(x[None, None] + phase)
        optimiser.zero_grad()
        colours.term(images_of(pixels[index]) + tint * waves).backward()
        optimiser.step()
    assert abs(tint.item()) < 0.02


def test_shorter_steps_are_left_alone(pixels: np.ndarray) -> None:
    images = (images_of(pixels) * 0.5).requires_grad_(True)
    term = ColourSteps(pixels, CPU).term(images)
    term.backward()
    assert term.item() < 1e-4
    assert images.grad is not None
    assert images.grad.abs().sum().item() < 1e-3


def test_pictures_that_are_too_small_count_nothing(pixels: np.ndarray) -> None:
    assert ColourSteps(pixels, CPU).term(torch.rand(4, 3, 8, 8)).item() == 0
    small = pixels[:, ::4, ::4]
    assert ColourSteps(small, CPU).term(torch.rand(4, 3, 8, 8)).item() == 0
