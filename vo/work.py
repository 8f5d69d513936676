"""Worker processes: ``vo work``, and those that a server starts for itself.

Here the services that have jobs are wired to :class:`vo.uws.worker.Worker`. A server talks to its workers through their
standard input: the first line has the settings; its end, which comes with the server's own end whatever that was, tells
them to stop.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from vo.context import make_context
from vo.db.connect import Database, open_database
from vo.errors import Fault
from vo.settings import Settings
from vo.soda.jobs import job_kind as soda_jobs
from vo.tap.jobs import job_kind as tap_jobs
from vo.uws.worker import Worker

LOG = logging.getLogger(__name__)

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
#: A worker that dies is started anew after a pause, which doubles until one has lived for a while.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LONG_LIFE = 30.0


class WorkerThread:
    """A worker in a thread of this process, over a database that is open; use it as :func:`working` does."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        """Start it; it is ready for jobs when this returns, unless the database is away."""
        self._thread.start()
        self._ready.wait(_START_SECONDS)
        self._tell_failure()

    def ask_to_stop(self) -> None:
        """Have it stop: it takes no more jobs, and gives back those that do not end soon."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)

    def join(self) -> None:
        """Wait until it has stopped; what ended it otherwise is raised."""
        while self._thread.is_alive():  # in pieces, so that signals are heard
            self._thread.join(0.5)
        self._tell_failure()

    def _tell_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            # One worker process runs so many queries at a time, whatever a server does.
            connections = {"query_connections": self._settings.worker_jobs}
            context = make_context(self._settings.model_copy(update=connections), self._database)
            worker = Worker(self._settings, self._database, [tap_jobs(context), soda_jobs(context)])
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(worker.run(self._stop, self._ready.set))
        except BaseException as error:  # noqa: BLE001 - told to whoever started the thread
            self._failure = error
        finally:
            self._ready.set()


@contextmanager
def working(settings: Settings, database: Database) -> Iterator[WorkerThread]:
    """Run jobs in a thread of this process until the end of the block."""
    worker = WorkerThread(settings, database)
    try:
        worker.start()
        yield worker
    finally:
        worker.ask_to_stop()
        worker.join()


@contextmanager
def open_for_work(settings: Settings) -> Iterator[Database]:
    """Open the database as a worker needs it: with a connection for each job that it runs at a time."""
    with open_database(settings.model_copy(update={"query_connections": settings.worker_jobs})) as database:
        yield database


# -- worker processes of a server


@contextmanager
def worker_processes(settings: Settings) -> Iterator[None]:
    """Keep ``settings.workers`` worker processes running until the end of the block; one that dies is started anew."""
    with ExitStack() as stack:
        keepers = [_Keeper(settings) for _ in range(settings.workers)]
        for keeper in keepers:
            stack.callback(keeper.join)
        for keeper in reversed(keepers):
            stack.callback(keeper.stop)  # all are told before the first is waited for
        for keeper in keepers:
            keeper.start()
        yield


class _Keeper:
    """One worker process, and the thread that looks after it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        self._process = self._spawn()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._close()

    def join(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            LOG.warning("the worker process %d does not stop; it is killed", self._process.pid)
            self._process.kill()
        self._thread.join()

    def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while self._process is not None:
            began = time.monotonic()
            status = self._process.wait()
            if self._stopping.is_set():
                return
            self._close()
            LOG.error("the worker process %d has ended (status %d); another is started", self._process.pid, status)
            pause = _FIRST_PAUSE if time.monotonic() - began > _LONG_LIFE else min(2 * pause, _LONGEST_PAUSE)
            if self._stopping.wait(pause):
                return
            self._process = self._spawn()
            if self._stopping.is_set():
                self._close()

    def _spawn(self) -> subprocess.Popen[str]:
        # A session of its own: Ctrl-C in a terminal is for the server, which ends its workers in order.
        process = subprocess.Popen(
            [sys.executable, "-m", "vo.work"], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        told = {"level": logging.getLogger().getEffectiveLevel(), "settings": self._settings.model_dump(mode="json")}
        assert process.stdin is not None  # noqa: S101 - asked for above
        try:
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            LOG.debug("the worker process %d ended at once", process.pid)
        return process

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                return


def main() -> int:
    """Be a worker process of a server; the status is 1 when something stood in the way."""
    told = json.loads(sys.stdin.readline())
    logging.basicConfig(level=told["level"], format="worker: %(message)s")
    settings = Settings.model_validate(told["settings"])
    try:
        with open_for_work(settings) as database, working(settings, database) as worker:
            threading.Thread(target=_stop_with_server, args=[worker], daemon=True).start()
            worker.join()
    except Fault as fault:
        LOG.error("%s", fault.text)  # noqa: TRY400 - an operator's fault needs no traceback
        return 1
    return 0


def _stop_with_server(worker: WorkerThread) -> None:
    sys.stdin.read()  # nothing is written after the settings: this returns when the server closes it or is gone
    worker.ask_to_stop()


if __name__ == "__main__":
    sys.exit(main())
