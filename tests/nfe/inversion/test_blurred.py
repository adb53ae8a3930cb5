import math
from functools import partial

import pytest
import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.inversion.blurred import blur, nearest_codes, optimise_z


def quiet(done: int, total: int, note: str) -> None:
    """Show no progress."""


@pytest.fixture
def z() -> Tensor:
    return torch.randn(3, 16, generator=torch.Generator().manual_seed(5))


def slow_blur(image: Tensor, kernel: int, sigma: float) -> Tensor:
    """Sum over the window at every pixel of [3, H, W]; places outside are mirrored at the edge."""
    _, height, width = image.shape
    half = kernel // 2

    def mirrored(place: int, size: int) -> int:
        place = abs(place)
        return min(place, 2 * (size - 1) - place)

    result = torch.zeros_like(image)
    for y in range(height):
        for x in range(width):
            total = 0.0
            for dy in range(-half, half + 1):
                for dx in range(-half, half + 1):
                    weight = math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma))
                    total += weight
                    result[:, y, x] += (
                        weight * image[:, mirrored(y + dy, height), mirrored(x + dx, width)]
                    )
            result[:, y, x] /= total
    return result


@pytest.mark.parametrize(("kernel", "sigma"), [(1, 3.0), (3, 11.0), (5, 1.2)])
def test_blur_is_the_sum_over_the_window(kernel: int, sigma: float) -> None:
    images = torch.rand(2, 3, 7, 6, dtype=torch.float64)
    expected = torch.stack([slow_blur(image, kernel, sigma) for image in images])
    torch.testing.assert_close(blur(images, kernel, sigma), expected)


def test_a_window_without_a_middle_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel must be odd, got 4"):
        blur(torch.zeros(1, 3, 8, 8), 4, 1.0)


def test_the_picture_of_the_start_has_no_loss(generator: Generator, z: Tensor) -> None:
    notes = []
    optimise_z(
        generator(z), z, generator, 1, 0.05, 3, 11.0, 0.0, 0.0, lambda *seen: notes.append(seen)
    )
    assert notes == [(1, 1, "loss 0.0000")]


def test_the_prior_is_the_squared_length_of_z(generator: Generator, z: Tensor) -> None:
    notes = []
    optimise_z(
        generator(z), z, generator, 1, 0.05, 3, 11.0, 20.0, 0.0, lambda *seen: notes.append(seen)
    )
    assert float(notes[0][2].split()[1]) == pytest.approx(
        20 * float(z.square().sum(dim=1).mean()), rel=1e-4
    )


def test_generated_pictures_are_approached(generator: Generator, z: Tensor) -> None:
    images = generator(z)
    start = z + 0.5 * torch.randn(z.shape, generator=torch.Generator().manual_seed(6))
    found = optimise_z(images, start, generator, 150, 0.05, 3, 11.0, 0.0, 0.0, quiet)
    before = (generator(start) - images).square().mean(dim=(1, 2, 3))
    after = (generator(found) - images).square().mean(dim=(1, 2, 3))
    assert (after < 0.3 * before).all()


def test_pictures_do_not_depend_on_their_batch(generator: Generator, z: Tensor) -> None:
    generator = generator.double()
    images, start = generator(z.double()).flip(3), z.double()
    few = partial(optimise_z, generator=generator, num_steps=6, learning_rate=0.05)
    few = partial(
        few, blur_kernel=3, blur_sigma=11.0, prior_weight=0.5, min_progress=0.0, on_progress=quiet
    )
    alone = [few(images[i : i + 1], start[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(few(images, start), torch.cat(alone), rtol=0, atol=1e-8)


def test_the_nearest_code_is_that_of_the_mean_layer() -> None:
    w = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    w_plus = torch.tensor([[[2.0, 0.0], [0.2, 0.0]], [[0.0, 0.1], [0.0, -0.2]]])
    assert nearest_codes(w_plus, w).tolist() == [1, 0]
