from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from nfe.errors import ModelFileError
from nfe.faces.detection import Detector
from nfe.faces.detector_export import export_detector, load_exported
from nfe.faces.detector_network import DetectorNetwork, decode


def test_the_exported_file_answers_as_the_network_and_can_be_read_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = DetectorNetwork()
    torch.nn.init.normal_(network.head[-1].weight)  # peaks that rounding cannot move
    network(torch.randn(16, 3, 128, 64))  # moves the statistics of the batch norms
    path = tmp_path / "detector.onnx"
    export_detector(network.eval(), path, max_side=96, min_score=0.25, max_overlap=0.5)
    assert path.stat().st_size < 2_000_000
    detector = Detector.load(path)
    assert (detector.max_side, detector.multiple) == (96, 64)
    assert (detector.min_score, detector.max_overlap) == (0.25, 0.5)
    again = load_exported(path, torch.randn(16, 3, 128, 64)).eval()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in ((64, 64), (64, 128), (192, 128)):
        images = torch.randn(1, 3, *size)
        answers = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            scores, boxes, eyes = decode(network(images))
            read_back = decode(again(images))
        # The file holds the weights in half precision.
        assert np.allclose(scores.numpy(), answers[0], atol=0.01)
        assert np.allclose(boxes.numpy(), answers[1], atol=0.3)
        assert np.allclose(eyes.numpy(), answers[2], atol=0.3)
        for ours, theirs in zip(read_back, answers, strict=True):
            assert np.allclose(ours.numpy(), theirs, atol=1e-3, rtol=1e-4)


def test_what_is_no_exported_network_is_an_error(tmp_path: Path) -> None:
    images = torch.zeros(1, 3, 64, 64)
    with pytest.raises(ModelFileError, match="must be a detector that this program exported"):
        load_exported(tmp_path / "none.onnx", images)
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="must be a detector that this program exported"):
        load_exported(tmp_path / "bad.onnx", images)
