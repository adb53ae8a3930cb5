"""Optimisation of codes, batched; each image ends where it would end alone."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from nfe.gan.networks import Generator
from nfe.inversion.descent import minimise
from nfe.inversion.encoders import Encoder
from nfe.inversion.losses import FeatureMaps, code_distance, perceptual_distance, pixel_distance

__all__ = ["image2stylegan", "refine"]


def refine(
    images: Tensor,
    w_plus: Tensor,
    generator: Generator,
    encoder: Encoder | None,
    feature_maps: FeatureMaps,
    num_steps: int,
    learning_rate: float,
    pixel_weight: float,
    perceptual_weight: float,
    domain_weight: float,
    batch_size: int,
    bf16: bool,
    on_progress: Callable[[int, int, str], None],
) -> Tensor:
    """Minimise, from given codes, for each image x by itself,

    pixel |G(w) - x|^2 + perceptual |F(G(w)) - F(x)|^2 + domain |w - E(G(w))|^2

    with Adam, whose learning rate falls to 0 along half a cosine. A term of weight 0 is left out.

    Args:
        images: The targets, [N, 3, H, W], in [-1, 1].
        w_plus: Codes to start from, usually E(images), [N, num_ws, w_dim].
        generator: Frozen generator.
        encoder: Frozen encoder in evaluation mode; None where `domain_weight` is 0.
        feature_maps: Frozen features for the perceptual term.
        num_steps: Steps of Adam.
        learning_rate: At the first step, in units of w.
        pixel_weight: Of the mean squared difference of pixels.
        perceptual_weight: Of the distance of feature maps.
        domain_weight: Of the squared distance of codes, in deviations of w; it keeps the codes
            where the encoder, and so the domain of real images, has them.
        batch_size: Images optimised together; it changes a result by rounding errors only.
        bf16: Whether the networks run in bfloat16 autocast, whose rounding is 2^16 times as coarse.
        on_progress: Called with images times steps done, in all, and a note.

    Returns:
        Refined codes, [N, num_ws, w_dim].

    Raises:
        TrainingError: If a loss is NaN or infinite.
        ValueError: If the encoder is missing or in training mode, where images of a batch mix.

    Source: Zhu et al. 2020 (IDInvert), section 3.2. We add the decay, which ends lower in few
        steps.
    """
    if domain_weight and (encoder is None or encoder.training):
        raise ValueError("encoder must be given and in evaluation mode; call encoder.eval()")
    total = num_steps * len(images)
    results = []
    for start in range(0, len(images), batch_size):
        target = images[start : start + batch_size]
        autocast = torch.autocast(target.device.type, torch.bfloat16, enabled=bf16)
        with torch.no_grad(), autocast:
            target_maps = feature_maps(target) if perceptual_weight else []
        loss_of = partial(
            _loss,
            target,
            target_maps,
            generator,
            encoder if domain_weight else None,
            feature_maps,
            (pixel_weight, perceptual_weight, domain_weight),
            autocast,
        )
        before, count = start * num_steps, len(target)

        def tell(done: int, _: int, note: str, before: int = before, count: int = count) -> None:
            on_progress(before + done * count, total, note)

        codes = w_plus[start : start + batch_size]
        results += minimise([codes], loss_of, num_steps, learning_rate, tell)
    return torch.cat(results)


def _loss(
    target: Tensor,
    target_maps: list[Tensor],
    generator: Generator,
    encoder: Encoder | None,
    feature_maps: FeatureMaps,
    weights: tuple[float, float, float],
    autocast: torch.autocast,
    values: Sequence[Tensor],
) -> Tensor:
    """Return the loss of each image, [N], for codes [N, num_ws, w_dim]."""
    (codes,) = values
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


def image2stylegan(
    images: Tensor,
    generator: Generator,
    feature_maps: FeatureMaps,
    num_steps: int,
    learning_rate: float,
    pixel_weight: float,
    perceptual_weight: float,
    batch_size: int,
    bf16: bool,
    on_progress: Callable[[int, int, str], None],
) -> Tensor:
    """Optimise codes from the mean code on pixels and features alone: `refine` without a domain.

    Returns:
        Codes, [N, num_ws, w_dim].

    Source: Abdal et al. 2019 (Image2StyleGAN), algorithm 1.
    """
    start = generator.broadcast(generator.w_avg.expand(len(images), -1))
    return refine(
        images,
        start,
        generator,
        None,
        feature_maps,
        num_steps,
        learning_rate,
        pixel_weight,
        perceptual_weight,
        0.0,
        batch_size,
        bf16,
        on_progress,
    )
