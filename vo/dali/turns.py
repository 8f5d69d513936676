"""Whose query or cutout is next: so many at a time, none of one client's while others wait behind too many of its own.

What waits holds neither a thread nor a connection. All of it belongs to one event loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from vo.errors import TooManyFault, TransientFault

_RETRY_SECONDS = 10


@dataclass(slots=True, eq=False)
class _Waiter:
    client: str
    called: anyio.Event = field(default_factory=anyio.Event)


@dataclass(frozen=True, slots=True)
class Words:
    """How faults call what takes turns, the settings that limit it, and where long pieces of it belong."""

    things: str
    running: str
    own: str
    jobs: str


QUERIES = Words("queries", "query_connections", "client_queries", "/tap/async")


class Turns:
    """At most ``running`` queries at a time, ``own`` of them of one client; others wait up to ``seconds``.

    ``words`` are for faults, where it is something else that takes turns.
    """

    def __init__(self, running: int, own: int, seconds: float, words: Words = QUERIES) -> None:
        self._words = words
        self._most = running
        self._own = own
        self._seconds = seconds
        self._running: Counter[str] = Counter()
        self._waiting: list[_Waiter] = []

    @asynccontextmanager
    async def take(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it until the end of the block.

        :class:`TooManyFault` when as many of the client's own queries run all the time, :class:`TransientFault` when
        those of all do.
        """
        await self._enter(client)
        try:
            yield
        finally:
            self._leave(client)

    async def _enter(self, client: str) -> None:
        if self._may_run(client):
            self._running[client] += 1
            return
        waiter = _Waiter(client)
        self._waiting.append(waiter)
        try:
            with anyio.move_on_after(self._seconds):
                await waiter.called.wait()
        except BaseException:  # the client has gone
            self._give_up(waiter)
            raise
        if not waiter.called.is_set():
            self._waiting.remove(waiter)
            raise self._fault(client)

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter.called.is_set():
            self._leave(waiter.client)
        else:
            self._waiting.remove(waiter)

    def _leave(self, client: str) -> None:
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        # The one whose client has the fewest running goes first; of equals the one that came first.
        ready = [waiter for waiter in self._waiting if self._may_run(waiter.client)]
        chosen = min(ready, key=lambda waiter: self._running[waiter.client], default=None)
        if chosen is not None:
            self._waiting.remove(chosen)
            self._running[chosen.client] += 1
            chosen.called.set()

    def _may_run(self, client: str) -> bool:
        return self._running.total() < self._most and self._running[client] < self._own

    def _fault(self, client: str) -> TransientFault:
        if self._running[client] >= self._own:
            return TooManyFault(
                f"{self._own} {self._words.things} of yours are running, the limit for one client ({self._words.own}); "
                f"wait for one of them, or send long ones to {self._words.jobs}",
                retry_after=_RETRY_SECONDS,
            )
        return TransientFault(
            f"{self._most} {self._words.things} are running here, the limit ({self._words.running}): try again in a "
            "moment",
            retry_after=_RETRY_SECONDS,
        )
