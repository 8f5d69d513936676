"""The rules of jobs (UWS 1.1 section 2): who may do what when, within which limits. It knows no HTTP."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

from vo.dali.parameters import MOST_FILES, Part, most_parameters
from vo.db import jobs
from vo.db.connect import Database
from vo.db.jobpool import JobPool
from vo.db.jobrecords import ACTIVE, Job, NewJob, Upload
from vo.errors import ForbiddenFault, LimitFault, NotFoundFault, TooManyFault
from vo.settings import Settings
from vo.uws.files import JobFiles
from vo.uws.housekeeping import keep_house
from vo.uws.kind import JobKind
from vo.uws.request import Asked, Filter, merge_parameters, merge_uploads
from vo.uws.waiting import Waiters

#: Should a notification be lost, those who wait look for themselves so often.
_LOOK_SECONDS = 1.0
#: Who waits for a short job hears of its end and not of its beginning: an answer that says EXECUTING makes clients
#: sleep a second before they ask again (pyVO).
_LINGER_SECONDS = 0.2
_RETRY_AFTER = 10
#: What :meth:`JobService.create` makes.
_JOB_ID = re.compile(r"[0-9a-f]{32}")
_CHUNK_BYTES = 1024**2
#: A list has no more jobs, whatever LAST says: its document is made in one go.
_MOST_LISTED = 2000


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: the address that is counted, the session that may list its jobs, and the addresses asked at."""

    address: str
    session: str | None
    base_url: str
    request: str


class JobService:
    """Jobs as the server's clients see and change them; an asynchronous context manager.

    Faults: NotFoundFault for a job that is not there (any more), ForbiddenFault for what its phase does not allow,
    TooManyFault beyond ``client_jobs``, TransientFault when the database or the store is away.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.files = JobFiles(settings)
        self._pool = JobPool(database)
        self._waiters = Waiters()
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._pool)
        self._tasks = [
            asyncio.create_task(self._pool.listen(self._waiters.wake)),
            asyncio.create_task(keep_house(self._pool, self.files)),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def create(self, kind: JobKind, asked: Asked, client: Client) -> Job:
        """Make a job, and queue it when PHASE=RUN was asked for."""
        job_id = secrets.token_hex(16)
        is_run = asked.phase == "RUN"
        job = None
        try:
            new = NewJob(
                id=job_id,
                kind=kind.name,
                run_id=asked.run_id,
                session=client.session,
                client=client.address,
                execution_seconds=self._seconds(asked.seconds),
                destruction=asked.destruction,
                parameters=asked.parameters,
                uploads=await asyncio.to_thread(self._store, job_id, asked.parts),
                base_url=client.base_url,
                request=client.request,
            )
            async with self._pool.transaction() as connection:
                job = await jobs.insert_job(
                    connection,
                    new,
                    run=is_run,
                    most=self.settings.client_jobs if is_run else self.settings.client_pending,
                    retention=dt.timedelta(days=self.settings.retention_days_default),
                    retention_hard=dt.timedelta(days=self.settings.retention_days_hard),
                )
        finally:
            if job is None and asked.parts:
                await asyncio.to_thread(self.files.remove, job_id)
        if job is None:
            raise self._too_many() if is_run else self._too_many_pending()
        return job

    async def find(self, kind: JobKind, job_id: str) -> Job:
        """The job of this id."""
        if not _JOB_ID.fullmatch(job_id):  # the database would refuse some texts
            raise _no_job(job_id)
        async with self._pool.connection() as connection:
            job = await jobs.find_job(connection, kind.name, job_id)
        if job is None:
            raise _no_job(job_id)
        return job

    async def list(self, kind: JobKind, session: str | None, wanted: Filter) -> Sequence[Job]:
        """The jobs of a session, the newest so many (``_MOST_LISTED``); none without one."""
        if session is None:
            return ()
        last = _MOST_LISTED if wanted.last is None else min(wanted.last, _MOST_LISTED)
        async with self._pool.connection() as connection:
            return await jobs.list_jobs(
                connection, kind.name, session, phases=wanted.phases, after=wanted.after, last=last
            )

    async def wait(self, kind: JobKind, job_id: str, seconds: float, phase: str | None) -> Job:
        """The job after its next change of phase, or after so many seconds (UWS-05, UWS-06)."""
        job = await self.find(kind, job_id)
        if seconds <= 0 or job.phase not in ACTIVE or (phase is not None and job.phase != phase):
            return job
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        known = job.phase
        with self._waiters.waiting(job.number) as changed:
            while (left := deadline - clock()) > 0:
                changed.clear()
                now = await self._phase(job.number)
                if now not in ACTIVE:
                    break
                if now not in (known, "PENDING"):
                    known, deadline = now, min(deadline, clock() + _LINGER_SECONDS)
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(left, _LOOK_SECONDS, max(deadline - clock(), 0.001)))
        return await self.find(kind, job_id)

    async def run(self, kind: JobKind, job_id: str) -> None:
        """Queue a pending job; one that is queued or runs already is left alone."""
        job = await self.find(kind, job_id)
        async with self._pool.transaction() as connection:
            if await jobs.queue_job(connection, job, most=self.settings.client_jobs) is not None:
                return
        job = await self.find(kind, job_id)
        if job.phase == "PENDING":
            raise self._too_many()
        if job.phase not in ACTIVE:
            raise ForbiddenFault(f"this job has ended ({job.phase}); make a new one to run it again")

    async def abort(self, kind: JobKind, job_id: str) -> None:
        """End a job; one that has ended stays as it is."""
        job = await self.find(kind, job_id)
        async with self._pool.connection() as connection:
            await jobs.abort_job(connection, job.number)

    async def delete(self, kind: JobKind, job_id: str) -> None:
        """Remove a job with all that belongs to it."""
        job = await self.find(kind, job_id)
        async with self._pool.connection() as connection:
            await jobs.delete_job(connection, job.number)

    async def change(self, kind: JobKind, job_id: str, asked: Asked) -> None:
        """Set the limits and parameters that a request brings; parameters only while the job is pending (DALI-15)."""
        job = await self.find(kind, job_id)
        if asked.destruction is not None or asked.seconds is not None:
            await self._limit(job, asked)
        if asked.parameters or asked.parts or asked.run_id is not None:
            await self._set_parameters(kind, job, asked)

    async def _limit(self, job: Job, asked: Asked) -> None:
        hard = dt.timedelta(days=self.settings.retention_days_hard)
        seconds = None if asked.seconds is None else self._seconds(asked.seconds)
        async with self._pool.connection() as connection:
            changed = await jobs.set_limits(
                connection, job.number, destruction=asked.destruction, hard=hard, seconds=seconds
            )
        if changed is None:
            raise ForbiddenFault("the execution duration can be set while a job is PENDING; this one has begun")

    async def _set_parameters(self, kind: JobKind, job: Job, asked: Asked) -> None:
        uploads = await asyncio.to_thread(self._store, job.id, asked.parts)
        async with self._pool.transaction() as connection:
            held = await jobs.lock_job(connection, job.number)
            changed = excess = None
            unused = uploads
            if held is not None:
                parameters = merge_parameters(held.parameters, asked.parameters, kind.gathers)
                files = merge_uploads(held.uploads, uploads)
                run_id = held.run_id if asked.run_id is None else asked.run_id
                excess = _excess(parameters, files, self.settings)
                if excess is None:
                    changed = await jobs.set_parameters(connection, job.number, parameters, files, run_id)
                if changed is not None:
                    unused = tuple(upload for upload in (*held.uploads, *uploads) if upload not in files)
            for upload in unused:
                await jobs.discard(connection, upload.file)
        if held is None:
            raise _no_job(job.id)
        if excess is not None:
            raise excess
        if changed is None:
            raise ForbiddenFault(f"parameters can be set while a job is PENDING; this one is {held.phase}")

    async def _phase(self, number: int) -> str | None:
        async with self._pool.connection() as connection:
            return await jobs.find_phase(connection, number)

    def _store(self, job_id: str, parts: Sequence[Part]) -> tuple[Upload, ...]:
        stored = []
        for part in parts:
            file = f"{job_id}/uploads/{secrets.token_hex(8)}"
            size = self.files.write(file, _chunks(part.file))
            stored.append(Upload(part.name, part.filename, part.content_type, file, size))
        return tuple(stored)

    def _seconds(self, asked: int | None) -> int:
        """The execution duration: 0 is as long as is allowed."""
        if asked is None:
            return min(self.settings.async_seconds_default, self.settings.async_seconds_hard)
        return min(asked or self.settings.async_seconds_hard, self.settings.async_seconds_hard)

    def _too_many_pending(self) -> TooManyFault:
        return TooManyFault(
            f"{self.settings.client_pending} jobs from your address are PENDING, the most there may be "
            "(client_pending); run one, or delete one",
            retry_after=_RETRY_AFTER,
        )

    def _too_many(self) -> TooManyFault:
        return TooManyFault(
            f"{self.settings.client_jobs} jobs from your address are queued or running, the most there may be "
            "(client_jobs); wait for one to end, or abort one",
            retry_after=_RETRY_AFTER,
        )


def _excess(parameters: Sequence[tuple[str, str]], files: Sequence[Upload], settings: Settings) -> LimitFault | None:
    """What is too much of a job to which several requests added: it may have what one request may, and no more."""
    most_bytes = settings.request_bytes + settings.upload_bytes
    most = most_parameters(settings)
    characters = sum(len(name) + len(value) for name, value in parameters)
    if len(parameters) > most or characters > settings.request_bytes:
        text = f"{most} parameters and {settings.request_bytes} characters in them (request_bytes)"
    elif len(files) > MOST_FILES or sum(file.size for file in files) > most_bytes:
        text = f"{MOST_FILES} files and {most_bytes} bytes in them (request_bytes and upload_bytes)"
    else:
        return None
    return LimitFault(f"the job would have more than the {text} that one may have; make several jobs")


def _no_job(job_id: str) -> NotFoundFault:
    return NotFoundFault(f"there is no job {job_id[:64]!r} here; it may have been deleted, or its time has come")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
