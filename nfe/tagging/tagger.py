"""A tagger over onnxruntime, with the calls and results of Illustration2Vec."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nfe.errors import ModelFileError, TagsError
from nfe.files import MANIFEST, check_manifest, read_json
from nfe.tagging.inputs import ILLUSTRATION2VEC, InputFormat, rgb_pixels
from nfe.tagging.onnx_network import OnnxNetwork

__all__ = ["CATEGORIES", "ILLUSTRATION2VEC_RANGES", "Tagger", "TagsByCategory"]

CATEGORIES = ("general", "character", "copyright", "rating")
ILLUSTRATION2VEC_RANGES = {
    "general": (0, 512),
    "character": (512, 1024),
    "copyright": (1024, 1536),
    "rating": (1536, 1539),
}
ILLUSTRATION2VEC_FEATURES = "illust2vec_ver200.onnx"
RULES = ("f0.5", "f1", "f2")
TagsByCategory = dict[str, list[tuple[str, float]]]
Pictures = Sequence[Any] | np.ndarray


@dataclass(frozen=True)
class Tagger:
    """A tagger: pictures in, probabilities of tags out.

    Pictures are Pillow pictures or arrays of levels 0 to 255 ([H, W], [H, W, 3], [H, W, 4]),
    of any size, as a list or as one array [N, H, W, 3].

    Attributes:
        tag_list: The tags as the model's list spells them.
        ranges: Category -> first tag and end, as indices into the tags.
        input_format: What the network is shown.
        thresholds: Best threshold of each tag per rule, [T, 3] for f0.5, f1, f2, or None.
    """

    tag_list: tuple[str, ...]
    ranges: Mapping[str, tuple[int, int]]
    input_format: InputFormat
    thresholds: np.ndarray | None
    _tags_network: OnnxNetwork = field(repr=False)
    _feature_network: OnnxNetwork | None = field(repr=False)

    @classmethod
    def load(cls, path: Path, tag_list_path: Path | None = None, num_threads: int = 0) -> "Tagger":
        """Load a tagger of ours, Illustration2Vec, or another with a described input.

        Args:
            path: A folder with an ONNX file and tag_list.json, or an ONNX file. `tagger.json`
                beside it describes input and ranges (`input`, `ranges`); without one, 1,539
                tags mean Illustration2Vec. Its features are those of illust2vec_ver200.onnx,
                if that stands beside it.
            tag_list_path: The list of tags; by default tag_list.json beside the ONNX file.
            num_threads: Threads to compute with; 0 for all cores.

        Raises:
            ModelFileError: If a file is missing or damaged, or they do not fit together.
        """
        model = _find_model(Path(path))
        folder = model.parent
        if (folder / MANIFEST).is_file():
            check_manifest(folder)
        tag_list = _read_tag_list(tag_list_path or folder / "tag_list.json")
        described = _read_if_there(folder / "tagger.json")
        input_format, ranges = _read_description(described, len(tag_list), folder)
        network = OnnxNetwork.load(model, input_format, len(tag_list), num_threads)
        other = folder / ILLUSTRATION2VEC_FEATURES
        features = network if network.features else None
        if features is None and other.is_file() and other != model:
            features = OnnxNetwork.load(other, input_format, None, num_threads)
        return cls(
            tag_list,
            ranges,
            input_format,
            _read_thresholds(described, tag_list, folder),
            network,
            features,
        )

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags with underscores for spaces, as the attribute table writes them."""
        return tuple(tag.replace(" ", "_") for tag in self.tag_list)

    def tag_scores(
        self, pictures: Pictures, on_progress: Callable[[int, int, str], None] | None = None
    ) -> np.ndarray:
        """Return the probability of every tag, float32, [N, T], in [0, 1]."""
        return self._run(self._tags_network, self._tags_network.scores, pictures, on_progress)

    def estimate_specific_tags(
        self, images: Pictures, tags: Sequence[str]
    ) -> list[dict[str, float]]:
        """Return for each picture the probabilities of the given tags.

        Raises:
            TagsError: If the tagger does not know a tag.
        """
        column = {tag: i for i, tag in enumerate(self.tags)}
        unknown = [tag for tag in tags if tag.replace(" ", "_") not in column]
        if unknown:
            raise TagsError(
                f"tags must be of the tagger's {len(column)}, got {', '.join(unknown)}; "
                "see its tag_list.json"
            )
        columns = [column[tag.replace(" ", "_")] for tag in tags]
        scores = self.tag_scores(images)[:, columns]
        return [dict(zip(tags, row, strict=True)) for row in scores.tolist()]

    def estimate_top_tags(self, images: Pictures, n_tag: int = 10) -> list[TagsByCategory]:
        """Return the `n_tag` most probable tags of each category, and every rating."""
        return [self._ranked(row, n_tag) for row in self.tag_scores(images)]

    def estimate_plausible_tags(
        self, images: Pictures, threshold: float = 0.25, threshold_rule: str = "constant"
    ) -> list[TagsByCategory]:
        """Return the tags above a threshold, most probable first, and every rating.

        Args:
            images: Pictures.
            threshold: For the rule "constant".
            threshold_rule: "constant", or the tag's own best threshold by "f0.5" (few false
                tags), "f1" or "f2" (few missed ones).

        Raises:
            TagsError: If the rule is unknown, or the tagger has no thresholds of its own.
        """
        limits = self._limits(threshold, threshold_rule)
        plausible = []
        for row in self.tag_scores(images):
            passed = {tag for tag, ok in zip(self.tag_list, row > limits, strict=True) if ok}
            ranked = self._ranked(row, len(row))
            plausible.append(
                {
                    category: [t for t in found if category == "rating" or t[0] in passed]
                    for category, found in ranked.items()
                }
            )
        return plausible

    def extract_feature(self, images: Pictures) -> np.ndarray:
        """Return the features of each picture, float32, [N, F].

        Raises:
            ModelFileError: If the model has no features.
        """
        network = self._feature_network
        if network is None or network.features is None:
            raise ModelFileError(
                "tagger must have a second output of features, it has none; for Illustration2Vec "
                f"put {ILLUSTRATION2VEC_FEATURES} beside it"
            )
        return self._run(network, network.features, images, None)

    def extract_binary_feature(self, images: Pictures) -> np.ndarray:
        """Return features as bits, 1 where sigmoid(feature) > 0.5, packed: uint8, [N, F / 8]."""
        return np.packbits(self.extract_feature(images) > 0, axis=1)

    def _ranked(self, row: np.ndarray, n_tag: int) -> TagsByCategory:
        result: TagsByCategory = {}
        for category in CATEGORIES:
            start, end = self.ranges[category]
            order = np.argsort(-row[start:end], kind="stable") + start
            order = order if category == "rating" else order[:n_tag]
            result[category] = [(self.tag_list[i], float(row[i])) for i in order]
        return result

    def _limits(self, threshold: float, rule: str) -> np.ndarray:
        if rule == "constant":
            return np.full(len(self.tag_list), threshold)
        if rule not in RULES:
            raise TagsError(f"threshold_rule must be constant, {', '.join(RULES)}, got {rule}")
        if self.thresholds is None:
            raise TagsError(
                f"threshold_rule must be constant for a tagger without thresholds, got {rule}"
            )
        limits: np.ndarray = self.thresholds[:, RULES.index(rule)]
        return limits

    def _run(
        self,
        network: OnnxNetwork,
        output: str | None,
        pictures: Pictures,
        on_progress: Callable[[int, int, str], None] | None,
    ) -> np.ndarray:
        assert output is not None
        parts = [np.zeros((0, network.sizes[output]), dtype=np.float32)]
        for start in range(0, len(pictures), network.batch):
            batch = pictures[start : start + network.batch]
            plain = isinstance(batch, np.ndarray) and batch.ndim == 4 and batch.shape[3] == 3
            pixels = batch if plain else [rgb_pixels(p) for p in batch]
            parts.append(network.run(self.input_format.prepare(pixels), output))
            if on_progress:
                on_progress(start + len(batch), len(pictures), "tagged")
        return np.concatenate(parts)


def _find_model(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(path.glob("*.onnx"))
    preferred = [path / "tagger.onnx", path / "illust2vec_tag_ver200.onnx"]
    for model in preferred:
        if model in files:
            return model
    if len(files) != 1:
        raise ModelFileError(
            f"{path} must hold tagger.onnx or illust2vec_tag_ver200.onnx and tag_list.json, "
            f"got {len(files)} ONNX files; name another folder"
        )
    return files[0]


def _read_if_there(path: Path) -> Any:
    return read_json(path) if path.is_file() else None


def _read_tag_list(path: Path) -> tuple[str, ...]:
    tags = read_json(path)
    if not isinstance(tags, list) or not tags or not all(isinstance(t, str) for t in tags):
        raise ModelFileError(f"{path} must be a list of tags, it is not; restore it")
    if len(set(tags)) < len(tags):
        raise ModelFileError(f"{path} must list every tag once, one is listed twice; restore it")
    return tuple(tags)


def _read_description(
    described: Any, num_tags: int, folder: Path
) -> tuple[InputFormat, dict[str, tuple[int, int]]]:
    if described is None:
        if num_tags != ILLUSTRATION2VEC_RANGES["rating"][1]:
            raise ModelFileError(
                f"{folder} must have a tagger.json that describes the input, or the 1,539 tags of "
                f"Illustration2Vec, got {num_tags} tags and no tagger.json; write one"
            )
        return ILLUSTRATION2VEC, dict(ILLUSTRATION2VEC_RANGES)
    if not isinstance(described, dict):
        raise ModelFileError(f"{folder / 'tagger.json'} must be an object, it is not; restore it")
    given = described.get("ranges", {"general": (0, num_tags)})
    try:
        ranges = {name: _range(given.get(name, (0, 0)), num_tags) for name in CATEGORIES}
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{folder / 'tagger.json'} must give ranges as category: [first, end] within its "
            f"{num_tags} tags, got {given!r}; correct it"
        ) from error
    return InputFormat.from_json(described.get("input")), ranges


def _range(value: Any, num_tags: int) -> tuple[int, int]:
    start, end = (int(number) for number in value)
    if not 0 <= start <= end <= num_tags:
        raise ValueError(value)
    return start, end


def _read_thresholds(described: Any, tag_list: Sequence[str], folder: Path) -> np.ndarray | None:
    if not described or "thresholds" not in described:
        return None
    try:
        rows = [described["thresholds"].get(tag, [0.5] * len(RULES)) for tag in tag_list]
        return np.array(rows, dtype=np.float64).reshape(len(tag_list), len(RULES))
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{folder / 'tagger.json'} must give thresholds as tag: [f0.5, f1, f2]; correct it"
        ) from error
