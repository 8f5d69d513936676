"""What records say of the data: read from the database, not told by anybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from vo.metadata.collection import Collection
from vo.metadata.fields import Catalogue
from vo.registry.coverage import Coverage, read_coverage

#: Schemas whose numbers of rows are told by nobody: records would change because they were stored.
UNCOUNTED = frozenset({"rr", "tap_schema"})

#: MJD 0.
_EPOCH = dt.date(1858, 11, 17)


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """A collection and what its rows say.

    ``facilities`` and ``instruments`` are written as in ObsCore, sorted (VDS-03). ``obscore_rows`` is the number of its
    rows in ivoa.obscore; ``first`` and ``last`` are the UTC days of its first and last exposure.
    """

    collection: Collection
    coverage: Coverage
    facilities: tuple[str, ...]
    instruments: tuple[str, ...]
    obscore_rows: int
    first: dt.date | None
    last: dt.date | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All collections, ``coverage`` of ivoa.obscore, and the ``counts`` of rows of published tables by their names."""

    collections: tuple[CollectionFacts, ...]
    coverage: Coverage
    counts: Mapping[str, int]


def read_facts(connection: Connection[TupleRow], collections: Sequence[Collection], catalogue: Catalogue) -> Facts:
    """Read all that records need, in the connection's transaction."""
    return Facts(
        collections=tuple(_read_collection(connection, one) for one in collections),
        coverage=read_coverage(connection, None),
        counts=_count_rows(connection, catalogue),
    )


def _read_collection(connection: Connection[TupleRow], collection: Collection) -> CollectionFacts:
    plates = sql.Identifier(collection.name, "plates")
    first, last = _one_row(
        connection, sql.SQL("SELECT floor(min(t_min))::int, floor(max(t_max))::int FROM {}").format(plates)
    )
    (rows,) = _one_row(
        connection,
        sql.SQL("SELECT count(*) FROM ivoa.obscore WHERE obs_collection = {}").format(collection.obs_collection),
    )
    return CollectionFacts(
        collection=collection,
        coverage=read_coverage(connection, collection.name),
        facilities=_distinct(connection, plates, "facility_name"),
        instruments=_distinct(connection, plates, "instrument_name"),
        obscore_rows=rows,
        first=_day(first),
        last=_day(last),
    )


def _distinct(connection: Connection[TupleRow], table: sql.Identifier, column: str) -> tuple[str, ...]:
    statement = sql.SQL("SELECT DISTINCT {1} FROM {0} WHERE {1} <> '' ORDER BY 1").format(table, sql.Identifier(column))
    return tuple(row[0] for row in connection.execute(statement))


def _count_rows(connection: Connection[TupleRow], catalogue: Catalogue) -> dict[str, int]:
    counts = {}
    for table in catalogue.tables:
        if table.schema not in UNCOUNTED:
            statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.schema, table.name))
            (counts[table.qualified],) = _one_row(connection, statement)
    return counts


def _one_row(connection: Connection[TupleRow], statement: sql.Composed) -> TupleRow:
    row = connection.execute(statement).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one
    return row


def _day(mjd: int | None) -> dt.date | None:
    return None if mjd is None else _EPOCH + dt.timedelta(days=mjd)
