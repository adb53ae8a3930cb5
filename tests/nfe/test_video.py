import sys

import numpy as np
import pytest

from nfe.errors import ParamsError
from nfe.video import encode_mp4


def test_odd_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="sides must be even, got 16 x 15"):
        encode_mp4(np.zeros((2, 15, 16, 3), np.uint8), 24)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ParamsError, match=r"extra \[video\], or write a \.webp"):
        encode_mp4(np.zeros((2, 16, 16, 3), np.uint8), 24)
