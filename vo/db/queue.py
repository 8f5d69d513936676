"""The queue of jobs: procrastinate's tables in the schema ``queue``.

The queue only says which job is to be run next; what becomes of a job is in ``uws.job`` (:mod:`vo.db.jobs`). An entry
that is lost or comes twice does no harm: whoever runs a job has to change its phase first.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.applied import is_applied, remember

SCHEMA = "queue"
QUEUE = "jobs"
TASK = "run"

#: The SQL that puts a job into the queue; ``number`` is its place in the surrounding statement. procrastinate's own
#: function, which its documentation gives for SQL; its notification goes out at the commit.
DEFER = (
    f"queue.procrastinate_defer_jobs_v1(ARRAY[ROW('{QUEUE}', '{TASK}', 0, NULL, NULL, "
    "jsonb_build_object('number', number), NULL)::queue.procrastinate_job_to_defer_v1])"
)

#: What is remembered in vo.applied.
_NAME = "procrastinate"


def install(connection: Connection[TupleRow]) -> None:
    """Make procrastinate's tables in their schema as the version that is installed has them; repeatable.

    Tables of another version are made anew and not migrated: some migrations cannot run in a transaction with others,
    and nothing is lost. Jobs that have no entry get one again within seconds (:func:`vo.db.jobs.requeue_jobs`).
    """
    text = _schema()
    if is_applied(connection, _NAME, text):
        return
    connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    connection.execute(f"CREATE SCHEMA {SCHEMA}")
    connection.execute(f"SET LOCAL search_path = {SCHEMA}")
    connection.execute(text)
    connection.execute("SET LOCAL search_path TO DEFAULT")
    remember(connection, _NAME, text)


def _schema() -> str:
    """Procrastinate's SQL, found without importing it: a server has no other use for it."""
    found = find_spec(_NAME)
    assert found is not None  # noqa: S101 - a dependency of ours
    assert found.origin is not None  # noqa: S101 - the same
    return (Path(found.origin).parent / "sql" / "schema.sql").read_text(encoding="utf-8")
