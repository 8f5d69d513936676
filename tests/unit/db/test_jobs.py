"""Job records: changes that race, workers that die, files that are thrown away."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets

import psycopg
import pytest
from patience import PATIENCE
from psycopg import errors

from vo.db import jobs
from vo.db.jobpool import JobPool
from vo.db.jobrecords import JobError, NewJob, Result, RunKey, Upload

DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def own(fresh_database):
    return fresh_database()


def with_pool(database, work):
    """Run ``work(pool)`` in an event loop of its own."""

    async def run():
        async with JobPool(database) as pool:
            return await work(pool)

    return asyncio.run(run())


def new(**changes) -> NewJob:
    values = {
        "id": secrets.token_hex(16),
        "kind": "tap",
        "run_id": None,
        "session": None,
        "client": secrets.token_hex(4),
        "execution_seconds": 60,
        "destruction": None,
        "parameters": [("QUERY", "q")],
        "uploads": [],
        "base_url": "http://plates.example",
        "request": "http://plates.example/tap/async",
    }
    return NewJob(**{**values, **changes})


async def made(pool, *, run=True, most=10, **changes):
    async with pool.transaction() as connection:
        return await jobs.insert_job(
            connection, new(**changes), run=run, most=most, retention=DAY, retention_hard=2 * DAY
        )


async def begun(pool, worker=1, **changes):
    job = await made(pool, **changes)
    async with pool.transaction() as connection:
        return await jobs.start_job(connection, job.number, worker)


async def trash(pool):
    async with pool.transaction() as connection:
        cursor = await connection.execute("SELECT path FROM uws.trash")
        return {path for (path,) in await cursor.fetchall()}


async def found(pool, job):
    async with pool.transaction() as connection:
        return await jobs.find_job(connection, job.kind, job.id)


async def entries(pool, job):
    async with pool.transaction() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM queue.procrastinate_jobs WHERE (args ->> 'number')::bigint = %s", (job.number,)
        )
        return (await cursor.fetchone())[0]


def test_a_job_is_read_as_it_was_written(own):
    async def work(pool):
        upload = Upload("a", "a.xml", None, "f")
        wanted = new(run_id="mine", session="s", parameters=[("A", "1"), ("a", "é")], uploads=[upload])
        async with pool.transaction() as connection:
            job = await jobs.insert_job(connection, wanted, run=False, most=1, retention=DAY, retention_hard=DAY)
        again = await found(pool, job)
        assert again == job
        assert (job.parameters, job.uploads, job.phase) == ((("A", "1"), ("a", "é")), (upload,), "PENDING")
        assert job.destruction - job.creation_time == DAY
        assert await entries(pool, job) == 0
        async with pool.transaction() as connection:
            assert await jobs.find_job(connection, "soda", job.id) is None

    with_pool(own, work)


def test_a_client_gets_no_more_jobs_than_allowed_however_fast_it_asks(own):
    async def work(pool):
        several = await asyncio.gather(*(made(pool, most=3, client="busy") for _ in range(12)))
        assert sum(job is not None for job in several) == 3
        many = await asyncio.gather(*(made(pool, run=False, most=8, client="other") for _ in range(12)))
        pending = [job for job in many if job is not None]
        assert len(pending) == 8

        async def queue(job):
            async with pool.transaction() as connection:
                return await jobs.queue_job(connection, job, most=3)

        queued = await asyncio.gather(*map(queue, pending))
        assert sum(job is not None for job in queued) == 3

    with_pool(own, work)


def test_of_all_that_end_a_job_at_once_one_succeeds(own):
    async def work(pool):
        for _ in range(8):
            job = await begun(pool)
            run = RunKey(job.number, job.attempts)

            async def act(change, run=run):
                async with pool.transaction() as connection:
                    return bool(await change(connection, run))

            changes = [
                lambda connection, run: jobs.complete_job(connection, run, [Result("result", "a/b", 1, "f")], {}),
                lambda connection, run: jobs.fail_job(connection, run, "ERROR", JobError("fatal", "x"), {}),
                lambda connection, run: jobs.abort_job(connection, run.number),
                lambda connection, run: jobs.give_back(connection, run, cause="x"),
            ]
            results = await asyncio.gather(*map(act, changes))
            after = await found(pool, job)
            # a job that was given back may still be aborted
            assert sum(results) == 1 or (results == [False, False, True, True] and after.phase == "ABORTED")
            assert (after.phase == "COMPLETED") == bool(after.results)

    with_pool(own, work)


def test_two_workers_never_begin_the_same_attempt(own):
    async def work(pool):
        job = await made(pool)

        async def start(worker):
            async with pool.transaction() as connection:
                return await jobs.start_job(connection, job.number, worker)

        assert sum(one is not None for one in await asyncio.gather(*map(start, range(6)))) == 1

    with_pool(own, work)


def test_what_a_given_up_attempt_says_is_not_heard(own):
    async def work(pool):
        job = await begun(pool)
        old = RunKey(job.number, 1)
        async with pool.transaction() as connection:
            assert await jobs.give_back(connection, old, cause=None)
            again = await jobs.start_job(connection, job.number, 2)
            assert again.attempts == 2
            assert not await jobs.complete_job(connection, old, [], {})
            assert not await jobs.fail_job(connection, old, "ERROR", JobError("fatal", "x"), {})
            assert not await jobs.give_back(connection, old, cause="x")
            current = RunKey(job.number, 2)
            assert await jobs.tell_progress(connection, {old: {"bytes": 1}, current: {"bytes": 2}}) == {current}
        assert (await found(pool, job)).info == {"bytes": 2}

    with_pool(own, work)


def test_a_dead_workers_job_is_queued_once_more_then_fails(own):
    async def work(pool):
        job = await begun(pool, worker=999)
        async with pool.transaction() as connection:
            assert 999 in await jobs.find_silent_workers(connection)
            await jobs.rescue_jobs(connection, [999], "it died")
        once = await found(pool, job)
        assert (once.phase, once.losses, once.error) == ("QUEUED", 1, None)
        assert await entries(pool, job) == 2  # of the dead one, and a new one
        async with pool.transaction() as connection:
            await jobs.start_job(connection, job.number, 998)
            await jobs.rescue_jobs(connection, [998, 997], "it died")
        twice = await found(pool, job)
        assert (twice.phase, twice.losses, twice.error) == ("ERROR", 2, JobError("fatal", "it died"))
        assert {f"{job.id}/1", f"{job.id}/2"} <= await trash(pool)

    with_pool(own, work)


def test_a_worker_is_silent_when_its_session_has_ended(own):
    async def work(pool):
        async def is_silent():
            async with pool.connection() as connection:
                return 777 in await jobs.find_silent_workers(connection)

        heard = asyncio.Event()
        listening = asyncio.create_task(pool.listen(lambda _number: heard.set(), lease=777))
        await heard.wait()
        job = await begun(pool, worker=777)
        assert not await is_silent()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):  # PostgreSQL needs a moment to see that the session has ended
            while not await is_silent():  # noqa: ASYNC110 - nobody in this process could tell
                await asyncio.sleep(0.02)
        async with pool.connection() as connection:
            await jobs.rescue_jobs(connection, [776], "it died")
        assert (await found(pool, job)).phase == "EXECUTING"

    with_pool(own, work)


def test_a_job_that_is_in_no_queue_comes_back_into_it(own):
    async def work(pool):
        job, fresh = await made(pool), await made(pool)
        async with pool.transaction() as connection:
            await connection.execute("DELETE FROM queue.procrastinate_jobs")
            await connection.execute(
                "UPDATE uws.job SET queued_time = queued_time - interval '1 min' WHERE number = %s", (job.number,)
            )
            await jobs.requeue_jobs(connection, 10)
            await jobs.requeue_jobs(connection, 10)
        assert (await entries(pool, job), await entries(pool, fresh)) == (1, 0)

    with_pool(own, work)


def test_a_job_that_does_not_stop_is_ended_by_others(own):
    async def work(pool):
        job, other = await begun(pool, execution_seconds=5), await begun(pool, execution_seconds=500)
        async with pool.transaction() as connection:
            await connection.execute("UPDATE uws.job SET start_time = start_time - interval '1 min'")
            await jobs.end_overdue(connection, 10, "too long")
        assert (await found(pool, job)).error == JobError("transient", "too long")
        assert (await found(pool, other)).phase == "EXECUTING"

    with_pool(own, work)


def test_files_go_with_their_job_and_uploads_with_its_end(own):
    async def work(pool):
        job = await begun(pool, uploads=[Upload("a", "a", None, "f")])
        async with pool.transaction() as connection:
            await jobs.complete_job(connection, RunKey(job.number, 1), [], {})
        assert f"{job.id}/uploads" in await trash(pool)
        assert f"{job.id}/1" not in await trash(pool)
        async with pool.transaction() as connection:
            await jobs.delete_job(connection, job.number)
        assert job.id in await trash(pool)
        async with pool.transaction() as connection:
            assert job.id in await jobs.due_trash(connection, 1000)
            await jobs.forget_trash(connection, [job.id])
        assert job.id not in await trash(pool)

    with_pool(own, work)


def test_a_connection_that_has_ended_meanwhile_is_not_lent(own):
    async def work(pool):
        async with pool.connection() as connection:
            pid = connection.info.backend_pid
        with psycopg.connect(own.admin_dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        async with pool.connection() as connection:
            assert connection.info.backend_pid != pid
            await connection.execute("SELECT 1")

    with_pool(own, work)


def test_changes_are_told_to_those_who_listen_by_number(own):
    async def work(pool):
        heard: asyncio.Queue = asyncio.Queue()
        listening = asyncio.create_task(pool.listen(heard.put_nowait))
        assert await heard.get() is None
        job = await begun(pool)
        assert await heard.get() == job.number
        async with pool.transaction() as connection:
            await jobs.delete_job(connection, job.number)
        assert await asyncio.wait_for(heard.get(), PATIENCE) == job.number
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    with_pool(own, work)


# -- who may see them


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM archive.plate",
        "SELECT count(*) FROM archive.product",
        "SELECT count(*) FROM ivoa.obscore",
        "SELECT count(*) FROM vo.applied",
        "TRUNCATE uws.job",
        "DROP TABLE uws.job",
        "CREATE TABLE uws.x (a int)",
        "CREATE TABLE public.x (a int)",
    ],
)
def test_the_role_of_jobs_does_nothing_else(own, statement):
    async def work(pool):
        async with pool.connection() as connection:
            with pytest.raises(errors.InsufficientPrivilege):
                await connection.execute(statement)

    with_pool(own, work)


@pytest.mark.parametrize("table", ["uws.job", "uws.trash", "queue.procrastinate_jobs", "queue.procrastinate_events"])
def test_neither_users_queries_nor_the_services_reads_see_jobs(own, table):
    with psycopg.connect(own.query_dsn) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"SELECT * FROM {table}")
    with own.read() as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"SELECT * FROM {table}")
