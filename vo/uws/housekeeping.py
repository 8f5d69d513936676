"""What somebody has to look after all the time: jobs whose worker has died, jobs whose time has come, old files.

Every server and every worker offers to do it; a lock in the database lets one at a time do so.
"""

from __future__ import annotations

import asyncio
import logging
import time

import psycopg

from vo.db import jobs
from vo.db.jobpool import HOUSEKEEPING, JobPool
from vo.errors import Fault
from vo.uws.files import JobFiles

LOG = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
#: A queued job that is in no queue for so long has been taken by somebody who died before it began.
_LOST_SECONDS = 10.0
#: A worker ends a job itself at its limit; so much later somebody else does it.
_GRACE_SECONDS = 60.0
_FILES_AT_A_TIME = 100

#: A worker counts as dead when its lock has been free for so long; one that lost its session alone takes it sooner.
_SILENT_SECONDS = 2.0

#: What a job says that was lost twice.
DIED = (
    "the worker that ran this job died or was cut off from the database, and so did the one that took the job up again"
)
_HUNG = "the job took longer than its execution duration and did not stop when it was asked to"


async def keep_house(pool: JobPool, files: JobFiles) -> None:
    """Tidy up every second, until cancelled."""
    house = House(pool, files)
    while True:
        await house.tidy_or_wait()
        await asyncio.sleep(_EVERY_SECONDS)


class House:
    """What one process knows from one look to the next: since when a worker has been silent."""

    def __init__(self, pool: JobPool, files: JobFiles) -> None:
        self._pool = pool
        self._files = files
        self._silent: dict[int, float] = {}
        self._looked = 0.0

    async def tidy_or_wait(self) -> None:
        """Tidy up once; while the database is away, only note that nobody can be blamed for silence."""
        try:
            await self.tidy()
        except (Fault, psycopg.Error) as error:
            self._silent.clear()
            LOG.info("housekeeping of jobs waits for the database: %s", error)

    async def tidy(self) -> None:
        """Tidy up once, unless somebody else is at it."""
        async with self._pool.transaction() as connection:
            if not await jobs.alone(connection, HOUSEKEEPING):
                return
            dead = self._dead(await jobs.find_silent_workers(connection), time.monotonic())
            if dead and (rescued := await jobs.rescue_jobs(connection, dead, DIED)):
                LOG.warning("%d jobs were taken from workers that have died", rescued)
            await jobs.requeue_jobs(connection, _LOST_SECONDS)
            await jobs.end_overdue(connection, _GRACE_SECONDS, _HUNG)
            await jobs.expire_jobs(connection)
            paths = await jobs.due_trash(connection, _FILES_AT_A_TIME)
        gone = [path for path in paths if await self._is_removed(path)]
        if gone:
            async with self._pool.connection() as connection:
                await jobs.forget_trash(connection, gone)

    def _dead(self, silent: set[int], now: float) -> list[int]:
        """The workers that have been silent for long, as far as we have looked all the time."""
        if now - self._looked > _SILENT_SECONDS + _EVERY_SECONDS:
            self._silent.clear()
        self._looked = now
        self._silent = {worker: self._silent.get(worker, now) for worker in silent}
        return [worker for worker, since in self._silent.items() if now - since >= _SILENT_SECONDS]

    async def _is_removed(self, path: str) -> bool:
        try:
            await asyncio.to_thread(self._files.remove, path)
        except Fault:  # it is logged; the next time it may go
            return False
        return True
