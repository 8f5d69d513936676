"""Rows into tables: binary COPY into a temporary table, then one upsert that touches only rows that differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, errors
from psycopg.copy import QueuedLibpqWriter
from psycopg.rows import TupleRow

from vo.db.ddl import quote, quote_table
from vo.errors import OperatorFault

#: Types that cannot go through binary COPY: they come as text and are cast by the upsert.
_AS_TEXT = ("spoly", "spoint", "scircle", "smoc")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a merge did; the three add up to the rows given."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.inserted + other.inserted, self.updated + other.updated, self.unchanged + other.unchanged)


def merge(
    connection: Connection[TupleRow],
    table: str,
    key: Sequence[str],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> Counts:
    """Insert the rows whose key is new, update those that differ, in the connection's transaction.

    ``table`` is ``schema.table``; each row has a value for each of ``columns``, which include the key's. Shapes come as
    pgSphere's text (``{(0.1, 0.2), ...}`` in radians or with ``d``), MOCs in ASCII. A column ``x`` that goes with an
    ``x_text`` is compared by its text. The same key twice, or a value that the table refuses, is an
    :class:`OperatorFault`.
    """
    types = _types(connection, table)
    _check_columns(table, columns, types)
    with _refusals(table):
        stage, given = _copy(connection, columns, types, rows)
        if given == 0:
            return Counts()
        _check_unique(connection, stage, table, key)
        inserted, updated = _upsert(connection, stage, table, key, columns, types)
    return Counts(inserted, updated, given - inserted - updated)


def append(
    connection: Connection[TupleRow], table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Counts:
    """Insert rows of which none is there yet, by binary COPY into the table; faults as those of :func:`merge`."""
    types = _types(connection, table)
    _check_columns(table, columns, types)
    names = ", ".join(map(quote, columns))
    given = 0
    with (
        _refusals(table),
        connection.cursor() as cursor,
        cursor.copy(f"COPY {quote_table(table)} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([types[name] for name in columns])
        for row in rows:
            copy.write_row(row)
            given += 1
    return Counts(inserted=given)


@contextmanager
def fill(
    connection: Connection[TupleRow], table: str, name: str, columns: Sequence[str]
) -> Iterator[Callable[[Sequence[Any]], None]]:
    """Fill a table that the connection's transaction made (``name``, quoted; faults call it ``table``).

    Yields what takes a row in, without waiting for the server. Shapes come as in :func:`merge`; the rows are frozen, so
    that every snapshot sees them.
    """
    names = ", ".join(map(quote, columns))
    with (
        _refusals(table),
        connection.cursor() as cursor,
        cursor.copy(f"COPY {name} ({names}) FROM STDIN (FREEZE)", writer=QueuedLibpqWriter(cursor)) as copy,
    ):
        yield copy.write_row


def copy_others(
    connection: Connection[TupleRow],
    table: str,
    name: str,
    columns: Sequence[str],
    scope: Mapping[str, Sequence[Any]],
) -> None:
    """Copy the rows of a table that are not in ``scope`` (see :func:`prune`) into the one called ``name``, quoted."""
    where, values = _in_scope("t", scope, _types(connection, table))
    names = ", ".join(map(quote, columns))
    connection.execute(
        f"INSERT INTO {name} ({names}) SELECT {names} FROM {quote_table(table)} t WHERE ({where}) IS NOT TRUE", values
    )


def compare(
    connection: Connection[TupleRow],
    table: str,
    name: str,
    scope: Mapping[str, Sequence[Any]],
    key: Sequence[str],
    columns: Sequence[str],
) -> tuple[Counts, int]:
    """What a merge of the table ``name`` (quoted) would do to ``table`` in ``scope``, and how many rows would go."""
    where, values = _in_scope("t", scope, _types(connection, table))
    old, new = (", ".join(f"{side}.{one}" for one in _compared(key, columns)) for side in ("l", "n"))
    same = " AND ".join(f"l.{quote(one)} = n.{quote(one)}" for one in key)
    row = connection.execute(
        f"SELECT count(*) FILTER (WHERE l IS NULL), count(*) FILTER (WHERE n IS NULL), count(*), "
        f"count(*) FILTER (WHERE ROW({old}) IS NOT DISTINCT FROM ROW({new})) "
        f"FROM (SELECT * FROM {quote_table(table)} t WHERE {where}) AS l "
        f"FULL JOIN (SELECT * FROM {name} t WHERE {where}) AS n ON {same}",
        [*values, *values],
    ).fetchone()
    if row is None:
        raise AssertionError("an aggregate gives one row")
    inserted, gone, all_, unchanged = row
    return Counts(inserted, all_ - inserted - gone - unchanged, unchanged), gone


def _in_scope(name: str, scope: Mapping[str, Sequence[Any]], types: Mapping[str, str]) -> tuple[str, list[list[Any]]]:
    """The condition on the rows of ``name`` and its values."""
    where = " AND ".join(f"{name}.{quote(one)} = ANY(%s::{types[one]}[])" for one in scope)
    return where, [list(values) for values in scope.values()]


def _compared(key: Sequence[str], columns: Sequence[str]) -> list[str]:
    """The columns, quoted, in which rows of the same key may differ."""
    return [quote(name) for name in columns if name not in key and f"{name}_text" not in columns]


@contextmanager
def _refusals(table: str) -> Iterator[None]:
    """Turn what the table refuses into a fault."""
    try:
        yield
    except (errors.IntegrityError, errors.DataError, errors.InternalError_) as error:
        place = ", ".join(part for part in (error.diag.constraint_name, error.diag.column_name) if part)
        detail = error.diag.message_detail or error.diag.message_primary or str(error)
        raise OperatorFault(f"{table} refuses a row{f' ({place})' if place else ''}: {detail}") from error


def prune(
    connection: Connection[TupleRow],
    table: str,
    scope: Mapping[str, Sequence[Any]],
    key: Sequence[str],
    keep: Iterable[Sequence[Any]],
) -> int:
    """Delete the rows in ``scope`` whose key is not among ``keep``; return how many.

    ``scope`` gives for some columns the values a row must have to be considered at all, such as
    ``{"collection": ["dasch"], "plate_id": [...]}``; it may not be empty.
    """
    if not scope:
        raise ValueError("a scope is needed: without one every other row of the table would go")
    types = _types(connection, table)
    stage, _ = _copy(connection, key, types, keep)
    where, values = _in_scope("t", scope, types)
    same = " AND ".join(f"t.{quote(name)} = k.{quote(name)}" for name in key)
    done = connection.execute(
        f"DELETE FROM {quote_table(table)} t WHERE {where} AND NOT EXISTS (SELECT FROM {stage} k WHERE {same})",
        values,
    )
    return done.rowcount


def writable_columns(connection: Connection[TupleRow], table: str) -> tuple[str, ...]:
    """The columns that can be written, in order; own columns of the collection among them."""
    return tuple(_types(connection, table))


def _types(connection: Connection[TupleRow], table: str) -> dict[str, str]:
    """Column names and their types; generated columns are left out, since nobody writes them."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        (quote_table(table),),
    )
    return dict(rows.fetchall())


def _check_columns(table: str, columns: Sequence[str], types: Mapping[str, str]) -> None:
    unknown = [name for name in columns if name not in types]
    if unknown:
        raise ValueError(f"{table} has no columns {', '.join(unknown)} that can be written")


def _copy(
    connection: Connection[TupleRow],
    columns: Sequence[str],
    types: Mapping[str, str],
    rows: Iterable[Sequence[Any]],
) -> tuple[str, int]:
    """Copy rows into a temporary table: its name, and the number of rows.

    The transaction has one for each list of columns: each table that is made keeps its locks until the end, also when
    it is dropped, and a list of exposures in two hundred parts would use up all that the server has.
    """
    copied = ["text" if types[name] in _AS_TEXT else types[name] for name in columns]
    made = ", ".join(f"{quote(name)} {kind}" for name, kind in zip(columns, copied, strict=True))
    stage = f"merging_{hashlib.sha256(made.encode()).hexdigest()[:16]}"
    connection.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} ({made}) ON COMMIT DROP")
    connection.execute(f"TRUNCATE pg_temp.{stage}")
    names = ", ".join(map(quote, columns))
    given = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY pg_temp.{stage} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(copied)
        for row in rows:
            copy.write_row(row)
            given += 1
    return f"pg_temp.{stage}", given


def _check_unique(connection: Connection[TupleRow], stage: str, table: str, key: Sequence[str]) -> None:
    names = ", ".join(map(quote, key))
    twice = connection.execute(
        f"SELECT {names} FROM {stage} GROUP BY {names} HAVING count(*) > 1 ORDER BY {names} LIMIT 3"
    ).fetchall()
    if twice:
        shown = "; ".join("/".join(map(str, row)) for row in twice)
        raise OperatorFault(f"rows for {table} have the same key ({', '.join(key)}): {shown}")


def _upsert(
    connection: Connection[TupleRow],
    stage: str,
    table: str,
    key: Sequence[str],
    columns: Sequence[str],
    types: Mapping[str, str],
) -> tuple[int, int]:
    names = ", ".join(map(quote, columns))
    values = ", ".join(f"{quote(name)}::{types[name]}" if types[name] in _AS_TEXT else quote(name) for name in columns)
    rest = [name for name in columns if name not in key]
    if rest:
        made = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in rest)
        old, new = (", ".join(f"{side}.{name}" for name in _compared(key, columns)) for side in ("t", "excluded"))
        action = f"DO UPDATE SET {made} WHERE ROW({old}) IS DISTINCT FROM ROW({new})"
    else:
        action = "DO NOTHING"
    row = connection.execute(
        f"WITH touched AS (INSERT INTO {quote_table(table)} AS t ({names}) SELECT {values} FROM {stage} "
        f"ON CONFLICT ({', '.join(map(quote, key))}) {action} RETURNING t.xmax = 0 AS inserted) "
        "SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM touched"
    ).fetchone()
    if row is None:
        raise AssertionError("an aggregate gives one row")
    return row[0], row[1]
