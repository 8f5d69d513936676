"""A search in words: what is looked for, and how far it is."""

from __future__ import annotations

from typing import Any

from vo.web.counts import format_mjd
from vo.web.discovery.found import since
from vo.web.discovery.question import Question
from vo.web.discovery.runs import Run
from vo.web.place import write_sexagesimal

_DAY = 1.0


def list_facts(question: Question) -> list[tuple[str, str]]:
    """What is looked for, as names and values."""
    facts: list[tuple[str, str]] = []
    if question.space is not None:
        ra, dec, radius = question.space
        facts.append(
            ("Place", f"{' '.join(write_sexagesimal(ra, dec))} ({ra:.5f} {dec:+.5f}), radius {radius:g}\N{DEGREE SIGN}")
        )
    if question.time is not None:
        facts.append(("Time", f"{_time(question.time)} (MJD {_mjd(question.time)})"))
    if question.spectrum is not None:
        facts.append(("Wavelength", f"{question.spectrum:.6g} m"))
    asked = (
        "also those that do not say where, when and how they observed"
        if question.inclusive
        else "those that say they have some"
    )
    facts.append(("Services", asked))
    return facts


def describe(question: Question) -> str:
    """What is looked for, in a few words."""
    parts: list[str] = []
    if question.space is not None:
        parts.append(f"{question.space[0]:.2f} {question.space[1]:+.2f}")
    if question.time is not None:
        parts.append(_time(question.time))
    return ", ".join(parts)


def state(run: Run) -> dict[str, Any]:
    """How far a search is, for the page and its script."""
    counts = run.counts
    return {
        "phase": run.phase,
        "over": run.is_over,
        "words": _words(run),
        "now": run.now,
        "services": counts.services,
        "queried": counts.queried,
        "failed": counts.failed,
        "rows": len(run.rows),
    }


def _words(run: Run) -> str:
    found = _some(len(run.rows), "image")
    asked = f"{run.counts.queried} of {_some(run.counts.services, 'service')} asked"
    failed = f", {run.counts.failed} of them without an answer" if run.counts.failed else ""
    match run.phase:
        case "running":
            return f"Searching: {found} so far, {asked}{failed}."
        case "stopping":
            return f"Stopping: {found} so far."
        case "done" if not run.counts.services:
            return f"Done in {_seconds(run)}: the registry knows no service to ask for this."
        case "done":
            return f"Done in {_seconds(run)}: {found}, {asked}{failed}."
        case "stopped":
            return f"Ended after {_seconds(run)}, since {run.reason}: {found}, {asked}{failed}."
        case "failed":
            return f"Ended after {_seconds(run)}: {run.reason}. {found.capitalize()}, {asked}{failed}."


def _some(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _seconds(run: Run) -> str:
    return f"{since(run).total_seconds():.0f} s"


def _mjd(span: tuple[float, float]) -> str:
    return f"{span[0]:g}" if span[0] == span[1] else f"{span[0]:.10g} to {span[1]:.10g}"


def _time(span: tuple[float, float]) -> str:
    begin, end = span
    if begin == end:
        return format_mjd(begin) or ""
    if begin.is_integer() and end.is_integer():
        first, last = format_mjd(begin, with_time=False), format_mjd(end - _DAY, with_time=False)
        return str(first) if first == last else f"{first} to {last}"
    return f"{format_mjd(begin)} to {format_mjd(end)}"
