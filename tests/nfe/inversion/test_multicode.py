from dataclasses import astuple

import pytest
import torch
from torch import Tensor

from nfe.errors import ModelFileError
from nfe.gan.networks import Generator
from nfe.inversion.losses import pixel_distance
from nfe.inversion.multicode import (
    MultiCodes,
    mean_codes,
    move_multicodes,
    optimise_multicodes,
    start_multicodes,
    synthesise_multicodes,
)

LAYERS = range(2, 6)  # of 6 codes


def quiet(done: int, total: int, note: str) -> None:
    """Show no progress."""


def place(
    generator: Generator, w_plus: Tensor, num_codes: int, layer: int = 3, spread: float = 0.5
) -> MultiCodes:
    random = torch.Generator().manual_seed(5)
    return start_multicodes(w_plus, generator, num_codes, layer, spread, random)


def fit(
    generator: Generator, images: Tensor, w_plus: Tensor, num_codes: int, num_steps: int = 60
) -> Tensor:
    found = optimise_multicodes(
        place(generator, w_plus, num_codes),
        generator,
        lambda rows: lambda result, _: pixel_distance(result, images[rows]),
        num_steps,
        0.05,
        0.0,
        quiet,
    )
    return synthesise_multicodes(found, generator)


@pytest.fixture
def w_plus(generator: Generator) -> Tensor:
    return torch.randn(5, 6, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def start(generator: Generator) -> Tensor:
    return generator.broadcast(generator.w_avg.expand(5, -1))


@pytest.fixture
def images(generator: Generator) -> Tensor:
    """Pictures that no single code makes."""
    return torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("layer", LAYERS)
def test_one_code_makes_the_picture_of_the_generator(
    generator: Generator, w_plus: Tensor, layer: int
) -> None:
    codes = place(generator, w_plus, 1, layer)
    torch.testing.assert_close(
        synthesise_multicodes(codes, generator), generator.synthesis(w_plus), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_equal_codes_are_one(generator: Generator, w_plus: Tensor, layer: int) -> None:
    codes = place(generator, w_plus, 4, layer, spread=0.0)
    result = synthesise_multicodes(codes, generator)
    torch.testing.assert_close(result, generator.synthesis(w_plus), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layer", LAYERS)
def test_weights_choose_among_codes(generator: Generator, w_plus: Tensor, layer: int) -> None:
    first = torch.stack([w_plus[:, :layer], w_plus.flip(0)[:, :layer]], dim=1)
    weights = torch.zeros_like(place(generator, w_plus, 2, layer).weights)
    weights[:, 1] = 2
    codes = MultiCodes(first, w_plus.flip(0)[:, layer:], weights)
    result = synthesise_multicodes(codes, generator)
    torch.testing.assert_close(result, generator.synthesis(w_plus.flip(0)), rtol=0, atol=1e-5)


def test_codes_start_on_and_around_the_one_given(generator: Generator, w_plus: Tensor) -> None:
    codes = place(generator, w_plus, 3, spread=0.5)
    assert torch.equal(codes.first[:, 0], w_plus[:, :3])
    assert torch.equal(codes.rest, w_plus[:, 3:])
    z = torch.randn(3, 16, generator=torch.Generator().manual_seed(5))
    away = 0.5 * (generator.mapping(z)[1:] - generator.w_avg)
    expected = (w_plus[:, None, :3] + away[:, None]).expand(5, 2, 3, 16)
    torch.testing.assert_close(codes.first[:, 1:], expected)
    assert (codes.weights == 1).all()


def test_a_picture_starts_alike_in_any_batch(generator: Generator, w_plus: Tensor) -> None:
    together, alone = place(generator, w_plus, 3), place(generator, w_plus[2:3], 3)
    for one, other in zip(astuple(together), astuple(alone), strict=True):
        assert torch.equal(one[2:3], other)


def test_pictures_do_not_depend_on_their_batch(
    generator: Generator, images: Tensor, start: Tensor
) -> None:
    generator.double()  # what is rounded grows from step to step; what is mixed stays
    images, start = images.double(), start.double()
    together = fit(generator, images, start, 4)
    alone = torch.cat([fit(generator, images[i : i + 1], start[:1], 4) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_more_codes_fit_closer(generator: Generator, images: Tensor, start: Tensor) -> None:
    losses = [pixel_distance(fit(generator, images, start, n), images).mean() for n in (1, 4, 16)]
    before = pixel_distance(generator.synthesis(start), images).mean()
    assert losses[2] < losses[1] < losses[0] < before


def test_the_loss_sees_pictures_and_codes(generator: Generator, start: Tensor) -> None:
    def loss(images: Tensor, codes: MultiCodes) -> Tensor:
        assert torch.equal(synthesise_multicodes(codes, generator), images)
        return images.mean(dim=(1, 2, 3))

    optimise_multicodes(place(generator, start, 2), generator, lambda _: loss, 1, 0.1, 0.0, quiet)


def test_another_synthesis_is_refused(generator: Generator, w_plus: Tensor) -> None:
    other = Generator(**{**generator.config, "architecture": "stylegan"})
    codes = place(generator, w_plus, 2)
    for call in (
        lambda: place(other, w_plus, 2),
        lambda: synthesise_multicodes(codes, other),
        lambda: optimise_multicodes(codes, other, lambda _: lambda x, _: x, 1, 0.1, 0.0, quiet),
    ):
        with pytest.raises(ModelFileError, match="architecture stylegan2 for several codes"):
            call()


@pytest.mark.parametrize(
    ("num_codes", "layer", "message"),
    [
        (0, 3, "num_codes must be at least 1, got 0"),
        (2, 1, "layer must be 2 to 5, got 1"),
        (2, 6, "layer must be 2 to 5, got 6"),
    ],
)
def test_impossible_codes_are_refused(
    generator: Generator, w_plus: Tensor, num_codes: int, layer: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        place(generator, w_plus, num_codes, layer)


def test_all_codes_of_a_layer_move_alike(generator: Generator) -> None:
    """One code moved is the code of the moved w_plus; of several, the mean moves as far."""
    w = generator.mapping(torch.randn(2, 16, generator=torch.Generator().manual_seed(1)))
    w_plus = generator.broadcast(w)
    shifts = torch.randn(w_plus.shape, generator=torch.Generator().manual_seed(2))
    one = move_multicodes(place(generator, w_plus, 1), shifts)
    torch.testing.assert_close(
        synthesise_multicodes(one, generator), generator.synthesis(w_plus + shifts)
    )
    several = place(generator, w_plus, 3)
    moved = mean_codes(move_multicodes(several, shifts))
    torch.testing.assert_close(moved - mean_codes(several), shifts, rtol=0, atol=1e-5)
    torch.testing.assert_close(mean_codes(place(generator, w_plus, 3, spread=0.0)), w_plus)
