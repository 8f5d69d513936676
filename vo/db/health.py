"""Whether the database answers queries right now, asked over connections of its own: a pool's would hide the truth."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass

import psycopg
from psycopg import errors

from vo.db.connect import Database
from vo.db.jobpool import LIVING_WORKERS

LOG = logging.getLogger(__name__)

#: How long a connection may take to be made, in seconds; psycopg allows no less.
CONNECT_SECONDS = 2
_STATEMENT_MILLISECONDS = 1500

# libpq hands on only the server's words when a connection is refused.
_RESTARTING = ("starting up", "shutting down", "recovery mode", "not yet accepting")
_CROWDED = ("too many", "remaining connection slots")


@dataclass(frozen=True, slots=True)
class Health:
    """How the database is.

    ``trouble`` says for people why no query can be answered, None when one was. ``is_read_only``: nothing can be kept.
    ``jobs_wait``: jobs are queued, and no worker lives that could take them up.
    """

    trouble: str | None = None
    is_read_only: bool = False
    jobs_wait: bool = False


#: A worker takes a job up within milliseconds; one that has waited so long shows that there is none.
_JOBS_WAIT = f"""
SELECT EXISTS (SELECT FROM uws.job WHERE phase = 'QUEUED' AND queued_time < now() - interval '5 seconds')
       AND NOT EXISTS ({LIVING_WORKERS})
"""


def ask_health(database: Database) -> Health:
    """Answer a small query as users' queries are answered, and ask whether jobs and uploads could be kept.

    It takes some milliseconds while all is well. A server that hangs may keep it forever, whatever limits are set here:
    whoever asks has to bound it.
    """
    try:
        with closing(_connect(database.query_dsn)) as connection:
            connection.execute("SELECT 1 FROM ivoa.obscore LIMIT 1")
        with closing(_connect(database.owner_dsn)) as connection:
            read_only = connection.execute("SHOW transaction_read_only").fetchone()
            jobs_wait = connection.execute(_JOBS_WAIT).fetchone()
    except psycopg.Error as error:
        LOG.warning("the database does not answer: %s", error)
        return Health(_explain(error))
    return Health(is_read_only=read_only == ("on",), jobs_wait=jobs_wait == (True,))


def _connect(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    connection = psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS, autocommit=True)
    try:
        # Not in the connection's options: a pooler between may refuse those.
        connection.execute(f"SET statement_timeout = {_STATEMENT_MILLISECONDS}")
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _explain(error: psycopg.Error) -> str:
    said = str(error).lower()
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName | errors.InsufficientPrivilege):
        return "The database is not set up (vo init does it)."
    if any(word in said for word in _RESTARTING) or isinstance(error, errors.AdminShutdown | errors.CrashShutdown):
        return "The database is restarting; please try again in a minute."
    if any(word in said for word in _CROWDED):
        return "The database takes no more connections; please try again in a minute."
    return "The database does not answer; please try again later."
