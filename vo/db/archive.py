"""Records in and out of the schema ``archive``."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.merge import Counts, merge
from vo.db.records import KEYS, Exposure, Plate, PlateBundle, Product, Record, Scan, Solution

_R = TypeVar("_R", Plate, Scan, Exposure, Solution, Product)

#: Plates read at a time: few statements, little memory.
_CHUNK = 2500

_KEYS = "unnest(%s::text[], %s::text[]) AS k (collection, plate_id)"

#: What belongs to a plate, in the order in which a bundle has it.
_ORDER: dict[type[Record], str] = {
    Plate: "plate_id",
    Scan: "scan_id",
    Exposure: "exposure_number NULLS LAST, exposure_id",
    Solution: "scan_id, solution_id, version",
    Product: "product_id",
}

_BY_DID = """
SELECT k.did, e.collection, e.plate_id, e.exposure_id
FROM (SELECT DISTINCT did FROM unnest(%s::text[]) AS d (did)) AS k
JOIN archive.exposure e ON lower(e.publisher_did) = lower(k.did)
"""


def merge_records(connection: Connection[TupleRow], records: Iterable[Record]) -> dict[str, Counts]:
    """Merge records of any mix of types, parents first; return the counts by table name (``plate``, ``scan``, ...).

    Times with a zone are stored as UTC; times without one are UTC already.
    """
    sorted_out: dict[type[Record], list[Record]] = defaultdict(list)
    for record in records:
        sorted_out[type(record)].append(record)
    counts: dict[str, Counts] = {}
    for kind, (table, key) in KEYS.items():
        names = field_names(kind)
        rows = map(_row, sorted_out.get(kind, ()))
        counts[table] = merge(connection, f"archive.{table}", key, names, rows)
    return counts


def field_names(kind: type[Record]) -> tuple[str, ...]:
    """The columns of a record's table, in the order of its fields."""
    return tuple(field.name for field in dataclasses.fields(kind))


def read_bundles(connection: Connection[TupleRow], keys: Sequence[tuple[str, str]]) -> Iterator[PlateBundle]:
    """Yield the plates of these (collection, plate_id) with all that belongs to them, in the order of the keys.

    A plate that does not exist is left out. One SQL statement for each kind of record: what changes between two of them
    is seen where the connection's transactions do not keep to one snapshot (those of ``Database.read`` do).
    """
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        plates = {key: plate for key, (plate,) in _read(connection, Plate, chunk).items()}
        scans, exposures = _read(connection, Scan, chunk), _read(connection, Exposure, chunk)
        solutions, products = _read(connection, Solution, chunk), _read(connection, Product, chunk)
        for key in chunk:
            if key in plates:
                yield PlateBundle(
                    plate=plates[key],
                    scans=tuple(scans[key]),
                    exposures=tuple(exposures[key]),
                    solutions=tuple(solutions[key]),
                    products=tuple(products[key]),
                )


def find_plates(connection: Connection[TupleRow], dids: Sequence[str]) -> dict[str, tuple[PlateBundle, Exposure]]:
    """Find the exposure of each publisher DID, with its plate; a DID that nobody has is left out.

    The result's keys are the DIDs as given; letter case makes no difference (IVOA Identifiers 2.0, section 2.1).
    The number of SQL statements does not grow with the number of DIDs, up to some thousand plates.
    """
    places = connection.execute(_BY_DID, (list(dids),)).fetchall()
    keys = list(dict.fromkeys((collection, plate_id) for _, collection, plate_id, _ in places))
    bundles = {(one.plate.collection, one.plate.plate_id): one for one in read_bundles(connection, keys)}
    found: dict[str, tuple[PlateBundle, Exposure]] = {}
    for did, collection, plate_id, exposure_id in places:
        bundle = bundles[collection, plate_id]
        found[did] = bundle, next(one for one in bundle.exposures if one.exposure_id == exposure_id)
    return found


def _read(
    connection: Connection[TupleRow], kind: type[_R], keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[_R]]:
    """The records of one kind by the plate they belong to."""
    columns = ", ".join(f"x.{name}" for name in field_names(kind))
    rows = connection.execute(
        f"SELECT {columns} FROM archive.{KEYS[kind][0]} x "
        f"JOIN (SELECT DISTINCT collection, plate_id FROM {_KEYS}) AS asked USING (collection, plate_id) "
        f"ORDER BY {_ORDER[kind]}",
        ([collection for collection, _ in keys], [plate_id for _, plate_id in keys]),
    )
    found: dict[tuple[str, str], list[_R]] = defaultdict(list)
    for row in rows:
        record = kind(*row)
        found[record.collection, record.plate_id].append(record)
    return found


def _row(record: Record) -> tuple[Any, ...]:
    take, has_times = _TAKEN_APART[type(record)]
    row: tuple[Any, ...] = take(record)
    return tuple(map(_as_utc, row)) if has_times else row


def _as_utc(value: Any) -> Any:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return value


#: How a kind of record is taken apart, and whether it has times.
_TAKEN_APART: dict[type[Record], tuple[Callable[[Any], Any], bool]] = {
    kind: (
        attrgetter(*field_names(kind)),
        any("datetime" in str(field.type) for field in dataclasses.fields(kind)),
    )
    for kind in KEYS
}
