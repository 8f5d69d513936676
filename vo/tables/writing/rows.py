"""The rows of an answer on their way to a writer: one cursor and one set of limits for every form.

A writer takes blocks of columns from :class:`Rows` and asks it afterwards whether rows were cut off, and why. What goes
wrong amid the rows is either raised (:meth:`Rows.encoded`) or kept for the writer to tell (:meth:`Rows.guarded`),
as the form has a place for it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from vo.errors import Fault, LimitFault, unforeseen
from vo.metadata.fields import Field
from vo.tables import columns as cols

_log = logging.getLogger(__name__)

#: How far the rows are read before the head is written: what is found there decides how columns are declared.
LOOK_AHEAD_ROWS = 20_000
LOOK_AHEAD_BYTES = 8_000_000

#: So many answers are encoded at the same moment, each a block (some milliseconds) long; the other half of the
#: processors is the database's. More at a time would not be faster, and small answers would wait for all of them.
_ENCODING = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // 2))

#: Least number of bytes sent at a time, after the first ones: small blocks cost more than their content.
BLOCK_BYTES = 1 << 18


class Rows:
    """The rows to send, at most ``maxrec`` of them and at most as many as fit into ``max_bytes`` of the answer.

    One row more than ``maxrec`` among the batches makes an overflow; ``maxrec`` 0 always is one (DALI-06, SIA-08).
    ``overflow`` tells afterwards why rows are missing, ``count`` how many were encoded, ``fault`` what ended them. The
    first rows are fetched at once, so that faults of the beginning come before the first byte.
    """

    def __init__(
        self, fields: Sequence[Field], batches: Iterable[Any], maxrec: int, max_bytes: int | None, overflow_text: str
    ) -> None:
        self._fields = fields
        self._batches = iter(batches) if maxrec else iter(())
        self._left = maxrec
        self._max_bytes = max_bytes
        self._bytes = 0
        self._is_cut_by_size = False
        self._overflow_text = overflow_text
        self._late: Exception | None = None
        self.ahead = deque(self._look_ahead())
        self._conformed: deque[list[Any]] = deque()  # of the batches ahead, once somebody has looked at them
        self.overflow: str | None = None if maxrec else overflow_text
        self.fault: Fault | None = None
        self.count = 0

    def first_columns(self) -> Iterator[list[Any]]:
        """The first rows again and again, as conformed columns: those that are looked at before any is sent."""
        if len(self._conformed) < len(self.ahead):
            self._conformed = deque(cols.conformed(self._fields, batch) for batch in self.ahead)
        yield from self._conformed

    def batches(self) -> Iterator[list[Any]]:
        """The rows as conformed columns, a batch at a time; what ends them early is raised."""
        while (batch := self._next()) is not None:
            is_last = batch.num_rows > self._left
            sent = batch.slice(0, self._left) if is_last else batch
            self._left -= sent.num_rows
            if is_last:
                self.overflow = self._overflow_text
            known = self._conformed.popleft() if self._conformed else None
            if sent.num_rows:
                yield cols.conformed(self._fields, sent) if known is None or is_last else known
            if is_last:
                return

    def blocks(self) -> Iterator[list[Any]]:
        """The rows as conformed columns, as many at a time as a processor's cache takes."""
        for columns in self.batches():
            yield from cols.blocks(columns)

    def has_room(self, size: int) -> bool:
        """Whether so many more bytes may be sent; where not, they count as cut off."""
        if self._max_bytes is None or self._bytes + size <= self._max_bytes:
            self._bytes += size
            return True
        self._is_cut_by_size = True
        self.overflow = _size_text(self._max_bytes)
        return False

    def encoded(self, encode: Callable[[list[Any]], bytes]) -> Iterator[bytes]:
        """Encode block by block until a limit is reached; what goes wrong is raised."""
        for block in self.blocks():
            with _ENCODING:
                piece = encode(block)
            if not self.has_room(len(piece)):
                return
            yield piece
            self.count += len(block[0])

    def guarded(self, encode: Callable[[list[Any]], bytes]) -> Iterator[bytes]:
        """Encode block by block; what goes wrong ends the rows and is ``fault`` afterwards."""
        try:
            yield from self.encoded(encode)
        except Exception as error:  # noqa: BLE001  whatever happened, the writer closes its document and says so
            self.fault = _as_fault(error)

    def refuse_cut(self) -> None:
        """Raise a LimitFault if the answer was cut at its size: for forms that have no place to say it."""
        if self._is_cut_by_size:
            raise LimitFault(self.overflow or "")

    def _next(self) -> Any:
        if self.ahead:
            return self.ahead.popleft()
        if self._late is not None:
            raise self._late
        return next(self._batches, None)

    def _look_ahead(self) -> Iterator[Any]:
        rows = size = 0
        while rows < LOOK_AHEAD_ROWS and size < LOOK_AHEAD_BYTES:
            try:
                batch = next(self._batches, None)
            except Exception as error:
                if rows == 0:
                    raise
                self._late = error  # its place is after the rows that came before it
                return
            if batch is None:
                return
            rows, size = rows + batch.num_rows, size + batch.nbytes
            yield batch


def _size_text(limit: int) -> str:
    return (
        f"Cut before the answer is larger than {limit} bytes (result_bytes), the most this service sends at a time;"
        " select fewer columns or rows, or ask for RESPONSEFORMAT=parquet, which is smaller."
    )


def _as_fault(error: Exception) -> Fault:
    """What a reader may know of an error amid the rows; the log has the rest."""
    if isinstance(error, Fault):
        return error
    fault = unforeseen(error, _log, "amid the rows of an answer")
    fault.text = f"the table is incomplete: {fault.text}"
    return fault


def whole_blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Put small pieces together, except the first rows, which are sent at once."""
    waiting: list[bytes] = []
    size = 0
    least = 0
    for number, piece in enumerate(pieces):
        waiting.append(piece)
        size += len(piece)
        if number > 0 and size >= least:
            yield b"".join(waiting)
            waiting, size, least = [], 0, BLOCK_BYTES
    if waiting:
        yield b"".join(waiting)
