"""Job records as dataclasses (UWS 1.1): a job, what it begins as, and what belongs to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

#: In these phases a job may still change by itself or be changed.
ACTIVE = ("PENDING", "QUEUED", "EXECUTING")
PHASES = (*ACTIVE, "COMPLETED", "ERROR", "UNKNOWN", "HELD", "SUSPENDED", "ABORTED", "ARCHIVED")

ErrorType = Literal["transient", "fatal"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a job: the part's name, file name and media type, where it is in the store, its bytes."""

    name: str
    filename: str
    content_type: str | None
    file: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """A result in the store; ``size`` in bytes."""

    id: str
    media_type: str
    size: int
    file: str


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job has no result; ``transient`` errors may not come again (UWS 1.1 section 2.1.7)."""

    type: ErrorType
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """One job, as its record is. Times are UTC; ``execution_seconds`` is its limit.

    ``parameters`` are (name, value) pairs as they came; ``info`` may have ``hints`` (texts), ``bytes`` (written so
    far) and ``progress`` (counts of a job with many results). ``attempts`` counts how often it began to run,
    ``losses`` how often it was lost on the way.
    """

    number: int
    id: str
    kind: str
    phase: str
    run_id: str | None
    owner: str | None
    session: str | None
    client: str
    creation_time: dt.datetime
    start_time: dt.datetime | None
    end_time: dt.datetime | None
    destruction: dt.datetime
    quote: dt.datetime | None
    execution_seconds: int
    parameters: tuple[tuple[str, str], ...]
    uploads: tuple[Upload, ...]
    base_url: str
    request: str
    results: tuple[Result, ...]
    error: JobError | None
    info: Mapping[str, Any]
    attempts: int
    losses: int


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job begins as. ``destruction`` None takes the default; see :func:`vo.db.jobs.insert_job`."""

    id: str
    kind: str
    run_id: str | None
    session: str | None
    client: str
    execution_seconds: int
    destruction: dt.datetime | None
    parameters: Sequence[tuple[str, str]]
    uploads: Sequence[Upload]
    base_url: str
    request: str


@dataclass(frozen=True, slots=True)
class RunKey:
    """A run of a job by one worker: what changes the job names it."""

    number: int
    attempt: int
