"""Fingerprints of pictures: which look alike, in shape and in colour."""

from collections.abc import Sequence

import imagehash
import numpy as np
from PIL import Image

__all__ = ["fingerprint", "near_duplicates"]

HASH_BYTES = 8
COLOR_SIDE = 8  # of the thumbnail that holds the colours
NUM_BYTES = HASH_BYTES + 3 * COLOR_SIDE**2


def fingerprint(pixels: np.ndarray) -> bytes:
    """Return a picture's fingerprint: 64 bits of perceptual hash, then its 8 x 8 colours.

    Args:
        pixels: uint8, [H, W, 3].

    Returns:
        200 bytes; those of pictures that look alike differ little.
    """
    picture = Image.fromarray(pixels)
    bits = imagehash.phash(picture).hash.ravel()
    colors = picture.resize((COLOR_SIDE, COLOR_SIDE), Image.Resampling.BOX)
    return np.packbits(bits).tobytes() + colors.tobytes()


def near_duplicates(
    fingerprints: Sequence[bytes], max_hash_distance: int, max_color_difference: float
) -> dict[int, int]:
    """Find later pictures that look like an earlier kept one.

    The hash knows no colour, so two drawings that differ only in it would pass for one; hence
    the second condition. Every pair is compared: 20,000 pictures take a second.

    Args:
        fingerprints: In order of preference: the first of alike pictures is kept.
        max_hash_distance: Most of the 64 bits in which the hashes of alike pictures differ.
        max_color_difference: Greatest mean difference of their colours, in levels of 255.

    Returns:
        Index of a duplicate -> index of the kept picture that it looks like.
    """
    data = np.frombuffer(b"".join(fingerprints), dtype=np.uint8).reshape(-1, NUM_BYTES)
    hashes = np.ascontiguousarray(data[:, :HASH_BYTES]).view(np.uint64).ravel()
    colors = data[:, HASH_BYTES:].astype(np.int16)
    kept = np.zeros(len(fingerprints), dtype=np.intp)
    kept_hashes = np.zeros_like(hashes)
    num_kept = 0
    twins: dict[int, int] = {}
    for index, bits in enumerate(hashes):
        near = np.flatnonzero(np.bitwise_count(kept_hashes[:num_kept] ^ bits) <= max_hash_distance)
        difference = np.abs(colors[kept[near]] - colors[index]).mean(axis=1)
        alike = near[difference <= max_color_difference]
        if alike.size:
            twins[index] = int(kept[alike[0]])
            continue
        kept[num_kept], kept_hashes[num_kept] = index, bits
        num_kept += 1
    return twins
