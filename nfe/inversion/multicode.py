"""Several codes for one picture: inside the generator, their features become one.

M codes go through the first layers, the state between two layers is averaged with a weight per
code and channel, and the rest of the layers makes the picture:

    x_inv = G2(1 / M * sum_m weights_m * G1(w_m)).

The state of StyleGAN2's synthesis is its features and the RGB sum so far, so both have weights.

Source: Gu et al. 2020 (mGANprior). We differ in three ways: the later layers need
codes too and share one row of them; the weights are relative to a plain mean, so that one
learning rate serves codes and weights for every M; pictures are optimised in batches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nfe.errors import ModelFileError
from nfe.gan.networks import Generator, Synthesis
from nfe.gan.ops import upsample
from nfe.inversion.descent import LossOf, minimise

__all__ = [
    "MultiCodes",
    "mean_codes",
    "move_multicodes",
    "optimise_multicodes",
    "start_multicodes",
    "synthesise_multicodes",
]


@dataclass(frozen=True)
class MultiCodes:
    """What makes one picture each of M codes, for N pictures.

    Attributes:
        first: Codes of the layers before the split, [N, M, layer, w_dim].
        rest: Codes of the layers after it, [N, num_ws - layer, w_dim].
        weights: Of the channels of the features, then of the RGB sum, [N, M, C + 3].
    """

    first: Tensor
    rest: Tensor
    weights: Tensor


def start_multicodes(
    w_plus: Tensor,
    generator: Generator,
    num_codes: int,
    layer: int,
    spread: float,
    random: torch.Generator,
) -> MultiCodes:
    """Place M codes per picture around one: the first on it, the others off it.

    w_m = w + spread * (mapping(z_m) - w_avg), the same z_m for every picture, so that a picture
    begins alike in any batch. All weights are 1.

    Args:
        w_plus: Codes to start from, E's or w_avg, [N, num_ws, w_dim].
        generator: Frozen generator with StyleGAN2's synthesis.
        num_codes: M.
        layer: How many layers see M codes, from 2 to num_ws - 1.
        spread: How far off, as a share of the way from w_avg to a sampled code.
        random: Draws z, on the CPU.

    Raises:
        ModelFileError: If the generator has another synthesis.
        ValueError: If `num_codes` is below 1, or `layer` out of range.
    """
    synthesis = _check_synthesis(generator)
    if num_codes < 1:
        raise ValueError(f"num_codes must be at least 1, got {num_codes}")
    if not 2 <= layer < generator.num_ws:
        raise ValueError(f"layer must be 2 to {generator.num_ws - 1}, got {layer}")
    z = torch.randn(num_codes, generator.z_dim, generator=random)
    with torch.no_grad():
        away = generator.mapping(z.to(w_plus)) - generator.w_avg  # [M, w_dim]
    away[0] = 0
    first = w_plus[:, None, :layer] + spread * away[:, None]  # [N, M, layer, w_dim]
    width = len(synthesis.layers[layer - 1].get_parameter("bias"))
    weights = w_plus.new_ones(len(w_plus), num_codes, width + 3)
    return MultiCodes(first, w_plus[:, layer:], weights)


def synthesise_multicodes(codes: MultiCodes, generator: Generator) -> Tensor:
    """Make the pictures of codes; for M = 1 and weights of 1, those of G.

    Args:
        codes: For N pictures.
        generator: Generator with StyleGAN2's synthesis.

    Returns:
        Images, [N, 3, resolution, resolution].

    Raises:
        ModelFileError: If the generator has another synthesis.
    """
    synthesis = _check_synthesis(generator)
    layer = codes.first.shape[2]
    first = codes.first.flatten(0, 1)  # [N * M, layer, w_dim]
    x = synthesis.constant.expand(len(first), -1, -1, -1)
    x = x.contiguous(memory_format=torch.channels_last)
    images = x.new_zeros(len(first), 3, 2, 2)  # the sum of no RGB output; layer 1 doubles its side
    gain = x.new_ones(x.shape[:2])
    for index in range(layer):
        x, gain, images = _run_layer(synthesis, index, x, gain, images, first[:, index])
    width = x.shape[1]
    x = _average(gain[..., None, None] * x, codes.weights[..., :width])  # [N, C, H, W]
    gain = x.new_ones(x.shape[:2])
    images = _average(images, codes.weights[..., width:])  # [N, 3, h, w]
    for index in range(layer, synthesis.num_ws):
        w = codes.rest[:, index - layer]
        x, gain, images = _run_layer(synthesis, index, x, gain, images, w)
    return images + synthesis.rgb_bias


def optimise_multicodes(
    start: MultiCodes,
    generator: Generator,
    loss_for: Callable[[Tensor], Callable[[Tensor, MultiCodes], Tensor]],
    num_steps: int,
    learning_rate: float,
    min_progress: float,
    on_progress: Callable[[int, int, str], None],
) -> MultiCodes:
    """Minimise a loss of the pictures over all codes and weights.

    Args:
        start: For N pictures.
        generator: Frozen generator with StyleGAN2's synthesis.
        loss_for: Which of the pictures, [A] -> the loss of images [A, 3, H, W] and their codes,
            [A].
        num_steps: Steps of Adam.
        learning_rate: At the first step, in units of w.
        min_progress: Share by which its loss must fall in five steps for a picture to go on;
            0 for always.
        on_progress: Called with steps done, in all, and a note.

    Raises:
        ModelFileError: If the generator has another synthesis.
        TrainingError: If a loss is NaN or infinite.
    """

    def loss_of_codes(rows: Tensor) -> LossOf:
        loss = loss_for(rows)

        def loss_of(values: Sequence[Tensor]) -> Tensor:
            codes = MultiCodes(*values)
            return loss(synthesise_multicodes(codes, generator), codes)

        return loss_of

    tensors = (start.first, start.rest, start.weights)
    found = minimise(tensors, loss_of_codes, num_steps, learning_rate, min_progress, on_progress)
    return MultiCodes(*found)


def mean_codes(codes: MultiCodes) -> Tensor:
    """Return one code per layer, the mean where there are several: w_plus, [N, num_ws, w_dim]."""
    return torch.cat([codes.first.mean(dim=1), codes.rest], dim=1)


def move_multicodes(codes: MultiCodes, shifts: Tensor) -> MultiCodes:
    """Move all codes of a layer alike.

    Args:
        codes: For N pictures.
        shifts: Of each layer, [N, num_ws, w_dim].
    """
    layer = codes.first.shape[2]
    first = codes.first + shifts[:, None, :layer]
    return MultiCodes(first, codes.rest + shifts[:, layer:], codes.weights)


def _check_synthesis(generator: Generator) -> Synthesis:
    if not isinstance(generator.synthesis, Synthesis):
        raise ModelFileError(
            "generator must have the architecture stylegan2 for several codes, got "
            f"{generator.config['architecture']}; use a model trained with it"
        )
    return generator.synthesis


def _run_layer(
    synthesis: Synthesis, index: int, x: Tensor, gain: Tensor, images: Tensor, w: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Do all that code `index` drives: an RGB output if it is odd, and the layer that follows."""
    if index % 2:
        images = upsample(images) + synthesis.colours(index // 2, x, gain, w)
    if index < len(synthesis.layers):
        x, gain = synthesis.layers[index](x, gain, w)
    return x, gain, images


def _average(parts: Tensor, weights: Tensor) -> Tensor:
    """Average [N * M, C, H, W] over M with weights [N, M, C]: [N, C, H, W]."""
    weighted = weights[..., None, None] * parts.unflatten(0, weights.shape[:2])
    return weighted.mean(dim=1).contiguous(memory_format=torch.channels_last)
