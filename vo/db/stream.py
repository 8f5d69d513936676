"""Results of users' queries as Arrow batches, straight from PostgreSQL's binary COPY (ADBC)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from adbc_driver_manager import Error as DriverError
from adbc_driver_manager import _reader
from adbc_driver_postgresql import dbapi

from vo.db.faults import CANCELED, LostFault, is_lost, translate
from vo.errors import TransientFault

LOG = logging.getLogger(__name__)

#: About so many bytes make a batch: large enough for speed, small enough for a quick first byte.
BATCH_BYTES = 1_000_000

_BATCH_OPTION = "adbc.postgresql.batch_size_hint_bytes"
_SESSION = (
    "SET default_transaction_read_only = on",
    "SET timezone = 'UTC'",
    "SET jit = off",
    "SET search_path = public, pg_temp",
    "SET extra_float_digits = 1",
)


class BatchStream:
    """The result of one query: iterate its record batches, then close it (or use it as a context manager).

    ``schema`` is known and the first batch is fetched when it is made. Faults may still come from the iteration:
    TimeLimitFault, UsageFault (the query's data), TransientFault (the server went away, or :meth:`cancel`, which may be
    called from any thread). ``on_start`` is given the stream before its query begins, so that it can be cancelled while
    it is being made; what it raises ends the query before its beginning.
    """

    schema: pa.Schema

    def __init__(
        self,
        connection: Any,
        sql: str,
        seconds: float,
        give_back: Callable[[Any, bool], None],
        on_start: Callable[[BatchStream], None] | None = None,
    ) -> None:
        self._connection = connection
        self._give_back = give_back
        self._seconds = seconds
        self._cancelled = False
        self._finished = False
        self._state: str | None = None
        self._guard = threading.Lock()
        self._cursor = connection.cursor()
        self._reader: Any = None
        self._first: pa.RecordBatch | None = None
        try:
            if on_start is not None:
                on_start(self)
            self._open(sql)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches, once; none is empty."""
        batch, self._first = self._first, None
        while batch is not None:
            if batch.num_rows:
                yield batch
            batch = self._next()

    def cancel(self) -> None:
        """End the query in the database at once; whoever reads it gets a TransientFault."""
        with self._guard:
            if self._connection is None or self._finished or self._state is not None:
                return
            self._cancelled = True
            with suppress(DriverError):
                self._connection.adbc_cancel()

    def close(self) -> None:
        """Give the connection back; a query that still runs is ended. May be called more than once."""
        self.cancel()
        with self._guard:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        usable = self._drain()
        with suppress(DriverError, pa.ArrowException, OSError):
            if self._reader is not None:
                self._reader.close()
        with suppress(DriverError):
            self._cursor.close()
        self._give_back(connection, usable)

    def _drain(self) -> bool:
        """Read what a cancelled query had still sent, so that the connection can be used again; False if it cannot."""
        if self._finished or self._state is not None:
            return self._finished or not is_lost(self._state)
        if self._reader is None:
            return False
        try:
            while True:
                self._reader.read_next_batch()
        except StopIteration:
            return True
        except DriverError as error:
            return getattr(error, "sqlstate", None) == CANCELED
        except (pa.ArrowException, OSError):
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, sql: str) -> None:
        with self._faults():
            self._cursor.execute(f"SET statement_timeout = {max(1, round(self._seconds * 1000))}")
            self._cursor.adbc_statement.set_options(**{_BATCH_OPTION: str(BATCH_BYTES)})
            self._cursor.execute(sql)
            # The DB-API's own reader loses the SQLSTATE of errors that come in the middle of a result.
            handle = self._cursor.fetch_arrow()
            self._reader = _reader.AdbcRecordBatchReader._import_from_c(handle.address)  # noqa: SLF001 - see above
            self.schema = self._reader.schema
        self._first = self._next()

    def _next(self) -> pa.RecordBatch | None:
        with self._faults():
            try:
                return self._reader.read_next_batch()
            except StopIteration:
                self._finished = True
                return None

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (DriverError, pa.ArrowException, OSError) as error:
            self._state = getattr(error, "sqlstate", None) or ""
            raise translate(self._state, str(error), seconds=self._seconds, cancelled=self._cancelled) from None


class QueryPool:
    """At most ``size`` connections of the query role, kept open between queries.

    A query waits at most ``wait_seconds`` for one of them.
    """

    def __init__(self, dsn: str, size: int, wait_seconds: float) -> None:
        self._dsn = dsn
        self._size = size
        self._wait_seconds = wait_seconds
        self._free = threading.BoundedSemaphore(size)
        self._idle: list[Any] = []
        self._guard = threading.Lock()
        self._closed = False

    def stream(self, sql: str, seconds: float, on_start: Callable[[BatchStream], None] | None = None) -> BatchStream:
        """Run a query for at most ``seconds``; TransientFault when no connection gets free in time."""
        if not self._free.acquire(timeout=self._wait_seconds):
            raise TransientFault(
                f"all {self._size} query connections of this service are busy: try again in a moment", retry_after=10
            )
        try:
            connection, fresh = self._take()
        except BaseException:
            self._free.release()
            raise
        try:
            return BatchStream(connection, sql, seconds, self._give_back, on_start)
        except LostFault:
            if fresh:
                raise
        # A connection that was kept may have died with a restart of the server: one new try on a new one.
        self._drop_idle()
        return self.stream(sql, seconds, on_start)

    def close(self) -> None:
        """Close the idle connections; busy ones close when they are given back."""
        self._closed = True
        self._drop_idle()

    def _take(self) -> tuple[Any, bool]:
        with self._guard:
            if self._idle:
                return self._idle.pop(), False
        try:
            connection = dbapi.connect(self._dsn, autocommit=True)
            with connection.cursor() as cursor:
                for statement in _SESSION:
                    cursor.execute(statement)
        except DriverError as error:
            raise translate(getattr(error, "sqlstate", None), str(error)) from None
        return connection, True

    def _give_back(self, connection: Any, healthy: bool) -> None:  # noqa: FBT001 - a callback's two values
        keep = healthy and not self._closed
        if keep:
            with self._guard:
                self._idle.append(connection)
        else:
            _close(connection)
        self._free.release()

    def _drop_idle(self) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            _close(connection)


def _close(connection: Any) -> None:
    with suppress(DriverError):
        connection.close()
