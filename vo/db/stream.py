"""Results of users' queries as Arrow batches, straight from PostgreSQL's binary COPY (ADBC)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from adbc_driver_manager import Error as DriverError
from adbc_driver_manager import _reader
from adbc_driver_postgresql import dbapi

from vo.ahead import Ahead
from vo.db import uploads as up
from vo.db.faults import CANCELED, LostFault, is_lost, sqlstate_of, translate
from vo.errors import Fault, TransientFault

LOG = logging.getLogger(__name__)

#: About so many bytes make a batch: large enough for speed, small enough for a quick first byte.
BATCH_BYTES = 1_000_000
#: So many batches are fetched before they are asked for: on busy processors either thread has to wait for its turn now
#: and then, and with one batch the other one would soon wait with it.
BATCHES_AHEAD = 4

_BATCH_OPTION = "adbc.postgresql.batch_size_hint_bytes"
_SESSION = (
    "SET default_transaction_read_only = on",
    "SET timezone = 'UTC'",
    "SET jit = off",
    "SET search_path = public, pg_temp",
    "SET extra_float_digits = 1",
    # Whoever is killed while a query runs cannot cancel it; the server looks every now and then whether we are there.
    "SET client_connection_check_interval = '1s'",
    # An upload's transaction that a fault of ours leaves open ends by itself; an operator's role may lack the limit.
    "SET idle_in_transaction_session_timeout = '60s'",
)
#: A kept connection that is found lost sooner than this had died before it was asked.
_AT_ONCE = 0.1


@dataclass(slots=True)
class Session:
    """A connection of the query role; ``seconds`` is the time limit that its statements have now.

    ``has_answered`` tells that it was alive when it was last asked something.
    """

    connection: Any
    seconds: float | None = None
    is_fresh: bool = True
    has_answered: bool = False


class BatchStream:
    """The result of one query: iterate its record batches, then close it (or use it as a context manager).

    ``schema`` is known and the first batch is fetched when it is made; from the third on a thread fetches them while
    those before are being worked on, since the driver takes as long as the writers. Faults may still come from the
    iteration: TimeLimitFault, UsageFault (the query's data), TransientFault (the server went away, or :meth:`cancel`,
    which may be called from any thread). ``on_start`` is given the stream before its query begins, so that it can be
    cancelled while it is being made; what it raises ends the query before its beginning. ``uploads`` are tables that
    the query reads: they are there for this transaction alone (:mod:`vo.db.uploads`).
    """

    schema: pa.Schema

    def __init__(
        self,
        session: Session,
        sql: str,
        seconds: float,
        give_back: Callable[[Session, bool], None],
        on_start: Callable[[BatchStream], None] | None = None,
        uploads: Sequence[up.UploadedTable] = (),
    ) -> None:
        self._session = session
        self._connection = session.connection
        self._give_back = give_back
        self._seconds = seconds
        self._uploads = uploads
        self._cancelled = False
        self._begun = False
        self._finished = False
        self._state: str | None = None
        self._guard = threading.Lock()
        self._cursor = self._connection.cursor()
        self._reader: Any = None
        self._first: pa.RecordBatch | None = None
        self._ahead: Ahead[pa.RecordBatch] | None = None
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
        if batch is not None and batch.num_rows:
            yield batch
        # Most answers end here: a thread is for the others.
        batch = None if batch is None else self._next()
        if batch is not None:
            self._ahead = Ahead(self._next, BATCHES_AHEAD)
        while batch is not None:
            if batch.num_rows:
                yield batch
            batch = self._ahead.next() if self._ahead is not None else None

    def cancel(self) -> None:
        """End the query in the database at once; whoever reads it gets a TransientFault.

        PostgreSQL forgets a cancel that comes between two statements: who needs to be sure asks again.
        """
        with self._guard:
            if self._connection is None or self._finished or self._state is not None:
                return
            self._cancelled = True
            if self._begun:
                with suppress(DriverError):
                    self._connection.adbc_cancel()

    def close(self) -> None:
        """Give the connection back; a query that still runs is ended. May be called more than once."""
        self.cancel()
        if self._ahead is not None:
            self._ahead.close()
        with self._guard:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        usable = self._drain()
        with suppress(DriverError, pa.ArrowException, OSError):
            if self._reader is not None:
                self._reader.close()
        usable = usable and self._end_transaction()
        with suppress(DriverError):
            self._cursor.close()
        self._give_back(self._session, usable)

    def _end_transaction(self) -> bool:
        """Drop the uploads; False when the connection is of no more use."""
        if not self._uploads:
            return True
        try:
            self._cursor.execute("ROLLBACK")
        except DriverError:
            return False
        return True

    def _drain(self) -> bool:
        """Read what a cancelled query had still sent, so that the connection can be used again; False if it cannot."""
        if self._finished or not self._begun:
            return True
        if self._state is not None:
            return not is_lost(self._state)
        if self._reader is None:
            return False
        try:
            while True:
                self._reader.read_next_batch()
        except StopIteration:
            return True
        except DriverError as error:
            return sqlstate_of(error) == CANCELED
        except (pa.ArrowException, OSError):
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        with self._guard:
            if self._cancelled:
                raise TransientFault("the query was cancelled before it began")
            self._begun = True

    def _open(self, sql: str) -> None:
        self._begin()
        with self._faults():
            if self._session.seconds != self._seconds:
                self._cursor.execute(f"SET statement_timeout = {max(1, round(self._seconds * 1000))}")
                self._session.seconds = self._seconds
                self._session.has_answered = True
            self._take_uploads(sql)
            self._cursor.adbc_statement.set_options(**{_BATCH_OPTION: str(BATCH_BYTES)})
            self._cursor.execute(sql)
            # The DB-API's own reader loses the SQLSTATE of errors that come in the middle of a result.
            handle = self._cursor.fetch_arrow()
            self._reader = _reader.AdbcRecordBatchReader._import_from_c(handle.address)  # noqa: SLF001 - see above
            self.schema = self._reader.schema
        self._first = self._next()

    def _take_uploads(self, sql: str) -> None:
        if not self._uploads:
            return
        self._cursor.execute("BEGIN READ WRITE")
        self._session.has_answered = True
        try:
            up.store(self._cursor, self._uploads, sql, self._seconds, lambda: self._cancelled)
        except Fault as fault:
            self._state = "" if isinstance(fault, LostFault) else CANCELED
            raise
        self._cursor.execute("SET TRANSACTION READ ONLY")
        if self._cancelled:
            self._state = CANCELED
            raise TransientFault("the query was cancelled while its uploads came in")

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
            self._state = sqlstate_of(error)
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
        self._idle: list[Session] = []
        self._guard = threading.Lock()
        self._closed = False

    def stream(
        self,
        sql: str,
        seconds: float,
        on_start: Callable[[BatchStream], None] | None = None,
        uploads: Sequence[up.UploadedTable] = (),
    ) -> BatchStream:
        """Run a query for at most ``seconds``; TransientFault when no connection gets free in time."""
        if not self._free.acquire(timeout=self._wait_seconds):
            raise TransientFault(
                f"all {self._size} query connections of this service are busy: try again in a moment", retry_after=10
            )
        try:
            session = self._take()
        except BaseException:
            self._free.release()
            raise
        began = time.monotonic()
        try:
            return BatchStream(session, sql, seconds, self._give_back, on_start, uploads)
        except LostFault:
            # What an upload holds has been read by then; and a query that ends its server process must not do so again.
            if session.is_fresh or session.has_answered or time.monotonic() - began > _AT_ONCE:
                raise
        # A connection that was kept has died with a restart of the server: one new try on a new one.
        self._drop_idle()
        return self.stream(sql, seconds, on_start, uploads)

    def close(self) -> None:
        """Close the idle connections; busy ones close when they are given back."""
        self._closed = True
        self._drop_idle()

    def _take(self) -> Session:
        with self._guard:
            session = self._idle.pop() if self._idle else None
        if session is not None:
            session.is_fresh = session.has_answered = False
            return session
        try:
            return Session(self._connect())
        except DriverError as error:
            raise translate(sqlstate_of(error), str(error)) from None

    def _connect(self) -> Any:
        connection = dbapi.connect(self._dsn, autocommit=True)
        try:
            with connection.cursor() as cursor:
                for statement in _SESSION:
                    cursor.execute(statement)
        except BaseException:
            _close(connection)
            raise
        return connection

    def _give_back(self, session: Session, healthy: bool) -> None:  # noqa: FBT001 - a callback's two values
        if healthy and not self._closed:
            with self._guard:
                self._idle.append(session)
        else:
            _close(session.connection)
        self._free.release()

    def _drop_idle(self) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for session in idle:
            _close(session.connection)


def _close(connection: Any) -> None:
    with suppress(DriverError):
        connection.close()
