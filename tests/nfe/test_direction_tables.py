"""Each direction has a block of faces; its middle column is the faces themselves."""

import numpy as np
import torch

from nfe.direction_tables import direction_arrays, direction_table
from nfe.directions import Directions
from nfe.exploring import render_pixels, w_from_seeds
from nfe.gan.networks import Generator
from nfe.images import resize_pixels

SIDE, STEP, HEADER = 96, 98, 21
FOUND = Directions(np.eye(8)[:2], np.array([0.5, 0.0]), np.zeros(8))


def test_blocks_show_the_faces_moved_by_deviations(generator: Generator) -> None:
    table = direction_table(generator, FOUND, range(6), [1, 2], "cpu")
    block = HEADER + 2 * STEP - 2
    assert table.shape[0] == 2 * block
    left = table.shape[1] - 7 * STEP + 2
    w = w_from_seeds(generator, [1, 2], 0.7, "cpu")
    for column, offset in ((0, -1.5), (3, 0.0), (6, 1.5)):
        moved = w + offset * torch.eye(8)[0]
        faces = render_pixels(generator, generator.broadcast(moved), "cpu")
        for row in range(2):
            cell = table[HEADER + row * STEP :, left + column * STEP :][:SIDE, :SIDE]
            difference = cell.astype(int) - resize_pixels(faces[row], SIDE)
            assert np.abs(difference).max() <= 1
    second = table[block + HEADER :, left:][:SIDE]
    assert (second[:, :SIDE] == second[:, 6 * STEP :]).all()


def test_arrays_say_how_they_were_found() -> None:
    arrays = direction_arrays(FOUND, "pca", range(2, 4))
    assert arrays["directions"].shape == (2, 8)
    assert arrays["method"].item() == "pca"
    assert arrays["layers"].tolist() == [2, 3]
    assert all(array.dtype != object for array in arrays.values())
