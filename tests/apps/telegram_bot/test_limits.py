"""Who asks too much is told so, once; one job per user, a bounded number in all."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from apps.telegram_bot.limits import Check, Forgotten, Jobs, Rates, Refused


def test_the_last_minute_counts_and_the_refusal_is_told_once() -> None:
    rates = Rates(2)
    answers = [rates.admit(1, now) for now in (0.0, 1.0, 2.0, 3.0, 59.9)]
    assert answers == ["yes", "yes", "tell", "no", "no"]
    assert rates.admit(2, 3.0) == "yes"
    assert [rates.admit(1, now) for now in (60.0, 60.5, 61.0, 61.5)] == [
        "yes",
        "tell",
        "yes",
        "tell",
    ]


def test_those_who_went_away_are_forgotten() -> None:
    rates = Rates(2)
    for user in range(100):
        rates.admit(user, 0.0)
    rates.admit(1, 61.0)
    assert list(rates._times) == [1]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def hold(check: Check, gate: threading.Event) -> str:
    while not gate.wait(0.005):
        check()
    return "done"


def test_one_job_per_user_and_a_bounded_number_in_all(gate: threading.Event) -> None:
    async def scene() -> list[str]:
        jobs = Jobs(2)

        async def ask(user: int) -> str:
            try:
                with jobs.hold(user) as ticket:
                    return await ticket.run(hold, gate)
            except Refused as refusal:
                return str(refusal)

        first, second = asyncio.create_task(ask(1)), asyncio.create_task(ask(2))
        await asyncio.sleep(0)
        refused = [await ask(1), await ask(3)]
        gate.set()
        return [*refused, await first, await second, await ask(1), await ask(3)]

    busy, full, *others = asyncio.run(scene())
    assert "still at work" in busy
    assert "Too many people" in full
    assert others == ["done"] * 4


def test_a_failed_job_gives_its_place_back() -> None:
    def fail(check: Check) -> None:
        raise ValueError("broken")

    async def scene() -> None:
        jobs = Jobs(1)
        for user in (1, 1, 2):
            with pytest.raises(ValueError, match="broken"), jobs.hold(user) as ticket:
                await ticket.run(fail)

    asyncio.run(scene())


def test_a_forgotten_user_gets_no_result_and_may_ask_again(gate: threading.Event) -> None:
    async def scene() -> None:
        jobs = Jobs(2)

        async def ask() -> None:
            with jobs.hold(1) as ticket:
                await ticket.run(hold, gate)

        first = asyncio.create_task(ask())
        await asyncio.sleep(0)
        jobs.forget(1)
        second = asyncio.create_task(ask())
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(Forgotten):
            await first
        await second
        with jobs.hold(1):
            pass

    asyncio.run(scene())


def test_the_end_stops_the_job_at_work_and_those_that_wait(gate: threading.Event) -> None:
    async def scene() -> list[BaseException | None]:
        jobs = Jobs(5)

        async def ask(user: int) -> None:
            with jobs.hold(user) as ticket:
                await ticket.run(hold, gate)

        tasks = [asyncio.create_task(ask(user)) for user in range(3)]
        await asyncio.sleep(0.02)
        jobs.end()
        return await asyncio.gather(*tasks, return_exceptions=True)

    ended = asyncio.run(scene())
    assert [type(end) for end in ended] == [Refused] * 3
    assert "restarted" in str(ended[0])
