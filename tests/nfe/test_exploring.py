"""Codes and pictures of seeds, loops and mixtures; the same bytes in any batch."""

import numpy as np
import torch

from nfe.exploring import (
    interpolate_loop,
    mix_codes,
    render_mixtures,
    render_pixels,
    w_from_seeds,
)
from nfe.gan.networks import Generator
from nfe.sampling import sample_batches


def test_codes_are_those_of_the_stage_sample(generator: Generator) -> None:
    _, expected, _ = next(sample_batches(generator, [5, 7], 2, 0.6, "cpu"))
    torch.testing.assert_close(w_from_seeds(generator, [5, 7], 0.6, "cpu"), expected)


def test_a_seed_gives_the_same_bytes_alone_and_among_others(generator: Generator) -> None:
    among = w_from_seeds(generator, range(20), 0.7, "cpu")
    alone = w_from_seeds(generator, [13], 0.7, "cpu")
    assert torch.equal(among[13:14], alone)
    pixels = render_pixels(generator, generator.broadcast(among), "cpu")
    assert (pixels[13] == render_pixels(generator, generator.broadcast(alone), "cpu")[0]).all()
    assert pixels.shape == (20, 16, 16, 3)


def test_loop_goes_in_straight_lines_back_to_the_first() -> None:
    w = torch.tensor([[0.0, 0.0], [4.0, 8.0], [8.0, 0.0]])
    loop = interpolate_loop(w, 4)
    assert torch.equal(loop[::4], w)
    assert loop.tolist()[:5] == [[0, 0], [1, 2], [2, 4], [3, 6], [4, 8]]
    assert loop.tolist()[8:] == [[8, 0], [6, 0], [4, 0], [2, 0]]


def test_mixtures_take_the_named_layers_from_the_column() -> None:
    rows, columns = torch.zeros(2, 3), torch.tensor([[1.0] * 3, [2.0] * 3, [3.0] * 3])
    mixed = mix_codes(rows, columns, range(2, 4), num_ws=5)
    assert mixed.shape == (2, 3, 5, 3)
    assert (mixed[:, 1, [2, 3]] == 2).all()
    assert (mixed[:, :, [0, 1, 4]] == 0).all()


def test_all_layers_make_the_column_and_its_sources_stand_outside(generator: Generator) -> None:
    rows, columns = (w_from_seeds(generator, s, 1.0, "cpu") for s in ([1, 2], [3, 4, 5]))
    table = render_mixtures(generator, rows, columns, range(generator.num_ws), "cpu")
    assert table.shape == (3, 4, 16, 16, 3)
    assert (table[0, 0] == 255).all()
    assert (table[1:, 1:] == table[0, 1:]).all()
    sources = render_pixels(generator, generator.broadcast(rows), "cpu")
    assert (table[1:, 0] == sources).all()
    none = render_mixtures(generator, rows, columns, range(0), "cpu")
    assert (none[1:, 1:] == sources[:, None]).all()
    assert np.abs(table[0, 1].astype(int) - table[0, 2]).max() > 10
