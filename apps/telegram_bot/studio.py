"""What the bot does with faces: draws new ones, finds one in a picture, edits one."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from apps.options import DEFAULT_TRUNCATION
from apps.telegram_bot.keyboard import Choices, Menu, say_choices
from nfe.bundle import Bundle
from nfe.exploring import render_pixels, w_from_seeds
from nfe.face_editing import auto_editor, invert_faces
from nfe.faces.cutting import FaceCutter
from nfe.images import encode_png
from nfe.picture_files import read_picture
from nfe.picture_tables import numbered_strip
from nfe.shown import are_shown, shown_labels

__all__ = ["NoFace", "Strip", "Studio"]

COUNT = 7  # faces of a strip
SHARES = np.linspace(0, 1.2, COUNT)  # of an edit: from none, over 1, to more than was needed
SIDE = 180  # of a face in a strip, in pixels: seven of them fill the width that Telegram shows
SEEDS = 2**31


class NoFace(Exception):  # noqa: N818 - an answer, no error
    """No face was found in a picture."""


@dataclass(frozen=True)
class Strip:
    """Faces in a row.

    Attributes:
        codes: Of those that one can go on with, float32, [F, num_ws, w_dim].
        png: The row as a file.
        caption: What it shows.
    """

    codes: np.ndarray
    png: bytes
    caption: str


@dataclass(frozen=True)
class Studio:
    """Works on faces with one model; called from one thread.

    Attributes:
        bundle: The model.
        max_pixels: Largest width times height of a picture.
    """

    bundle: Bundle
    max_pixels: int

    @property
    def menu(self) -> Menu:
        """Attributes and values that the model can change."""
        return {
            name: list(values) for name, values in self.bundle.description["attributes"].items()
        }

    @property
    def shape(self) -> tuple[int, int]:
        """num_ws and w_dim of the model's codes."""
        return self.bundle.generator.num_ws, self.bundle.generator.w_dim

    def draw_faces(self, check: Callable[[], None]) -> Strip:
        """Draw faces that never were; `check` may raise to end early."""
        bundle = self.bundle
        seeds = [secrets.randbelow(SEEDS) for _ in range(COUNT)]
        w = w_from_seeds(bundle.generator, seeds, DEFAULT_TRUNCATION, bundle.device)
        codes = bundle.generator.broadcast(w).numpy().copy()
        check()
        return Strip(
            codes,
            encode_png(numbered_strip(self._render(codes), _numbers(COUNT), SIDE)),
            "Seven new faces. The first is yours; press a number for another. "
            "/change says what to change.",
        )

    def find_face(self, check: Callable[[], None], data: bytes) -> Strip:
        """Find the largest face of a picture and its code; `check` may raise to end early.

        Raises:
            PictureError: If the picture cannot be opened, or is too large.
            NoFace: If it shows none.
        """
        seen = read_picture(data, "picture", self.max_pixels).on_white
        check()
        cutter = FaceCutter.of_model(self.bundle.description, self.bundle.detector, "auto", "all")
        faces = cutter.cut(seen, "picture")
        if not faces:
            raise NoFace
        face = max(faces, key=lambda face: face.transform.side).pixels[None]
        steps = self.bundle.description["refinement"]["num_steps"]
        codes = invert_faces(face, self.bundle, steps, 1, lambda *_: check())
        found = self._render(codes)
        names = ["your picture", "as I see it"]
        several = f"I found {len(faces)} faces and took the largest. "
        return Strip(
            codes,
            encode_png(numbered_strip(np.concatenate([face, found]), names, 2 * SIDE)),
            (several if len(faces) > 1 else "")
            + "This is how I see the face. /change says what to change.",
        )

    def _render(self, codes: np.ndarray) -> np.ndarray:
        """Render codes [N, num_ws, w_dim] one by one: a face looks the same in every strip."""
        return render_pixels(self.bundle.generator, torch.from_numpy(codes), self.bundle.device)

    def edit(self, check: Callable[[], None], face: np.ndarray, choices: Choices) -> Strip:
        """Change a face step by step.

        Args:
            check: May raise to end early.
            face: Its code, [1, num_ws, w_dim].
            choices: What to change and to keep.

        Raises:
            ParamsError: If the model cannot make such an edit.
        """
        bundle, changes, keep = self.bundle, choices.changes, sorted(choices.keep)
        edited = auto_editor(bundle).edit(face, lambda w, _: self._render(w), changes, keep)
        check()
        steps = face + SHARES[:, None, None].astype(np.float32) * (edited - face)
        pixels = self._render(steps)
        labels = shown_labels(pixels, bundle.tagger, bundle.description["attribute_tags"])
        shown = np.flatnonzero(are_shown(labels, changes))
        return Strip(
            steps,
            encode_png(numbered_strip(pixels, _numbers(COUNT), SIDE)),
            _say_edit(choices, shown),
        )


def _numbers(count: int) -> list[str]:
    return [str(number + 1) for number in range(count)]


def _say_edit(choices: Choices, shown: np.ndarray) -> str:
    """Say what was asked for, and from which face on it is seen."""
    first = (
        f"I see the change from {shown[0] + 1} on."
        if len(shown)
        else "I cannot see the change in any."
    )
    if len(shown) and shown[0] == 0:
        first = "I see that in 1 already."
    return (
        f"{say_choices(choices)}. 1 is your face as it is, to the right it changes more and more. "
        f"{first} Press a number to go on with that face."
    )
