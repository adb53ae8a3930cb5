"""Find faces in a picture with an ONNX detector."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nfe.errors import ModelFileError

__all__ = ["METADATA_KEYS", "Box", "Detector", "Face", "covered", "overlaps", "suppress"]

Box = tuple[float, float, float, float]
Point = tuple[float, float]

METADATA_KEYS = ("max_side", "multiple", "min_score", "max_overlap")


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes:
        box: x0, y0, x1, y1 in pixels; it frames the head with its hair.
        score: Probability that this is a face, in [0, 1].
        eyes: Two points (x, y) in pixels, or None when the detector tells none.
    """

    box: Box
    score: float
    eyes: tuple[Point, Point] | None = None


class Detector:
    """Any face detector that is one ONNX file of this form.

    Input `images`: float32, [1, 3, H, W], in [-1, 1]. Outputs for K candidates: `scores`,
    [1, K], in [0, 1]; `boxes`, [1, K, 4], x0, y0, x1, y1 in pixels of the input; and, if it
    tells them, `eyes`, [1, K, 4], x, y of one and of the other. The file's metadata properties
    say how to use it: `max_side` (larger pictures are shrunk to it), `multiple` (H and W are
    padded to it), `min_score`, `max_overlap` (of two boxes that share more, the worse goes).
    """

    def __init__(self, session: Any, properties: Mapping[str, float]) -> None:
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]
        self.max_side = int(properties["max_side"])
        self.multiple = int(properties["multiple"])
        self.min_score = float(properties["min_score"])
        self.max_overlap = float(properties["max_overlap"])

    @classmethod
    def load(cls, path: Path) -> "Detector":
        """Load a detector; it runs on one thread, so that callers can run several at once.

        Raises:
            ModelFileError: If the file is missing, damaged or not of the described form.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                Path(path).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise ModelFileError(
                f"{path} must be a readable ONNX detector, got: {reason}; restore the file"
            ) from error
        properties = session.get_modelmeta().custom_metadata_map
        names = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
        missing = [n for n in ("images", "scores", "boxes") if n not in names]
        missing += [key for key in METADATA_KEYS if key not in properties]
        if missing:
            raise ModelFileError(
                f"{path} must have the inputs, outputs and metadata of a detector, it lacks "
                f"{', '.join(missing)}; see models/detector/model.json"
            )
        return cls(session, {key: float(properties[key]) for key in METADATA_KEYS})

    def detect(self, pixels: np.ndarray) -> list[Face]:
        """Find the faces of one picture, best first.

        Args:
            pixels: uint8, [H, W, 3].

        Returns:
            Faces with a score of `min_score` or more, overlapping ones suppressed.
        """
        images, scale = self._prepare(pixels)
        outputs = self._session.run(None, {"images": images})
        found = {name: output[0] for name, output in zip(self._outputs, outputs, strict=True)}
        sure = np.flatnonzero(found["scores"] >= self.min_score)
        scores, boxes = found["scores"][sure], found["boxes"][sure] / scale
        eyes = found["eyes"][sure] / scale if "eyes" in found else None
        faces = []
        for index in suppress(boxes, scores, self.max_overlap):
            x0, y0, x1, y1 = map(float, boxes[index])
            points = None
            if eyes is not None:
                a, b, c, d = map(float, eyes[index])
                points = ((a, b), (c, d))
            faces.append(Face((x0, y0, x1, y1), float(scores[index]), points))
        return faces

    def _prepare(self, pixels: np.ndarray) -> tuple[np.ndarray, float]:
        """Shrink a picture to the working size and pad it at the right and below with grey."""
        height, width = pixels.shape[:2]
        scale = min(1.0, self.max_side / max(height, width))
        if scale < 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            picture = Image.fromarray(pixels)
            pixels = np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
        height, width = pixels.shape[:2]
        padded = [math.ceil(n / self.multiple) * self.multiple for n in (height, width)]
        images = np.zeros((1, 3, *padded), dtype=np.float32)
        images[0, :, :height, :width] = pixels.transpose(2, 0, 1) / np.float32(127.5) - 1
        return images, scale


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the intersection over union of one box, [4], with others, [N, 4]: [N].

    Examples:
        >>> import numpy as np
        >>> overlaps(np.array([0, 0, 2, 2]), np.array([[0, 0, 2, 2], [1, 0, 3, 2]])).round(3)
        array([1.   , 0.333])
    """
    shared, area, areas = _areas(box, boxes)
    return shared / np.maximum(area + areas - shared, 1e-12)


def covered(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return what one box, [4], shares with others, [N, 4], as a share of the smaller one: [N].

    Examples:
        >>> import numpy as np
        >>> covered(np.array([0, 0, 4, 4]), np.array([[1, 1, 2, 2], [2, 0, 6, 4]]))
        array([1. , 0.5])
    """
    shared, area, areas = _areas(box, boxes)
    return shared / np.maximum(np.minimum(area, areas), 1e-12)


def suppress(boxes: np.ndarray, scores: np.ndarray, max_overlap: float) -> list[int]:
    """Non-maximum suppression: of boxes that overlap too much only the best stays.

    Args:
        boxes: [N, 4], x0, y0, x1, y1.
        scores: [N].
        max_overlap: Largest intersection over union that two kept boxes may have.

    Returns:
        Indices of the kept boxes, best first.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[overlaps(boxes[best], boxes[rest]) <= max_overlap]
    return kept


def _areas(box: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Return the areas that a box shares with others, [N], its own, and theirs, [N]."""
    corner0, corner1 = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(corner1 - corner0, 0, None).prod(axis=1)
    return shared, (box[2:] - box[:2]).prod(), (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
