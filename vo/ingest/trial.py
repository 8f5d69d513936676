"""A source read without being loaded: what would become of it, and what looks as if it were read in a wrong way."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from vo.db.records import PlateBundle
from vo.errors import OperatorFault
from vo.ingest.load import find_reader
from vo.ingest.readers import Source
from vo.ingest.report import Report
from vo.metadata.collection import Collection
from vo.obscore.mapping import Row, Value, nominal_outlines, rows
from vo.settings import Settings

#: Plates whose rows are made at a time.
_CHUNK = 1000

#: Columns of ``<collection>.plates`` whose values are watched, in the order in which they are shown.
WATCHED = (
    *("series", "exposure_number", "target_name", "observer"),
    *("s_ra", "s_dec", "s_fov", "t_min", "t_max", "t_exptime", "em_min", "em_max", "plate_scale"),
    *("emulsion", "filter", "facility_name", "instrument_name", "scan_id"),
)


@dataclass(slots=True)
class Seen:
    """The values of one column: how many there are, the least and the greatest; all ``numbers``."""

    count: int = 0
    least: str | float | None = None
    greatest: str | float | None = None
    numbers: array[float] = field(default_factory=lambda: array("d"))

    def add(self, value: Value) -> None:
        """One more value; none is not counted."""
        if value is None:
            return
        self.count += 1
        if isinstance(value, (int, float)):
            self.numbers.append(value)
            self.least = min(value, self.least) if isinstance(self.least, (int, float)) else value
            self.greatest = max(value, self.greatest) if isinstance(self.greatest, (int, float)) else value
            return
        text = str(value)
        self.least = min(text, self.least) if isinstance(self.least, str) else text
        self.greatest = max(text, self.greatest) if isinstance(self.greatest, str) else text

    @property
    def middle(self) -> float:
        """The median of the numbers."""
        return sorted(self.numbers)[len(self.numbers) // 2]


@dataclass(slots=True)
class Trial:
    """What was read of a source.

    ``plates`` and ``exposures`` count what the archive would hold of it, ``shown`` the exposures that ivoa.obscore
    would. ``seen`` has the values of :data:`WATCHED` columns and of the collection's own, by column.
    """

    source: Path
    reader: str
    report: Report
    plates: int = 0
    exposures: int = 0
    shown: int = 0
    seen: dict[str, Seen] = field(default_factory=dict)


def try_source(
    settings: Settings, collection: Collection, path: Path, progress: Callable[[int, int], None] | None = None
) -> Trial:
    """Read a source as ``vo ingest`` would into an empty archive, and make the rows that would be published.

    :class:`vo.errors.OperatorFault` where an ingest would stop.
    """
    reader = find_reader(path, collection)
    trial = Trial(path, reader.name, Report(str(path)))
    known = _Known()
    source = Source(
        path,
        collection,
        settings.authority,
        trial.report,
        known.find,
        progress or (lambda _done, _total: None),
        known.expect,
    )
    bundles = known.watch(reader.read(source))
    while chunk := list(islice(bundles, _CHUNK)):
        if not known.keeps:
            _take(trial, collection, settings, chunk)
    _take(trial, collection, settings, list(known.plates.values()))
    if trial.report.used and not trial.plates:
        raise OperatorFault(f"{path} gave no plate")
    return trial


@dataclass(slots=True)
class _Known:
    """The plates that came so far, in their last form, for readers that look plates up and may give one again.

    A reader that tells how many exposures are coming gives each plate once: then nothing needs to be kept.
    """

    plates: dict[str, PlateBundle] = field(default_factory=dict)
    keeps: bool = True
    dids: dict[str, str] = field(default_factory=dict)

    def expect(self, _count: int) -> None:
        self.keeps = False

    def find(self, plate_id: str) -> PlateBundle | None:
        return self.plates.get(plate_id)

    def watch(self, bundles: Iterable[PlateBundle]) -> Iterator[PlateBundle]:
        """Keep what comes, and look at its identifiers."""
        for bundle in bundles:
            for exposure in bundle.exposures:
                did = exposure.publisher_did
                other = self.dids.setdefault(did.lower(), did)
                if other != did:
                    raise OperatorFault(f"{did} and {other} differ only in letter case: name the plates apart")
            if self.keeps:
                self.plates[bundle.plate.plate_id] = bundle
            yield bundle


def _take(trial: Trial, collection: Collection, settings: Settings, bundles: Sequence[PlateBundle]) -> None:
    outlines = nominal_outlines(bundles, collection)
    for bundle in bundles:
        derived = rows(bundle, collection, settings, outlines)
        for note in derived.notes:
            trial.report.note(0, note.plate_id, note.kind, f"exposure {note.exposure_id}: {note.reason}")
        trial.plates += 1
        trial.exposures += len(derived.plates)
        trial.shown += len(derived.obscore)
        for row in derived.plates:
            _watch(trial, row, bundle.plate.own)


def _watch(trial: Trial, row: Row, own: dict[str, str | float | int | bool | None]) -> None:
    for name in WATCHED:
        trial.seen.setdefault(name, Seen()).add(row.get(name))
    for name, value in own.items():
        trial.seen.setdefault(name, Seen()).add(value)
