"""Seeds to codes to images. A seed is one image, whatever it is sampled together with."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nfe.gan.networks import Generator

__all__ = ["sample_batches", "z_from_seeds"]


def z_from_seeds(seeds: Sequence[int], z_dim: int) -> Tensor:
    """Draw one Gaussian code per seed, each from its own generator.

    Args:
        seeds: N integers.
        z_dim: Length of a code.

    Returns:
        z, [N, z_dim], on the CPU.
    """
    return torch.stack(
        [torch.randn(z_dim, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    )


def sample_batches(
    generator: Generator,
    seeds: Sequence[int],
    batch_size: int,
    truncation_psi: float,
    device: str,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Sample images batch by batch.

    Args:
        generator: A finished generator.
        seeds: One integer per image.
        batch_size: Images per pass; it changes an image by rounding errors only.
        truncation_psi: 1 for none; towards 0 the images become alike and cleaner.
        device: Where the generator is.

    Yields:
        z [B, z_dim], w [B, w_dim] after truncation, images [B, 3, H, W], all on the CPU.
    """
    for start in range(0, len(seeds), batch_size):
        z = z_from_seeds(seeds[start : start + batch_size], generator.z_dim)
        with torch.no_grad():
            w = generator.truncate(generator.mapping(z.to(device)), truncation_psi)
            images = generator.synthesis(generator.broadcast(w))
        yield z, w.cpu(), images.cpu()
