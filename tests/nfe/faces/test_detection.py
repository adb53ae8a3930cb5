from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nfe.errors import ModelFileError
from nfe.faces.detection import Detector, overlaps, suppress

PROPERTIES = {"max_side": "64", "multiple": "32", "min_score": "0.5", "max_overlap": "0.3"}
BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 40, 40], [50, 50, 60, 60]], np.float32)
SCORES = np.array([0.6, 0.9, 0.7, 0.4], np.float32)


def write_detector(
    path: Path,
    properties: dict[str, str] = PROPERTIES,
    outputs: tuple[str, ...] = ("scores", "boxes"),
) -> Path:
    """Write a detector that finds the same faces everywhere."""
    values = {"scores": SCORES[None], "boxes": BOXES[None], "eyes": BOXES[None] + 2}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values[name]))
        for name in outputs
    ]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "H", "W"])
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, values[name].shape)
        for name in outputs
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "fixed", [image], results),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    helper.set_model_props(model, properties)
    onnx.save(model, path)
    return path


def test_overlaps_of_known_squares() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [1, 1, 3, 3], [5, 5, 6, 6], [2, 0, 4, 2]])
    assert overlaps(np.array([0, 0, 2, 2]), boxes) == pytest.approx([1, 1 / 3, 1 / 7, 0, 0])


def test_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    assert suppress(BOXES, SCORES, 0.3) == [1, 2, 3]
    assert suppress(BOXES, SCORES, 0.9) == [1, 2, 0, 3]
    assert suppress(np.zeros((0, 4)), np.zeros(0), 0.3) == []


def test_faces_come_best_first_and_weak_ones_are_left_out(tmp_path: Path) -> None:
    detector = Detector.load(write_detector(tmp_path / "d.onnx"))
    faces = detector.detect(np.zeros((50, 60, 3), dtype=np.uint8))
    assert [face.box for face in faces] == [(1, 0, 11, 10), (20, 20, 40, 40)]
    assert [face.score for face in faces] == pytest.approx([0.9, 0.7])
    assert faces[0].eyes is None


def test_boxes_and_eyes_are_in_pixels_of_the_picture(tmp_path: Path) -> None:
    path = write_detector(tmp_path / "d.onnx", outputs=("boxes", "eyes", "scores"))
    faces = Detector.load(path).detect(np.zeros((256, 128, 3), dtype=np.uint8))  # shrunk to 64
    assert faces[1].box == pytest.approx((80, 80, 160, 160))
    assert faces[1].eyes == ((88, 88), (168, 168))


def test_a_missing_or_damaged_detector_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="readable ONNX detector"):
        Detector.load(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match="readable ONNX detector") as caught:
        Detector.load(tmp_path / "bad.onnx")
    assert "\n" not in str(caught.value)


def test_a_model_of_another_form_is_an_error(tmp_path: Path) -> None:
    path = write_detector(tmp_path / "d.onnx", {"max_side": "64"}, ("scores",))
    with pytest.raises(ModelFileError, match="lacks boxes, multiple, min_score, max_overlap"):
        Detector.load(path)
