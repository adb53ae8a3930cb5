"""A quick look at a generator while it trains."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from nfe.gan.networks import Generator
from nfe.gan.watching import Evaluation
from nfe.metrics.distributions import frechet_distance
from nfe.sampling import z_from_seeds

__all__ = ["evaluate_generator"]


def evaluate_generator(
    generator: Generator,
    side: int,
    seeds: Sequence[int],
    extract: Callable[[torch.Tensor], torch.Tensor],
    real_features: np.ndarray,
    batch_size: int,
) -> Evaluation:
    """Compare the images of fixed seeds with the data.

    Args:
        generator: The generator, whose images are made without truncation.
        side: Side of the images in pixels.
        seeds: Seeds of the images.
        extract: Maps images [N, 3, side, side] to features [N, F].
        real_features: Features of the data, [M, F].
        batch_size: Images made at a time.

    Returns:
        Distance and diversity.
    """
    device = generator.w_avg.device
    features = []
    with torch.no_grad():
        for start in range(0, len(seeds), batch_size):
            z = z_from_seeds(seeds[start : start + batch_size], generator.z_dim).to(device)
            w_plus = generator.broadcast(generator.mapping(z))
            images = generator.synthesis(w_plus, side).float().clamp(-1, 1)
            features.append(extract(images).cpu().numpy())
    fake_features = np.concatenate(features)
    if not np.isfinite(fake_features).all():
        return Evaluation(frechet=float("inf"), diversity=0.0)
    diversity = fake_features.var(axis=0).sum() / real_features.var(axis=0).sum()
    return Evaluation(frechet_distance(real_features, fake_features), float(diversity))
