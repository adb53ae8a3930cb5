"""Choose the faces to learn from: every reject has a reason and the value that decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

__all__ = [
    "Measures",
    "Reject",
    "Rules",
    "colorfulness",
    "content_hash",
    "find_rejects",
    "measure",
    "near_duplicates",
    "sharpness",
    "tag_rule_broken",
]

HASH_BITS = 64
NUM_BANDS = 8  # two hashes that differ in fewer bits agree in one whole band


@dataclass(frozen=True)
class Measures:
    """What is measured of one face.

    Attributes:
        sharpness: See `sharpness`.
        colorfulness: See `colorfulness`.
        content_hash: See `content_hash`.
        thumbnail: Its colours, float32, [8, 8, 3], in levels of 255.
    """

    sharpness: float
    colorfulness: float
    content_hash: int
    thumbnail: np.ndarray


@dataclass(frozen=True)
class Rules:
    """What a face must fulfil to be kept.

    Attributes:
        min_size: Smallest side of the face in its picture, in pixels.
        min_sharpness: Least `sharpness`.
        min_colorfulness: Least `colorfulness`.
        max_hash_distance: Most bits in which the hashes of near duplicates differ, 0 to 7.
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
        value: What decided: the size in pixels, the measure, the name of the twin, the rule.
    """

    reason: str
    value: str


def measure(pixels: np.ndarray) -> Measures:
    """Measure one face, uint8, [H, W, 3], at least 8 x 8."""
    picture = Image.fromarray(pixels)
    thumbnail = np.asarray(picture.resize((8, 8), Image.Resampling.BOX), dtype=np.float32)
    return Measures(sharpness(pixels), colorfulness(pixels), content_hash(pixels), thumbnail)


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


def content_hash(pixels: np.ndarray) -> int:
    """Return a 64-bit perceptual hash: pictures that look alike differ in few bits."""
    bits = imagehash.phash(Image.fromarray(pixels)).hash.ravel()
    return int(np.packbits(bits).view(">u8")[0])


def near_duplicates(
    measures: Sequence[Measures], max_hash_distance: int, max_color_difference: float
) -> dict[int, int]:
    """Find later pictures that look like an earlier kept one, in shape and in colour.

    The hash knows no colour, so two drawings that differ only in it would pass for one; hence
    the second condition. Hashes are compared only when they agree in one of `NUM_BANDS` bands
    of bits, as every pair does that differs in fewer bits than there are bands.

    Args:
        measures: Measures of the faces in order of preference: the first of alike ones is kept.
        max_hash_distance: Most bits in which the hashes of alike faces differ, 0 to 7.
        max_color_difference: Greatest mean difference of their thumbnails, in levels of 255.

    Returns:
        Index of a duplicate -> index of the kept face that it looks like.

    Raises:
        ValueError: If `max_hash_distance` is out of range.
    """
    if not 0 <= max_hash_distance < NUM_BANDS:
        raise ValueError(f"max_hash_distance must be 0 to {NUM_BANDS - 1}, got {max_hash_distance}")

    def alike(one: Measures, other: Measures) -> bool:
        distance = (one.content_hash ^ other.content_hash).bit_count()
        if distance > max_hash_distance:
            return False
        return float(np.abs(one.thumbnail - other.thumbnail).mean()) <= max_color_difference

    width = HASH_BITS // NUM_BANDS
    bands: dict[tuple[int, int], list[int]] = {}
    twins: dict[int, int] = {}
    for index, face in enumerate(measures):
        bits = face.content_hash
        keys = [(n, bits >> (n * width) & ((1 << width) - 1)) for n in range(NUM_BANDS)]
        seen = (other for key in keys for other in bands.get(key, ()))
        twin = next((other for other in seen if alike(face, measures[other])), None)
        if twin is not None:
            twins[index] = twin
            continue
        for key in keys:
            bands.setdefault(key, []).append(index)
    return twins


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
    names: Sequence[str],
    sizes: Sequence[float],
    tags: Sequence[Sequence[str]],
    measures: Sequence[Measures],
    rules: Rules,
) -> dict[int, Reject]:
    """Say which faces to leave out, and why; the first reason that holds counts.

    Among near duplicates the largest stays, and of equally large ones the first.

    Args:
        names: Name of each face.
        sizes: Side of each face in its picture, in pixels.
        tags: Tags of each face.
        measures: Measures of each face.
        rules: What a face must fulfil.

    Returns:
        Index of a rejected face -> its reason.
    """
    rejects: dict[int, Reject] = {}
    for index, (size, words, face) in enumerate(zip(sizes, tags, measures, strict=True)):
        reject = _reject_alone(size, words, face, rules)
        if reject is not None:
            rejects[index] = reject
    good = [index for index in range(len(names)) if index not in rejects]
    order = sorted(good, key=lambda index: -sizes[index])
    twins = near_duplicates(
        [measures[index] for index in order], rules.max_hash_distance, rules.max_color_difference
    )
    for twin, kept in twins.items():
        rejects[order[twin]] = Reject("duplicate", names[order[kept]])
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
