"""What a request wants of a job: UWS's own words, apart from the parameters of the service (UWS 1.1 section 2.2.3)."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vo.dali.parameters import Parameters, Part
from vo.db.jobrecords import PHASES, Upload
from vo.errors import UsageFault

#: Names of parameters that are about the job and not its work.
_CONTROL = frozenset({"PHASE", "ACTION", "WAIT", "RUNID", "EXECUTIONDURATION", "DESTRUCTION"})
_LONGEST_RUN_ID = 64
_MOST_SECONDS = 2**31 - 1  # xs:int


@dataclass(frozen=True, slots=True)
class Asked:
    """``parameters`` and ``parts`` are the service's; the rest is None where nothing was asked.

    ``phase`` is RUN or ABORT, ``seconds`` the wanted execution duration (0: as long as is allowed).
    """

    parameters: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    phase: str | None
    action: str | None
    run_id: str | None
    seconds: int | None
    destruction: dt.datetime | None


def read_asked(parameters: Parameters) -> Asked:
    """Take a request apart; UsageFault names what cannot be understood."""
    own = tuple((name, value) for name, value in parameters.items() if name.upper() not in _CONTROL)
    return Asked(
        parameters=own,
        parts=tuple(parameters.parts.values()),
        phase=_word(parameters, "PHASE", ("RUN", "ABORT")),
        action=_word(parameters, "ACTION", ("DELETE",)),
        run_id=_run_id(parameters),
        seconds=_seconds(parameters),
        destruction=_time(parameters, "DESTRUCTION"),
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs of a list are wanted (UWS 1.1 section 2.2.2.1); all that is given has to hold."""

    phases: tuple[str, ...]
    after: dt.datetime | None
    last: int | None


def read_filter(parameters: Parameters) -> Filter:
    """Read PHASE (repeatable), AFTER and LAST."""
    phases = tuple(word.strip().upper() for word in parameters.many("PHASE"))
    for phase in phases:
        if phase not in PHASES:
            raise UsageFault(f"PHASE={phase[:40]!r} is no phase of a job; these are: {', '.join(PHASES)}")
    return Filter(phases, _time(parameters, "AFTER"), parameters.integer("LAST", low=0))


def read_wait(parameters: Parameters, most: float) -> tuple[float, str | None]:
    """How long to wait for a change, in seconds (0: not), and the phase it has to be in (UWS-05, UWS-06)."""
    asked = parameters.integer("WAIT", low=-1)
    if asked is None:
        return 0.0, None
    phase = parameters.one("PHASE")
    return most if asked < 0 else min(float(asked), most), None if phase is None else phase.strip().upper()


def merge_parameters(
    held: Sequence[tuple[str, str]], new: Sequence[tuple[str, str]], gathers: frozenset[str]
) -> tuple[tuple[str, str], ...]:
    """Parameters after another request: a name that comes again replaces its values, or adds to them (``gathers``)."""
    replaced = {name.upper() for name, _ in new} - gathers
    return (*(pair for pair in held if pair[0].upper() not in replaced), *new)


def merge_uploads(held: Iterable[Upload], new: Iterable[Upload]) -> tuple[Upload, ...]:
    """Files after another request: one of the same part name replaces the former."""
    return tuple({upload.name: upload for upload in (*held, *new)}.values())


def _word(parameters: Parameters, name: str, known: tuple[str, ...]) -> str | None:
    value = parameters.one(name)
    if value is None:
        return None
    if value.strip().upper() not in known:
        raise UsageFault(f"{name}={value[:40]!r} is not understood here; send {name}={' or '.join(known)}")
    return value.strip().upper()


def _run_id(parameters: Parameters) -> str | None:
    value = parameters.one("RUNID")
    if value is not None and len(value) > _LONGEST_RUN_ID:
        raise UsageFault(f"RUNID has {len(value)} characters; it may have {_LONGEST_RUN_ID} (DALI)")
    return value


def _seconds(parameters: Parameters) -> int | None:
    text = parameters.one("EXECUTIONDURATION")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _MOST_SECONDS:
        raise UsageFault(f"EXECUTIONDURATION={text[:40]!r} is no number of seconds; write one such as 600")
    return math.ceil(seconds)


def _time(parameters: Parameters, name: str) -> dt.datetime | None:
    text = parameters.one(name)
    if text is None:
        return None
    try:
        when = dt.datetime.fromisoformat(text.strip())
        return when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise UsageFault(f"{name}={text[:40]!r} is no time; write one such as 2026-08-01T12:00:00Z") from None
