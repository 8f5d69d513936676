"""Results ahead: what is fetched or written next is on its way in a thread while the caller works on what it has."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")

#: How far below the others of this process these threads stand, in steps of ``nice``: eight large answers at a time
#: would otherwise keep the thread that answers everybody from the processor.
_NICE = 10


class Ahead(Generic[T]):
    """Calls ``make`` in a thread of its own, ``depth`` calls ahead and never more, until it gives None or raises.

    ``next`` gives the results in their order, and raises what ``make`` raised in its place. ``close`` waits for a call
    that is under way (end it by other means first) and ends the thread.
    """

    def __init__(self, make: Callable[[], T | None], depth: int = 1) -> None:
        self._make = make
        self._is_over = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead", initializer=_step_back)
        self._coming = deque(self._thread.submit(self._step) for _ in range(depth))

    def next(self) -> T | None:
        """The next result; None at the end, again and again."""
        result = self._coming[0].result()
        if result is not None:
            self._coming.popleft()
            self._coming.append(self._thread.submit(self._step))
        return result

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being made."""
        return self._coming[-1].done()

    def close(self) -> None:
        """End the thread; nothing is made any more when this returns."""
        self._is_over = True
        for future in self._coming:
            future.cancel()
        self._thread.shutdown()

    def _step(self) -> T | None:
        if self._is_over:
            return None
        try:
            result = self._make()
        except BaseException:
            self._is_over = True
            raise
        if result is None:
            self._is_over = True
        return result


def _step_back() -> None:
    """Lower the priority of this thread, where threads have one of their own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
