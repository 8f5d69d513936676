"""Sources into the database: archive first, then the rows that are derived from it; one transaction for one source."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix
from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.archive import merge_records, read_bundles
from vo.db.connect import Database
from vo.db.merge import Counts, merge, prune
from vo.db.records import PlateBundle
from vo.errors import OperatorFault
from vo.ingest.known import keep_known
from vo.ingest.readers import Reader, Source, dasch, fits, headers
from vo.ingest.report import Report
from vo.ingest.summary import Summary
from vo.metadata.collection import Collection, load_collection
from vo.obscore.mapping import Row, nominal_outlines, rows
from vo.settings import Settings

#: All readers, in the order in which a source is shown to them.
READERS: tuple[Reader, ...] = (dasch.READER, headers.READER, fits.READER)

#: Told the stage, how much is done and how much there is.
Progress = Callable[[str, int, int], None]

_CHUNK = 2500
_HEAD = 4096
_HEALPIX_DEPTH = 12
#: Any number, the same for all: two ingests wait for each other.
_LOCK = 0x766F5F696E


def ingest(
    database: Database,
    settings: Settings,
    collection: Collection | str,
    source: Path | str,
    *,
    progress: Progress | None = None,
) -> Summary:
    """Load one source (a file, or a folder of FITS files) into a collection.

    All or nothing: when something goes wrong the database stays as it was. The same source again changes nothing; a
    changed row is updated. Rows that a source no longer has are not deleted: a source may be a part of the collection.
    Raises OperatorFault, with file and line where there is one.
    """
    collection = _collection(settings, collection)
    path = Path(source)
    reader = _find_reader(path, collection)
    report = Report(str(path))

    def bundles(work: _Work) -> Iterator[PlateBundle]:
        def tell(done: int, total: int) -> None:
            if progress is not None:
                progress("reading", done, total)

        return reader.read(Source(path, collection, settings.authority, report, work.find_plate, tell))

    return _load(database, settings, collection, bundles, report, progress)


def load_bundles(
    database: Database,
    settings: Settings,
    collection: Collection | str,
    bundles: Iterable[PlateBundle],
    source_name: str,
    *,
    progress: Progress | None = None,
) -> Summary:
    """Load records that are at hand, by the way that every source takes; see :func:`ingest`.

    Each exposure counts as one entry read.
    """
    report = Report(source_name)

    def counted(_: _Work) -> Iterator[PlateBundle]:
        for bundle in bundles:
            report.read += len(bundle.exposures)
            report.used += len(bundle.exposures)
            yield bundle

    return _load(database, settings, _collection(settings, collection), counted, report, progress)


# ------------------------------------------------------------------------------------------------- finding


def _collection(settings: Settings, collection: Collection | str) -> Collection:
    return load_collection(settings, collection) if isinstance(collection, str) else collection


def _find_reader(path: Path, collection: Collection) -> Reader:
    if not path.exists():
        raise OperatorFault(f"{path} does not exist")
    names = [reader.name for reader in READERS]
    unknown = [name for name in collection.readers if name not in names]
    if unknown:
        raise OperatorFault(
            f"collection {collection.name} lists readers {', '.join(unknown)}; there are {', '.join(names)}"
        )
    usable = [reader for reader in READERS if not collection.readers or reader.name in collection.readers]
    head = b""
    if path.is_file():
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise OperatorFault(f"{path} cannot be read: {error.strerror}") from error
        if not head:
            raise OperatorFault(f"{path} is empty")
    for reader in usable:
        if reader.accepts(path, head):
            return reader
    kinds = "; ".join(reader.describes for reader in usable)
    raise OperatorFault(f"{path} is no kind of source that collection {collection.name} takes: {kinds}")


# ------------------------------------------------------------------------------------------------- loading


@dataclass(slots=True)
class _Work:
    """The state of one transaction."""

    connection: Connection[TupleRow]
    collection: Collection
    pending: dict[str, PlateBundle] = field(default_factory=dict)
    centres: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    dids: dict[str, str] = field(default_factory=dict)
    archive: dict[str, Counts] = field(default_factory=dict)
    without_imaging: int = 0

    def find_plate(self, plate_id: str) -> PlateBundle | None:
        """The plate as the archive has it, this source's part so far included."""
        if plate_id in self.pending:
            self.flush()
        return next(read_bundles(self.connection, [(self.collection.name, plate_id)]), None)

    def add(self, bundle: PlateBundle) -> None:
        """Take a plate in; it reaches the archive with the next chunk."""
        name = bundle.plate.plate_id
        if bundle.plate.collection != self.collection.name:
            raise OperatorFault(
                f"plate {name} is of collection {bundle.plate.collection!r}, not of {self.collection.name!r}"
            )
        if name in self.pending or len(self.pending) >= _CHUNK:
            self.flush()
        self.pending[name] = bundle

    def flush(self) -> None:
        """Merge what is pending into the archive."""
        if not self.pending:
            return
        bundles = list(keep_known(self.connection, self.collection.name, list(self.pending.values())))
        self.pending.clear()
        self._check_identifiers(bundles)
        for bundle in bundles:
            self.without_imaging += sum(not exposure.has_imaging for exposure in bundle.exposures)
            self.centres[bundle.plate.plate_id] = _centre(bundle) or self.centres.get(bundle.plate.plate_id)
        counts = merge_records(self.connection, (record for bundle in bundles for record in _records(bundle)))
        for table, count in counts.items():
            self.archive[table] = self.archive.get(table, Counts()) + count

    def _check_identifiers(self, bundles: Sequence[PlateBundle]) -> None:
        """Refuse identifiers that differ only in letter case (IVOA Identifiers 2.0, section 2.1: they are the same)."""
        dids = [exposure.publisher_did for bundle in bundles for exposure in bundle.exposures]
        rows_found = self.connection.execute(
            "SELECT publisher_did FROM archive.exposure WHERE lower(publisher_did) = ANY(%s)",
            ([did.lower() for did in dids],),
        )
        known = {did.lower(): did for (did,) in rows_found}
        for did in dids:
            other = self.dids.setdefault(did.lower(), known.get(did.lower(), did))
            if other != did:
                raise OperatorFault(
                    f"{did} and {other} differ only in letter case, which identifiers may not: name the plates apart"
                )


def _load(
    database: Database,
    settings: Settings,
    collection: Collection,
    read: Callable[[_Work], Iterator[PlateBundle]],
    report: Report,
    progress: Progress | None,
) -> Summary:
    began = time.monotonic()
    with database.owner() as connection:
        _check_initialised(connection, collection)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        work = _Work(connection, collection)
        for bundle in read(work):
            work.add(bundle)
        work.flush()
        if not work.centres and report.used:
            raise OperatorFault(f"{report.source} gave no plate")
        # Before they are read back, so that PostgreSQL knows how large they have become.
        for table in ("archive.plate", "archive.scan", "archive.exposure", "archive.solution", "archive.product"):
            connection.execute(f"ANALYZE {table}")
        derived, removed = _derive(work, settings, report, progress)
        connection.execute(f'ANALYZE "{collection.name}".plates')
        connection.execute("ANALYZE ivoa.obscore")
        counts = work.archive.get("exposure", Counts())
        path = _report_path(settings, collection, report) if report.lines else None
        summary = Summary(
            collection.name,
            report.source,
            report.read,
            report.used,
            len(work.centres),
            counts.inserted + counts.updated + counts.unchanged,
            work.without_imaging,
            report.counted("repaired"),
            report.counted("refused"),
            report.counted("noted"),
            work.archive,
            derived,
            removed,
            time.monotonic() - began,
            path,
        )
        if path is not None:
            report.write(path)
    return summary


def _check_initialised(connection: Connection[TupleRow], collection: Collection) -> None:
    row = connection.execute("SELECT to_regclass(%s)", (f'"{collection.name}".plates',)).fetchone()
    if row is None or row[0] is None:
        raise OperatorFault(
            f"the database has no tables for collection {collection.name}: run `vo init {collection.name}` first"
        )


def _records(bundle: PlateBundle) -> Iterator[Any]:
    yield bundle.plate
    yield from bundle.scans
    yield from bundle.exposures
    yield from bundle.solutions
    yield from bundle.products


def _centre(bundle: PlateBundle) -> tuple[float, float] | None:
    for exposure in bundle.exposures:
        if exposure.ra is not None and exposure.dec is not None:
            return exposure.ra, exposure.dec
    return None


def _report_path(settings: Settings, collection: Collection, report: Report) -> Path:
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in Path(report.source).stem)
    return settings.data_dir / "reports" / f"{collection.name}-{stem or 'source'}-{now}.csv"


# ------------------------------------------------------------------------------------------------- deriving


def _derive(
    work: _Work, settings: Settings, report: Report, progress: Progress | None
) -> tuple[dict[str, Counts], int]:
    """Make the rows of the touched plates from the archive's state, in HEALPix order of their centres.

    A table written in this order answers questions of position from a sixth of its pages (docs/design.md).
    """
    names = _healpix_order(work.centres)
    columns = {table: _columns(work.connection, table) for table in _derived_tables(work.collection)}
    totals = dict.fromkeys(("plates", "obscore"), Counts())
    removed = 0
    # While PostgreSQL works out the index keys of one chunk, the next one's rows are made.
    with ThreadPoolExecutor(max_workers=1) as writer:
        writing: list[Future[tuple[Counts, Counts, int]]] = []
        for chunk in _make_chunks(work, settings, report, names):
            _settle(writing)
            writing.append(writer.submit(_write_chunk, work, columns, chunk))
            if progress is not None:
                progress("writing", chunk.done, len(names))
        _settle(writing)
    for plates, obscore, gone in (future.result() for future in writing):
        totals["plates"] += plates
        totals["obscore"] += obscore
        removed += gone
    return totals, removed


def _settle(writing: Sequence[Future[Any]]) -> None:
    """Wait for the last chunk, so that a fault ends the work at once."""
    if writing:
        writing[-1].result()


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Plates whose rows are made; ``done`` counts the plates up to here."""

    names: list[str]
    plates: list[Row]
    obscore: list[Row]
    done: int


def _make_chunks(work: _Work, settings: Settings, report: Report, names: Sequence[str]) -> Iterator[_Chunk]:
    """Make the rows of some plates at a time; each chunk's plates are read before the one before is handed on."""
    starts = range(0, len(names), _CHUNK)
    parts = [list(names[start : start + _CHUNK]) for start in starts]
    ahead = _read_plates(work, parts[0]) if parts else []
    for place, part in enumerate(parts):
        bundles = ahead
        outlines = nominal_outlines(bundles, work.collection)
        plates: list[Row] = []
        obscore: list[Row] = []
        for bundle in bundles:
            derived = rows(bundle, work.collection, settings, outlines)
            plates += derived.plates
            obscore += derived.obscore
            for note in derived.notes:
                report.note(0, note.plate_id, note.kind, f"exposure {note.exposure_id}: {note.reason}")
        ahead = _read_plates(work, parts[place + 1]) if place + 1 < len(parts) else []
        yield _Chunk(part, plates, obscore, starts[place] + len(part))


def _read_plates(work: _Work, names: Sequence[str]) -> list[PlateBundle]:
    return list(read_bundles(work.connection, [(work.collection.name, name) for name in names]))


def _derived_tables(collection: Collection) -> tuple[str, str]:
    return f"{collection.name}.plates", "ivoa.obscore"


def _write_chunk(work: _Work, columns: Mapping[str, Sequence[str]], chunk: _Chunk) -> tuple[Counts, Counts, int]:
    """Merge a chunk into the two derived tables; rows of its plates that are no longer made go."""
    connection, collection = work.connection, work.collection
    plates, obscore = _derived_tables(collection)
    counts = (
        _write(connection, plates, columns[plates], chunk.plates),
        _write(connection, obscore, columns[obscore], chunk.obscore),
    )
    scope = {"plate_id": chunk.names}
    removed = _prune(connection, plates, scope, chunk.plates)
    removed += _prune(connection, obscore, {**scope, "obs_collection": [collection.obs_collection]}, chunk.obscore)
    return *counts, removed


def _prune(connection: Connection[TupleRow], table: str, scope: dict[str, list[str]], made: Sequence[Row]) -> int:
    return prune(connection, table, scope, ("obs_publisher_did",), ((row["obs_publisher_did"],) for row in made))


def _columns(connection: Connection[TupleRow], table: str) -> list[str]:
    """The columns that can be written; own columns of the collection among them."""
    schema, _, name = table.partition(".")
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position",
        (schema, name),
    )
    return [column for (column,) in found]


def _write(connection: Connection[TupleRow], table: str, columns: Sequence[str], made: Sequence[Row]) -> Counts:
    values = ([row.get(name) for name in columns] for row in made)
    return merge(connection, table, ("obs_publisher_did",), columns, values)


def _healpix_order(centres: dict[str, tuple[float, float] | None]) -> list[str]:
    """Plates by the HEALPix cell (nested) of their centre; those without one at the end."""
    placed = [(name, centre) for name, centre in centres.items() if centre is not None]
    rest = sorted(name for name, centre in centres.items() if centre is None)
    if not placed:
        return rest
    positions = np.array([centre for _, centre in placed])
    lon, lat = Longitude(positions[:, 0], u.deg), Latitude(positions[:, 1], u.deg)
    cells = lonlat_to_healpix(lon, lat, _HEALPIX_DEPTH)
    return [placed[index][0] for index in np.argsort(cells, kind="stable")] + rest
