"""Connections for jobs, as the role vo_jobs, in one event loop: apart from users' queries and the service's reads."""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from vo.db.connect import JOBS, Database, faults

LOG = logging.getLogger(__name__)

#: Advisory locks of workers have two keys: this one and the worker's number.
LEASE = 0x767770
#: SQL that gives the numbers of the workers that live: those whose session holds its lock.
LIVING_WORKERS = f"""
SELECT objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND classid = {LEASE} AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
#: One process at a time looks after jobs that nobody runs.
HOUSEKEEPING = 0x76776864

_CONNECTIONS = 6
_WAIT_SECONDS = 5.0
#: A pool that has not reconnected after so many seconds begins anew with the next request, without a growing pause.
_RECONNECT_SECONDS = 3.0
_RETRY_SECONDS = 0.25
#: A host that has gone is noticed after about ten seconds, by either side.
_KEEPALIVE = {"keepalives_idle": 4, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
_SERVER_KEEPALIVE = (
    "SET tcp_keepalives_idle = 4",
    "SET tcp_keepalives_interval = 2",
    "SET tcp_keepalives_count = 3",
)

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]


class JobPool:
    """Connections to job records; an asynchronous context manager, used within one event loop."""

    def __init__(self, database: Database) -> None:
        self._dsn = make_conninfo(database.jobs_dsn, **_KEEPALIVE)
        self._pool: Pool | None = None

    @property
    def pool(self) -> Pool:
        """The pool itself, which procrastinate shares."""
        if self._pool is None:
            raise RuntimeError("the pool of job connections is not open")
        return self._pool

    async def __aenter__(self) -> Self:
        self._pool = AsyncConnectionPool(
            self._dsn,
            min_size=1,
            max_size=_CONNECTIONS,
            open=False,
            timeout=_WAIT_SECONDS,
            reconnect_timeout=_RECONNECT_SECONDS,
            check=_check,
            configure=configure,
            name="jobs",
        )
        await self._pool.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """Borrow a connection, each statement on which is committed; TransientFault when the database is away."""
        with faults():
            async with self.pool.connection() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """Borrow a connection for one transaction; TransientFault when the database is away."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def listen(self, hear: Callable[[int | None], None], *, lease: int | None = None) -> None:
        """Call ``hear`` with the number of each job that changes, until cancelled; a lost session is made again.

        ``hear(None)`` says that anything may have changed: a session has just begun. With ``lease`` the session holds
        that worker's lock, by which others see that the worker lives: PostgreSQL lets go of it when the process or its
        host dies.
        """
        while True:
            try:
                async with await AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await configure(connection)
                    if lease is not None:
                        await connection.execute("SELECT pg_advisory_lock(%s, %s)", (LEASE, lease))
                    await connection.execute("LISTEN uws")
                    hear(None)
                    async for notice in connection.notifies():
                        hear(int(notice.payload))
            except psycopg.Error as error:  # also when a role is missing: it may be made while this runs
                LOG.info("the session that listens for jobs has ended: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)


async def _check(connection: AsyncConnection[TupleRow]) -> None:
    """Raise psycopg's error for a connection that has ended while nobody used it.

    PostgreSQL says so when it ends a session. Where nothing was said nothing is asked: under load each question waits
    for its turn, and most of what a request wants is one statement. Of a host that is gone keepalives tell.
    """
    said = select.poll()
    said.register(connection.fileno(), select.POLLIN)
    if said.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def configure(connection: AsyncConnection[TupleRow]) -> None:
    """Make a new connection one of vo_jobs'; procrastinate's functions find its tables by the search path."""
    # Most of what is done is one statement. (As an argument of the pool it would come to procrastinate twice.)
    await connection.set_autocommit(True)
    await connection.execute(f"SET ROLE {JOBS}")
    await connection.execute("SET search_path = queue, pg_temp")
    await connection.execute("SET timezone = 'UTC'")
    for statement in _SERVER_KEEPALIVE:
        await connection.execute(statement)
