"""What ingest tells people: how much was read, and every row that was refused, repaired or lacks something."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["refused", "repaired", "noted"]

#: What can happen to a row, the worst first.
KINDS: tuple[Kind, ...] = ("refused", "repaired", "noted")

#: Columns of the report file.
COLUMNS = ("source", "line", "plate", "what", "kind", "reason")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report.

    ``what`` says what happened to the row: ``refused`` (it was not used), ``repaired`` (a value was changed or left
    empty) or ``noted`` (the row stands, but something that one may expect of it is missing). ``kind`` is a short fixed
    phrase that can be counted; ``reason`` has the values. ``line`` counts from 1, 0 where a source has no lines.
    """

    source: str
    line: int
    plate: str
    what: Kind
    kind: str
    reason: str


@dataclass(slots=True)
class Report:
    """Collects lines and counts while one source is read.

    ``read`` counts the entries met (rows of a table, lines of a header collection, FITS files); each is either used
    or refused. Bundles that are handed over directly count one entry for each exposure.
    """

    source: str
    lines: list[Line] = field(default_factory=list)
    read: int = 0
    used: int = 0

    def refuse(self, line: int, plate: str, kind: str, reason: str) -> None:
        """An entry is not used."""
        self.lines.append(Line(self.source, line, plate, "refused", kind, reason))

    def repair(self, line: int, plate: str, kind: str, reason: str) -> None:
        """A value of an entry that is used was changed or left empty."""
        self.lines.append(Line(self.source, line, plate, "repaired", kind, reason))

    def note(self, line: int, plate: str, kind: str, reason: str) -> None:
        """An entry is used, but it cannot give all that is expected of it."""
        self.lines.append(Line(self.source, line, plate, "noted", kind, reason))

    def counted(self, what: Kind) -> Mapping[str, int]:
        """How many lines there are of each kind."""
        return dict(sorted(Counter(line.kind for line in self.lines if line.what == what).items()))

    def by_kind(self) -> Mapping[tuple[Kind, str], Sequence[Line]]:
        """The lines of each kind, what was refused first."""
        found: dict[tuple[Kind, str], list[Line]] = {}
        for line in sorted(self.lines, key=lambda one: (KINDS.index(one.what), one.kind)):
            found.setdefault((line.what, line.kind), []).append(line)
        return found

    @property
    def refused(self) -> int:
        """How many entries were refused."""
        return sum(line.what == "refused" for line in self.lines)

    def write(self, path: Path) -> None:
        """Write all lines as CSV (RFC 4180, UTF-8) with a header line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for line in self.lines:
                writer.writerow([getattr(line, name) for name in COLUMNS])
