from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from nfe.faces.detection import Detector
from nfe.faces.detector_network import DetectorNetwork, decode, export_detector


def test_the_network_is_small_and_answers_per_cell() -> None:
    network = DetectorNetwork().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 300_000
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, 8, 16, 24)


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


@pytest.mark.slow
def test_the_exported_file_answers_as_the_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = DetectorNetwork()
    network(torch.randn(8, 3, 64, 64))  # moves the statistics of the batch norms
    path = tmp_path / "detector.onnx"
    export_detector(network.eval(), path, max_side=96, min_score=0.25, max_overlap=0.5)
    assert path.stat().st_size < 2_000_000
    detector = Detector.load(path)
    assert (detector.max_side, detector.multiple) == (96, 32)
    assert (detector.min_score, detector.max_overlap) == (0.25, 0.5)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in ((32, 32), (64, 96), (160, 128)):
        images = torch.randn(1, 3, *size)
        with torch.no_grad():
            expected = decode(network(images))
        for ours, theirs in zip(
            expected, session.run(None, {"images": images.numpy()}), strict=True
        ):
            assert np.allclose(ours.numpy(), theirs, atol=1e-3, rtol=1e-4)
