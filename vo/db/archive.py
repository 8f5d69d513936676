"""Records in and out of the schema ``archive``."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.merge import Counts, merge
from vo.db.records import KEYS, Exposure, Plate, PlateBundle, Product, Record, Scan, Solution

_R = TypeVar("_R", Plate, Scan, Exposure, Solution, Product)

#: Plates read at a time: few statements, little memory.
_CHUNK = 500

_BUNDLE = """
    to_json(p),
    (SELECT json_agg(to_json(x) ORDER BY scan_id) FROM archive.scan x
     WHERE x.collection = p.collection AND x.plate_id = p.plate_id),
    (SELECT json_agg(to_json(x) ORDER BY exposure_number NULLS LAST, exposure_id) FROM archive.exposure x
     WHERE x.collection = p.collection AND x.plate_id = p.plate_id),
    (SELECT json_agg(to_json(x) ORDER BY scan_id, solution_id, version) FROM archive.solution x
     WHERE x.collection = p.collection AND x.plate_id = p.plate_id),
    (SELECT json_agg(to_json(x) ORDER BY product_id) FROM archive.product x
     WHERE x.collection = p.collection AND x.plate_id = p.plate_id)
"""

_BY_KEY = f"""
SELECT {_BUNDLE}
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS k (collection, plate_id, place)
JOIN archive.plate p USING (collection, plate_id)
ORDER BY k.place
"""

_BY_DID = f"""
SELECT k.did, e.exposure_id, {_BUNDLE}
FROM (SELECT DISTINCT did FROM unnest(%s::text[]) AS d (did)) AS k
JOIN archive.exposure e ON lower(e.publisher_did) = lower(k.did)
JOIN archive.plate p ON p.collection = e.collection AND p.plate_id = e.plate_id
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

    A plate that does not exist is left out.
    """
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        rows = connection.execute(_BY_KEY, ([one[0] for one in chunk], [one[1] for one in chunk])).fetchall()
        for row in rows:
            yield _bundle(row)


def find_plates(connection: Connection[TupleRow], dids: Sequence[str]) -> dict[str, tuple[PlateBundle, Exposure]]:
    """Find the exposure of each publisher DID, with its plate; a DID that nobody has is left out.

    The result's keys are the DIDs as given; letter case makes no difference (IVOA Identifiers 2.0, section 2.1).
    One SQL statement whatever the number of DIDs.
    """
    found: dict[str, tuple[PlateBundle, Exposure]] = {}
    bundles: dict[tuple[str, str], PlateBundle] = {}
    for did, exposure_id, *row in connection.execute(_BY_DID, (list(dids),)):
        key = (row[0]["collection"], row[0]["plate_id"])
        bundle = bundles.get(key) or bundles.setdefault(key, _bundle(row))
        exposure = next(one for one in bundle.exposures if one.exposure_id == exposure_id)
        found[did] = (bundle, exposure)
    return found


def _bundle(row: Sequence[Any]) -> PlateBundle:
    plate, scans, exposures, solutions, products = row
    return PlateBundle(
        plate=_record(Plate, plate),
        scans=tuple(_record(Scan, one) for one in scans or ()),
        exposures=tuple(_record(Exposure, one) for one in exposures or ()),
        solutions=tuple(_record(Solution, one) for one in solutions or ()),
        products=tuple(_record(Product, one) for one in products or ()),
    )


def _record(kind: type[_R], values: dict[str, Any]) -> _R:
    shape = _SHAPES[kind]
    for name in shape.times:
        if values[name] is not None:
            values[name] = dt.datetime.fromisoformat(values[name])
    return kind(*shape.from_json(values))


def _row(record: Record) -> tuple[Any, ...]:
    shape = _SHAPES[type(record)]
    row: tuple[Any, ...] = shape.from_record(record)
    return tuple(map(_as_utc, row)) if shape.times else row


def _as_utc(value: Any) -> Any:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class _Shape:
    """How a kind of record is taken apart and put together; ``times`` are the fields that JSON carries as text."""

    from_record: Callable[[Any], Any]
    from_json: Callable[[Any], Any]
    times: tuple[str, ...]


def _shape(kind: type[Record]) -> _Shape:
    names = field_names(kind)
    times = tuple(field.name for field in dataclasses.fields(kind) if "datetime" in str(field.type))
    return _Shape(attrgetter(*names), itemgetter(*names), times)


_SHAPES: dict[type[Record], _Shape] = {kind: _shape(kind) for kind in KEYS}
