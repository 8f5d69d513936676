"""Housekeeping: who counts as dead, and files that go."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from psycopg.conninfo import make_conninfo

from vo.db import jobs
from vo.db.jobpool import HOUSEKEEPING, JobPool
from vo.uws.files import JobFiles
from vo.uws.housekeeping import House


@pytest.fixture
def files(settings, tmp_path):
    return JobFiles(settings.model_copy(update={"jobs_store": str(tmp_path / "jobs")}))


@pytest.fixture
def house(files, database):
    return House(JobPool(database), files)


def test_a_worker_is_dead_after_two_seconds_of_silence(house):
    assert house._dead({1}, 100.0) == []
    assert house._dead({1, 2}, 101.0) == []
    assert house._dead({1, 2}, 102.1) == [1]
    assert house._dead({2}, 103.2) == [2]


def test_one_that_is_heard_again_is_not(house):
    house._dead({1}, 100.0)
    house._dead(set(), 101.0)
    assert house._dead({1}, 102.5) == []


def test_what_was_not_seen_is_not_blamed_on_a_worker(house):
    """The database was away, or another process did the looking."""
    house._dead({1}, 100.0)
    assert house._dead({1}, 110.0) == []
    assert house._dead({1}, 112.5) == [1]


def test_while_the_database_is_away_it_waits_and_blames_nobody(files, database):
    away = dataclasses.replace(database, jobs_dsn=make_conninfo(database.jobs_dsn, dbname="not_there"))
    house = House(JobPool(away), files)
    house._dead({1}, 100.0)

    async def work():
        async with house._pool:
            await house.tidy_or_wait()

    asyncio.run(work())
    assert house._silent == {}


def test_files_go_when_they_are_due_and_only_one_process_tidies(fresh_database, files):
    """In a database of its own: a server that other tests have running tidies up, too."""
    house = House(JobPool(fresh_database()), files)

    async def work():
        files.write("job/1/result", iter([b"x"]))
        files.write("job/2/result", iter([b"x"]))
        async with house._pool as pool:
            async with pool.transaction() as connection:
                await jobs.discard(connection, "job/1")
            async with pool.transaction() as connection:
                assert await jobs.alone(connection, HOUSEKEEPING)
                await house.tidy()  # somebody else is at it
                assert files.local_path("job/1/result").exists()
            await house.tidy()
            async with pool.connection() as connection:
                assert "job/1" not in await jobs.due_trash(connection, 100)
        assert not files.local_path("job/1").exists()
        assert files.local_path("job/2/result").exists()

    asyncio.run(work())
