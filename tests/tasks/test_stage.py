import pytest

from tasks import stage
from tasks.stage import Progress, runs_bf16


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that Progress sees; replace its only value to let time pass."""
    now = [100.0]
    monkeypatch.setattr(stage.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("NFE_TERMINAL", "0")
    return now


def test_the_time_left_is_that_of_this_run(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress("train_gan")
    for seconds, done in ((105.0, 8_000), (115.0, 8_400), (300.0, 10_000)):  # resumed at 8,000
        clock[0] = seconds
        progress(done, 10_000, "64 px")
    assert capsys.readouterr().err.splitlines() == [
        "train_gan: 8,400/10,000  40/s, 40 s left  64 px",
        "train_gan: 10,000/10,000  in 200 s  64 px",
    ]


def test_lines_come_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("crop", seconds_between_lines=10.0)
    for done in range(1, 41):
        clock[0] += 1.0
        progress(done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "crop: 10/100  1.0/s, 90 s left",
        "crop: 20/100  1.0/s, 80 s left",
        "crop: 30/100  1.0/s, 70 s left",
        "crop: 40/100  1.0/s, 60 s left",
    ]


def test_only_auto_asks_the_device_for_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_it in (False, True):
        monkeypatch.setattr(stage, "has_bf16", lambda device, has_it=has_it: has_it)
        answers = [runs_bf16(precision, "cpu") for precision in ("fp32", "auto", "bf16")]
        assert answers == [False, has_it, True]
