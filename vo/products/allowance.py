"""How much of the large files one client may take: so many bytes in an hour, so many files at a time.

Counted in the memory of each server process. What a client has taken drains away evenly, within an hour; small files
are never counted.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vo.errors import TooManyFault
from vo.settings import Settings

_HOUR = 3600.0
_RETRY_SECONDS = 30
#: So many clients are remembered before those who have nothing left to drain are forgotten.
_REMEMBERED = 10_000

_INSTEAD = (
    "The binned image and cutouts (SODA) show the same plate for a small part of the bytes and are not limited; the "
    "plate's Datalink document offers them"
)


@dataclass(slots=True)
class _Taken:
    """Bytes that count against a client, as they were at a time."""

    level: float
    at: float


def make_allowance(settings: Settings) -> Allowance:
    """What one server process counts, for whatever large files it sends."""
    return Allowance(settings.full_plate_bytes, settings.client_full_bytes, settings.client_full_plates)


class Allowance:
    """What each client has taken of files above ``least`` bytes; from any thread.

    ``most`` bytes of one client count at the same time, and ``at_once`` of its downloads may run.
    """

    def __init__(self, least: int, most: int, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._least = least
        self._most = most
        self._at_once = at_once
        self._clock = clock
        self._taken: dict[str, _Taken] = {}
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def counts(self, size: int | None) -> bool:
        """Whether a file of this length (None: unknown) is one of the large ones."""
        return size is not None and size > self._least

    def take(self, client: str, size: int) -> None:
        """Count ``size`` bytes of a large file; :class:`TooManyFault` when that is more than the client may have now.

        Whoever has taken nothing may have one file, however large.
        """
        with self._lock:
            taken = self._now(client)
            if taken.level > 0 and taken.level + size > self._most:
                over = min(taken.level, taken.level + size - self._most)
                raise self._too_much(math.ceil(over / self._most * _HOUR))
            taken.level += size

    def settle(self, client: str, difference: int) -> None:
        """Correct what was counted: a download that ended early is counted as far as it came."""
        with self._lock:
            taken = self._now(client)
            taken.level = max(0.0, taken.level + difference)

    @contextmanager
    def running(self, client: str) -> Iterator[None]:
        """Hold one of the client's downloads; :class:`TooManyFault` when all of them run."""
        with self._lock:
            if self._running[client] >= self._at_once:
                raise TooManyFault(
                    f"{self._at_once} large files are on their way to you, the limit for one client "
                    f"(client_full_plates): wait for one of them. {_INSTEAD}",
                    retry_after=_RETRY_SECONDS,
                )
            self._running[client] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[client] -= 1
                if not self._running[client]:
                    del self._running[client]

    def _now(self, client: str) -> _Taken:
        """What counts against a client by now."""
        now = self._clock()
        if len(self._taken) >= _REMEMBERED and client not in self._taken:
            self._taken = {one: taken for one, taken in self._taken.items() if self._drained(taken, now) > 0}
        taken = self._taken.setdefault(client, _Taken(0.0, now))
        taken.level, taken.at = self._drained(taken, now), now
        return taken

    def _drained(self, taken: _Taken, now: float) -> float:
        return max(0.0, taken.level - (now - taken.at) / _HOUR * self._most)

    def _too_much(self, seconds: int) -> TooManyFault:
        return TooManyFault(
            f"you have taken as much of large files as one client may within an hour, {self._most:,} bytes "
            f"(client_full_bytes): ask again in {seconds} s. {_INSTEAD}",
            retry_after=seconds,
        )
