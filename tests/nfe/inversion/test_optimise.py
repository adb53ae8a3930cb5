from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.inversion.encoders import Encoder
from nfe.inversion.losses import code_distance, pixel_distance
from nfe.inversion.optimise import image2stylegan, refine

from .conftest import toy_features


def quiet(done: int, total: int, note: str) -> None:
    """Show no progress."""


def run(
    generator: Generator,
    encoder: Encoder,
    images: Tensor,
    start: Tensor,
    domain_weight: float = 0.0,
    num_steps: int = 40,
    batch_size: int = 8,
    min_progress: float = 0.0,
    on_progress: Callable[[int, int, str], None] = quiet,
) -> Tensor:
    return refine(
        images,
        start,
        generator,
        encoder,
        toy_features,
        num_steps=num_steps,
        learning_rate=0.05,
        pixel_weight=1.0,
        perceptual_weight=0.5,
        domain_weight=domain_weight,
        min_progress=min_progress,
        batch_size=batch_size,
        bf16=False,
        on_progress=on_progress,
    )


@pytest.fixture
def start(generator: Generator) -> Tensor:
    w = generator.mapping(torch.randn(5, 16, generator=torch.Generator().manual_seed(1)))
    return generator.broadcast(w)


def images_codes(generator: Generator) -> Tensor:
    z = torch.randn(5, 16, generator=torch.Generator().manual_seed(2))
    return generator.broadcast(generator.mapping(z))


@pytest.fixture
def images(generator: Generator) -> Tensor:
    return generator.synthesis(images_codes(generator))


@pytest.fixture
def judge(encoder: Encoder, generator: Generator) -> Encoder:
    encoder.centre_on(generator.mapping(torch.randn(1000, 16)))
    torch.nn.init.normal_(encoder.output.weight, std=0.05)
    return encoder.eval()


def test_generated_images_are_found_again(
    generator: Generator, judge: Encoder, images: Tensor, start: Tensor
) -> None:
    before = pixel_distance(generator.synthesis(start), images)
    result = run(generator, judge, images, start, num_steps=300)
    after = pixel_distance(generator.synthesis(result), images)
    assert (after < 0.1 * before).all()


def test_the_start_is_left_as_it_was(
    generator: Generator, judge: Encoder, images: Tensor, start: Tensor
) -> None:
    copy = start.clone()
    run(generator, judge, images, start, num_steps=2)
    assert torch.equal(start, copy)


def test_no_step_changes_nothing(
    generator: Generator, judge: Encoder, images: Tensor, start: Tensor
) -> None:
    assert torch.equal(run(generator, judge, images, start, num_steps=0), start)


def test_codes_move_along_the_directions_alone(
    generator: Generator, judge: Encoder, images: Tensor, start: Tensor
) -> None:
    two = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(3)).half()
    judge.search_directions.zero_()
    judge.search_directions[:2] = two
    moves = (run(generator, judge, images, start, num_steps=5) - start).flatten(1)
    assert (moves.abs().amax(dim=1) > 1e-3).all()
    axes = two.flatten(1).float().T  # [96, 2]
    along = torch.linalg.lstsq(axes, moves.T).solution
    torch.testing.assert_close((axes @ along).T, moves, rtol=0, atol=1e-5)


@pytest.mark.parametrize("domain_weight", [0.0, 1.0])
def test_images_do_not_depend_on_their_batch(
    generator: Generator, judge: Encoder, images: Tensor, start: Tensor, domain_weight: float
) -> None:
    few = partial(run, generator, judge, images, start, domain_weight, num_steps=8)
    together, alone, pairs = few(), few(batch_size=1), few(batch_size=2)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    torch.testing.assert_close(together, pairs, rtol=0, atol=1e-4)


def test_images_that_stop_early_do_not_depend_on_their_batch(
    generator: Generator, judge: Encoder, images: Tensor, start: Tensor
) -> None:
    """They begin at different distances."""
    start = start.lerp(
        images_codes(generator), torch.tensor([0.9, 0.7, 0.5, 0.2, 0])[:, None, None]
    )
    few = partial(run, generator, judge, images, start, num_steps=30, min_progress=0.1)
    together, alone = few(), few(batch_size=1)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    whole = run(generator, judge, images, start, num_steps=30)
    stopped = (together - whole).abs().amax(dim=(1, 2)) > 1e-3
    assert stopped.any() and not stopped.all()


def test_the_domain_term_keeps_codes_near_the_answer_of_the_encoder(
    generator: Generator, judge: Encoder, images: Tensor, start: Tensor
) -> None:
    def departure(w_plus: Tensor) -> Tensor:
        with torch.no_grad():
            return code_distance(w_plus, judge(generator.synthesis(w_plus)), judge.w_scale)

    free = run(generator, judge, images, start)
    kept = run(generator, judge, images, start, domain_weight=5.0)
    assert (departure(kept) < 0.5 * departure(free)).all()


def test_an_encoder_that_mixes_a_batch_is_refused(
    generator: Generator, encoder: Encoder, images: Tensor, start: Tensor
) -> None:
    with pytest.raises(ValueError, match="evaluation mode"):
        run(generator, encoder.train(), images, start, domain_weight=1.0)


def test_image2stylegan_is_the_search_over_every_entry_from_the_mean_code(
    generator: Generator, judge: Encoder, images: Tensor
) -> None:
    codes = image2stylegan(
        images, generator, toy_features, 40, 0.05, 1.0, 0.5, 0.0, 8, False, quiet
    )
    mean = generator.broadcast(generator.w_avg.expand(5, -1))
    expected = run(generator, judge, images, mean)
    torch.testing.assert_close(codes, expected, rtol=0, atol=1e-5)


def test_progress_counts_images_times_steps(
    generator: Generator, judge: Encoder, images: Tensor, start: Tensor
) -> None:
    seen: list[tuple[int, int]] = []
    run(
        generator,
        judge,
        images,
        start,
        num_steps=2,
        batch_size=3,
        on_progress=lambda done, total, note: seen.append((done, total)),
    )
    assert seen == [(3, 10), (6, 10), (8, 10), (10, 10)]
