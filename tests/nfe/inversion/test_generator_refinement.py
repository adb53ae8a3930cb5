import pytest
import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.inversion.generator_refinement import (
    GeneratorChange,
    refine_generator,
    start_change,
    synthesise_changed,
)
from nfe.metrics.reconstruction import psnr

from .conftest import toy_features


def quiet(done: int, total: int, note: str) -> None:
    """Show no progress."""


def run(
    generator: Generator,
    image: Tensor,
    w_plus: Tensor,
    rank: int = 2,
    locality_weight: float = 0.0,
) -> GeneratorChange:
    return refine_generator(
        image,
        w_plus,
        generator,
        toy_features,
        rank=rank,
        num_steps=60,
        learning_rate=0.05,
        pixel_weight=1.0,
        perceptual_weight=0.1,
        locality_weight=locality_weight,
        locality_reach=0.5,
        min_progress=0.0,
        random=torch.Generator().manual_seed(3),
        on_progress=quiet,
    )


@pytest.fixture
def w_plus(generator: Generator) -> Tensor:
    return generator.broadcast(generator.mapping(torch.ones(1, 16)))


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_a_change_begins_as_none(generator: Generator, w_plus: Tensor) -> None:
    change = start_change(generator, 2, torch.Generator())
    assert torch.equal(synthesise_changed(w_plus, change, generator), generator.synthesis(w_plus))


def test_a_change_is_added_to_the_weights(generator: Generator, w_plus: Tensor) -> None:
    change = start_change(generator, 2, torch.Generator().manual_seed(1))
    name = "layers.1.conv.weight"
    change.lefts[name].fill_(0.5)
    result = synthesise_changed(w_plus, change, generator)
    weight = generator.synthesis.get_parameter(name)
    weight += 0.5 * change.rights[name].sum(dim=0).view_as(weight[0])
    torch.testing.assert_close(result, generator.synthesis(w_plus))


def test_the_picture_comes_nearer_and_the_generator_stays(
    generator: Generator, image: Tensor, w_plus: Tensor
) -> None:
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    change = run(generator, image, w_plus)
    gained = psnr(synthesise_changed(w_plus, change, generator), image) - psnr(
        generator.synthesis(w_plus), image
    )
    assert gained > 1
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_higher_rank_fits_closer(generator: Generator, image: Tensor, w_plus: Tensor) -> None:
    errors = [
        (synthesise_changed(w_plus, run(generator, image, w_plus, rank), generator) - image)
        .square()
        .mean()
        for rank in (1, 4)
    ]
    assert errors[1] < errors[0]


def test_locality_leaves_the_pictures_of_other_codes(
    generator: Generator, image: Tensor, w_plus: Tensor
) -> None:
    z = torch.randn(20, 16, generator=torch.Generator().manual_seed(5))
    others = w_plus.lerp(generator.broadcast(generator.mapping(z)), 0.5)

    def moved(change: GeneratorChange) -> float:
        difference = synthesise_changed(others, change, generator) - generator.synthesis(others)
        return float(difference.square().mean())

    free, held = (run(generator, image, w_plus, 2, weight) for weight in (0.0, 1.0))
    assert moved(held) < 0.5 * moved(free)
    own = synthesise_changed(w_plus, held, generator)
    assert (own - image).square().mean() < (generator.synthesis(w_plus) - image).square().mean()


def test_the_size_is_that_of_the_matrices(generator: Generator) -> None:
    change = start_change(generator, 4, torch.Generator())
    assert change.lefts["layers.0.conv.weight"].shape == (16, 4)
    assert change.rights["layers.0.conv.weight"].shape == (4, 144)
    assert change.lefts["to_rgb.0.weight"].shape == (3, 3)  # no more rows, no higher rank
    shapes = [w.flatten(1).shape for w in generator.synthesis.parameters() if w.ndim == 4]
    shapes.remove((1, 16 * 16))  # the constant
    assert change.num_bytes == sum(4 * min(4, out) * (out + into) for out, into in shapes)


def test_the_first_architecture_is_refined_too(generator: Generator, image: Tensor) -> None:
    torch.manual_seed(0)
    other = Generator(**{**generator.config, "architecture": "stylegan"}).requires_grad_(False)
    w_plus = other.broadcast(other.mapping(torch.ones(1, 16)))
    before = (other.synthesis(w_plus) - image).square().mean()
    result = synthesise_changed(w_plus, run(other, image, w_plus), other)
    assert (result - image).square().mean() < before


def test_a_rank_of_nothing_is_refused(generator: Generator) -> None:
    with pytest.raises(ValueError, match="rank must be at least 1, got 0"):
        start_change(generator, 0, torch.Generator())
