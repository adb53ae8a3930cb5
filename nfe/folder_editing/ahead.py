"""Open the next files in threads while the present ones are edited, each within its time."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

__all__ = ["open_ahead"]

T = TypeVar("T")
R = TypeVar("R")


class Job(Generic[T, R]):
    """One item that a thread of its own opens, once there is a free place for it.

    The thread is a daemon: one that hangs over a bad file does not keep the program from ending.
    """

    def __init__(
        self, item: T, weight: int, open_item: Callable[[T], R], places: threading.Semaphore
    ) -> None:
        self.item, self.weight, self._open, self._places = item, weight, open_item, places
        self._done, self._lock = threading.Event(), threading.Lock()
        self._started: float | None = None
        self._abandoned = False
        self._result: R | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._places.acquire()
        self._started = time.monotonic()
        try:
            self._result = self._open(self.item)
        except BaseException as error:
            self._error = error
        with self._lock:
            self._done.set()
            if not self._abandoned:
                self._places.release()

    def wait(self, seconds: float) -> tuple[bool, R | None]:
        """Wait until it is done or has taken too long; say which, and give the result."""
        while not self._done.wait(0.05 if self._started is None else self._left(seconds)):
            if self._started is not None and self._left(seconds) <= 0:
                with self._lock:
                    if not self._done.is_set():
                        self._abandoned = True
                        self._places.release()  # the thread goes on; others need not wait for it
                        return False, None
        if self._error is not None:
            raise self._error
        return True, self._result

    def _left(self, seconds: float) -> float:
        started = self._started
        return seconds if started is None else max(0.0, started + seconds - time.monotonic())


def open_ahead(
    items: Sequence[T],
    open_item: Callable[[T], R],
    too_late: Callable[[T], R],
    weigh: Callable[[T], int],
    max_weight: int,
    num_ahead: int,
    num_threads: int,
    seconds: float,
) -> Iterator[R]:
    """Open items in order, some ahead of the one that is asked for.

    Args:
        items: What to open.
        open_item: Runs in a thread; what it raises is raised here.
        too_late: Makes the result of an item whose `open_item` took longer than `seconds`.
        weigh: How much of `max_weight` an item takes until it is yielded.
        max_weight: Of all that are open or being opened; a heavier item is opened alone.
        num_ahead: Most items opened before they are asked for.
        num_threads: Most items opened at a time.
        seconds: Longest time for one.
    """
    places = threading.Semaphore(num_threads)
    waiting = deque(items)
    jobs: deque[Job[T, R]] = deque()
    while waiting or jobs:
        while waiting and len(jobs) < num_ahead:
            weight = weigh(waiting[0])
            if jobs and sum(job.weight for job in jobs) + weight > max_weight:
                break
            jobs.append(Job(waiting.popleft(), weight, open_item, places))
        job = jobs.popleft()
        in_time, result = job.wait(seconds)
        yield result if in_time else too_late(job.item)  # type: ignore[misc]
