"""Restore pictures of faces with a model: colours, size, missing parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.bundle import Bundle
from nfe.errors import PictureError
from nfe.images import images_from_pixels, pixels_from_images, resize_pixels
from nfe.inversion.restoration import (
    Observe,
    RestorationSettings,
    diffuse,
    keep_known,
    keep_luminance,
    luminance,
    observe_grey,
    observe_known,
    observe_small,
    restore,
)

__all__ = ["Restorer", "Start", "Task", "check_face", "diffuse_patch", "scale_box"]

Task = Literal["colourise", "super-resolve", "inpaint"]
Start = Literal["encoder", "mean"]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Restorer:
    """Restores pictures with one model and one set of settings.

    Attributes:
        task: What to restore.
        factor: How many times as large the result of super-resolve is.
        unknown: For inpaint, True where a picture is to be filled, [H, W].
        bundle: The model.
        settings: How to search for codes.
        start: The codes to start from: the encoder's answer, or the mean code.
    """

    task: Task
    factor: int
    unknown: np.ndarray | None
    bundle: Bundle
    settings: RestorationSettings
    start: Start

    def check(self, pixels: np.ndarray, name: str) -> None:
        """Refuse a picture that this cannot restore.

        Args:
            pixels: uint8, [H, W, 3].
            name: What to call it in errors.

        Raises:
            PictureError: If it is no square, or not as large as the factor or the mask asks for.
        """
        check_face(pixels, name)
        height, width = pixels.shape[:2]
        resolution = self.bundle.generator.resolution
        small = resolution // self.factor
        if self.task == "super-resolve" and height != small:
            raise PictureError(
                f"{name} must be {small} x {small} for factor {self.factor} and a model of "
                f"{resolution} pixels, got {width} x {height}; resize it or choose another factor"
            )
        if self.unknown is not None and self.unknown.shape != (height, width):
            rows, columns = self.unknown.shape
            raise PictureError(
                f"{name} must be as large as the mask, {columns} x {rows}, got "
                f"{width} x {height}; resize one of them"
            )

    def restore(self, pictures: Sequence[np.ndarray], on_progress: Progress) -> list[np.ndarray]:
        """Restore pictures together.

        Args:
            pictures: uint8, [H, W, 3] each, of those that `check` lets pass.
            on_progress: Called with steps done, in all, and a note.

        Returns:
            uint8: colourised and inpainted pictures of the sides given, with the luminance, or
            the known pixels, that were given; super-resolved ones of the model's side.

        Raises:
            ModelFileError: If the model's generator is not of StyleGAN2's architecture.
            TrainingError: If a loss is NaN or infinite.
        """
        if self.task == "colourise":
            return self._colourise(pictures, on_progress)
        if self.task == "super-resolve":
            return self._super_resolve(pictures, on_progress)
        return self._inpaint(pictures, on_progress)

    def _colourise(self, pictures: Sequence[np.ndarray], on_progress: Progress) -> list[np.ndarray]:
        seen = observe_grey(self._images(pictures))
        faces = self._search(seen, seen, observe_grey, on_progress)
        return [
            keep_luminance(resize_pixels(face, len(picture)), luminance(picture))
            for face, picture in zip(faces, pictures, strict=True)
        ]

    def _super_resolve(
        self, pictures: Sequence[np.ndarray], on_progress: Progress
    ) -> list[np.ndarray]:
        seen = images_from_pixels(np.stack(pictures)).to(self.bundle.device)
        whole = F.interpolate(seen, scale_factor=self.factor, mode="bilinear")
        observe = partial(observe_small, factor=self.factor)
        return list(self._search(whole, seen, observe, on_progress))

    def _inpaint(self, pictures: Sequence[np.ndarray], on_progress: Progress) -> list[np.ndarray]:
        assert self.unknown is not None
        whole = self._images([_fill_unknown(picture, self.unknown) for picture in pictures])
        hidden = torch.from_numpy(self.unknown).float()[None, None]
        size = (self.bundle.generator.resolution,) * 2
        known = F.adaptive_max_pool2d(hidden, size).eq(0).float().to(self.bundle.device)
        observe = partial(observe_known, known=known)
        faces = self._search(whole, observe(whole), observe, on_progress)
        return [
            keep_known(resize_pixels(face, len(picture)), picture, self.unknown)
            for face, picture in zip(faces, pictures, strict=True)
        ]

    def _images(self, pictures: Sequence[np.ndarray]) -> Tensor:
        side = self.bundle.generator.resolution
        squares = np.stack([resize_pixels(picture, side) for picture in pictures])
        return images_from_pixels(squares).to(self.bundle.device)

    def _search(
        self, whole: Tensor, seen: Tensor, observe: Observe, on_progress: Progress
    ) -> np.ndarray:
        """Start from a first guess of whole images; return faces, uint8, [N, R, R, 3]."""
        generator, encoder = self.bundle.generator, self.bundle.encoder
        if self.start == "mean":
            w_plus = generator.broadcast(generator.w_avg.expand(len(whole), -1))
        else:
            with torch.no_grad():
                w_plus = encoder(whole)
        found = restore(
            seen,
            observe,
            w_plus,
            generator,
            encoder.w_scale,
            self.bundle.features.feature_maps,
            self.settings,
            on_progress,
        )
        return pixels_from_images(found)


def check_face(pixels: np.ndarray, name: str) -> None:
    """Refuse a picture that is no square.

    Raises:
        PictureError: If it is none.
    """
    height, width = pixels.shape[:2]
    if height != width:
        raise PictureError(
            f"{name} must be a square picture of one face, got {width} x {height}; cut the face out"
        )


def _fill_unknown(pixels: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Fill the part that is not known with the mean colour of the rest, uint8, [H, W, 3]."""
    mean = np.rint(pixels[~unknown].mean(axis=0)).astype(np.uint8)
    return np.where(unknown[..., None], mean, pixels)


def diffuse_patch(
    target: np.ndarray,
    context: np.ndarray,
    box: tuple[int, int, int, int],
    bundle: Bundle,
    num_steps: int,
    learning_rate: float,
    on_progress: Progress,
) -> np.ndarray:
    """Make a part of one face part of another: paste it there and find a face with that part.

    Args:
        target: The face whose part it is, uint8, [R, R, 3].
        context: The face that gets it, uint8, [R, R, 3].
        box: Left, top, right, bottom of the part, in pixels.
        bundle: The model; its refinement's weights are used.
        num_steps: Steps of Adam.
        learning_rate: At the first step; a high one changes the face around the part.
        on_progress: Called with steps done, in all, and a note.

    Returns:
        uint8, [R, R, 3].

    Raises:
        TrainingError: If a loss is NaN or infinite.
    """
    left, top, right, bottom = box
    inside = np.zeros(context.shape[:2], dtype=bool)
    inside[top:bottom, left:right] = True
    pasted = keep_known(target, context, inside)
    stitched = images_from_pixels(pasted[None]).to(bundle.device)
    patch = torch.from_numpy(inside).float()[None, None].to(bundle.device)
    refinement = bundle.description["refinement"]
    with torch.no_grad():
        start = bundle.encoder(stitched)
    w_plus = diffuse(
        stitched,
        patch,
        start,
        bundle.generator,
        bundle.features.feature_maps,
        num_steps,
        learning_rate,
        refinement["pixel_weight"],
        refinement["perceptual_weight"],
        on_progress,
    )
    with torch.no_grad():
        return pixels_from_images(bundle.generator.synthesis(w_plus))[0]


def scale_box(
    box: tuple[int, int, int, int], side: int, resolution: int
) -> tuple[int, int, int, int]:
    """Convert a box from pixels of one side to those of another, outwards, never empty.

    >>> scale_box((10, 20, 31, 40), 128, 64)
    (5, 10, 16, 20)
    """
    left, top, right, bottom = box
    return (
        left * resolution // side,
        top * resolution // side,
        -(-right * resolution // side),
        -(-bottom * resolution // side),
    )
