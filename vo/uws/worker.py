"""The worker: takes jobs from the queue, runs them in threads, and records what became of them.

What may happen to a running job is told by its record. A notification for each change, and a look every second, tell a
worker which of its attempts are void: those are stopped, and the query is cancelled. A worker lives as long as its
session holds its lock (:meth:`vo.db.jobpool.JobPool.listen`); :mod:`vo.uws.housekeeping` gives back the jobs of those
that have died.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import psycopg

from vo.db import jobs
from vo.db.connect import Database
from vo.db.consumer import run_queue
from vo.db.faults import LostFault
from vo.db.jobpool import JobPool
from vo.db.jobrecords import Job, JobError, Result, RunKey
from vo.db.jobs import Connection
from vo.errors import Fault, TimeLimitFault, TransientFault
from vo.settings import Settings
from vo.uws.attempt import Attempt, Stop, Stopped
from vo.uws.files import JobFiles
from vo.uws.housekeeping import keep_house
from vo.uws.kind import JobKind

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: What came of an attempt: results, a fault, or None when it was stopped.
Outcome = tuple[Result, ...] | Fault | None

_LOOK_SECONDS = 1.0
#: A job that still runs then is told what would make it faster.
_HINT_SECONDS = 2.0
#: Beyond its limit in the database, for what a job does outside of it.
_GRACE_SECONDS = 1.0
#: When a worker is stopped, its jobs may end within so many seconds; then they are given back.
_LAST_SECONDS = 3.0
#: While the database is away, a worker that is to stop tries for so long to record how a job ended; then others give
#: the job back. Before that it tries for ever: as long as it lives nobody else would look after the job.
_RECORD_SECONDS = 8.0
_PAUSE_SECONDS = 0.5
#: A worker that finds no database for so long when it starts ends.
_START_SECONDS = 60.0

#: What a job says that lost its database twice.
_CUT_OFF = "the database was restarted or went away while the job ran, and again when it ran the second time"


class Worker:
    """Runs jobs of these kinds, ``settings.worker_jobs`` at a time, until stopped; lives in one event loop."""

    def __init__(self, settings: Settings, database: Database, kinds: Sequence[JobKind]) -> None:
        self._settings = settings
        self._kinds = {kind.name: kind for kind in kinds}
        self._files = JobFiles(settings)
        self._pool = JobPool(database)
        self._attempts: dict[RunKey, Attempt] = {}
        self._threads = ThreadPoolExecutor(settings.worker_jobs, thread_name_prefix="job")
        self._stopping: set[asyncio.Future[None]] = set()
        self._number = 0
        self._leased = asyncio.Event()
        self._changed = asyncio.Event()
        self._give_up: float | None = None

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set; then jobs that do not end within seconds are given back.

        ``ready`` is called when the first job may come.
        """
        await asyncio.gather(*(asyncio.to_thread(kind.prepare) for kind in self._kinds.values()))
        async with self._pool:
            self._give_up = time.monotonic() + _START_SECONDS
            self._number = await self._persistently(jobs.next_worker)
            self._give_up = None
            side = [
                asyncio.create_task(self._pool.listen(self._hear, lease=self._number)),
                asyncio.create_task(self._tend()),
                asyncio.create_task(keep_house(self._pool, self._files)),
            ]
            queue = asyncio.create_task(self._take_jobs())
            try:
                if await self._is_leased(stop):
                    ready()
                await stop.wait()
            finally:
                await self._wind_up(queue)
                await _end(*side)
                self._threads.shutdown(wait=False)

    async def _is_leased(self, stop: asyncio.Event) -> bool:
        """Wait until others can see that this worker lives, or until it is to stop."""
        waits = [asyncio.create_task(self._leased.wait()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self._leased.is_set()

    # -- taking jobs

    async def _take_jobs(self) -> None:
        """Take jobs from the queue; the queue's own worker ends when the database goes away, and is begun again."""
        while True:
            try:
                await run_queue(self._pool, self._run, self._settings.worker_jobs)
            except (psycopg.Error, OSError) as error:
                LOG.info("the queue of jobs is away: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _run(self, number: int) -> None:
        """Run one job of the queue, whatever becomes of it."""
        await self._leased.wait()
        job = await self._persistently(lambda connection: jobs.start_job(connection, number, self._number))
        if job is None:
            return
        attempt = Attempt(job, self._kinds[job.kind], self._files)
        key = RunKey(job.number, job.attempts)
        self._attempts[key] = attempt
        loop = asyncio.get_running_loop()
        limit = loop.call_later(job.execution_seconds + _GRACE_SECONDS, self._stop, attempt, Stop.TIME)
        hints = loop.call_later(_HINT_SECONDS, loop.run_in_executor, None, attempt.look_for_hints)
        try:
            outcome: Outcome = await loop.run_in_executor(self._threads, attempt.run)
        except Stopped:
            outcome = None
        finally:
            limit.cancel()
            hints.cancel()
            del self._attempts[key]
        await self._record(job, key, attempt, outcome)

    async def _record(self, job: Job, key: RunKey, attempt: Attempt, outcome: Outcome) -> None:
        """Say how an attempt ended; what a void one has left is thrown away."""

        async def write(connection: Connection) -> None:
            if not await self._write_outcome(connection, job, key, attempt, outcome):
                await jobs.discard(connection, attempt.folder)

        await self._persistently(write)

    async def _write_outcome(
        self,
        connection: Connection,
        job: Job,
        key: RunKey,
        attempt: Attempt,
        outcome: Outcome,
    ) -> bool:
        info = attempt.info()
        match outcome:
            case tuple():
                return await jobs.complete_job(connection, key, outcome, info)
            case None if attempt.stopped is Stop.SHUTDOWN:
                return await jobs.give_back(connection, key, cause=None)
            case None if attempt.stopped is Stop.VOID:
                return False
            case None | TimeLimitFault():
                error = JobError("transient", self._too_long(job, has_hints="hints" in info))
                return await jobs.fail_job(connection, key, "ABORTED", error, info)
            case LostFault():
                return await jobs.give_back(connection, key, cause=_CUT_OFF)
            case _:
                message = self._kinds[job.kind].style.message(outcome)
                error = JobError("transient" if isinstance(outcome, TransientFault) else "fatal", message)
                return await jobs.fail_job(connection, key, "ERROR", error, info)

    def _too_long(self, job: Job, *, has_hints: bool) -> str:
        hard = self._settings.async_seconds_hard
        more = f"set EXECUTIONDURATION up to {hard}, or " if job.execution_seconds < hard else ""
        hints = "; its jobInfo says what makes it slow" if has_hints else ""
        return (
            f"the job took longer than its execution duration of {job.execution_seconds} s and was aborted: {more}"
            f"{self._kinds[job.kind].remedy}{hints}"
        )

    # -- looking after those that run

    def _hear(self, number: int | None) -> None:
        self._leased.set()
        if number is None or any(key.number == number for key in self._attempts):
            self._changed.set()

    async def _tend(self) -> None:
        """Record how far attempts are, and stop those that are void: when something changed, and every second."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _LOOK_SECONDS)
            self._changed.clear()
            running = dict(self._attempts)
            if not running:
                continue
            try:
                async with self._pool.connection() as connection:
                    valid = await jobs.tell_progress(connection, {key: one.info() for key, one in running.items()})
            except (Fault, psycopg.Error) as error:
                LOG.info("cannot look after running jobs: %s", error)
                continue
            for key, attempt in running.items():
                if key not in valid:
                    self._stop(attempt, Stop.VOID)

    def _stop(self, attempt: Attempt, why: Stop) -> None:
        # In a thread: to cancel a query means to connect to the database.
        stopping = asyncio.get_running_loop().run_in_executor(None, attempt.stop, why)
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)

    async def _wind_up(self, queue: asyncio.Task[None]) -> None:
        """Take no more jobs; let those that run end, then give them back."""
        self._give_up = time.monotonic() + _LAST_SECONDS + _RECORD_SECONDS
        timer = asyncio.get_running_loop().call_later(_LAST_SECONDS, self._stop_all)
        try:
            await _end(queue)
        finally:
            timer.cancel()

    def _stop_all(self) -> None:
        for attempt in self._attempts.values():
            self._stop(attempt, Stop.SHUTDOWN)

    async def _persistently(self, write: Callable[[Connection], Awaitable[T]]) -> T:
        """Write, again and again while the database is away."""
        while True:
            try:
                async with self._pool.connection() as connection:
                    return await write(connection)
            except (Fault, psycopg.OperationalError):
                if self._give_up is not None and time.monotonic() > self._give_up:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
