"""An answer in the making: what worker threads do for it, one step at a time, while its client may go away.

After the first blocks, each is made while the one before is being sent.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from vo.ahead import Ahead
from vo.dali.compress import Coding, compress, is_compressible
from vo.errors import TransientFault

#: An answer of less than this fits a packet of the network as it is, and is not compressed.
_TINY = 1400

#: A step that goes on after its client has left is asked so often to end.
AGAIN_SECONDS = 0.5

#: When a server that is being stopped may be there again, in seconds.
_RESTART_SECONDS = 60


def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Body:
    """An answer on its way: ``chunks`` are made in worker threads.

    ``close`` is called once in any case, when nothing runs ``chunks`` any more. ``cancel`` is called as soon as the
    client goes away, while another thread may be within ``chunks``: it makes that end soon (a query is cancelled).
    """

    media_type: str
    chunks: Iterator[bytes]
    close: Callable[[], None] = _nothing
    cancel: Callable[[], None] = _nothing


class Answering(Protocol):
    """What :class:`Body` has; answers of other layers have it too."""

    @property
    def media_type(self) -> str:
        """What stands in Content-Type, as it is (DALI-05)."""

    @property
    def chunks(self) -> Iterator[bytes]:
        """The bytes."""

    @property
    def close(self) -> Callable[[], None]:
        """Lets go of what the bytes were made from."""

    @property
    def cancel(self) -> Callable[[], None]:
        """Ends the making of the bytes from another thread."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first bytes of an answer, and whether they are all of it."""

    media_type: str
    body: bytes
    is_all: bool
    coding: Coding | None = None


class Work:
    """What is done for one answer in worker threads, one step at a time.

    ``leave``, ``stop`` and ``close`` may come from any thread, while another is within a step.
    """

    def __init__(self, begin: Callable[[], Answering], coding: Coding | None) -> None:
        self._begin = begin
        self._coding = coding
        self._body: Answering | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._ahead: Ahead[bytes] | None = None
        self._step = threading.RLock()
        self._has_left = False
        self._is_stopped = False
        self._is_closed = False

    def first(self, least: int) -> Beginning:
        """Begin, and make blocks of ``least`` bytes together, before they are compressed."""
        try:
            with self._step:
                return self._first(least)
        except TransientFault:
            if self._is_stopped:
                text = "this service is being stopped: try again in a minute"
                raise TransientFault(text, retry_after=_RESTART_SECONDS) from None
            raise

    def _first(self, least: int) -> Beginning:
        self._body = self._begin()
        if self._has_left:
            raise TransientFault("the client has gone")
        blocks, size = [], 0
        self._chunks = self._body.chunks
        for block in self._chunks:
            blocks.append(block)
            size += len(block)
            if size >= least:
                return self._coded(blocks, is_all=False)
        self.close()
        return self._coded(blocks, is_all=True)

    def _coded(self, blocks: list[bytes], *, is_all: bool) -> Beginning:
        if self._body is None:  # pragma: no cover - there are no blocks without it
            raise TypeError(self)
        media_type, coding = self._body.media_type, self._coding
        is_tiny = is_all and sum(map(len, blocks)) < _TINY
        if coding is None or is_tiny or not is_compressible(media_type):
            return Beginning(media_type, b"".join(blocks), is_all)
        if is_all:
            return Beginning(media_type, b"".join(compress(coding, iter(blocks))), is_all, coding)
        self._chunks = compress(coding, itertools.chain(blocks, self._chunks))
        return Beginning(media_type, next(self._chunks, b""), is_all, coding)

    def next(self) -> bytes | None:
        """The next block, None at the end and when all is closed."""
        with self._step:
            if self._is_closed:
                return None
            if self._ahead is None:
                self._ahead = Ahead(lambda: next(self._chunks, None))
            return self._ahead.next()

    def leave(self) -> bool:
        """The client has gone; False while a step still runs: call it again then, as a cancel may come to nothing."""
        self._has_left = True
        if self._body is not None:
            self._body.cancel()
        if not self._step.acquire(blocking=False):
            return False
        self._step.release()
        return True

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left to let go of."""
        return self._is_closed

    def stop(self) -> None:
        """The server ends, while the client is still there: what can be said is said soon."""
        self._is_stopped = True
        self.leave()

    def close(self) -> None:
        """Let go of everything, once; a step that still runs is ended first."""
        while not self._step.acquire(blocking=False):
            self.leave()
            if self._step.acquire(timeout=AGAIN_SECONDS):
                break
        try:
            self._close()
        finally:
            self._step.release()

    def _close(self) -> None:
        if self._is_closed or self._body is None:
            return
        self._is_closed = True
        try:
            if self._ahead is not None:
                if not self._ahead.is_idle:
                    self._body.cancel()  # a block that nobody waits for is still in the making
                self._ahead.close()
            for chunks in (self._chunks, self._body.chunks):
                close = getattr(chunks, "close", None)
                if close is not None:
                    close()
        finally:
            self._body.close()
