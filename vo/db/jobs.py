"""Job records in and out of ``uws.job`` (UWS 1.1).

Every change of a phase is one UPDATE that names the phases it may begin from, so that of two who race (an abort and a
completion, two workers) one finds nothing to change. A worker also names its attempt: what an attempt says that
others have given up is heard by nobody. Triggers tell those who wait, and throw away the files of what did not come to
an end.

All functions take a connection of :class:`vo.db.jobpool.JobPool`; each is one statement but for :func:`insert_job`
and :func:`queue_job`, which need a transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, dict_row
from psycopg.types.json import Jsonb

from vo.db.jobpool import LIVING_WORKERS
from vo.db.jobrecords import Job, JobError, NewJob, Result, RunKey, Upload
from vo.db.queue import DEFER

Connection = AsyncConnection[TupleRow]

#: The first key of locks on a client's number of jobs.
_CLIENT = 0x76776A6E

_COLUMNS = ", ".join(f"job.{field.name}" for field in fields(Job))

_BUSY = "(SELECT count(*) FROM uws.job WHERE client = %(client)s AND phase IN ('QUEUED', 'EXECUTING'))"

_PENDING = "(SELECT count(*) FROM uws.job WHERE client = %(client)s AND phase = 'PENDING')"

_INSERT = f"""
WITH made AS (
    INSERT INTO uws.job AS job (id, kind, phase, run_id, session, client, execution_seconds, destruction, parameters,
        uploads, base_url, request, queued_time)
    SELECT %(id)s, %(kind)s, %(phase)s, %(run_id)s, %(session)s, %(client)s, %(execution_seconds)s,
        least(coalesce(%(destruction)s, now() + %(retention)s), now() + %(retention_hard)s), %(parameters)s,
        %(uploads)s, %(base_url)s, %(request)s, CASE WHEN %(phase)s = 'QUEUED' THEN now() END
    WHERE CASE WHEN %(phase)s = 'PENDING' THEN {_PENDING} ELSE {_BUSY} END < %(most)s
    RETURNING {_COLUMNS})
SELECT made.*, CASE WHEN phase = 'QUEUED' THEN {DEFER} END AS entry FROM made
"""

_QUEUE = f"""
WITH made AS (
    UPDATE uws.job SET phase = 'QUEUED', queued_time = now()
    WHERE number = %(number)s AND phase = 'PENDING' AND {_BUSY} < %(most)s
    RETURNING {_COLUMNS})
SELECT made.*, {DEFER} AS entry FROM made
"""

#: A job that was lost once is queued again; the second time it has failed.
_GIVE_BACK = f"""
WITH lost AS (
    UPDATE uws.job SET
        phase = CASE WHEN losses + %(loss)s < 2 THEN 'QUEUED' ELSE 'ERROR' END,
        queued_time = now(),
        end_time = CASE WHEN losses + %(loss)s < 2 THEN NULL ELSE now() END,
        error = CASE WHEN losses + %(loss)s < 2 THEN NULL ELSE %(error)s::jsonb END,
        losses = losses + %(loss)s, worker = NULL, info = info - 'bytes'
    WHERE phase = 'EXECUTING' AND {{which}}
    RETURNING number, phase)
SELECT number, phase, CASE WHEN phase = 'QUEUED' THEN {DEFER} END FROM lost
"""


async def insert_job(
    connection: Connection, new: NewJob, *, run: bool, most: int, retention: dt.timedelta, retention_hard: dt.timedelta
) -> Job | None:
    """Record a new job, with ``run`` also queue it.

    It is removed ``retention`` from now unless it has a ``destruction``, and after ``retention_hard`` at the latest.
    None when its client has ``most`` jobs queued or running, or without ``run`` ``most`` pending ones.
    """
    await _lock_client(connection, new.client)
    values = {
        **asdict(new),
        "parameters": Jsonb([list(pair) for pair in new.parameters]),
        "uploads": Jsonb([asdict(upload) for upload in new.uploads]),
        "phase": "QUEUED" if run else "PENDING",
        "most": most,
        "retention": retention,
        "retention_hard": retention_hard,
    }
    return await _one(connection, _INSERT, values)


async def queue_job(connection: Connection, job: Job, *, most: int) -> Job | None:
    """Queue a pending job; None when it is not pending, or its client has ``most`` jobs queued or running."""
    await _lock_client(connection, job.client)
    return await _one(connection, _QUEUE, {"number": job.number, "client": job.client, "most": most})


async def find_job(connection: Connection, kind: str, job_id: str) -> Job | None:
    """The job of this kind and id, None when there is none or its time has come."""
    sql = f"SELECT {_COLUMNS} FROM uws.job WHERE id = %(id)s AND kind = %(kind)s AND destruction > now()"
    return await _one(connection, sql, {"id": job_id, "kind": kind})


async def find_phase(connection: Connection, number: int) -> str | None:
    """The phase of a job, None when it is gone."""
    cursor = await connection.execute("SELECT phase FROM uws.job WHERE number = %s", (number,))
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def list_jobs(
    connection: Connection,
    kind: str,
    session: str,
    *,
    phases: Sequence[str] = (),
    after: dt.datetime | None = None,
    last: int | None = None,
) -> list[Job]:
    """The jobs of a session, oldest first: in these phases, created after a time, the last so many (UWS 2.2.2.1).

    They come without parameters.
    """
    light = _COLUMNS.replace("job.parameters", "'[]'::jsonb AS parameters")
    sql = f"""
        WITH newest AS (
            SELECT {light} FROM uws.job
            WHERE session = %(session)s AND kind = %(kind)s AND destruction > now()
              AND (%(phases)s::text[] = '{{}}' OR phase = ANY(%(phases)s))
              AND (%(after)s::timestamptz IS NULL OR creation_time > %(after)s)
            ORDER BY creation_time DESC, number DESC LIMIT %(last)s)
        SELECT * FROM newest ORDER BY creation_time, number
    """
    values = {"session": session, "kind": kind, "phases": list(phases), "after": after, "last": last}
    return await _all(connection, sql, values)


async def abort_job(connection: Connection, number: int) -> Job | None:
    """End a job that has not ended; None when it has."""
    sql = f"""
        UPDATE uws.job SET phase = 'ABORTED', end_time = now(), worker = NULL
        WHERE number = %(number)s AND phase IN ('PENDING', 'QUEUED', 'EXECUTING') RETURNING {_COLUMNS}
    """
    return await _one(connection, sql, {"number": number})


async def delete_job(connection: Connection, number: int) -> None:
    """Remove a job; its files follow within seconds."""
    await connection.execute("DELETE FROM uws.job WHERE number = %s", (number,))


async def set_limits(
    connection: Connection, number: int, *, destruction: dt.datetime | None, hard: dt.timedelta, seconds: int | None
) -> Job | None:
    """Change when a job is removed (at most ``hard`` from its creation); while it is pending, how long it may run."""
    sql = f"""
        UPDATE uws.job SET destruction = least(coalesce(%(destruction)s, destruction), creation_time + %(hard)s),
            execution_seconds = coalesce(%(seconds)s, execution_seconds)
        WHERE number = %(number)s AND (%(seconds)s::int IS NULL OR phase = 'PENDING') RETURNING {_COLUMNS}
    """
    return await _one(connection, sql, {"number": number, "destruction": destruction, "hard": hard, "seconds": seconds})


async def set_parameters(
    connection: Connection,
    number: int,
    parameters: Sequence[tuple[str, str]],
    uploads: Sequence[Upload],
    run_id: str | None,
) -> Job | None:
    """Replace the parameters of a pending job; None when it is pending no more."""
    sql = f"""
        UPDATE uws.job SET parameters = %(parameters)s, uploads = %(uploads)s, run_id = %(run_id)s
        WHERE number = %(number)s AND phase = 'PENDING' RETURNING {_COLUMNS}
    """
    values = {
        "number": number,
        "parameters": Jsonb([list(pair) for pair in parameters]),
        "uploads": Jsonb([asdict(upload) for upload in uploads]),
        "run_id": run_id,
    }
    return await _one(connection, sql, values)


async def lock_job(connection: Connection, number: int) -> Job | None:
    """A job that nobody else changes until the end of the transaction; None when it is gone."""
    return await _one(
        connection, f"SELECT {_COLUMNS} FROM uws.job WHERE number = %(number)s FOR UPDATE", {"number": number}
    )


# -- what workers do


async def next_worker(connection: Connection) -> int:
    """A number for a worker of its own."""
    row = await (await connection.execute("SELECT nextval('uws.worker')")).fetchone()
    assert row is not None  # noqa: S101 - a sequence always has a next value
    return int(row[0])


async def start_job(connection: Connection, number: int, worker: int) -> Job | None:
    """Begin a queued job; None when it was aborted, removed or begun by another."""
    sql = f"""
        UPDATE uws.job SET phase = 'EXECUTING', start_time = now(), attempts = attempts + 1, worker = %(worker)s
        WHERE number = %(number)s AND phase = 'QUEUED' AND destruction > now() RETURNING {_COLUMNS}
    """
    return await _one(connection, sql, {"number": number, "worker": worker})


async def complete_job(connection: Connection, run: RunKey, results: Sequence[Result], info: Mapping[str, Any]) -> bool:
    """Record the results of an attempt; False when it is void."""
    sql = """
        UPDATE uws.job SET phase = 'COMPLETED', end_time = now(), results = %s, info = info || %s
        WHERE number = %s AND attempts = %s AND phase = 'EXECUTING'
    """
    stored = Jsonb([asdict(result) for result in results])
    return await _changed(connection, sql, (stored, Jsonb(dict(info)), run.number, run.attempt))


async def fail_job(
    connection: Connection, run: RunKey, phase: Literal["ERROR", "ABORTED"], error: JobError, info: Mapping[str, Any]
) -> bool:
    """Record why an attempt failed; False when it is void."""
    sql = """
        UPDATE uws.job SET phase = %s, end_time = now(), error = %s, info = info || %s
        WHERE number = %s AND attempts = %s AND phase = 'EXECUTING'
    """
    values = (phase, Jsonb(asdict(error)), Jsonb(dict(info)), run.number, run.attempt)
    return await _changed(connection, sql, values)


async def give_back(connection: Connection, run: RunKey, *, cause: str | None) -> bool:
    """Queue a job again whose attempt came to nothing; False when the attempt is void.

    ``cause`` says what went wrong (the job's second loss makes it fail with these words); None when nothing did, as
    when a worker is stopped.
    """
    which = "number = %(number)s AND attempts = %(attempt)s"
    error = None if cause is None else Jsonb(asdict(JobError("fatal", cause)))
    values = {"number": run.number, "attempt": run.attempt, "loss": 0 if cause is None else 1, "error": error}
    cursor = await connection.execute(_GIVE_BACK.format(which=which), values)
    return cursor.rowcount > 0


async def tell_progress(connection: Connection, running: Mapping[RunKey, Mapping[str, Any]]) -> set[RunKey]:
    """Record what attempts say of themselves; return those that are not void."""
    sql = """
        UPDATE uws.job SET info = job.info || told.info
        FROM unnest(%s::bigint[], %s::int[], %s::jsonb[]) AS told (number, attempt, info)
        WHERE job.number = told.number AND attempts = told.attempt AND phase = 'EXECUTING'
        RETURNING job.number, attempts
    """
    told = [Jsonb(dict(info)) for info in running.values()]
    values = ([run.number for run in running], [run.attempt for run in running], told)
    return {RunKey(*row) for row in await (await connection.execute(sql, values)).fetchall()}


# -- housekeeping


async def alone(connection: Connection, lock: int) -> bool:
    """Whether nobody else holds the lock, which is ours until the end of the transaction then."""
    row = await (await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (lock,))).fetchone()
    return row is not None and bool(row[0])


async def find_silent_workers(connection: Connection) -> set[int]:
    """The workers that have running jobs and no session that holds their lock."""
    sql = f"""
        SELECT DISTINCT worker FROM uws.job
        WHERE phase = 'EXECUTING' AND worker IS NOT NULL AND worker NOT IN ({LIVING_WORKERS})
    """
    return {int(worker) for (worker,) in await (await connection.execute(sql)).fetchall()}


async def rescue_jobs(connection: Connection, workers: Sequence[int], cause: str) -> int:
    """Give back the jobs of workers that have died; how many there were."""
    error = Jsonb(asdict(JobError("fatal", cause)))
    values = {"workers": list(workers), "loss": 1, "error": error}
    return (await connection.execute(_GIVE_BACK.format(which="worker = ANY(%(workers)s)"), values)).rowcount


async def requeue_jobs(connection: Connection, seconds: float) -> int:
    """Queue jobs again that have waited so long without an entry in the queue: who had taken it died before it began.

    Entries of workers that are gone for long are removed.
    """
    sql = f"""
        SELECT number, {DEFER} FROM uws.job
        WHERE phase = 'QUEUED' AND queued_time < now() - make_interval(secs => %s) AND NOT EXISTS (
            SELECT FROM queue.procrastinate_jobs entry
            WHERE status = 'todo' AND (entry.args ->> 'number')::bigint = job.number)
    """
    cursor = await connection.execute(sql, (seconds,))
    await connection.execute("DELETE FROM queue.procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL")
    return cursor.rowcount


async def end_overdue(connection: Connection, grace: float, message: str) -> int:
    """End jobs that run for so many seconds beyond their limit: their worker lives but does not do as it should."""
    sql = """
        UPDATE uws.job SET phase = 'ABORTED', end_time = now(), error = %s
        WHERE phase = 'EXECUTING' AND start_time + make_interval(secs => execution_seconds + %s) < now()
    """
    cursor = await connection.execute(sql, (Jsonb(asdict(JobError("transient", message))), grace))
    return cursor.rowcount


async def expire_jobs(connection: Connection) -> int:
    """Remove the jobs whose time has come (UWS-09)."""
    return (await connection.execute("DELETE FROM uws.job WHERE destruction <= now()")).rowcount


async def discard(connection: Connection, path: str) -> None:
    """Have the files below this path of the store removed."""
    await connection.execute("SELECT uws.discard(%s, now())", (path,))


async def due_trash(connection: Connection, most: int) -> list[str]:
    """Paths of the store whose files are to be removed now."""
    cursor = await connection.execute("SELECT path FROM uws.trash WHERE due <= now() ORDER BY due LIMIT %s", (most,))
    return [str(path) for (path,) in await cursor.fetchall()]


async def forget_trash(connection: Connection, paths: Sequence[str]) -> None:
    """These files are gone."""
    await connection.execute("DELETE FROM uws.trash WHERE path = ANY(%s) AND due <= now()", (list(paths),))


# -- rows


async def _lock_client(connection: Connection, client: str) -> None:
    """Let requests of one client that make jobs or queue them come one after the other: each counts those before."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_CLIENT, client))


async def _changed(connection: Connection, sql: LiteralString, values: Sequence[Any]) -> bool:
    return (await connection.execute(sql, values)).rowcount > 0


async def _one(connection: Connection, sql: str, values: Mapping[str, Any]) -> Job | None:
    found = await _all(connection, sql, values)
    return found[0] if found else None


async def _all(connection: Connection, sql: str, values: Mapping[str, Any]) -> list[Job]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return [_job(row) for row in await cursor.fetchall()]


def _job(row: dict[str, Any]) -> Job:
    row.pop("entry", None)
    return Job(
        **{
            **row,
            "parameters": tuple((name, value) for name, value in row["parameters"]),
            "uploads": tuple(Upload(**one) for one in row["uploads"]),
            "results": tuple(Result(**one) for one in row["results"]),
            "error": None if row["error"] is None else JobError(**row["error"]),
        }
    )
