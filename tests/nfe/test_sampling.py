"""A seed is one image in any batch."""

import numpy as np
import torch

from nfe.gan.networks import Generator
from nfe.images import pixels_from_images
from nfe.sampling import sample_batches, z_from_seeds


def test_seed_42_is_the_same_alone_and_among_others(generator: Generator) -> None:
    alone = next(sample_batches(generator, [42], 1, 0.7, "cpu"))
    among = list(sample_batches(generator, range(37, 50), 8, 0.7, "cpu"))
    assert torch.equal(among[0][0][5:6], alone[0])
    torch.testing.assert_close(among[0][1][5:6], alone[1])
    pixels = pixels_from_images(among[0][2][5:6]).astype(int), pixels_from_images(alone[2])
    assert np.abs(pixels[0] - pixels[1]).max() <= 1
    assert [len(images) for _, _, images in among] == [8, 5]


def test_codes_follow_from_the_seed_and_differ_between_seeds() -> None:
    z = z_from_seeds([0, 1, 0], 16)
    assert torch.equal(z[0], z[2])
    assert not torch.equal(z[0], z[1])


def test_full_truncation_gives_the_mean_face(generator: Generator) -> None:
    generator.w_avg.copy_(torch.randn(8))
    _, w, images = next(sample_batches(generator, [1, 2], 2, 0.0, "cpu"))
    assert torch.equal(w, generator.w_avg.expand(2, -1))
    torch.testing.assert_close(images[0], images[1])
