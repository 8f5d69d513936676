"""The one handle to the database: who connects as what (docs/design.md, "Roles")."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import Connection, errors
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from vo.db.cluster import DATABASE, SUPERUSER, Cluster
from vo.db.faults import translate
from vo.db.stream import BatchStream, QueryPool
from vo.db.uploads import UploadedTable
from vo.errors import OperatorFault, TransientFault
from vo.settings import Settings

LOG = logging.getLogger(__name__)

OWNER = "vo_owner"
SERVICE = "vo_service"
JOBS = "vo_jobs"
QUERY = "vo_query"
_SERVICE_CONNECTIONS = 8
_WAIT_SECONDS = 5.0
#: Records are read as texts (vo.db.archive), in which floats need all their digits, however the server is set.
_ALL_DIGITS = "SET extra_float_digits = 1"


@dataclass(frozen=True)
class Database:
    """Connections by purpose; made by :func:`open_database`, closed with it.

    ``admin_dsn`` is for :func:`vo.db.migrate.initialise` alone. ``is_private`` tells that the cluster is ours.
    """

    admin_dsn: str
    owner_dsn: str
    service_dsn: str
    query_dsn: str
    jobs_dsn: str
    is_private: bool
    settings: Settings
    queries: QueryPool = field(init=False, repr=False, compare=False)
    _service: ConnectionPool[Connection[TupleRow]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        settings = self.settings
        pool: ConnectionPool[Connection[TupleRow]] = ConnectionPool(
            self.service_dsn,
            min_size=1,
            max_size=_SERVICE_CONNECTIONS,
            open=False,
            timeout=_WAIT_SECONDS,
            check=ConnectionPool.check_connection,
            configure=_configure_service,
            name="service",
        )
        object.__setattr__(self, "_service", pool)
        object.__setattr__(
            self, "queries", QueryPool(self.query_dsn, settings.query_connections, settings.query_wait_seconds)
        )

    @contextmanager
    def owner(self) -> Iterator[Connection[TupleRow]]:
        """Connect as the owner of all tables: one transaction, committed at the end, rolled back on an exception.

        Rows that do not fit together (a scan without its plate) are found at the end and are an OperatorFault.
        """
        with faults(), closing(psycopg.connect(self.owner_dsn)) as connection:
            connection.execute(f"SET ROLE {OWNER}")
            connection.execute(_ALL_DIGITS)
            yield connection
            with _misfits():
                connection.commit()

    @property
    def service(self) -> ConnectionPool[Connection[TupleRow]]:
        """Pool of read-only connections for the server's own reads; opened at the first use."""
        self._service.open()
        return self._service

    @contextmanager
    def read(self) -> Iterator[Connection[TupleRow]]:
        """Borrow a connection of :attr:`service`, which sees one snapshot while it is borrowed.

        A server that is away or busy is a TransientFault.
        """
        with faults(), self.service.connection() as connection:
            yield connection

    def stream(
        self,
        sql: str,
        seconds: float,
        on_start: Callable[[BatchStream], None] | None = None,
        uploads: Sequence[UploadedTable] = (),
    ) -> BatchStream:
        """Run a user's query as the query role for at most ``seconds``; see :class:`BatchStream` for the rest."""
        return self.queries.stream(sql, seconds, on_start, uploads)

    def close(self) -> None:
        """Close all pools."""
        self._service.close()
        self.queries.close()


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database of the settings: that of ``dsn``, or the private cluster in ``data_dir``, which is started."""
    if settings.dsn is None:
        needed = settings.query_connections + _SERVICE_CONNECTIONS
        needed += settings.workers * (settings.worker_jobs + _SERVICE_CONNECTIONS)
        with Cluster(settings.data_dir, {"max_connections": str(40 + 2 * needed)}) as cluster:
            database = private(cluster, settings)
            try:
                yield database
            finally:
                database.close()
        return
    database = external(settings)
    try:
        yield database
    finally:
        database.close()


def private(cluster: Cluster, settings: Settings, name: str = DATABASE) -> Database:
    """Handle for the database ``name`` of a cluster of ours."""
    return Database(
        admin_dsn=cluster.dsn(SUPERUSER, name),
        owner_dsn=cluster.dsn(SUPERUSER, name),
        service_dsn=cluster.dsn(SERVICE, name),
        query_dsn=cluster.dsn(QUERY, name),
        jobs_dsn=cluster.dsn(JOBS, name),
        is_private=True,
        settings=settings,
    )


def external(settings: Settings) -> Database:
    """Handle for an operator's own PostgreSQL."""
    if settings.dsn is None or settings.query_dsn is None:
        raise OperatorFault(
            "VO_DSN and VO_QUERY_DSN go together: the owner's connection and that of a role which may only read "
            f"(make it with CREATE ROLE ... LOGIN IN ROLE {QUERY}, after `vo init`)"
        )
    dsn = make_conninfo(settings.dsn, connect_timeout=10)
    return Database(
        admin_dsn=dsn,
        owner_dsn=dsn,
        service_dsn=dsn,
        query_dsn=make_conninfo(settings.query_dsn, connect_timeout=10),
        jobs_dsn=dsn,
        is_private=False,
        settings=settings,
    )


def check_keys(connection: Connection[TupleRow]) -> None:
    """Find rows that do not fit together now, not only when the owner's transaction ends; the same fault."""
    with _misfits():
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


@contextmanager
def _misfits() -> Iterator[None]:
    try:
        yield
    except errors.IntegrityError as error:
        detail = error.diag.message_detail or error.diag.message_primary
        raise OperatorFault(f"rows do not fit together ({error.diag.constraint_name}): {detail}") from error


def _configure_service(connection: Connection[TupleRow]) -> None:
    connection.execute(f"SET ROLE {SERVICE}")
    connection.execute(_ALL_DIGITS)
    connection.execute("SET default_transaction_read_only = on")
    # What is read in several statements fits together, also while an ingest commits.
    connection.execute("SET default_transaction_isolation = 'repeatable read'")
    connection.commit()


@contextmanager
def faults() -> Iterator[None]:
    """Turn a database that is away or busy into a fault; errors of our own SQL stay what they are."""
    try:
        yield
    except PoolTimeout as error:
        raise TransientFault("the database is busy or away: try again in a moment", retry_after=10) from error
    except psycopg.OperationalError as error:
        raise translate(error.sqlstate, str(error)) from error
