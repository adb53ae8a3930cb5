from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.inversion.losses import perceptual_distance, pixel_distance
from nfe.inversion.multicode import start_multicodes
from nfe.inversion.restoration import (
    Observe,
    RestorationSettings,
    code_prior,
    diffuse,
    keep_known,
    keep_luminance,
    luminance,
    observe_grey,
    observe_known,
    observe_small,
    observed_distance,
    restore,
)

from .conftest import toy_features

HALF = torch.ones(1, 1, 16, 16).index_fill(3, torch.arange(8, 16), 0)


def quiet(done: int, total: int, note: str) -> None:
    """Show no progress."""


def settings(**changed: float) -> RestorationSettings:
    usual = {
        "num_codes": 4,
        "layer": 3,
        "spread": 0.5,
        "num_steps": 40,
        "learning_rate": 0.05,
        "pixel_weight": 1.0,
        "perceptual_weight": 0.1,
        "prior_weight": 0.0,
        "seed": 0,
    }
    return RestorationSettings(**{**usual, **changed})


@pytest.fixture
def images(generator: Generator) -> Tensor:
    z = torch.randn(3, 16, generator=torch.Generator().manual_seed(2))
    return generator(z)


@pytest.fixture
def w_scale(generator: Generator) -> Tensor:
    return generator.mapping(torch.randn(1000, 16)).std(dim=0)


@pytest.fixture
def run(generator: Generator, w_scale: Tensor) -> Callable[..., Tensor]:
    def run(seen: Tensor, observe: Observe, **changed: float) -> Tensor:
        start = generator.broadcast(generator.w_avg.expand(len(seen), -1))
        chosen = settings(**changed)
        return restore(seen, observe, start, generator, w_scale, toy_features, chosen, quiet)

    return run


def test_grey_is_the_luminance_in_all_channels() -> None:
    images = torch.eye(3)[:, :, None, None].expand(3, 3, 2, 2)  # red, green, blue
    grey = observe_grey(images)
    expected = torch.tensor([0.299, 0.587, 0.114])[:, None, None, None].expand(3, 3, 2, 2)
    torch.testing.assert_close(grey, expected)
    torch.testing.assert_close(observe_grey(grey), grey)  # grey stays


def test_small_is_the_mean_of_squares() -> None:
    images = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    expected = torch.tensor([[2.5, 4.5], [10.5, 12.5]]).expand(1, 3, 2, 2)
    assert torch.equal(observe_small(images, 2), expected)


def test_what_is_not_known_does_not_count(images: Tensor) -> None:
    other = torch.where(HALF.bool(), images, torch.rand_like(images))
    assert torch.equal(observe_known(images, HALF), observe_known(other, HALF))


def test_the_loss_is_the_sum_of_its_terms(images: Tensor) -> None:
    observe = partial(observe_small, factor=2)
    other = images.flip(0)
    loss = observed_distance(observe(images), observe, toy_features, 2.0, 0.5)
    pixels = pixel_distance(observe(other), observe(images))
    maps = [toy_features(observe(x)) for x in (other, images)]
    torch.testing.assert_close(loss(other), 2 * pixels + 0.5 * perceptual_distance(*maps))
    assert (loss(images) == 0).all()
    without = observed_distance(observe(images), observe, toy_features, 2.0, 0.0)
    torch.testing.assert_close(without(other), 2 * pixels)


def test_the_prior_counts_deviations_from_the_mean(generator: Generator, w_scale: Tensor) -> None:
    away = torch.tensor([0.0, 1.0, 3.0])[:, None]
    w_plus = generator.broadcast(generator.w_avg + away * w_scale)
    codes = start_multicodes(w_plus, generator, 2, 3, 0.0, torch.Generator())
    prior = code_prior(codes, generator.w_avg, w_scale)
    torch.testing.assert_close(prior, 2 * away[:, 0].square())


OBSERVED: dict[str, Observe] = {
    "colourise": observe_grey,
    "super-resolve": partial(observe_small, factor=2),
    "inpaint": partial(observe_known, known=HALF),
}


@pytest.mark.parametrize("task", OBSERVED)
def test_what_was_seen_is_found_again(
    run: Callable[..., Tensor], images: Tensor, task: str
) -> None:
    observe = OBSERVED[task]
    before = pixel_distance(observe(run(observe(images), observe, num_steps=0)), observe(images))
    after = pixel_distance(observe(run(observe(images), observe)), observe(images))
    assert (after < 0.3 * before).all()


def test_pictures_do_not_depend_on_their_batch(
    run: Callable[..., Tensor], generator: Generator, images: Tensor
) -> None:
    generator.double()  # what is rounded grows from step to step; what is mixed stays
    seen = observe_grey(images.double())
    together = run(seen, observe_grey)
    alone = torch.cat([run(one, observe_grey) for one in seen.split(1)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_a_strong_prior_stays_near_the_mean_face(
    run: Callable[..., Tensor], generator: Generator, images: Tensor
) -> None:
    mean = generator.synthesis(generator.broadcast(generator.w_avg[None]))
    free, kept = (
        pixel_distance(run(images, lambda x: x, prior_weight=weight, spread=0.0), mean)
        for weight in (0.0, 100.0)
    )
    assert (kept < 0.7 * free).all()


def test_a_patch_is_found_and_nothing_else_counts(generator: Generator, images: Tensor) -> None:
    target, context = images[:1], images[1:2]
    inside = torch.zeros(1, 1, 16, 16)
    inside[..., 4:10, 4:10] = 1
    start = generator.broadcast(generator.w_avg[None])

    def run(around: Tensor, num_steps: int = 60) -> Tensor:
        stitched = torch.where(inside.bool(), target, around)
        weights = 1.0, 0.1
        return diffuse(
            stitched, inside, start, generator, toy_features, num_steps, 0.05, *weights, quiet
        )

    def distance(w_plus: Tensor) -> Tensor:
        return pixel_distance(generator.synthesis(w_plus) * inside, target * inside)

    assert torch.equal(run(context, num_steps=0), start)
    assert distance(run(context)) < 0.1 * distance(start)
    assert torch.equal(run(context), run(torch.zeros_like(context)))


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Colours and levels of all kinds: random, corners of the cube, greys."""
    rng = np.random.default_rng(0)
    corners = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)])
    colours = rng.integers(0, 256, (256, 200, 3), dtype=np.uint8)
    colours[:, :8] = corners
    colours[:, 8] = np.arange(256)[:, None]
    return colours, np.repeat(np.arange(256, dtype=np.uint8)[:, None], 200, axis=1)


def test_the_luminance_is_kept_to_the_level() -> None:
    colours, levels = pictures()
    result = keep_luminance(colours, levels)
    assert np.abs(result @ np.array([0.299, 0.587, 0.114]) - levels).max() <= 0.3
    assert (luminance(result) == levels).all()
    assert (np.asarray(Image.fromarray(result).convert("L")) == levels).all()


def test_colours_are_kept_where_there_is_room() -> None:
    colours = pictures()[0].clip(40, 215)
    result = keep_luminance(colours, luminance(colours))
    assert np.abs(result.astype(int) - colours).max() <= 2
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    assert (keep_luminance(grey, grey[..., 0][::-1]) == grey[::-1]).all()


def test_what_is_known_is_kept() -> None:
    given, pixels = (np.full((4, 4, 3), value, dtype=np.uint8) for value in (1, 2))
    unknown = np.eye(4, dtype=bool)
    result = keep_known(pixels, given, unknown)
    assert (result[unknown] == 2).all() and (result[~unknown] == 1).all()
