"""``/soda/async``: many cutouts as one job (SODA 1.0, section 2.2).

Every line of a job has one result: the cutout, or a text that says why there is none. A line that fails stops no other.
The last result is a table of all lines. What is done stays done when a worker dies: its successor goes on from there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from vo.context import Context, origin
from vo.dali.faults import SODA_STYLE
from vo.db.faults import LostFault
from vo.db.jobrecords import Result
from vo.errors import Fault, LimitFault, TransientFault, UsageFault, unforeseen
from vo.soda.capabilities import ASYNC_ID
from vo.soda.cutting import Cutting, make
from vo.soda.lines import Line, read_lines
from vo.soda.request import AskedShape, Output, read_output
from vo.soda.summary import Outcome, write_summary
from vo.soda.targets import Target, find_targets, unknown
from vo.uws.kind import JobKind, Work

PATH = "/soda/async"
LOG = logging.getLogger(__name__)
T = TypeVar("T")

_TEXT = "text/plain"
#: What a text says that stands for a combination without overlap.
_NOTHING = "NoContent"
#: Plates are looked up for so many lines at a time.
_LINES = 200
#: What may work a moment later is tried so often.
_TRIES = 4
_PAUSE_SECONDS = 1.0


def job_kind(context: Context) -> JobKind:
    """SODA's jobs. Parameters that may be repeated add up over requests."""

    def execute(work: Work) -> None:
        lines = read_lines(work.parameters, context.settings)
        _Run(context, read_output(work.parameters), work).run(lines)

    return JobKind(
        name="soda",
        path=PATH,
        execute=execute,
        style=SODA_STYLE,
        gathers=frozenset({"ID", "POS", "CIRCLE", "POLYGON", "BAND", "TIME", "POL", "UPLOAD"}),
        remedy="make several jobs of fewer or smaller cutouts",
    )


class _SourceFault(Exception):
    """A fault of the pixels amid a cutout, not of the store that it goes to."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


class _Run:
    def __init__(self, context: Context, output: Output, work: Work) -> None:
        self._context = context
        self._output = output
        self._shelf = work.shelf
        self._request = work.request
        self._bytes = 0

    def run(self, lines: Sequence[Line]) -> None:
        """Do the lines in their order, then tell of all."""
        self._shelf.begin(part for line in lines for part in (line.did, line.text, repr(line.filters)))
        outcomes: list[Outcome] = []
        asked: set[str] = set()
        failed = 0
        for first in range(0, len(lines), _LINES):
            some = lines[first : first + _LINES]
            dids = list(dict.fromkeys(line.did for line in some if line.did))
            targets = self._patiently(partial(find_targets, self._context, dids))
            asked |= {target.collection.name for target in targets.values()}
            for line in some:
                self._shelf.tell(
                    done=len(outcomes),
                    total=len(lines),
                    failed=failed,
                )
                outcomes.append(self._line(line, targets.get(line.did)))
                failed += outcomes[-1].status == "error"
        credited = [one for one in self._context.collections if one.name in asked]
        told = origin(self._context, credited, protocol=ASYNC_ID, request=self._request)
        self._shelf.put("summary", "application/x-votable+xml", iter([write_summary(outcomes, told)]))

    def _line(self, line: Line, target: Target | None) -> Outcome:
        """The outcome of a line, made now or by an attempt before."""
        held = self._shelf.held(line.name)
        if held is not None:
            self._bytes += held.size
            return Outcome(line, *self._read(held), held)
        try:
            return self._make(line, target)
        except LostFault:  # the database: the job is taken up again
            raise
        except Fault as fault:
            return self._tell(line, SODA_STYLE.message(fault))

    def _make(self, line: Line, target: Target | None) -> Outcome:
        if line.problem is not None or line.shape is None:
            raise UsageFault(f"{line.text}: {line.problem}")
        if target is None:
            raise unknown(line.did)
        return self._patiently(partial(self._cut, line, line.shape, target))

    def _cut(self, line: Line, shape: AskedShape, target: Target) -> Outcome:
        try:
            cutting = make(self._context, [(line.did, target)], shape, line.filters, self._output)
        except Fault:
            raise
        except Exception as error:
            raise unforeseen(error, LOG, f"in a cutout of {line.did}") from error
        if cutting is None:
            return self._tell(line, f"{_NOTHING}: nothing of {line.text} is in {line.did}")
        self._check_bytes(cutting)
        try:
            result = self._shelf.put(line.name, cutting.media_type, _told(cutting.chunks, line))
        except _SourceFault as broken:
            raise broken.fault from broken
        self._bytes += result.size
        return Outcome(line, "done", "", result)

    def _tell(self, line: Line, text: str) -> Outcome:
        result = self._shelf.put(line.name, _TEXT, iter([f"{text}\n".encode()]))
        return Outcome(line, *self._read(result, text), result)

    def _read(self, result: Result, text: str | None = None) -> tuple[str, str]:
        """Status and message of a result."""
        if result.media_type != _TEXT:
            return "done", ""
        told = self._shelf.read(result).decode().strip() if text is None else text
        return ("empty" if told.startswith(f"{_NOTHING}: ") else "error"), told

    def _check_bytes(self, cutting: Cutting) -> None:
        most = self._context.settings.cutout_job_bytes
        if self._bytes + cutting.size > most:
            raise LimitFault(
                f"the cutouts of this job would have more than {most:,} bytes, the most of one job (cutout_job_bytes): "
                "make several jobs"
            )

    def _patiently(self, work: Callable[[], T]) -> T:
        """Try again what may work a moment later."""
        for _ in range(_TRIES - 1):
            try:
                return work()
            except LostFault:
                raise
            except TransientFault as fault:
                LOG.info("tried again: %s", fault.text)
            self._shelf.check()
            time.sleep(_PAUSE_SECONDS)
        return work()


def _told(chunks: Iterator[bytes], line: Line) -> Iterator[bytes]:
    try:
        yield from chunks
    except Fault as fault:
        raise _SourceFault(fault) from fault
    except Exception as error:
        raise _SourceFault(unforeseen(error, LOG, f"amid a cutout of {line.did}")) from error
