"""Directions as a file, and as pictures of what each does to some faces."""

from collections.abc import Sequence

import numpy as np

from nfe.directions import Directions, Method, move_codes
from nfe.exploring import render_pixels, w_from_seeds
from nfe.gan.networks import Generator
from nfe.picture_tables import picture_table, shown_side

__all__ = ["direction_arrays", "direction_table"]

STEPS = np.arange(-3, 4)  # standard deviations of w along the direction
TRUNCATION_PSI = 0.7  # of the faces that are moved


def direction_arrays(found: Directions, method: Method, layers: range) -> dict[str, np.ndarray]:
    """Name the arrays of directions.npz: directions, scales, mean, method, layers."""
    return {
        "directions": found.vectors,
        "scales": found.scales,
        "mean": found.mean,
        "method": np.array(method),
        "layers": np.array(layers),
    }


def direction_table(
    generator: Generator, found: Directions, layers: range, seeds: Sequence[int], device: str
) -> np.ndarray:
    """Show each direction on some faces, from -3 to 3 standard deviations, one block under another.

    Args:
        generator: A finished generator.
        found: N directions.
        layers: The layers that move.
        seeds: The faces.
        device: Where the generator is.

    Returns:
        uint8, [height, width, 3].
    """
    w = w_from_seeds(generator, seeds, TRUNCATION_PSI, device)
    columns = [f"{step:+d}" if step else "0" for step in STEPS]
    blocks = []
    for index, (vector, scale) in enumerate(zip(found.vectors, found.scales, strict=True)):
        codes = move_codes(w, vector, scale * STEPS, layers, generator.num_ws)
        pixels = [render_pixels(generator, row, device) for row in codes]
        names = [f"direction {index}\nseed {seed}" for seed in seeds]
        side = shown_side(generator.resolution)
        blocks.append(picture_table(np.stack(pixels), names, columns, side))
    width = max(block.shape[1] for block in blocks)
    return np.concatenate([_widen(block, width) for block in blocks])


def _widen(block: np.ndarray, width: int) -> np.ndarray:
    """Add white on the left: the names of the rows differ in length."""
    return np.pad(block, ((0, 0), (width - block.shape[1], 0), (0, 0)), constant_values=255)
