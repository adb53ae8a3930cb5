"""What an encoder is trained on: real images, and codes of the generator."""

import torch
from torch import Tensor

from nfe.gan.networks import Generator

__all__ = ["draw_codes", "draw_images"]


def draw_images(data: Tensor, count: int, mirror: bool, random: torch.Generator) -> Tensor:
    """Draw images of a data set with replacement, flipped half of the time if `mirror`.

    Args:
        data: uint8, [N, 3, H, W].
        count: Images to draw.
        mirror: Whether to flip left to right.
        random: Chooses pictures and flips.

    Returns:
        [count, 3, H, W], in [-1, 1].
    """
    index = torch.randint(len(data), (count,), generator=random)
    images = data[index].float().div_(127.5).sub_(1)
    if mirror:
        flip = torch.rand(count, generator=random).lt(0.5)
        images = torch.where(flip[:, None, None, None], images.flip(3), images)
    return images


@torch.no_grad()
def draw_codes(
    generator: Generator,
    count: int,
    mixing_probability: float,
    random: torch.Generator,
    device: torch.device,
) -> Tensor:
    """Draw codes that the generator knows, some mixed of two from a random layer on.

    Args:
        generator: Whose mapping to use.
        count: Codes to draw.
        mixing_probability: Share of mixed codes.
        random: Draws z, on the CPU.
        device: Where the generator is.

    Returns:
        w_plus, [count, num_ws, w_dim].
    """
    z = torch.randn(2 * count, generator.z_dim, generator=random)
    first = torch.randint(1, generator.num_ws, (count,), generator=random)
    alone = torch.rand(count, generator=random).ge(mixing_probability)
    first = torch.where(alone, generator.num_ws, first)
    second = torch.arange(generator.num_ws) >= first[:, None]  # [count, num_ws]
    w = generator.mapping(z.to(device))
    return torch.where(second[:, :, None].to(device), w[count:, None], w[:count, None])
