"""What the measurements of tests/bench found: lines with their limits, shown as one table at the end of the run.

With BENCH_WRITE=1 the table is kept in docs/performance.md, between its two marks.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

import vo

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_HEADINGS = ("What", "Measured", "Limit", "In detail", "DaCHS 2.7")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing measured, in ``unit``; it has to be below ``most`` or above ``least``, where they are given."""

    title: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    detail: str = ""
    peer: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether it is within its limit."""
        return self.value < (math.inf if self.most is None else self.most) and self.value > (self.least or -math.inf)

    def cells(self) -> tuple[str, str, str, str, str]:
        """What stands in the table."""
        limit = "" if self.most is None else f"below {amount(self.most, self.unit)}"
        limit = limit if self.least is None else f"above {amount(self.least, self.unit)}"
        measured = amount(self.value, self.unit)
        return self.title, measured if self.is_kept else f"**{measured}, missed**", limit, self.detail, self.peer


@dataclass(slots=True)
class Report:
    """The lines of a whole run, and facts of the machine and its programs."""

    lines: list[Line] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


class Lines:
    """The lines of one test; its last assertion is that none is in ``missed``."""

    def __init__(self, report: Report, extra_info: dict[str, Any]) -> None:
        self._report = report
        self._extra_info = extra_info
        self.missed: list[Line] = []

    def add(
        self,
        title: str,
        value: float,
        unit: str,
        *,
        most: float | None = None,
        least: float | None = None,
        detail: str = "",
        peer: str = "",
    ) -> None:
        """Take up what was measured."""
        line = Line(title, value, unit, most, least, detail, peer)
        self._report.lines.append(line)
        self._extra_info[title] = {"value": value, "unit": unit, "most": most, "least": least, "detail": detail}
        if not line.is_kept:
            self.missed.append(line)


def amount(value: float, unit: str) -> str:
    """A number with three digits that count, and its unit."""
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{min(digits, 3)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text}x" if unit == "x" else f"{text} {unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all is not above."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def in_turn(one: Callable[[], float], other: Callable[[], float], rounds: int) -> tuple[float, float]:
    """The medians of two measurements that are made in turn, after one of each, so that both see the same machine."""
    one()
    other()
    pairs = [(one(), other()) for _ in range(rounds)]
    first, second = zip(*pairs, strict=True)
    return statistics.median(first), statistics.median(second)


def machine_facts(dsn: str, exposures: int) -> list[str]:
    """What the numbers depend on."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT current_setting('server_version'), pg_sphere_version()").fetchone()
    assert row is not None
    return [
        f"vo-plates {vo.__version__}",
        f"{exposures:,} exposures",
        f"{len(os.sched_getaffinity(0))} cores ({_processor()})",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"PostgreSQL {str(row[0]).split()[0]}",
        f"pgSphere {row[1]}",
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        f"load average at the beginning {os.getloadavg()[0]:.1f}",
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def plain_table(report: Report) -> list[str]:
    """The table for a terminal."""
    rows = [_HEADINGS, *(line.cells() for line in report.lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [", ".join(report.facts), "", *lines]


def write_document(report: Report, path: Path = DOCUMENT) -> None:
    """Put the table between the marks of the document."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    assert found, f"{path} has no marks {BEGIN} and {END}"
    rows = ["| " + " | ".join(cells) + " |" for cells in (_HEADINGS, *(line.cells() for line in report.lines))]
    rows.insert(1, "|---" * len(_HEADINGS) + "|")
    text = "\n".join([", ".join(report.facts) + ".", "", *rows])
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
