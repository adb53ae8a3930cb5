"""Pictures with known attributes that a small network learns in a second."""

import numpy as np

from nfe.tagging.groups import Group

GROUPS = [
    Group("color", ("red", "green", "blue"), ("red", "green", "blue")),
    Group("bar", ("yes", "no"), ("bar", "")),
]


def make_pictures(count: int, seed: int, resolution: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Draw grounds of three colours, half of them with a white bar; return pixels and labels."""
    rng = np.random.default_rng(seed)
    labels = np.stack([rng.integers(0, 3, count), rng.integers(0, 2, count)], axis=1)
    pixels = rng.integers(0, 90, (count, resolution, resolution, 3))
    pixels[np.arange(count), :, :, labels[:, 0]] += 130
    pixels[labels[:, 1] == 0, resolution // 2 - 2 : resolution // 2 + 2] = 255
    return pixels.astype(np.uint8), labels
