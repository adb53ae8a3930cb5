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
    """An ONNX network, and which of its outputs are scores of tags and features.

    Attributes:
        session: The network.
        sizes: Name of each output -> its values per image.
        fixed_batch: Images per call if the file allows no other number, else None.
        scores: Name of the output of probabilities, or None.
        features: Name of the output of features, or None.
    """

    session: onnxruntime.InferenceSession
    sizes: dict[str, int]
    fixed_batch: int | None
    scores: str | None
    features: str | None

    @classmethod
    def load(
        cls, path: Path, input_format: InputFormat, num_tags: int | None, num_threads: int
    ) -> "OnnxNetwork":
        """Open a network and find its outputs by running it once.

        Args:
            path: The ONNX file.
            input_format: What it is shown.
            num_tags: Number of tags it must score, or None for a network of features alone.
            num_threads: Threads to compute with; 0 for all cores.

        Raises:
            ModelFileError: If the file is damaged or takes or gives something else.
        """
        session = _open_session(path, num_threads)
        size = session.get_inputs()[0].shape[0]
        fixed_batch = size if isinstance(size, int) and size > 0 else None
        sizes = _output_sizes(session, path, (fixed_batch or 1, 3, *(input_format.resolution,) * 2))
        scores = next((name for name, size in sizes.items() if size == num_tags), None)
        others = [name for name in sizes if name != scores]
        features = "encode1" if "encode1" in others else next(iter(others), None)
        if num_tags is not None and scores is None:
            raise ModelFileError(
                f"{path} must have an output of {num_tags} probabilities, as its list of tags "
                f"has, got outputs of {', '.join(map(str, sizes.values()))}; use its own list"
            )
        return cls(session, sizes, fixed_batch, scores, features)

    @property
    def batch(self) -> int:
        """Number of images to give at once."""
        return self.fixed_batch or BATCH

    def run(self, images: np.ndarray, output: str) -> np.ndarray:
        """Return one output of N images, at most `batch`, as float32 [N, -1]."""
        count = len(images)
        if self.fixed_batch and count < self.fixed_batch:
            blank = np.zeros((self.fixed_batch - count, *images.shape[1:]), dtype=np.float32)
            images = np.concatenate([images, blank])
        values = self.session.run([output], {self.session.get_inputs()[0].name: images})[0]
        result: np.ndarray = np.asarray(values, dtype=np.float32).reshape(len(images), -1)[:count]
        return result


def _output_sizes(
    session: onnxruntime.InferenceSession, path: Path, shape: tuple[int, ...]
) -> dict[str, int]:
    blank = np.zeros(shape, dtype=np.float32)
    try:
        values = session.run(None, {session.get_inputs()[0].name: blank})
    except Exception as error:
        raise ModelFileError(
            f"{path} must take images of shape {list(shape)}, got: {_one_line(error)}; "
            "describe its input in tagger.json"
        ) from error
    names = [output.name for output in session.get_outputs()]
    return {name: value.size // len(blank) for name, value in zip(names, values, strict=True)}


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
