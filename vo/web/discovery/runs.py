"""Searches under way and finished ones: started, followed, stopped, forgotten. All of it belongs to one event loop.

A search is a process of its own (:mod:`vo.web.discovery.work`), which ends with the server whatever ends that: it reads
its orders from a pipe. What it finds waits in a file without a name for whoever asks, some time after its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
import os
import secrets
import sys
import tempfile
import weakref
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from vo.errors import NotFoundFault, TooManyFault, TransientFault
from vo.settings import Settings
from vo.web.discovery.order import LONGEST_LINE, LONGEST_MESSAGE, STOP, Order, write_order
from vo.web.discovery.question import Question

LOG = logging.getLogger(__name__)

Phase = Literal["running", "stopping", "done", "stopped", "failed"]

#: The module that is the process of a search.
WORK = (sys.executable, "-m", "vo.web.discovery.work")

#: How long a process that was asked to stop may take, in seconds.
_GRACE_SECONDS = 3.0
_RETRY_SECONDS = 30

#: Lines of one search that are kept; more are counted.
_MOST_LINES = 3000

#: Finished searches that are kept; beyond that the oldest go earlier than they would.
_MOST_KEPT = 50

#: What a process needs of the server's environment; proxies among the rest would be asked instead of the services.
_ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Counts:
    """Services that a search asks, that have been asked, and those of them that failed."""

    services: int = 0
    queried: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log, for people."""

    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that came in one go: those from ``start`` up to ``stop``."""

    start: int
    stop: int


class Rows:
    """The rows of a search, as JSON in a file that nobody else sees.

    It goes with the last who holds them: a table may still be on its way when its search is forgotten.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115  closed below
        weakref.finalize(self, self._file.close)
        self._ends = array("q")

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one row more."""
        data = json.dumps(row).encode()
        begin = self._ends[-1] if self._ends else 0
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._ends.append(begin + len(data))

    def read(self, start: int, stop: int) -> Iterator[dict[str, Any]]:
        """Give rows from ``start`` up to ``stop``; in any thread, also while the search is forgotten."""
        ends = self._ends[max(start - 1, 0) : stop]
        begin = ends[0] if start and ends else 0
        ends = ends[1:] if start else ends
        copy = os.dup(self._file.fileno())
        return _read_rows(copy, begin, ends)


def _read_rows(copy: int, begin: int, ends: Sequence[int]) -> Iterator[dict[str, Any]]:
    try:
        for end in ends:
            yield json.loads(os.pread(copy, end - begin, begin))
            begin = end
    finally:
        os.close(copy)


@dataclass(slots=True, eq=False)
class Run:
    """One search; ``now`` is what it does, ``entries`` what happened, in order; ``changed`` is set at its next change.

    ``reason`` says why it ended before it was done.
    """

    id: str
    client: str
    question: Question
    base: str
    registry: str
    began: dt.datetime
    phase: Phase = "running"
    ended: dt.datetime | None = None
    now: str = "Starting"
    reason: str = ""
    counts: Counts = field(default_factory=Counts)
    entries: list[Line | Found] = field(default_factory=list)
    lost_lines: int = 0
    rows: Rows = field(default_factory=Rows)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.ended is not None

    @property
    def lines(self) -> list[str]:
        """The log."""
        told = [entry.text for entry in self.entries if isinstance(entry, Line)]
        return [*told, f"{self.lost_lines} more lines were not kept."] if self.lost_lines else told

    def log(self, text: str) -> None:
        """Add a line to the log."""
        if len(self.entries) < _MOST_LINES:
            self.entries.append(Line(text))
        else:
            self.lost_lines += 1

    def note_change(self) -> None:
        """Wake all who wait for a change."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class Runs:
    """All searches of a server; ``command`` is the program that is the process of one."""

    def __init__(self, settings: Settings, command: Sequence[str] = WORK) -> None:
        self._settings: Final = settings
        self._command: Final = tuple(command)
        self._runs: dict[str, Run] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        for run_id in list(self._runs):
            self._forget(run_id)

    def close(self) -> None:
        """End all searches at once, and with them whatever follows them: the server is being stopped."""
        self._is_closing = True
        for run in self._runs.values():
            self._end(run, "the server was stopped")
            run.note_change()
        for run_id in list(self._processes):
            self._kill(run_id)

    @property
    def is_closing(self) -> bool:
        """Whether the server is being stopped."""
        return self._is_closing

    def find(self, run_id: str) -> Run:
        """The search of this id; :class:`NotFoundFault` when there is none, or none any more."""
        run = self._runs.get(run_id)
        if run is None:
            raise NotFoundFault(
                "there is no search here by this name; finished ones are kept for "
                f"{self._settings.discovery_minutes:g} minutes: start another one at /discover"
            )
        return run

    async def start(self, order: Order, client: str, base: str) -> Run:
        """Start a search for a client; ``base`` is the address under which it knows this server.

        :class:`TooManyFault` when the client has as many under way as it may, :class:`TransientFault` when all have.
        """
        self._check_room(client)
        run = Run(secrets.token_urlsafe(18), client, order.question, base, f"{base}/tap", dt.datetime.now(dt.UTC))
        self._runs[run.id] = run
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LONGEST_MESSAGE,
                start_new_session=True,  # Ctrl-C in a terminal is for the server
                env={**{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}, **_ONE_THREAD},
            )
        except OSError as error:
            self._forget(run.id)
            LOG.error("the process of a search cannot be started: %s", error)  # noqa: TRY400  the text says it all
            raise TransientFault("no search can be started at the moment: try again later") from error
        self._processes[run.id] = process
        self._tasks[run.id] = asyncio.create_task(self._follow(run, process, write_order(order)))
        return run

    def stop(self, run: Run, reason: str = "you stopped it") -> None:
        """End a search: its process is asked first and killed after a moment; nothing happens to one that is over."""
        if run.is_over or run.phase == "stopping":
            return
        self._end(run, reason)
        process = self._processes[run.id]
        if process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(f"{STOP}\n".encode())
        asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._kill, run.id)

    def drop(self, run: Run) -> None:
        """End a search, and forget it."""
        self._kill(run.id)
        self._forget(run.id)

    async def follow(self, run: Run, seconds: float) -> AsyncIterator[None]:
        """Come back at each change of a search, and whenever nothing has changed for so long, until it is over."""
        while True:
            changed = run.changed
            yield
            if run.is_over or self._is_closing:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await changed.wait()

    # -- what happens meanwhile

    def _check_room(self, client: str) -> None:
        going = [run for run in self._runs.values() if not run.is_over]
        own = sum(run.client == client for run in going)
        if own >= self._settings.client_discoveries:
            raise TooManyFault(
                f"{own} searches of yours are under way, the most for one client (client_discoveries); wait for one of "
                "them, or stop it",
                retry_after=_RETRY_SECONDS,
            )
        if len(going) >= self._settings.discoveries or self._is_closing:
            raise TransientFault(
                f"{len(going)} searches are under way here, the most (discoveries): try again in a while",
                retry_after=_RETRY_SECONDS,
            )

    async def _follow(self, run: Run, process: asyncio.subprocess.Process, order: str) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  asked for above
        seconds = self._settings.discovery_seconds
        late = f"it took longer than {seconds:g} s (discovery_seconds)"
        timer = asyncio.get_running_loop().call_later(seconds, self.stop, run, late)
        end: str | None = None
        try:
            process.stdin.write(order.encode())
            async for line in process.stdout:
                end = self._take(run, json.loads(line)) or end
                await asyncio.sleep(0)  # lines that are there already would keep all others waiting
        except (ValueError, OSError) as error:
            LOG.exception("a search broke off")
            run.log(f"The search broke off ({type(error).__name__}).")
            end = "failed"
        finally:
            timer.cancel()
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
            self._kill(run.id)
            await process.wait()
            self._finish(run, end, process.returncode)

    def _take(self, run: Run, message: Mapping[str, Any]) -> str | None:
        """Take in one message; gives how the search ended when it is the last one."""
        end: str | None = None
        match message:
            case {"log": str(text)}:
                run.log(text[: 2 * LONGEST_LINE])
            case {"now": str(text)}:
                run.now = text[: 2 * LONGEST_LINE]
            case {"counts": {"services": int(services), "queried": int(queried), "failed": int(failed)}}:
                run.counts = Counts(services, queried, failed)
            case {"rows": list(rows)}:
                self._keep(run, rows)
            case {"end": str(text)}:
                end = text
            case _:
                LOG.warning("a search tells what is not understood: %s", list(message))
        run.note_change()
        return end

    def _keep(self, run: Run, rows: Sequence[Mapping[str, Any]]) -> None:
        start = len(run.rows)
        for row in rows[: self._settings.discovery_rows - start]:
            run.rows.add(row)
        if len(run.rows) > start:
            run.entries.append(Found(start, len(run.rows)))

    def _end(self, run: Run, reason: str) -> None:
        if run.is_over or run.phase == "stopping":
            return
        run.phase, run.reason = "stopping", reason
        run.note_change()

    def _finish(self, run: Run, end: str | None, status: int | None) -> None:
        self._processes.pop(run.id, None)
        self._tasks.pop(run.id, None)
        if run.phase == "stopping":
            run.phase = "stopped"
            run.log(f"Ended: {run.reason}.")
        elif end == "done":
            run.phase = "done"
        else:
            run.phase = "failed"
            run.reason = "the search ended early; the last lines of its log say more"
            if end is None:
                run.log(f"The search's process ended (status {status}).")
        run.now = ""
        run.ended = dt.datetime.now(dt.UTC)
        run.note_change()
        if run.id in self._runs:
            self._retire(run)

    def _retire(self, run: Run) -> None:
        asyncio.get_running_loop().call_later(60.0 * self._settings.discovery_minutes, self._forget, run.id)
        over = [one for one in self._runs.values() if one.ended is not None]
        for one in sorted(over, key=lambda one: one.ended or one.began)[:-_MOST_KEPT]:
            self._forget(one.id)

    def _kill(self, run_id: str) -> None:
        process = self._processes.get(run_id)
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _forget(self, run_id: str) -> None:
        self._runs.pop(run_id, None)
