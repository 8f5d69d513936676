"""A large source into a collection that has little yet: the published tables are made anew beside the ones in use.

What comes out is the same, row for row, as from the way of small sources (:mod:`vo.ingest.load`), and it comes in one
transaction, too. Only the work is arranged otherwise: plates that the archive does not know are written without looking
for older rows, published rows are made from the records at hand instead of reading them back, and the published
tables are filled without indexes, which are then made on all cores (:mod:`vo.db.beside`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db import beside
from vo.db.archive import analyse, append_records, merge_records, read_bundles
from vo.db.beside import Beside
from vo.db.connect import check_keys
from vo.db.merge import Counts, compare, copy_others, fill
from vo.db.records import PlateBundle
from vo.ingest.derive import derive
from vo.ingest.known import keep_known
from vo.ingest.report import Report
from vo.ingest.target import CHUNK, KEY, Done, Target
from vo.ingest.templates import add_to_known, add_to_new
from vo.metadata.collection import Collection
from vo.obscore.mapping import Row

#: Fewer exposures are loaded as quickly row by row.
LEAST = 20_000
#: Chunks that may wait for PostgreSQL to take them into the archive.
_AHEAD = 3
#: Plates that are known already take the long way: they may be so much of what is coming.
_KNOWN = 0.25
#: Rows of other collections get new index entries, too: they may be so many times what is coming.
_OTHERS = 1.0

Put = Callable[[Sequence[Any]], None]


def is_worth_while(connection: Connection[TupleRow], target: Target, coming: int) -> bool:
    """Whether ``coming`` exposures are many, for themselves and against what the collection and ObsCore have."""
    if coming < LEAST:
        return False
    collection = target.collection
    known = _count(connection, "SELECT count(*) FROM archive.plate WHERE collection = %s", collection.name)
    others = _count(
        connection, "SELECT count(*) FROM ivoa.obscore WHERE obs_collection <> %s", collection.obs_collection
    )
    few = known <= _KNOWN * coming and others <= _OTHERS * coming
    return few and all(beside.is_replaceable(connection, table) for table in (target.plates, target.obscore))


def _count(connection: Connection[TupleRow], sql: str, *values: object) -> int:
    row = connection.execute(sql, values).fetchone()
    return 0 if row is None else int(row[0])


def load_large(
    connection: Connection[TupleRow],
    target: Target,
    bundles: Iterable[PlateBundle],
    report: Report,
    progress: Callable[[str, int, int], None],
) -> Done:
    """Load bundles, each plate once and in the order of the sky, in the connection's transaction.

    The caller's connection holds the lock that keeps other ingests away. The published tables are in place when the
    transaction ends; stages ``indexing`` and ``waiting for readers`` are told.
    """
    done = Done()
    connection.execute("SAVEPOINT large")
    try:
        beside.keep_shape(connection, (target.plates, target.obscore))
        twins = _fill(connection, target, bundles, report, done)
        with ThreadPoolExecutor(max_workers=1) as checker:
            checking = checker.submit(_check, connection)
            beside.build_indexes(target.database, twins, lambda made, total: progress("indexing", made, total))
            checking.result()
        for twin in twins:
            _count_rows(connection, target, twin, done)
        beside.replace(connection, twins, lambda: progress("waiting for readers", 0, 1))
    except BaseException:
        if not connection.broken:
            connection.execute("ROLLBACK TO SAVEPOINT large")  # the lock stays ours while the remains go
            with target.database.owner() as other:
                beside.drop_left(other)
        raise
    return done


def _fill(
    connection: Connection[TupleRow], target: Target, bundles: Iterable[PlateBundle], report: Report, done: Done
) -> list[Beside]:
    """Write the archive, and beside the published tables their successors; those are committed, without indexes."""
    tables = (target.plates, target.obscore)
    with ExitStack() as stack:
        owners = [stack.enter_context(target.database.owner()) for _ in tables]
        beside.drop_left(owners[0])
        owners[0].commit()
        twins = [beside.create(own, table) for own, table in zip(owners, tables, strict=True)]
        with ExitStack() as filling:
            plates, obscore = (
                filling.enter_context(fill(own, twin.table, twin.name, target.columns[twin.table]))
                for own, twin in zip(owners, twins, strict=True)
            )
            for found in _archive(connection, target, bundles, report, done):
                _derive(found, target, report, plates, obscore, done)
        for own, twin in zip(owners, twins, strict=True):
            columns = target.columns[twin.table]
            copy_others(own, twin.table, twin.name, columns, target.scope(twin.table, done.again))
    return twins


def _archive(
    connection: Connection[TupleRow], target: Target, bundles: Iterable[PlateBundle], report: Report, done: Done
) -> Iterator[list[PlateBundle]]:
    """Write the archive, some plates at a time, and give their state there.

    While PostgreSQL takes one chunk in, the rows of the one before are made.
    """
    name = target.collection.name
    known = {one for (one,) in connection.execute("SELECT plate_id FROM archive.plate WHERE collection = %s", (name,))}
    coming = iter(bundles)
    writing: deque[Future[dict[str, Counts]]] = deque()
    with ThreadPoolExecutor(max_workers=1) as writer:
        while chunk := list(islice(coming, CHUNK)):
            old = [bundle for bundle in chunk if bundle.plate.plate_id in known]
            new = [bundle for bundle in chunk if bundle.plate.plate_id not in known] if old else chunk
            new = add_to_new(target.collection, new, report)
            while len(writing) > (0 if old else _AHEAD):
                done.add_archive(writing.popleft().result())
            state = _merge_known(connection, target.collection, old, report, done) if old else {}
            records = [record for one in new for record in one.records()]
            writing.append(writer.submit(append_records, connection, records))
            done.add_bundles(new)
            made = {**state, **{bundle.plate.plate_id: bundle for bundle in new}} if old else {}
            yield [made[bundle.plate.plate_id] for bundle in chunk] if old else new
        for future in writing:
            done.add_archive(future.result())


def _merge_known(
    connection: Connection[TupleRow],
    collection: Collection,
    bundles: Sequence[PlateBundle],
    report: Report,
    done: Done,
) -> dict[str, PlateBundle]:
    """Merge plates that the archive has already; their state afterwards, by plate."""
    kept = add_to_known(connection, collection, keep_known(connection, collection.name, bundles), report)
    done.add_bundles(kept)
    done.add_archive(merge_records(connection, (record for bundle in kept for record in bundle.records())))
    names = [bundle.plate.plate_id for bundle in bundles]
    done.again += names
    return {one.plate.plate_id: one for one in read_bundles(connection, [(collection.name, name) for name in names])}


def _derive(
    bundles: Sequence[PlateBundle], target: Target, report: Report, plates: Put, obscore: Put, done: Done
) -> None:
    """Make the rows of some plates and hand them on."""
    counts = [0, 0]
    for derived in derive(bundles, target, report):
        counts[0] += _put(plates, target.columns[target.plates], derived.plates)
        counts[1] += _put(obscore, target.columns[target.obscore], derived.obscore)
    for name, count in zip(("plates", "obscore"), counts, strict=True):
        done.derived[name] = done.derived.get(name, Counts()) + Counts(inserted=count)


def _put(put: Put, columns: Sequence[str], made: Sequence[Row]) -> int:
    for row in made:
        put(list(map(row.get, columns)))
    return len(made)


def _check(connection: Connection[TupleRow]) -> None:
    """Check the archive's keys: at the end of the transaction that would be done while readers are locked out."""
    analyse(connection)
    check_keys(connection)


def _count_rows(connection: Connection[TupleRow], target: Target, twin: Beside, done: Done) -> None:
    """Tell rows of plates that were there before from new ones: they are new, changed, the same or gone."""
    if not done.again:
        return
    name = "plates" if twin.table == target.plates else "obscore"
    columns = target.columns[twin.table]
    found, gone = compare(connection, twin.table, twin.name, target.scope(twin.table, done.again), KEY, columns)
    made = found.updated + found.unchanged
    done.derived[name] += Counts(-made, found.updated, found.unchanged)
    done.removed += gone
