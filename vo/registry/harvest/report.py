"""What a harvest tells people: what came, and every record that was not used."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from rich.table import Table

Kind = Literal["refused", "noted"]

#: Columns of the report file.
COLUMNS = ("endpoint", "page", "identifier", "what", "kind", "reason")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report: a record that was ``refused``, or one that is used and has something to be said of.

    ``kind`` is a short fixed phrase that can be counted; ``reason`` has the values. ``page`` counts from 1.
    """

    endpoint: str
    page: int
    identifier: str
    what: Kind
    kind: str
    reason: str


@dataclass(slots=True)
class Harvest:
    """What came of one endpoint. ``since`` is the date that was asked from, None when all records were.

    ``is_complete`` tells that every page was read whole; ``kept`` says why nothing was deleted where something might
    have been.
    """

    url: str
    registry: str = ""
    wanted_set: str = ""
    since: dt.datetime | None = None
    pages: int = 0
    read: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    deleted: int = 0
    vanished: int = 0
    is_complete: bool = False
    kept: str = ""
    seconds: float = 0.0
    report: Path | None = None
    lines: list[Line] = field(default_factory=list)

    def refuse(self, identifier: str, kind: str, reason: str) -> None:
        """A record is not used."""
        self.lines.append(Line(self.url, self.pages, identifier, "refused", kind, reason))

    def note(self, identifier: str, kind: str, reason: str) -> None:
        """A record is used, and something has to be said of it."""
        self.lines.append(Line(self.url, self.pages, identifier, "noted", kind, reason))

    def counted(self, what: Kind) -> dict[str, int]:
        """How many lines there are of each kind."""
        return dict(sorted(Counter(line.kind for line in self.lines if line.what == what).items()))

    def write(self, folder: Path) -> None:
        """Write all lines, if there are any, as CSV (RFC 4180, UTF-8) with a header line into a new file."""
        if not self.lines:
            return
        parts = urlsplit(self.url)
        stem = "".join(letter if letter.isalnum() else "_" for letter in f"{parts.netloc}{parts.path}")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"harvest-{stem}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%f}.csv"
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows([getattr(line, name) for name in COLUMNS] for line in self.lines)
        self.report = path


def harvest_table(harvest: Harvest) -> Table:
    """The counts as a table of two columns."""
    table = Table(title=harvest.url, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    table.add_row("registry", harvest.registry or "(does not tell)")
    table.add_row("set", harvest.wanted_set or "(all)")
    table.add_row(
        "asked for", "all records" if harvest.since is None else f"changes since {harvest.since:%Y-%m-%d %H:%M:%S}"
    )
    table.add_section()
    table.add_row("records read", f"{harvest.read:,}")
    for label, count in (
        ("  new", harvest.new),
        ("  changed", harvest.changed),
        ("  the same", harvest.same),
        ("  deleted there", harvest.deleted),
    ):
        table.add_row(label, f"{count:,}")
    refused = harvest.counted("refused")
    table.add_row("  refused", f"{sum(refused.values()):,}")
    for kind, count in refused.items():
        table.add_row(f"    {kind}", f"{count:,}")
    for kind, count in harvest.counted("noted").items():
        table.add_row(f"noted: {kind}", f"{count:,}")
    if harvest.vanished:
        table.add_row("listed no more, and deleted", f"{harvest.vanished:,}")
    table.add_section()
    table.add_row("pages", f"{harvest.pages:,}")
    table.add_row("time", f"{harvest.seconds:.1f} s")
    return table
