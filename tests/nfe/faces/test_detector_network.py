import numpy as np
import pytest
import torch

from nfe.faces.detector_network import DetectorNetwork, decode


def test_the_network_is_small_and_answers_per_cell() -> None:
    network = DetectorNetwork().eval()
    num_bytes = 2 * sum(parameter.numel() for parameter in network.parameters())
    assert num_bytes <= 1_950_000  # of half precision: the file is to stay below 2 MB
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 128)).shape == (2, 8, 16, 32)


def test_decode_reads_one_planted_face() -> None:
    grid = torch.zeros(1, 8, 8, 16)
    grid[:, 0] = -9
    grid[0, :, 3, 5] = torch.tensor([4.0, np.log(2), 0.25, -0.5, -0.2, -0.1, 0.3, 0.0])
    grid[0, 0, 3, 6] = 3.0  # beside the peak
    scores, boxes, eyes = decode(grid)
    best = int(scores.argmax())
    assert best == 3 * 16 + 5
    assert float(scores[0, best]) == pytest.approx(1 / (1 + np.exp(-4)))
    assert float(scores[0, best + 1]) == 0
    x, y, side = (5.5 + 0.25) * 4, (3.5 - 0.5) * 4, 64
    assert boxes[0, best].tolist() == pytest.approx([x - 32, y - 32, x + 32, y + 32])
    assert eyes[0, best].tolist() == pytest.approx(
        [22 - 0.2 * side, 14 - 0.1 * side, 22 + 0.3 * side, 14]
    )
