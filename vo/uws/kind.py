"""What a service hands in to have jobs: how its requests are executed, and how it tells faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vo.dali.faults import FaultStyle
from vo.dali.parameters import Parameters
from vo.dali.work import Answering
from vo.errors import Fault
from vo.uws.shelf import Shelf

#: The id of the result of a job that has one, and the end of its address (TAP 1.1 section 2.4).
RESULT = "result"


@dataclass(frozen=True, slots=True)
class Work:
    """What a job asks for: its parameters with the files that came with them, and the addresses it was asked at.

    It may take ``seconds`` at most. What has many results puts them on the ``shelf``.
    """

    parameters: Parameters
    base_url: str
    request: str
    seconds: float
    shelf: Shelf


class Running(Answering, Protocol):
    """A result on its way, in whatever form: the attributes of :class:`vo.context.Answer`."""

    @property
    def failure(self) -> Callable[[], Fault | None]:
        """After the last chunk: the fault that the result tells amid its rows; it has to fail the job."""


def _nothing() -> None:
    return


def _no_hints(_work: Work) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class JobKind:
    """A service's jobs: those below ``path`` (such as ``/tap/async``), recorded under ``name``.

    ``execute`` runs in a thread of a worker process; faults are raised, or come from the chunks. It gives the one
    result of the job, or None when its results are on the shelf. ``style`` makes the error document. ``hints`` tells,
    in a thread too, what is worth knowing of work that takes long. ``gathers`` names the parameters (in upper case) to
    which a later request adds; others are replaced. ``prepare`` makes a worker ready, so that its first job does not
    wait for what all need. ``remedy`` is what to do about a job that takes too long.
    """

    name: str
    path: str
    execute: Callable[[Work], Running | None]
    style: FaultStyle
    hints: Callable[[Work], Sequence[str]] = _no_hints
    gathers: frozenset[str] = frozenset()
    prepare: Callable[[], None] = _nothing
    remedy: str = "use a narrower query, with a smaller region, a shorter time or more conditions"
