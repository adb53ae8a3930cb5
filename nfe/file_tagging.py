"""What a tagger sees in picture files: tags with their scores, or values of attributes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nfe.face_tables import faceless_row
from nfe.faces.cutting import Cut, CutFace, cut_files
from nfe.file_discovery import Found
from nfe.tagging.attributes import Attributes, label_attributes
from nfe.tagging.tagger import Tagger

__all__ = ["FileTagger", "Rule"]

Rule = Literal["constant", "f0.5", "f1", "f2"]


@dataclass(frozen=True)
class FileTagger:
    """Tags the faces of files, or whole pictures.

    Attributes:
        tagger: Whose answer it is.
        cut: `FaceCutter.cut`, or `take_whole` for all of each picture.
        attributes: The attribute table, to give values of attributes; None to give tags.
        threshold: Least score of a tag, for the rule "constant".
        rule: "constant", or the tag's own threshold by "f0.5", "f1" or "f2".
        max_pixels: Largest width times height of a picture.
        num_threads: Files that are read side by side.
    """

    tagger: Tagger
    cut: Callable[[np.ndarray, str], list[CutFace]]
    attributes: Attributes | None
    threshold: float
    rule: Rule
    max_pixels: int
    num_threads: int

    def tag(self, planned: Iterable[Found]) -> Iterator[dict[str, Any]]:
        """Yield a row per face, or per file without one, in the order of the files.

        A row has input, status, reason, box and, of a face, either tags: category -> tag ->
        score, most probable first, or attributes: attribute -> value, confidence.

        Raises:
            TagsError: If the tagger has no thresholds of its own for the rule.
        """
        for cut in cut_files(planned, self.cut, self.max_pixels, self.num_threads):
            if not cut.faces:
                row = faceless_row(cut)
                yield {key: row[key] for key in ("input", "status", "reason")}
            for face in cut.faces:
                yield self._row(cut, face)

    def _row(self, cut: Cut, face: CutFace) -> dict[str, Any]:
        row: dict[str, Any] = {"input": str(cut.found.path), "status": "done", "reason": ""}
        row["box"] = [round(value, 2) for value in face.transform.box]
        if self.attributes is None:
            return {**row, "tags": self._tags(face.pixels)}
        scores = self.tagger.tag_scores([face.pixels])
        labels = label_attributes(scores, self.tagger.tags, self.attributes, 0.0, 0.0)
        values = {
            attribute: {
                "value": label.names()[0],
                "confidence": round(float(label.confidence[0]), 4),
            }
            for attribute, label in labels.items()
        }
        return {**row, "attributes": values}

    def _tags(self, pixels: np.ndarray) -> dict[str, dict[str, float]]:
        (found,) = self.tagger.estimate_plausible_tags([pixels], self.threshold, self.rule)
        return {
            category: {tag: round(score, 4) for tag, score in tags}
            for category, tags in found.items()
            if tags
        }
