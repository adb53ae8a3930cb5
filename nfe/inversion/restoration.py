"""Pictures of which only something can be seen, restored by what the generator knows of faces.

What can be seen of images is a function, their observation: grey, small, or with a part hidden.
The codes are optimised until the observation of their picture is the one that was given.

Source: Gu et al. 2020 (mGANprior); Zhu et al. 2020 (IDInvert) for semantic diffusion,
`diffuse`. We differ in two ways: a weak term keeps codes near the mean code, where the generator
draws faces, and luminance and known pixels are kept exactly, in whole levels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.gan.networks import Generator
from nfe.inversion.descent import LossOf, minimise
from nfe.inversion.losses import FeatureMaps, perceptual_distance, pixel_distance
from nfe.inversion.multicode import (
    MultiCodes,
    optimise_multicodes,
    start_multicodes,
    synthesise_multicodes,
)

__all__ = [
    "Observe",
    "RestorationSettings",
    "code_prior",
    "diffuse",
    "keep_known",
    "keep_luminance",
    "luminance",
    "observe_grey",
    "observe_known",
    "observe_small",
    "observed_distance",
    "restore",
]

Observe = Callable[[Tensor], Tensor]
"""images [N, 3, H, W] -> what can be seen of them, [N, 3, h, w]."""

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601


@dataclass(frozen=True)
class RestorationSettings:
    """How to search for codes.

    Attributes:
        num_codes: Codes per picture.
        layer: Layers that see all of them, from 2 to num_ws - 1.
        spread: How far apart the codes start, as a share of the way to a sampled code.
        num_steps: Steps of Adam.
        learning_rate: At the first step, in units of w.
        pixel_weight: Of the mean squared difference of what is seen.
        perceptual_weight: Of the distance of its feature maps.
        prior_weight: Of the squared distance from the mean code, in deviations of w.
        seed: Of the codes' places at the start.
    """

    num_codes: int
    layer: int
    spread: float
    num_steps: int
    learning_rate: float
    pixel_weight: float
    perceptual_weight: float
    prior_weight: float
    seed: int


def observe_grey(images: Tensor) -> Tensor:
    """Return the luminance as all three channels, [N, 3, H, W]."""
    weights = images.new_tensor(LUMINANCE)[:, None, None]
    return (images * weights).sum(dim=1, keepdim=True).expand(-1, 3, -1, -1)


def observe_small(images: Tensor, factor: int) -> Tensor:
    """Average squares of factor x factor pixels, [N, 3, H / factor, W / factor]."""
    return F.avg_pool2d(images, factor)


def observe_known(images: Tensor, known: Tensor) -> Tensor:
    """Set to middle grey what is not known; `known` is 1 or 0, [1 or N, 1, H, W]."""
    return images * known


def observed_distance(
    seen: Tensor,
    observe: Observe,
    feature_maps: FeatureMaps,
    pixel_weight: float,
    perceptual_weight: float,
) -> Callable[[Tensor], Tensor]:
    """Return the loss of images: pixel |O(x) - seen|^2 + perceptual |F(O(x)) - F(seen)|^2.

    A term of weight 0 is left out.

    Args:
        seen: What was given, [N, 3, h, w].
        observe: O.
        feature_maps: F.
        pixel_weight, perceptual_weight: Of the terms.

    Returns:
        Images [N, 3, H, W] -> [N].
    """
    with torch.no_grad():
        seen_maps = feature_maps(seen) if perceptual_weight else []

    def loss(images: Tensor) -> Tensor:
        result = observe(images)
        distance = pixel_weight * pixel_distance(result, seen)
        if perceptual_weight:
            maps = feature_maps(result)
            distance = distance + perceptual_weight * perceptual_distance(maps, seen_maps)
        return distance

    return loss


def code_prior(codes: MultiCodes, w_avg: Tensor, w_scale: Tensor) -> Tensor:
    """Mean squared distance of all codes from the mean code, in deviations of w, [N]."""
    first = ((codes.first - w_avg) / w_scale).square().mean(dim=(1, 2, 3))
    rest = ((codes.rest - w_avg) / w_scale).square().mean(dim=(1, 2))
    return first + rest


def restore(
    seen: Tensor,
    observe: Observe,
    w_plus: Tensor,
    generator: Generator,
    w_scale: Tensor,
    feature_maps: FeatureMaps,
    settings: RestorationSettings,
    on_progress: Callable[[int, int, str], None],
) -> Tensor:
    """Find faces whose observation is what was given.

    Args:
        seen: What was given, [N, 3, h, w].
        observe: How it comes from whole images, whichever of them.
        w_plus: Codes to start from, [N, num_ws, w_dim].
        generator: Frozen generator with StyleGAN2's synthesis.
        w_scale: Deviation of w per dimension, [w_dim].
        feature_maps: Frozen features for the perceptual term.
        settings: How to search.
        on_progress: Called with steps done, in all, and a note.

    Returns:
        Images, [N, 3, resolution, resolution]. The batch changes them by rounding errors only.

    Raises:
        ModelFileError: If the generator has another synthesis.
        TrainingError: If a loss is NaN or infinite.
        ValueError: If num_codes or layer is out of range.
    """
    weights = settings.pixel_weight, settings.perceptual_weight

    def loss_for(rows: Tensor) -> Callable[[Tensor, MultiCodes], Tensor]:
        distance = observed_distance(seen[rows], observe, feature_maps, *weights)

        def loss(images: Tensor, codes: MultiCodes) -> Tensor:
            prior = code_prior(codes, generator.w_avg, w_scale)
            return distance(images) + settings.prior_weight * prior

        return loss

    random = torch.Generator().manual_seed(settings.seed)
    places = settings.num_codes, settings.layer, settings.spread
    start = start_multicodes(w_plus, generator, *places, random)
    steps = settings.num_steps, settings.learning_rate, 0.0
    found = optimise_multicodes(start, generator, loss_for, *steps, on_progress)
    with torch.no_grad():
        return synthesise_multicodes(found, generator)


def diffuse(
    stitched: Tensor,
    patch: Tensor,
    w_plus: Tensor,
    generator: Generator,
    feature_maps: FeatureMaps,
    num_steps: int,
    learning_rate: float,
    pixel_weight: float,
    perceptual_weight: float,
    on_progress: Callable[[int, int, str], None],
) -> Tensor:
    """Make a patch part of the face around it: only the patch is compared.

    Args:
        stitched: Contexts with the patch pasted in, [N, 3, H, W].
        patch: 1 inside the patch, 0 around it, [1 or N, 1, H, W].
        w_plus: Codes to start from, E(stitched), [N, num_ws, w_dim].
        generator: Frozen generator.
        feature_maps: Frozen features for the perceptual term.
        num_steps, learning_rate: Of Adam.
        pixel_weight, perceptual_weight: Of the terms.
        on_progress: Called with steps done, in all, and a note.

    Returns:
        Codes, [N, num_ws, w_dim].

    Raises:
        TrainingError: If a loss is NaN or infinite.

    Source: Zhu et al. 2020 (IDInvert), semantic diffusion.
    """

    masks = patch.expand(len(stitched), -1, -1, -1)

    def loss_for(rows: Tensor) -> LossOf:
        observe = partial(observe_known, known=masks[rows])
        weights = pixel_weight, perceptual_weight
        distance = observed_distance(observe(stitched[rows]), observe, feature_maps, *weights)
        return lambda values: distance(generator.synthesis(values[0]))

    (found,) = minimise([w_plus], loss_for, num_steps, learning_rate, 0.0, on_progress)
    return found


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Return the luminance of uint8 pixels [..., 3] in whole levels, uint8, [...]."""
    return np.rint(pixels @ np.array(LUMINANCE)).astype(np.uint8)


def keep_luminance(pixels: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Give pixels a luminance and keep their colour, as far as the range of pixels allows.

    c' = Y + s * (c - Y(c)) has the luminance Y for every s; s is 1, or the largest with all
    channels in the range. Green weighs most and is rounded last, so that it makes up for red and
    blue: the luminance of the answer is within 0.3 levels of Y, and `luminance` gives Y exactly.

    Args:
        pixels: uint8, [H, W, 3].
        levels: Y, uint8, [H, W].

    Returns:
        uint8, [H, W, 3].
    """
    weights = np.array(LUMINANCE)
    wanted = levels.astype(np.float64)[..., None]  # [H, W, 1]
    colour = pixels - (pixels @ weights)[..., None]
    room = np.where(colour > 0, 255 - wanted, wanted)
    share = np.divide(room, np.abs(colour), out=np.ones_like(colour), where=colour != 0)
    result = wanted + colour * share.min(axis=2, keepdims=True).clip(max=1)
    result[..., (0, 2)] = np.rint(result[..., (0, 2)])
    others = result[..., (0, 2)] @ weights[[0, 2]]
    result[..., 1] = np.rint((wanted[..., 0] - others) / weights[1])
    return result.clip(0, 255).astype(np.uint8)


def keep_known(pixels: np.ndarray, given: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Take `pixels` where `unknown` ([H, W], bool) and `given` elsewhere, uint8, [H, W, 3]."""
    return np.where(unknown[..., None], pixels, given)
