"""What counts as trouble."""

import pytest

from nfe.gan.watching import WatchLimits, find_trouble

LIMITS = WatchLimits(min_diversity=0.5, max_logit=20, max_rollbacks=1)


def _row(diversity: float = 1.0, real: float = 1.0, fake: float = -1.0) -> dict[str, float]:
    return {"diversity": diversity, "real_logits": real, "fake_logits": fake}


def test_a_healthy_run_has_no_trouble() -> None:
    assert find_trouble([_row(0.2), _row(0.9), _row(0.46)], LIMITS) is None


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (_row(diversity=0.44), "diversity must stay above 0.450, got 0.440"),
        (_row(diversity=0.0), "collapse"),
        (_row(real=20.5), "mean logits must stay within 20, got 20.5"),
        (_row(fake=-21.0), "got -21.0"),
        (_row(fake=float("nan")), "mean logits"),
    ],
)
def test_trouble_is_named(last: dict[str, float], message: str) -> None:
    assert message in str(find_trouble([_row(0.2), _row(0.9), last], LIMITS))
