"""Lists of plates in a form of their own, read by the mapping in the collection's folder (docs/mapping.md).

The list is read twice: first for the names of its plates, so that the rows of a plate may stand anywhere and still
only those of plates that are not complete yet are held in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from vo.db.records import Exposure, Plate, PlateBundle, Scan
from vo.errors import OperatorFault
from vo.ingest.readers import Reader, Source
from vo.ingest.readers.table_records import Entry, Records, merged
from vo.ingest.readers.table_rows import Bad, Numbered, Rows, open_rows
from vo.metadata.collection import Collection
from vo.metadata.mapping import MAPPING, ListMapping, has_mapping, load_mapping

#: Rows whose positions are brought to ICRS at a time.
_CHUNK = 4096


def _suits(collection: Collection, path: Path) -> bool:
    if not has_mapping(collection):
        return False
    mapping = load_mapping(collection)
    return mapping is not None and mapping.source.takes(path.name)


def _accepts(path: Path, head: bytes) -> bool:
    return path.is_file() and bool(head)


def _read(source: Source) -> Iterator[PlateBundle]:
    mapping = load_mapping(source.collection)
    if mapping is None:
        raise OperatorFault(f"collection {source.collection.name} has no {MAPPING} that says how lists are read")
    rows = open_rows(source.path, mapping, source.collection.folder)
    records = Records(source, mapping, rows.units)
    left = _count(rows, mapping, records)
    total = left.total()
    if total == 0:
        raise OperatorFault(f"{source.path} has no row with a plate; does {MAPPING} say where its columns are?")
    plates = _Plates(source, mapping, records, left)
    done = 0
    numbered = rows.read(sorted(mapping.used_columns))
    while chunk := list(islice(numbered, _CHUNK)):
        yield from plates.take(chunk)
        done += len(chunk)
        source.progress(min(done, total), total)


def _count(rows: Rows, mapping: ListMapping, records: Records) -> Counter[str]:
    """How many rows each plate has."""
    found: Counter[str] = Counter()
    for _, row in rows.read(mapping.plate.plate_id.columns):
        if not isinstance(row, Bad) and (name := records.plate_id(row)):
            found[name] += 1
    return found


class _Plates:
    """Puts the rows of each plate together; a plate is given when its last row has come."""

    def __init__(self, source: Source, mapping: ListMapping, records: Records, left: Counter[str]) -> None:
        self._source = source
        self._report = source.report
        self._used = sorted(mapping.used_columns)
        self._records = records
        self._left = left
        self._waiting: dict[str, _Waiting] = {}

    def take(self, chunk: list[Numbered]) -> Iterator[PlateBundle]:
        """The plates that are complete with these rows."""
        entries = list(self._entries(chunk))
        known = [entry.place for _, entry in entries if entry is not None and entry.place is not None]
        sky = self._records.sky
        positions = iter(sky.icrs(known).tolist() if sky is not None and known else ())
        for name, entry in entries:
            if entry is not None:
                at = None if entry.place is None else tuple(next(positions))
                self._add(entry, at)
            self._left[name] -= 1
            if self._left[name] == 0:
                del self._left[name]
                bundle = self._waiting.pop(name).bundle()
                if bundle is not None:
                    yield bundle

    def _entries(self, chunk: list[Numbered]) -> Iterator[tuple[str, Entry | None]]:
        """Each row that names a plate, and what it tells; nothing of one that is there twice."""
        for line, row in chunk:
            self._report.read += 1
            if isinstance(row, Bad):
                self._report.refuse(line, "", row.kind, row.reason)
                continue
            name = self._records.plate_id(row)
            if name is None:
                self._report.refuse(line, "", "no plate's name", "no column gives the plate's name")
                continue
            waiting = self._waiting.get(name)
            if waiting is None:
                waiting = self._waiting[name] = _Waiting()
            if self._left[name] > 1 or waiting.seen:
                values = tuple(row[column] for column in self._used)
                before = waiting.seen.setdefault(values, line)
                if before != line:
                    self._report.refuse(line, name, "row there twice", f"the same as line {before}")
                    yield name, None
                    continue
            yield name, self._records.entry(line, name, row)

    def _add(self, entry: Entry, at: tuple[float, ...] | None) -> None:
        waiting, name = self._waiting[entry.plate.plate_id], entry.plate.plate_id
        exposure_id = entry.exposure_id or waiting.next_name()
        if exposure_id in waiting.lines:
            reason = f"exposure {exposure_id!r} as in line {waiting.lines[exposure_id]}, with other values"
            self._report.refuse(entry.line, name, "exposure there twice", reason)
            return
        self._report.used += 1
        exposure = self._records.named(entry, exposure_id, None if at is None else (at[0], at[1]))
        differing = waiting.add(entry, exposure)
        if differing:
            reason = f"{', '.join(differing)} other than in line {waiting.first_line}, which stays"
            self._report.repair(entry.line, name, "plate told differently", reason)


class _Waiting:
    """A plate as far as its rows have come; ``seen`` are their values, ``lines`` those of its exposures by name."""

    def __init__(self) -> None:
        self.seen: dict[tuple[object, ...], int] = {}
        self.lines: dict[str, int] = {}
        self.first_line = 0
        self._plate: Plate | None = None
        self._scans: dict[str, Scan] = {}
        self._exposures: list[Exposure] = []

    def next_name(self) -> str:
        """The name of an exposure that the list does not name: 1, 2, ..."""
        number = len(self._exposures) + 1
        while str(number) in self.lines:
            number += 1
        return str(number)

    def add(self, entry: Entry, exposure: Exposure) -> tuple[str, ...]:
        """Take a row in; what of the plate it tells differently from the rows before."""
        self.lines[exposure.exposure_id] = entry.line
        self._exposures.append(exposure)
        if entry.scan is not None:
            self._scans.setdefault(entry.scan.scan_id, entry.scan)
        if self._plate is None:
            self._plate, self.first_line = entry.plate, entry.line
            return ()
        self._plate, differing = merged(self._plate, entry.plate)
        return differing

    def bundle(self) -> PlateBundle | None:
        """The plate with all that its rows told, None when none of them was used."""
        if self._plate is None:
            return None
        return PlateBundle(self._plate, tuple(self._scans.values()), tuple(self._exposures))


READER = Reader("table", f"list of plates that {MAPPING} describes", _accepts, _read, _suits)
