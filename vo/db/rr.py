"""The schema ``rr`` (RegTAP 1.2) as it is filled: rows of records are replaced, by COPY, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.ddl import quote

#: With more records than this share of those there, what the planner knows of the tables is out of date.
_SHARE_ANALYSED = 0.1


def replace_rows(
    connection: Connection[TupleRow],
    ivoids: Sequence[str],
    tables: Sequence[str],
    records: Sequence[Mapping[str, Sequence[Mapping[str, Any]]]],
) -> None:
    """Take away all rows of the resources ``ivoids``, in lower case, and put in those of ``records``, sorted by tables.

    ``tables`` are the tables of ``rr`` that are filled, without the schema's name. A row is a mapping from column to
    value; rows of a table have the same columns in the same order. MOCs come in ASCII. The transaction belongs to the
    owner.
    """
    for table in tables:
        connection.execute(f"DELETE FROM rr.{quote(table)} WHERE ivoid = ANY(%s)", [list(ivoids)])
    for table in tables:
        _copy(connection, table, chain.from_iterable(record[table] for record in records))
    connection.execute("SELECT registry.settle_obscore_models(%s)", [list(ivoids)])
    _analyse(connection, tables, len(records))


def _copy(connection: Connection[TupleRow], table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    given = iter(rows)
    first = next(given, None)
    if first is None:
        return
    columns = ", ".join(map(quote, first))
    with connection.cursor() as cursor, cursor.copy(f"COPY rr.{quote(table)} ({columns}) FROM STDIN") as copy:
        for row in chain((first,), given):
            copy.write_row(tuple(row.values()))


def _analyse(connection: Connection[TupleRow], tables: Sequence[str], count: int) -> None:
    """Let the planner look at the tables when much of them is new; what is little it learns by itself in time."""
    row = connection.execute("SELECT count(*) FROM rr.resource").fetchone()
    if row is not None and count > _SHARE_ANALYSED * row[0]:
        connection.execute("ANALYZE " + ", ".join(f"rr.{quote(table)}" for table in tables))
