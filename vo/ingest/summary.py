"""What an ingest did, in numbers that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vo.db.merge import Counts
from vo.errors import FatalFault


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of one source.

    ``read`` entries (rows, header lines, files) were met, ``used`` of them taken and ``refused`` not. ``exposures``
    records were written, of ``plates`` plates; ``without_imaging`` of them have no place in a scan. ``repaired``,
    ``refused_by_kind`` and ``noted`` count the report's lines by kind; an entry may have several repairs and notes, and
    one refusal. ``archive`` has what the merge did to each table of the archive, ``derived`` to ``plates`` and
    ``obscore``; ``removed`` rows left these two, because what they rest on has changed. The numbers are checked when a
    summary is made.
    """

    collection: str
    source: str
    read: int
    used: int
    plates: int
    exposures: int
    without_imaging: int
    repaired: Mapping[str, int]
    refused_by_kind: Mapping[str, int]
    noted: Mapping[str, int]
    archive: Mapping[str, Counts]
    derived: Mapping[str, Counts]
    removed: int = 0
    seconds: float = field(default=0.0, compare=False)
    report: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        written = self.archive.get("exposure", Counts())
        sums = {
            "entries read = used + refused": self.read == self.used + self.refused,
            "exposures = inserted + updated + unchanged": self.exposures
            == written.inserted + written.updated + written.unchanged,
            "without imaging <= exposures": 0 <= self.without_imaging <= self.exposures,
        }
        wrong = [name for name, holds in sums.items() if not holds]
        if wrong:
            raise FatalFault(f"the counts of {self.source} do not add up ({'; '.join(wrong)}): nothing was changed")

    @property
    def refused(self) -> int:
        """Entries that were not used."""
        return sum(self.refused_by_kind.values())

    @property
    def with_imaging(self) -> int:
        """Exposures that have a place in a scan."""
        return self.exposures - self.without_imaging

    @property
    def changed(self) -> int:
        """Rows inserted, updated or removed in all tables; 0 when the database knew everything already."""
        counts = [*self.archive.values(), *self.derived.values()]
        return self.removed + sum(one.inserted + one.updated for one in counts)
