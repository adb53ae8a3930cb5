"""Colours by name: far enough apart to be told at 64 pixels, with a little variation in each."""

import numpy as np

__all__ = [
    "CLOTHES_COLORS",
    "EYE_COLORS",
    "HAIR_COLORS",
    "RGB",
    "SKIN_COLORS",
    "darken",
    "lighten",
    "mix",
    "vary",
]

RGB = tuple[int, int, int]

HAIR_COLORS: dict[str, RGB] = {
    "black": (52, 47, 62),
    "brown": (128, 80, 48),
    "blonde": (246, 216, 116),
    "orange": (242, 142, 52),
    "red": (198, 40, 48),
    "pink": (248, 156, 192),
    "purple": (138, 84, 190),
    "blue": (58, 98, 206),
    "aqua": (104, 214, 220),
    "green": (84, 166, 82),
    "grey": (140, 142, 152),
    "white": (236, 236, 244),
}

EYE_COLORS: dict[str, RGB] = {
    "blue": (50, 112, 232),
    "aqua": (44, 206, 218),
    "green": (46, 168, 84),
    "yellow": (244, 200, 44),
    "brown": (134, 80, 44),
    "red": (216, 38, 46),
    "pink": (244, 96, 168),
    "purple": (142, 72, 208),
}

SKIN_COLORS: dict[str, RGB] = {
    "pale": (255, 238, 228),
    "fair": (255, 228, 210),
    "light": (252, 217, 192),
    "tan": (232, 186, 150),
    "dark": (184, 130, 96),
}

CLOTHES_COLORS: dict[str, RGB] = {
    "white": (242, 242, 246),
    "black": (62, 60, 72),
    "navy": (58, 70, 116),
    "red": (184, 66, 70),
    "pink": (238, 178, 192),
    "green": (104, 144, 112),
    "blue": (122, 164, 208),
    "yellow": (236, 208, 136),
    "purple": (148, 126, 178),
    "brown": (138, 104, 84),
}


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Blend two colours: `share` 0 gives `first`, 1 gives `second`."""
    (a, b, c), (p, q, r) = first, second
    return round(a + (p - a) * share), round(b + (q - b) * share), round(c + (r - c) * share)


def darken(color: RGB, share: float) -> RGB:
    """Move a colour towards a deep violet, as painted shadows do, by `share` in [0, 1]."""
    return mix(color, (38, 20, 58), share)


def lighten(color: RGB, share: float) -> RGB:
    """Move a colour towards white by `share` in [0, 1]."""
    return mix(color, (255, 255, 255), share)


def vary(color: RGB, rng: np.random.Generator, spread: float) -> RGB:
    """Move a colour by Gaussian steps: one of brightness, one of each channel.

    Args:
        color: The colour to vary.
        rng: Source of the steps.
        spread: Standard deviation of the step of brightness, in levels of 255; the steps of
            the single channels have half of it. No step is over two deviations.
    """
    bright, *steps = (rng.standard_normal(4).clip(-2, 2) * spread).tolist()
    r, g, b = (round(v + bright + s / 2) for v, s in zip(color, steps, strict=True))
    return min(255, max(0, r)), min(255, max(0, g)), min(255, max(0, b))
