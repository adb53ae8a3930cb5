"""What is to be done to each picture, and how much of the machine a picture may take."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from nfe.editing import Strength

__all__ = ["EditSettings", "Limits"]


@dataclass(frozen=True)
class EditSettings:
    """What to do to each picture.

    Attributes:
        changes: Attribute -> value.
        keep: Attributes that must stay.
        strength: "auto" or a distance in W units.
        num_steps: Steps of refinement after the encoder; 0 for none.
        faces: "detect", "whole" (each picture is a face), or "auto": whole where a picture is a
            square of at most twice the model's side, else detect.
        largest: Of several faces in a picture only the largest.
        paste_back: Blend edited faces into the picture; False to write the edited face alone (of
            several the largest); None to replace pictures that are faces and blend into others.
        redraw: Put the faces there as the generator draws them; else lay over the picture only
            what the edit changes, so that the picture's own detail stays.
        all_frames: All frames of an animation or pages of a TIFF; else the first one.
        no_face: "copy" or "skip" a picture without a face.
        strip: Also write a row of steps from -3 to 3 of each face, beside the result.
        provenance: Write into each result where it comes from.
    """

    changes: Mapping[str, str]
    keep: Sequence[str]
    strength: Strength
    num_steps: int
    faces: Literal["auto", "detect", "whole"]
    largest: bool
    paste_back: bool | None
    redraw: bool
    all_frames: bool
    no_face: Literal["copy", "skip"]
    strip: bool
    provenance: bool

    @property
    def sha256(self) -> str:
        """Hash of the settings, for the record of each picture."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def parameters(self) -> dict[str, str | int | bool]:
        """Options of `nfe edit` that a provenance tells, beside what is set and kept."""
        told: dict[str, str | int | bool] = {"steps": self.num_steps, "faces": self.faces}
        if self.largest:
            told["largest"] = True
        if self.paste_back is not None:
            told["paste-back"] = self.paste_back
        if self.redraw:
            told["redraw"] = True
        if self.all_frames:
            told["frames"] = "all"
        return told


@dataclass(frozen=True)
class Limits:
    """What one file may take.

    Attributes:
        max_pixels: Largest width times height; of all frames together.
        max_bytes: Largest size of a file.
        seconds: Longest time to read, decode and search a file.
    """

    max_pixels: int
    max_bytes: int
    seconds: float
