"""Those who wait for a job to change: woken by the database, within one event loop."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Waiters:
    """Events by the number of the job."""

    def __init__(self) -> None:
        self._events: defaultdict[int, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def waiting(self, number: int) -> Iterator[asyncio.Event]:
        """An event that is set whenever the job changes; who waits clears it and looks."""
        event = asyncio.Event()
        self._events[number].add(event)
        try:
            yield event
        finally:
            self._events[number].discard(event)
            if not self._events[number]:
                del self._events[number]

    def wake(self, number: int | None) -> None:
        """Wake those who wait for this job; None wakes all."""
        numbers = list(self._events) if number is None else [number]
        for one in numbers:
            for event in self._events.get(one, ()):
                event.set()
