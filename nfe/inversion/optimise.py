"""Optimisation of codes, batched; each image ends where it would end alone."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.inversion.descent import LossOf, minimise
from nfe.inversion.encoders import Encoder
from nfe.inversion.losses import FeatureMaps, code_distance, perceptual_distance, pixel_distance

__all__ = ["image2stylegan", "refine"]


def refine(
    images: Tensor,
    w_plus: Tensor,
    generator: Generator,
    encoder: Encoder,
    feature_maps: FeatureMaps,
    num_steps: int,
    learning_rate: float,
    pixel_weight: float,
    perceptual_weight: float,
    domain_weight: float,
    min_progress: float,
    batch_size: int,
    bf16: bool,
    on_progress: Callable[[int, int, str], None],
) -> Tensor:
    """Minimise, from given codes, for each image x by itself,

    pixel |G(w) - x|^2 + perceptual |F(G(w)) - F(x)|^2 + domain |w - E(G(w))|^2

    over w = start + sum_i u_i direction_i, with Adam, whose learning rate falls to 0 along half a
    cosine; the directions are those of the encoder. A term of weight 0 is left out.

    Args:
        images: The targets, [N, 3, H, W], in [-1, 1].
        w_plus: Codes to start from, usually E(images), [N, num_ws, w_dim].
        generator: Frozen generator.
        encoder: Frozen encoder in evaluation mode.
        feature_maps: Frozen features for the perceptual term.
        num_steps: Steps of Adam.
        learning_rate: At the first step, as a share of a direction.
        pixel_weight: Of the mean squared difference of pixels.
        perceptual_weight: Of the distance of feature maps.
        domain_weight: Of the squared distance of codes, in deviations of w; it keeps the codes
            where the encoder, and so the domain of real images, has them.
        min_progress: Share by which its loss must fall in five steps for an image to go on;
            0 for always.
        batch_size: Images optimised together; it changes a result by rounding errors only.
        bf16: Whether the networks run in bfloat16 autocast, whose rounding is 2^16 times as coarse.
        on_progress: Called with images times steps done, in all, and a note.

    Returns:
        Refined codes, [N, num_ws, w_dim].

    Raises:
        TrainingError: If a loss is NaN or infinite.
        ValueError: If the encoder is in training mode, where images of a batch mix.

    Source: Zhu et al. 2020 (IDInvert), section 3.2. We add the decay, which ends lower in few
        steps, and the directions, with which 30 steps reach the error of 100 in the entries of w.
    """
    if encoder.training:
        raise ValueError("encoder must be in evaluation mode; call encoder.eval()")
    return _optimise(
        images,
        w_plus,
        images.new_zeros(len(images), len(encoder.search_directions)),
        encoder.move,
        generator,
        encoder if domain_weight else None,
        feature_maps,
        num_steps,
        learning_rate,
        (pixel_weight, perceptual_weight, domain_weight),
        min_progress,
        batch_size,
        bf16,
        on_progress,
    )


def image2stylegan(
    images: Tensor,
    generator: Generator,
    feature_maps: FeatureMaps,
    num_steps: int,
    learning_rate: float,
    pixel_weight: float,
    perceptual_weight: float,
    min_progress: float,
    batch_size: int,
    bf16: bool,
    on_progress: Callable[[int, int, str], None],
) -> Tensor:
    """Optimise the entries of codes from the mean code on pixels and features alone.

    The arguments are those of `refine`; `learning_rate` is in units of w.

    Returns:
        Codes, [N, num_ws, w_dim].

    Raises:
        TrainingError: If a loss is NaN or infinite.

    Source: Abdal et al. 2019 (Image2StyleGAN), algorithm 1.
    """
    start = generator.broadcast(generator.w_avg.expand(len(images), -1))
    return _optimise(
        images,
        start,
        torch.zeros_like(start),
        lambda moves: moves,
        generator,
        None,
        feature_maps,
        num_steps,
        learning_rate,
        (pixel_weight, perceptual_weight, 0.0),
        min_progress,
        batch_size,
        bf16,
        on_progress,
    )


def _optimise(
    images: Tensor,
    w_plus: Tensor,
    moves: Tensor,
    move: Callable[[Tensor], Tensor],
    generator: Generator,
    encoder: Encoder | None,
    feature_maps: FeatureMaps,
    num_steps: int,
    learning_rate: float,
    weights: tuple[float, float, float],
    min_progress: float,
    batch_size: int,
    bf16: bool,
    on_progress: Callable[[int, int, str], None],
) -> Tensor:
    """Optimise codes w_plus + move(moves) over moves, [N, ...], batch by batch."""
    total = num_steps * len(images)
    autocast = torch.autocast(images.device.type, torch.bfloat16, enabled=bf16)
    frozen = move, generator, encoder, feature_maps, weights, autocast
    results = []
    for start in range(0, len(images), batch_size):
        target, codes, own = (x[start : start + batch_size] for x in (images, w_plus, moves))
        with torch.no_grad(), autocast:
            target_maps = feature_maps(target) if weights[1] else []
        loss_for = partial(_loss_for, (target, target_maps, codes), frozen)

        def tell(done: int, _: int, note: str, turn: int = start, count: int = len(own)) -> None:
            on_progress(turn * num_steps + done * count, total, note)

        (found,) = minimise([own], loss_for, num_steps, learning_rate, min_progress, tell)
        results.append(codes + move(found))
    return torch.cat(results)


def _loss_for(
    given: tuple[Tensor, list[Tensor], Tensor], frozen: tuple[Any, ...], rows: Tensor
) -> LossOf:
    """Return the loss of some images of a batch: `given` are its targets, their maps, its codes."""
    target, maps, codes = given
    return partial(_loss, target[rows], [m[rows] for m in maps], codes[rows], *frozen)


def _loss(
    target: Tensor,
    target_maps: list[Tensor],
    start: Tensor,
    move: Callable[[Tensor], Tensor],
    generator: Generator,
    encoder: Encoder | None,
    feature_maps: FeatureMaps,
    weights: tuple[float, float, float],
    autocast: torch.autocast,
    values: Sequence[Tensor],
) -> Tensor:
    """Return the loss of each image, [N], for codes start + move(values[0])."""
    codes = start + move(values[0])
    pixel_weight, perceptual_weight, domain_weight = weights
    with autocast:
        result = generator.synthesis(codes).float()
        maps = feature_maps(result) if perceptual_weight else []
        answer = encoder(result).float() if encoder else codes
    loss = pixel_weight * pixel_distance(result, target)
    if perceptual_weight:
        loss = loss + perceptual_weight * perceptual_distance(maps, target_maps)
    if encoder:
        loss = loss + domain_weight * code_distance(codes, answer, encoder.w_scale)
    return loss
