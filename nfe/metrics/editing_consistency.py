"""Does an encoder find an edit that was made to its own codes?"""

import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.inversion.encoders import Encoder
from nfe.inversion.losses import code_distance

__all__ = ["editing_consistency", "main_axis"]


def main_axis(w: Tensor) -> Tensor:
    """Return one standard deviation along the axis of the greatest spread of codes.

    Args:
        w: Sampled codes, [N, w_dim].

    Returns:
        [w_dim]; of the two signs, the one whose largest component is positive.
    """
    _, lengths, axes = torch.linalg.svd(w - w.mean(dim=0), full_matrices=False)
    axis = axes[0] * axes[0][axes[0].abs().argmax()].sign()
    return axis * lengths[0] / (len(w) - 1) ** 0.5


@torch.no_grad()
def editing_consistency(
    images: Tensor, generator: Generator, encoder: Encoder, shift: Tensor, batch_size: int
) -> Tensor:
    """Latent editing consistency: edit the codes, encode the edited image, take the edit back.

    sqrt mean ((w - (E(G(w + shift)) - shift)) / w_scale)^2, w = E(x)

    Args:
        images: [N, 3, H, W], in [-1, 1].
        generator: Frozen generator.
        encoder: Frozen encoder in evaluation mode.
        shift: The edit of every layer's code, [w_dim].
        batch_size: Images at a time.

    Returns:
        [N], in deviations of w; 0 where the encoder finds the edit and nothing else.

    Source: Tov et al. 2021 (e4e). One fixed edit, which every generator has, in place of named
        boundaries; the root of the mean square in place of the norm, so that generators with more
        layers do not have larger figures.
    """
    distances = []
    for batch in images.split(batch_size):
        w_plus = encoder(batch)
        edited = generator.synthesis(w_plus + shift).clamp(-1, 1)
        distances.append(code_distance(w_plus, encoder(edited) - shift, encoder.w_scale).sqrt())
    return torch.cat(distances)
