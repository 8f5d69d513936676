"""Records in and out of the schema ``archive``."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import types
import typing
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from vo.db.merge import Counts, append, merge
from vo.db.records import KEYS, Exposure, Plate, PlateBundle, Product, Record, Scan, Solution

_R = TypeVar("_R")

#: Plates read at a time: few statements, little memory.
_CHUNK = 2500

#: What belongs to a plate, in the order in which a bundle has it.
_ORDER: dict[type[Record], str] = {
    Scan: "x.scan_id",
    Exposure: "x.exposure_number NULLS LAST, x.exposure_id",
    Solution: "x.scan_id, x.solution_id, x.version",
    Product: "x.product_id",
}

_BY_KEY = """
SELECT collection, plate_id, number, NULL::text[] AS places
FROM unnest(%(collections)s::text[], %(plates)s::text[]) WITH ORDINALITY AS k (collection, plate_id, number)
"""

#: A plate's identifier is the beginning of its exposures', up to the slash, which the exposure's name cannot hold; text
#: is in the order of its bytes, where the sign behind the slash is 0.
_BY_DID = """
SELECT collection, plate_id, 0 AS number, array_agg(ARRAY[did, exposure_id]) AS places
FROM (SELECT DISTINCT did FROM unnest(%(dids)s::text[]) AS d (did)) AS d, LATERAL (
    SELECT collection, plate_id, exposure_id FROM archive.exposure WHERE lower(publisher_did) = lower(did)
    UNION ALL (
        SELECT collection, plate_id, NULL FROM archive.exposure
        WHERE did LIKE '%%?%%'
            AND lower(publisher_did) >= lower(did) || '/' AND lower(publisher_did) < lower(did) || '0'
        LIMIT 1
    )
) AS e
GROUP BY collection, plate_id
"""

#: The published footprints of a plate's exposures, from one collection's table.
_OUTLINES = """
SELECT ARRAY[obs_publisher_did, s_ra::text, s_dec::text, s_fov::text, s_region_text] AS outline
FROM {plates} WHERE k.collection = {name} AND plate_id = k.plate_id AND s_region_text IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Outline:
    """The published footprint of an exposure: degrees ICRS, ``region`` as ``POLYGON ICRS lon lat lon lat ...``."""

    publisher_did: str
    ra: float
    dec: float
    fov: float
    region: str


@dataclass(frozen=True, slots=True)
class FoundPlate:
    """What an identifier stands for: an exposure of a plate, or the plate itself (``exposure`` is None).

    ``outlines`` are those of all of the plate's exposures whose footprints are known.
    """

    bundle: PlateBundle
    exposure: Exposure | None
    outlines: tuple[Outline, ...] = ()


def merge_records(connection: Connection[TupleRow], records: Iterable[Record]) -> dict[str, Counts]:
    """Merge records of any mix of types, parents first; return the counts by table name (``plate``, ``scan``, ...).

    Times with a zone are stored as UTC; times without one are UTC already.
    """
    counts: dict[str, Counts] = {}
    sorted_out = _sort_out(records)
    for kind, (table, key) in KEYS.items():
        rows = map(_row, sorted_out.get(kind, ()))
        counts[table] = merge(connection, f"archive.{table}", key, field_names(kind), rows)
    return counts


def append_records(connection: Connection[TupleRow], records: Iterable[Record]) -> dict[str, Counts]:
    """Insert records of which none is there yet, as :func:`merge_records` would, in a quarter of the time."""
    counts: dict[str, Counts] = {}
    sorted_out = _sort_out(records)
    for kind, (table, _) in KEYS.items():
        rows = sorted_out.get(kind)
        counts[table] = append(connection, f"archive.{table}", field_names(kind), map(_row, rows)) if rows else Counts()
    return counts


def analyse(connection: Connection[TupleRow]) -> None:
    """Let PostgreSQL look how large the archive's tables have become."""
    for table, _ in KEYS.values():
        connection.execute(f"ANALYZE archive.{table}")


def _sort_out(records: Iterable[Record]) -> dict[type[Record], list[Record]]:
    sorted_out: dict[type[Record], list[Record]] = defaultdict(list)
    for record in records:
        sorted_out[type(record)].append(record)
    return sorted_out


def field_names(kind: type[Record]) -> tuple[str, ...]:
    """The columns of a record's table, in the order of its fields."""
    return tuple(field.name for field in dataclasses.fields(kind))


def read_bundles(connection: Connection[TupleRow], keys: Sequence[tuple[str, str]]) -> Iterator[PlateBundle]:
    """Yield the plates of these (collection, plate_id) with all that belongs to them, in the order of the keys.

    A plate that does not exist is left out. Some thousand plates are read in one SQL statement.
    """
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        columns = {"collections": [collection for collection, _ in chunk], "plates": [plate for _, plate in chunk]}
        for _, bundle, _ in _read(connection, _BY_KEY, columns):
            yield bundle


def find_plates(
    connection: Connection[TupleRow], dids: Sequence[str]
) -> dict[str, tuple[PlateBundle, Exposure | None]]:
    """Find the exposure of each publisher DID, with its plate; a DID that nobody has is left out.

    As :func:`find_outlined`, without the outlines.
    """
    return {did: (found.bundle, found.exposure) for did, found in find_outlined(connection, dids, ()).items()}


def find_outlined(
    connection: Connection[TupleRow], dids: Sequence[str], collections: Sequence[str]
) -> dict[str, FoundPlate]:
    """Find the exposure of each publisher DID, its plate, and the outlines of plates in these collections.

    The DID of a plate gives the plate and no exposure; a DID that nobody has is left out. The result's keys are the
    DIDs as given and in their order; letter case makes no difference (IVOA Identifiers 2.0, section 2.1). One SQL
    statement, however many DIDs there are.
    """
    if not dids:
        return {}
    found: dict[str, FoundPlate] = {}
    for places, bundle, outlines in _read(connection, _BY_DID, {"dids": list(dids)}, collections):
        exposures = {one.exposure_id: one for one in bundle.exposures}
        for did, exposure_id in places:
            found[did] = FoundPlate(bundle, None if exposure_id is None else exposures[exposure_id], outlines)
    return {did: found[did] for did in dids if did in found}


def _read(
    connection: Connection[TupleRow], keys: str, values: dict[str, list[str]], collections: Sequence[str] = ()
) -> Iterator[tuple[Any, PlateBundle, tuple[Outline, ...]]]:
    """Read the plates that the statement ``keys`` names: its ``places``, the plate, the outlines.

    All of a plate is one row of the answer, and each kind of record an array of texts in two dimensions, which psycopg
    takes apart in C. Arrays of rows would keep their types, but it takes those apart in Python, which is slow.
    """
    rows = connection.execute(_statement(keys, tuple(collections)), values, binary=True)
    for places, plate, scans, exposures, solutions, products, outlines in rows:
        bundle = PlateBundle(
            plate=_reader(Plate)(plate),
            scans=tuple(map(_reader(Scan), scans or ())),
            exposures=tuple(map(_reader(Exposure), exposures or ())),
            solutions=tuple(map(_reader(Solution), solutions or ())),
            products=tuple(map(_reader(Product), products or ())),
        )
        yield places, bundle, tuple(map(_reader(Outline), outlines or ()))


@cache
def _reader(kind: type[_R]) -> Callable[[list[Any]], _R]:
    """What makes a record of its values' texts."""
    steps = [(place, _FROM_TEXT[plain]) for place, (_, plain) in enumerate(_columns(kind)) if plain in _FROM_TEXT]

    def read(values: list[Any]) -> _R:
        for place, convert in steps:
            text = values[place]
            if text is not None:
                values[place] = convert(text)
        return kind(*values)

    return read


#: How PostgreSQL's texts become values; those of floats have all their digits.
_FROM_TEXT: dict[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    bool: lambda text: text == "true",
    dt.datetime: dt.datetime.fromisoformat,
    dict: json.loads,
}


def _columns(kind: type) -> Iterator[tuple[str, type]]:
    """Each field and the plain type of its values."""
    for name, hint in typing.get_type_hints(kind).items():
        plain = next(one for one in typing.get_args(hint) if one is not type(None)) if _is_union(hint) else hint
        yield name, typing.get_origin(plain) or plain


def _is_union(hint: object) -> bool:
    return isinstance(hint, types.UnionType)


@cache
def _statement(keys: str, collections: tuple[str, ...]) -> bytes:
    kinds = sql.SQL(", ").join(sql.SQL(_rows_of(kind)) for kind in _ORDER)
    statement = sql.SQL(
        "SELECT k.places, {}, {}, {} FROM ({}) AS k JOIN archive.plate x USING (collection, plate_id) ORDER BY k.number"
    ).format(sql.SQL(_row_of(Plate)), kinds, _outlines_of(collections), sql.SQL(keys))
    return statement.as_bytes(None)


def _row_of(kind: type) -> str:
    texts = (
        # The same whatever DateStyle says.
        f"to_char(x.{name}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')" if plain is dt.datetime else f"x.{name}::text"
        for name, plain in _columns(kind)
    )
    return f"ARRAY[{', '.join(texts)}]"


def _rows_of(kind: type[Record]) -> str:
    """The records of one kind that belong to a plate, null when there are none."""
    return (
        f"(SELECT array_agg({_row_of(kind)} ORDER BY {_ORDER[kind]}) FROM archive.{KEYS[kind][0]} x "
        "WHERE x.collection = k.collection AND x.plate_id = k.plate_id)"
    )


def _outlines_of(collections: Sequence[str]) -> sql.Composable:
    if not collections:
        return sql.SQL("NULL")
    parts = sql.SQL("UNION ALL").join(
        sql.SQL(_OUTLINES).format(plates=sql.Identifier(name, "plates"), name=sql.Literal(name)) for name in collections
    )
    return sql.SQL("(SELECT array_agg(outline) FROM ({}) AS o)").format(parts)


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
