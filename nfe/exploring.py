"""Codes worth looking at and their pictures: seeds, the ways between them, their mixtures."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.images import pixels_from_images
from nfe.sampling import z_from_seeds

__all__ = ["interpolate_loop", "mix_codes", "render_mixtures", "render_pixels", "w_from_seeds"]


def w_from_seeds(
    generator: Generator, seeds: Sequence[int], truncation_psi: float, device: str
) -> Tensor:
    """Return the code of each seed, computed one by one.

    Args:
        generator: A finished generator.
        seeds: N integers.
        truncation_psi: 1 for none; towards 0 the images become alike and cleaner.
        device: Where the generator is.

    Returns:
        w, [N, w_dim], on the CPU. A seed's code is the same to the bit among any others.
    """
    with torch.no_grad():
        codes = [
            generator.truncate(generator.mapping(z.to(device)), truncation_psi)
            for z in z_from_seeds(seeds, generator.z_dim).split(1)
        ]
    return torch.cat(codes).cpu()


def render_pixels(generator: Generator, w_plus: Tensor, device: str) -> np.ndarray:
    """Render codes one by one, so that a code is the same picture among any others.

    Args:
        generator: A finished generator.
        w_plus: Latent codes, [N, num_ws, w_dim].
        device: Where the generator is.

    Returns:
        uint8, [N, resolution, resolution, 3].
    """
    with torch.no_grad():
        pictures = [
            pixels_from_images(generator.synthesis(code.to(device))) for code in w_plus.split(1)
        ]
    return np.concatenate(pictures)


def interpolate_loop(w: Tensor, num_frames: int) -> Tensor:
    """Walk in straight lines from each code to the next, and from the last to the first.

    Args:
        w: Latent codes, [N, w_dim].
        num_frames: Frames from one code up to, and without, the next.

    Returns:
        [N * num_frames, w_dim]; frame i * num_frames is code i.
    """
    share = torch.arange(num_frames)[None, :, None] / num_frames  # [1, num_frames, 1]
    here, there = w[:, None], w.roll(-1, dims=0)[:, None]
    return (here + share * (there - here)).flatten(0, 1)


def mix_codes(rows: Tensor, columns: Tensor, layers: range, num_ws: int) -> Tensor:
    """Give each row's code the layers of each column's code.

    Args:
        rows: Latent codes, [R, w_dim].
        columns: Latent codes, [C, w_dim].
        layers: The layers that take the column's code.
        num_ws: Layers in all.

    Returns:
        w_plus, [R, C, num_ws, w_dim].

    Source: Karras et al. 2019 (StyleGAN), section 3.1.
    """
    mixed = rows[:, None, None].repeat(1, len(columns), num_ws, 1)
    mixed[:, :, list(layers)] = columns[None, :, None]
    return mixed


def render_mixtures(
    generator: Generator, rows: Tensor, columns: Tensor, layers: range, device: str
) -> np.ndarray:
    """Render `mix_codes`, with the sources as first row and first column.

    Args:
        generator: A finished generator.
        rows: Latent codes, [R, w_dim].
        columns: Latent codes, [C, w_dim].
        layers: The layers that take the column's code.
        device: Where the generator is.

    Returns:
        uint8, [R + 1, C + 1, resolution, resolution, 3]; the corner is white.
    """
    side = generator.resolution
    table = np.full((len(rows) + 1, len(columns) + 1, side, side, 3), 255, dtype=np.uint8)
    table[1:, 0] = render_pixels(generator, generator.broadcast(rows), device)
    table[0, 1:] = render_pixels(generator, generator.broadcast(columns), device)
    for index, mixed in enumerate(mix_codes(rows, columns, layers, generator.num_ws), 1):
        table[index, 1:] = render_pixels(generator, mixed, device)
    return table
