"""An ONNX file that gives scores of tags, features, or both."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from nfe.errors import ModelFileError
from nfe.tagging.inputs import InputFormat

__all__ = ["OnnxNetwork"]

BATCH = 100


@dataclass(frozen=True)
class OnnxNetwork:
    """An ONNX network, and which of its outputs are tag scores and features."""

    session: onnxruntime.InferenceSession
    batch: int
    scores: str | None
    features: str | None

    @classmethod
    def load(
        cls, path: Path, input_format: InputFormat, num_tags: int | None, num_threads: int
    ) -> "OnnxNetwork":
        session = _open_session(path, num_threads)
        size = session.get_inputs()[0].shape[0]
        batch = size if isinstance(size, int) and size > 0 else BATCH
        side = input_format.resolution
        blank = np.zeros((batch if batch != BATCH else 1, 3, side, side), dtype=np.float32)
        try:
            values = session.run(None, {session.get_inputs()[0].name: blank})
        except Exception as error:
            raise ModelFileError(
                f"{path} must take [N, 3, {side}, {side}], got: {_one_line(error)}"
            ) from error
        sizes = {
            output.name: value.size // len(blank)
            for output, value in zip(session.get_outputs(), values, strict=True)
        }
        scores = next((n for n, s in sizes.items() if s == num_tags), None)
        others = [n for n in sizes if n != scores]
        features = "encode1" if "encode1" in others else next(iter(others), None)
        if num_tags is not None and scores is None:
            raise ModelFileError(
                f"{path} must have an output of {num_tags} probabilities, as its list of tags "
                f"has, got outputs of {', '.join(map(str, sizes.values()))}"
            )
        return cls(session, batch, scores, features)

    def run(self, images: np.ndarray, output: str) -> np.ndarray:
        """Return an output of N images as [N, -1]; short batches are filled where need be."""
        count = len(images)
        if isinstance(self.session.get_inputs()[0].shape[0], int) and count < self.batch:
            images = np.concatenate(
                [images, np.zeros_like(images[:1]).repeat(self.batch - count, 0)]
            )
        name = self.scores if output == "scores" else self.features
        values = self.session.run([name], {self.session.get_inputs()[0].name: images})[0]
        result: np.ndarray = np.asarray(values, dtype=np.float32).reshape(len(images), -1)[:count]
        return result


def _open_session(path: Path, num_threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise ModelFileError(
            f"{path} must be a readable ONNX file, got: {_one_line(error)}; restore it"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
