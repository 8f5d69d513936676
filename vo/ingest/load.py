"""Sources into the database: archive first, then the rows that are derived from it; one transaction for one source."""

from __future__ import annotations

import datetime as dt
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.archive import analyse, merge_records, read_bundles
from vo.db.connect import Database
from vo.db.ddl import quote_table
from vo.db.merge import Counts
from vo.db.records import PlateBundle
from vo.errors import OperatorFault
from vo.ingest import bulk
from vo.ingest.changes import record_changes
from vo.ingest.derive import derive
from vo.ingest.known import keep_known
from vo.ingest.order import sky_order
from vo.ingest.published import lock, write_rows
from vo.ingest.readers import Reader, Source, dasch, fits, headers, plate_documents, table
from vo.ingest.report import Report
from vo.ingest.summary import Summary
from vo.ingest.target import CHUNK, Done, Target
from vo.ingest.templates import add_to_known
from vo.metadata.collection import Collection, load_collection
from vo.obscore.mapping import Row
from vo.settings import Settings

#: All readers, in the order in which a source is shown to them.
READERS: tuple[Reader, ...] = (table.READER, plate_documents.READER, dasch.READER, headers.READER, fits.READER)

#: Told the stage, how much is done and how much there is.
Progress = Callable[[str, int, int], None]

_HEAD = 4096
#: New objects before Python's collector of cycles looks at them.
_COLLECT_AFTER = 100_000


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
    reader = find_reader(path, collection)
    report = Report(str(path))

    def bundles(work: _Work) -> Iterator[PlateBundle]:
        def tell(done: int, total: int) -> None:
            if progress is not None:
                progress("reading", done, total)

        return reader.read(Source(path, collection, settings.authority, report, work.find_plate, tell, work.expect))

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


def find_reader(path: Path, collection: Collection) -> Reader:
    """The reader that takes a source; OperatorFault says which kinds of sources the collection takes."""
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
        if reader.suits(collection, path) and reader.accepts(path, head):
            return reader
    kinds = "; ".join(reader.describes for reader in usable)
    raise OperatorFault(f"{path} is no kind of source that collection {collection.name} takes: {kinds}")


# ------------------------------------------------------------------------------------------------- loading


@dataclass(slots=True)
class _Work:
    """The state of one transaction."""

    connection: Connection[TupleRow]
    collection: Collection
    report: Report
    pending: dict[str, PlateBundle] = field(default_factory=dict)
    centres: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    dids: dict[str, str] = field(default_factory=dict)
    done: Done = field(default_factory=Done)
    coming: int = 0

    def expect(self, count: int) -> None:
        """So many exposures are coming."""
        self.coming = count

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
        if name in self.pending or len(self.pending) >= CHUNK:
            self.flush()
        self.pending[name] = bundle

    def flush(self) -> None:
        """Merge what is pending into the archive."""
        if not self.pending:
            return
        kept = keep_known(self.connection, self.collection.name, list(self.pending.values()))
        bundles = add_to_known(self.connection, self.collection, kept, self.report)
        self.pending.clear()
        self._check_identifiers(bundles)
        self.done.add_bundles(bundles)
        for bundle in bundles:
            self.centres[bundle.plate.plate_id] = _centre(bundle) or self.centres.get(bundle.plate.plate_id)
        records = (record for bundle in bundles for record in bundle.records())
        self.done.add_archive(merge_records(self.connection, records))
        again = [one.plate.plate_id for one in bundles if any(solution.version > 1 for solution in one.solutions)]
        record_changes(self.connection, self.collection.name, again)

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
    with _seldom_collecting(), database.owner() as connection:
        _check_initialised(connection, collection)
        lock(connection)
        work = _Work(connection, collection, report)
        done = _load_all(work, Target.of(database, connection, collection, settings), read(work), report, progress)
        if not done.plates and report.used:
            raise OperatorFault(f"{report.source} gave no plate")
        counts = done.archive.get("exposure", Counts())
        path = _report_path(settings, collection, report) if report.lines else None
        summary = Summary(
            collection.name,
            report.source,
            report.read,
            report.used,
            done.plates,
            counts.inserted + counts.updated + counts.unchanged,
            done.without_imaging,
            report.counted("repaired"),
            report.counted("refused"),
            report.counted("noted"),
            done.archive,
            done.derived,
            done.removed,
            time.monotonic() - began,
            path,
        )
        if path is not None:
            report.write(path)
    return summary


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Look for cycles seldom: records have none, and looking through a million of them takes a third of the time."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _load_all(
    work: _Work, target: Target, bundles: Iterator[PlateBundle], report: Report, progress: Progress | None
) -> Done:
    """Load the bundles in the way that suits how many are coming."""
    first = list(islice(bundles, 1))
    if bulk.is_worth_while(work.connection, target, work.coming):
        return bulk.load_large(work.connection, target, chain(first, bundles), report, progress or _tell_nobody)
    for bundle in chain(first, bundles):
        work.add(bundle)
    work.flush()
    # Before they are read back, so that PostgreSQL knows how large they have become.
    analyse(work.connection)
    done = work.done
    done.plates = len(work.centres)  # one may have come more than once
    done.derived, done.removed = _derive(work, target, report, progress)
    for name in (target.plates, target.obscore):
        work.connection.execute(f"ANALYZE {quote_table(name)}")
    return done


def _tell_nobody(_stage: str, _done: int, _total: int) -> None:
    pass


def _check_initialised(connection: Connection[TupleRow], collection: Collection) -> None:
    row = connection.execute("SELECT to_regclass(%s)", (f'"{collection.name}".plates',)).fetchone()
    if row is None or row[0] is None:
        raise OperatorFault(
            f"the database has no tables for collection {collection.name}: run `vo init {collection.name}` first"
        )


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


def _derive(work: _Work, target: Target, report: Report, progress: Progress | None) -> tuple[dict[str, Counts], int]:
    """Make the rows of the touched plates from the archive's state, in HEALPix order of their centres.

    A table written in this order answers questions of position from a sixth of its pages (docs/design.md).
    """
    names = sky_order(work.centres)
    totals = dict.fromkeys(("plates", "obscore"), Counts())
    removed = 0
    # While PostgreSQL works out the index keys of one chunk, the next one's rows are made.
    with ThreadPoolExecutor(max_workers=1) as writer:
        writing: list[Future[tuple[Counts, Counts, int]]] = []
        try:
            for chunk in _make_chunks(work, target, report, names):
                _settle(writing)
                writing.append(
                    writer.submit(write_rows, work.connection, target, chunk.names, chunk.plates, chunk.obscore)
                )
                if progress is not None:
                    progress("writing", chunk.done, len(names))
        finally:
            _settle(writing)  # what went wrong there first is why reading failed, too
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


def _make_chunks(work: _Work, target: Target, report: Report, names: Sequence[str]) -> Iterator[_Chunk]:
    """Make the rows of some plates at a time; each chunk's plates are read before the one before is handed on."""
    starts = range(0, len(names), CHUNK)
    parts = [list(names[start : start + CHUNK]) for start in starts]
    ahead = _read_plates(work, parts[0]) if parts else []
    for place, part in enumerate(parts):
        plates: list[Row] = []
        obscore: list[Row] = []
        for derived in derive(ahead, target, report):
            plates += derived.plates
            obscore += derived.obscore
        ahead = _read_plates(work, parts[place + 1]) if place + 1 < len(parts) else []
        yield _Chunk(part, plates, obscore, starts[place] + len(part))


def _read_plates(work: _Work, names: Sequence[str]) -> list[PlateBundle]:
    return list(read_bundles(work.connection, [(work.collection.name, name) for name in names]))
