"""procrastinate's tables in a schema of their own: made once, and anew for another version."""

import asyncio

import psycopg
import pytest

from vo.db import jobs, queue
from vo.db.jobpool import JobPool
from vo.db.migrate import initialise

_SHAPE = """
    SELECT 'function', p.oid::regprocedure::text FROM pg_proc p WHERE pronamespace = 'queue'::regnamespace
    UNION ALL
    SELECT 'column', c.oid::regclass || '.' || attname || ' ' || format_type(atttypid, NULL)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'queue'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    ORDER BY 1, 2
"""


@pytest.fixture
def owner(fresh_database):
    with fresh_database().owner() as connection:
        yield connection
        connection.rollback()


def shape(connection):
    return connection.execute(_SHAPE).fetchall()


def test_it_is_in_a_schema_of_its_own(owner):
    assert owner.execute("SELECT to_regclass('queue.procrastinate_jobs')").fetchone() != (None,)
    elsewhere = "relname LIKE 'procrastinate%' AND relnamespace <> 'queue'::regnamespace"
    assert owner.execute(f"SELECT count(*) FROM pg_class WHERE {elsewhere}").fetchone() == (0,)


def test_installing_again_changes_nothing(owner):
    before = shape(owner)
    owner.execute("INSERT INTO queue.procrastinate_workers DEFAULT VALUES")
    path = owner.execute("SHOW search_path").fetchone()
    queue.install(owner)
    assert shape(owner) == before
    assert owner.execute("SELECT count(*) FROM queue.procrastinate_workers").fetchone() == (1,)
    assert owner.execute("SHOW search_path").fetchone() == path


def test_another_version_is_replaced_and_no_job_is_lost(fresh_database, catalogue):
    database = fresh_database()
    insert = (
        "INSERT INTO uws.job (id, kind, phase, client, destruction, execution_seconds, parameters, "
        "base_url, request, queued_time) "
        "VALUES ('a', 'tap', 'QUEUED', '', now() + interval '1 day', 1, '[]', '', '', now() - interval '1 h')"
    )
    with database.owner() as owner:
        wanted = shape(owner)
        owner.execute("ALTER TABLE queue.procrastinate_jobs DROP COLUMN attempts CASCADE")
        owner.execute("UPDATE vo.applied SET digest = 'of another version' WHERE name = 'procrastinate'")
        owner.execute(insert)
    initialise(database, catalogue)
    with database.owner() as owner:
        assert shape(owner) == wanted

    async def requeue():
        async with JobPool(database) as pool, pool.transaction() as connection:
            return await jobs.requeue_jobs(connection, 10)

    assert asyncio.run(requeue()) == 1


def test_our_statement_puts_a_job_into_it(fresh_database):
    with psycopg.connect(fresh_database().admin_dsn) as connection:
        connection.execute("SET search_path = queue")
        connection.execute(f"SELECT {queue.DEFER} FROM (VALUES (7)) AS job (number)")
        found = connection.execute("SELECT queue_name, task_name, args, status::text FROM procrastinate_jobs")
        assert found.fetchall() == [("jobs", "run", {"number": 7}, "todo")]
