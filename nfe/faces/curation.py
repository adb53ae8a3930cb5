"""Choose the faces to learn from: every reject has a reason and the value that decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nfe.faces.fingerprints import near_duplicates

__all__ = [
    "Measures",
    "Reject",
    "Rules",
    "colorfulness",
    "find_rejects",
    "measure",
    "sharpness",
    "tag_rule_broken",
]


@dataclass(frozen=True)
class Measures:
    """What is measured of one face.

    Attributes:
        sharpness: See `sharpness`.
        colorfulness: See `colorfulness`.
    """

    sharpness: float
    colorfulness: float


@dataclass(frozen=True)
class Rules:
    """What a face must fulfil to be kept.

    Attributes:
        min_size: Smallest side of the face in its picture, in pixels.
        min_sharpness: Least `sharpness`.
        min_colorfulness: Least `colorfulness`.
        max_hash_distance: Most bits in which the hashes of near duplicates differ.
        max_color_difference: Greatest mean difference of their colours, in levels of 255.
        want: Tags that a face must have.
        avoid: Tags that a face must not have.
    """

    min_size: float
    min_sharpness: float
    min_colorfulness: float
    max_hash_distance: int
    max_color_difference: float
    want: tuple[str, ...]
    avoid: tuple[str, ...]


@dataclass(frozen=True)
class Reject:
    """Why a face is left out.

    Attributes:
        reason: small, blurred, grey, duplicate or tag_rule.
        value: What decided: the size in pixels, the measure, the twin picture, the rule.
    """

    reason: str
    value: str


def measure(pixels: np.ndarray) -> Measures:
    """Measure one face, uint8, [H, W, 3], at least 3 x 3."""
    return Measures(sharpness(pixels), colorfulness(pixels))


def sharpness(pixels: np.ndarray) -> float:
    """Return the mean spatial frequency of the brightness: Laplacian over gradient, as RMS.

    Blurring takes the fine detail, so the ratio falls, whatever the contrast and however much
    of the picture is flat. Faces of 64 px lie near 0.8, blurred by 1.5 px near 0.3. A picture
    of one colour has none, 0.

    Args:
        pixels: uint8, [H, W, 3], at least 3 x 3.
    """
    grey = _brightness(pixels)
    left, right, up, down = grey[1:-1, :-2], grey[1:-1, 2:], grey[:-2, 1:-1], grey[2:, 1:-1]
    laplacian = left + right + up + down - 4 * grey[1:-1, 1:-1]
    gradient = float(((right - left) ** 2 + (down - up) ** 2).mean())
    return float(np.sqrt((laplacian**2).mean() / gradient)) if gradient > 1e-3 else 0.0


def colorfulness(pixels: np.ndarray) -> float:
    """Return how far a picture is from one tint: spread of its colours beside the grey axis.

    The two opponent colours red-green and yellow-blue are taken from each pixel and the root of
    their summed variances is returned, in levels of 255. A grey, sepia or otherwise toned
    picture has opponent colours that follow its brightness on a line; that part is removed.

    Source: Hasler and Süsstrunk 2003, without their mean term, which calls a tinted picture
    colourful.
    """
    red, green, blue = (pixels[..., channel].astype(np.float32).ravel() for channel in range(3))
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    grey = _brightness(pixels).ravel()
    grey = grey - grey.mean()
    opponents -= opponents.mean(axis=1, keepdims=True)
    slope = opponents @ grey / (float(grey @ grey) + grey.size)  # noise of one level
    rest = opponents - slope[:, None] * grey
    return float(np.sqrt((rest**2).mean(axis=1).sum()))


def tag_rule_broken(tags: Iterable[str], want: Sequence[str], avoid: Sequence[str]) -> str | None:
    """Return the first rule that a picture's tags break, or None.

    Examples:
        >>> tag_rule_broken(["1girl", "solo"], want=["solo"], avoid=["monochrome"])
        >>> tag_rule_broken(["1girl"], want=["solo"], avoid=[])
        'lacks solo'
    """
    present = set(tags)
    for tag in want:
        if tag not in present:
            return f"lacks {tag}"
    for tag in avoid:
        if tag in present:
            return f"has {tag}"
    return None


def find_rejects(
    sources: Sequence[str],
    sizes: Sequence[float],
    tags: Sequence[Sequence[str]],
    measures: Sequence[Measures],
    fingerprints: Sequence[bytes],
    rules: Rules,
) -> dict[int, Reject]:
    """Say which faces to leave out, and why; the first reason that holds counts.

    Duplicates are sought among whole pictures, not among cut faces: a detector cuts a little
    differently every time. Of alike pictures the one with the largest face stays, and of equal
    ones the first; faces of one picture are no duplicates of each other.

    Args:
        sources: Name of each face's picture.
        sizes: Side of each face in its picture, in pixels.
        tags: Tags of each face.
        measures: Measures of each face.
        fingerprints: Fingerprint of each face's picture.
        rules: What a face must fulfil.

    Returns:
        Index of a rejected face -> its reason.
    """
    rejects: dict[int, Reject] = {}
    for index, (size, words, face) in enumerate(zip(sizes, tags, measures, strict=True)):
        reject = _reject_alone(size, words, face, rules)
        if reject is not None:
            rejects[index] = reject
    good = [index for index in range(len(sources)) if index not in rejects]
    pictures: dict[str, bytes] = {}
    for index in sorted(good, key=lambda index: -sizes[index]):
        pictures.setdefault(sources[index], fingerprints[index])
    names = list(pictures)
    twins = near_duplicates(
        list(pictures.values()), rules.max_hash_distance, rules.max_color_difference
    )
    original = {names[twin]: names[kept] for twin, kept in twins.items()}
    for index in good:
        if sources[index] in original:
            rejects[index] = Reject("duplicate", original[sources[index]])
    return rejects


def _reject_alone(size: float, tags: Sequence[str], face: Measures, rules: Rules) -> Reject | None:
    """Return what is wrong with a face by itself, or None."""
    rule = tag_rule_broken(tags, rules.want, rules.avoid)
    if rule is not None:
        return Reject("tag_rule", rule)
    if size < rules.min_size:
        return Reject("small", f"{size:.1f}")
    if face.sharpness < rules.min_sharpness:
        return Reject("blurred", f"{face.sharpness:.3f}")
    if face.colorfulness < rules.min_colorfulness:
        return Reject("grey", f"{face.colorfulness:.2f}")
    return None


def _brightness(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
