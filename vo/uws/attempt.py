"""One run of a job in a thread of a worker: the work is executed and its results written to the store."""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from vo.dali.parameters import Parameters, Part
from vo.db.jobrecords import Job, Result
from vo.errors import Fault, unforeseen
from vo.uws.files import JobFiles
from vo.uws.kind import RESULT, JobKind, Running, Work
from vo.uws.shelf import Shelf

LOG = logging.getLogger(__name__)


class Stop(enum.Enum):
    """Why an attempt was stopped from outside."""

    VOID = "the job was aborted or removed, or another worker has taken it up"
    TIME = "its execution duration is over"
    SHUTDOWN = "the worker is being stopped"


class Stopped(Exception):
    """The attempt was stopped; :attr:`Attempt.stopped` says why."""


class Attempt:
    """A run of ``job``; :meth:`run` is called once, in a thread, the rest from any thread."""

    def __init__(self, job: Job, kind: JobKind, files: JobFiles) -> None:
        self.job = job
        self.stopped: Stop | None = None
        self.folder = f"{job.id}/{job.attempts}"
        self._kind = kind
        self._files = files
        self._running: Running | None = None
        self._guard = threading.Lock()
        self._written = 0
        self._hints: Sequence[str] = ()
        self._shelf = Shelf(files, job.id, self._check)

    def run(self) -> tuple[Result, ...] | Fault:
        """Execute the job; the results are in the store, complete, when they are returned. Raises Stopped."""
        try:
            with ExitStack() as stack:
                work = self._work(stack)
                running = self._kind.execute(work)
                if running is None:
                    return tuple(self._shelf.results)
                stack.callback(running.close)
                with self._guard:
                    self._running = running
                file = f"{self.folder}/{RESULT}"
                size = self._files.write(file, self._chunks(running))
                return (Result(RESULT, running.media_type, size, file),)
        except Fault as fault:
            if self.stopped is not None:
                raise Stopped from fault
            return fault
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - logged there, and told in the job's error
            return unforeseen(error, LOG, f"in job number {self.job.number}")

    def stop(self, why: Stop) -> None:
        """End the work soon; the first reason counts. It may take a moment: a query is cancelled."""
        with self._guard:
            self.stopped = self.stopped or why
            running = self._running
        if running is not None:
            running.cancel()

    def look_for_hints(self) -> None:
        """Find out what is worth knowing of work that takes long; in a thread."""
        try:
            with ExitStack() as stack:
                self._hints = tuple(self._kind.hints(self._work(stack)))
        except Fault as fault:  # it is no reason to fail
            LOG.info("no hints for job number %d: %s", self.job.number, fault.text)

    def info(self) -> Mapping[str, Any]:
        """What the job's record says of it meanwhile."""
        told: dict[str, Any] = {"bytes": self._written}
        if self._shelf.progress:
            told = {"progress": self._shelf.progress}
        if self._hints:
            told["hints"] = list(self._hints)
        return told

    def _chunks(self, running: Running) -> Iterator[bytes]:
        self._check()  # it may have been stopped before there was anything to cancel
        for chunk in running.chunks:
            self._check()
            yield chunk
            self._written += len(chunk)
        self._check()
        # A fault amid the rows is told within the document: as a result it would look complete to many.
        fault = running.failure()
        if fault is not None:
            raise fault

    def _check(self) -> None:
        if self.stopped is not None:
            raise Stopped

    def _work(self, stack: ExitStack) -> Work:
        parts = []
        for upload in self.job.uploads:
            file = stack.enter_context(self._files.open(upload.file))
            parts.append(Part(upload.name, upload.filename, upload.content_type, file))
        return Work(
            parameters=Parameters(self.job.parameters, parts),
            base_url=self.job.base_url,
            request=self.job.request,
            seconds=float(self.job.execution_seconds),
            shelf=self._shelf,
        )
