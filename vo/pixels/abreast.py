"""Pieces of work that let other threads run (numpy, unpacking) are done on the cores that are idle."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_lock = threading.Lock()
_pool = ThreadPoolExecutor(max(1, _CORES - 1), thread_name_prefix="pixels")
_busy = 0


def each(function: Callable[[T], None], items: Sequence[T]) -> None:
    """Call ``function`` with each item, in this thread and in one more for each core that nobody uses here.

    When many ask at the same time each works alone: handing over would cost and win nothing. The first exception ends
    it, once what is under way has ended.
    """
    helpers = _take(len(items) - 1)
    numbers = itertools.count()
    failures: list[BaseException] = []

    def work() -> None:
        while not failures and (number := next(numbers)) < len(items):
            try:
                function(items[number])
            except BaseException as failure:  # noqa: BLE001  raised below, in the thread that asked
                failures.append(failure)

    try:
        futures = [_pool.submit(work) for _ in range(helpers)]
        work()
        for future in futures:
            future.result()
    finally:
        _give_back(helpers)
    if failures:
        raise failures[0]


def _take(wanted: int) -> int:
    """Note that the calling thread is busy, and the helpers that it gets: how many."""
    global _busy  # noqa: PLW0603  the cores are the process' own
    with _lock:
        helpers = max(0, min(wanted, _CORES - 1 - _busy))
        _busy += 1 + helpers
    return helpers


def _give_back(helpers: int) -> None:
    global _busy  # noqa: PLW0603  as above
    with _lock:
        _busy -= 1 + helpers
