import threading
import time
from collections.abc import Callable, Sequence

import pytest

from nfe.folder_editing.ahead import open_ahead


def opened(
    items: Sequence[int],
    open_item: Callable[[int], object],
    weights: Sequence[int] | None = None,
    num_ahead: int = 4,
    num_threads: int = 2,
    seconds: float = 60,
) -> list[object]:
    return list(
        open_ahead(
            items,
            open_item,
            too_late=lambda item: f"late {item}",
            weigh=lambda item: 0 if weights is None else weights[item],
            max_weight=10,
            num_ahead=num_ahead,
            num_threads=num_threads,
            seconds=seconds,
        )
    )


def test_results_come_in_the_order_of_the_items() -> None:
    assert opened(range(50), lambda item: time.sleep(0.002 * (item % 3)) or item) == [*range(50)]
    assert opened([], lambda item: item) == []


def test_an_item_that_hangs_is_given_up_and_the_others_go_on() -> None:
    released = threading.Event()

    def open_item(item: int) -> object:
        return released.wait(60) if item in (1, 2) else item

    try:
        results = opened(range(6), open_item, num_threads=1, seconds=0.2)
    finally:
        released.set()
    assert results == [0, "late 1", "late 2", 3, 4, 5]


def test_only_so_many_are_open_at_a_time() -> None:
    lock, now, most = threading.Lock(), [0, 0], [0, 0]
    weights = [3, 3, 3, 30, 3, 3, 6, 6, 1, 1]

    def open_item(item: int) -> int:
        with lock:
            now[0] += 1
            now[1] += weights[item]
            most[:] = map(max, most, now)
        time.sleep(0.01)
        with lock:
            now[0] -= 1
            now[1] -= weights[item]
        return item

    assert opened(range(10), open_item, weights, num_ahead=10, num_threads=3) == [*range(10)]
    assert most[0] <= 3
    assert most[1] == 30  # the one that is too heavy by itself, alone


def test_errors_are_raised_where_the_results_are_taken() -> None:
    with pytest.raises(ZeroDivisionError):
        opened([1, 0, 2], lambda item: 1 // item)
