"""The worker: what it does about a database that is away."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import psycopg
import pytest

from vo.errors import TransientFault
from vo.uws import worker as module
from vo.uws.worker import Worker


@pytest.fixture
def worker(settings, database, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.001)
    return Worker(settings, database, [])


def recorded(worker, failures):
    """What becomes of a write that fails so many times, and how often it was tried."""
    tried = []

    async def write(_connection):
        tried.append(None)
        if len(tried) <= failures:
            raise psycopg.OperationalError("the server went away")
        return "written"

    async def work():
        async with worker._pool:
            return await worker._persistently(write)

    return asyncio.run(work()), len(tried)


def test_how_a_job_ended_is_recorded_however_long_the_database_is_away(worker, monkeypatch):
    """A worker that lives keeps its jobs: nobody else would end one whose record it gave up."""
    clock = iter(range(0, 10**9, 600))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    assert recorded(worker, failures=50) == ("written", 51)


def test_a_worker_that_is_to_stop_gives_up_after_a_while(worker):
    worker._give_up = time.monotonic() - 1
    with pytest.raises(TransientFault):
        recorded(worker, failures=50)
