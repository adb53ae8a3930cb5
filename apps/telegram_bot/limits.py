"""What one user, and all users together, may ask of the bot."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Concatenate, Literal, ParamSpec, TypeVar

__all__ = ["LIMITS", "Check", "Forgotten", "Jobs", "Limits", "Rates", "Refused", "Ticket"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Check = Callable[[], None]  # raises Refused when a job shall end early

MINUTE = 60.0


@dataclass(frozen=True)
class Limits:
    """How much is too much.

    Attributes:
        requests_per_minute: Of one user; presses count too.
        jobs: At work and waiting, of all users.
        picture_bytes, picture_pixels: Of one picture, before it is decoded.
        days_kept: How long the state of a user who does not come back is kept.
    """

    requests_per_minute: int
    jobs: int
    picture_bytes: int
    picture_pixels: int
    days_kept: int


LIMITS = Limits(
    requests_per_minute=30,
    jobs=16,
    picture_bytes=10_000_000,
    picture_pixels=25_000_000,
    days_kept=30,
)


class Refused(Exception):  # noqa: N818 - an answer, no error
    """Something is not done now. The message is for the user."""


class Forgotten(Exception):  # noqa: N818 - an answer, no error
    """The user had everything deleted while a job was under way; its result is dropped."""


class Rates:
    """Counts the requests of each user in the last minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._times: dict[int, deque[float]] = {}
        self._told: set[int] = set()

    def admit(self, user_id: int, now: float) -> Literal["yes", "tell", "no"]:
        """Count a request, at `now` seconds.

        Returns:
            "yes"; or, when there were too many, "tell" for the first one and then "no".
        """
        oldest = now - MINUTE
        self._times = {user: times for user, times in self._times.items() if times[-1] > oldest}
        self._told &= self._times.keys()
        times = self._times.setdefault(user_id, deque())
        while times and times[0] <= oldest:
            times.popleft()
        if len(times) < self._per_minute:
            times.append(now)
            self._told.discard(user_id)
            return "yes"
        if user_id in self._told:
            return "no"
        self._told.add(user_id)
        return "tell"


class Ticket:
    """The right of one user to have one job done."""

    def __init__(self, jobs: "Jobs", user_id: int) -> None:
        self._jobs = jobs
        self._user_id = user_id

    async def run(
        self,
        function: Callable[Concatenate[Check, Arguments], Result],
        *arguments: Arguments.args,
        **options: Arguments.kwargs,
    ) -> Result:
        """Run a function in the worker's thread; it gets a check to call now and then.

        Raises:
            Refused: If the bot ends meanwhile.
            Forgotten: If the user was forgotten meanwhile.
        """
        return await self._jobs.run(
            self, self._user_id, lambda check: function(check, *arguments, **options)
        )


class Jobs:
    """One thread that does the work, in the order it came; one job per user at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._tickets: dict[int, Ticket] = {}
        self._ending = threading.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="nfe-bot")

    @contextmanager
    def hold(self, user_id: int) -> Iterator[Ticket]:
        """Hold a place among the jobs.

        Raises:
            Refused: If the user has one already, or all are taken.
        """
        if user_id in self._tickets:
            raise Refused("I am still at work on your last request. One moment, please.")
        if self._count >= self._most:
            raise Refused("Too many people ask at once. Please try again in a minute.")
        ticket = self._tickets[user_id] = Ticket(self, user_id)
        self._count += 1
        try:
            yield ticket
        finally:
            self._count -= 1
            if self._tickets.get(user_id) is ticket:
                del self._tickets[user_id]

    async def run(
        self, ticket: Ticket, user_id: int, function: Callable[[Check], Result]
    ) -> Result:
        """Do what `Ticket.run` says."""
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._executor, self._call, function)
        if self._tickets.get(user_id) is not ticket:
            raise Forgotten
        return result

    def forget(self, user_id: int) -> None:
        """Drop the result of the user's job, if one is under way."""
        self._tickets.pop(user_id, None)

    def end(self) -> None:
        """Let the job at work end early and those that wait not begin."""
        self._ending.set()

    def _call(self, function: Callable[[Check], Result]) -> Result:
        self._check()
        return function(self._check)

    def _check(self) -> None:
        if self._ending.is_set():
            raise Refused("I am being restarted. Please ask again in a minute.")
