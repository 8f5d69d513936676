"""Rows into tables: binary COPY into a temporary table, then one upsert that touches only rows that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, errors
from psycopg.rows import TupleRow

from vo.db.ddl import quote
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
    try:
        given = _copy(connection, columns, types, rows)
        if given == 0:
            return Counts()
        _check_unique(connection, table, key)
        inserted, updated = _upsert(connection, table, key, columns, types)
    except (errors.IntegrityError, errors.DataError, errors.InternalError_) as error:
        place = ", ".join(part for part in (error.diag.constraint_name, error.diag.column_name) if part)
        detail = error.diag.message_detail or error.diag.message_primary or str(error)
        raise OperatorFault(f"{table} refuses a row{f' ({place})' if place else ''}: {detail}") from error
    finally:
        if not connection.broken and connection.info.transaction_status.name != "INERROR":
            connection.execute("DROP TABLE IF EXISTS pg_temp.merging")
    return Counts(inserted, updated, given - inserted - updated)


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
    _copy(connection, key, types, keep)
    where = " AND ".join(f"t.{quote(name)} = ANY(%s::{types[name]}[])" for name in scope)
    same = " AND ".join(f"t.{quote(name)} = k.{quote(name)}" for name in key)
    done = connection.execute(
        f"DELETE FROM {_table(table)} t WHERE {where} AND NOT EXISTS (SELECT FROM pg_temp.merging k WHERE {same})",
        [list(values) for values in scope.values()],
    )
    connection.execute("DROP TABLE pg_temp.merging")
    return done.rowcount


def _table(table: str) -> str:
    return ".".join(quote(part) for part in table.split("."))


def _types(connection: Connection[TupleRow], table: str) -> dict[str, str]:
    """Column names and their types; generated columns are left out, since nobody writes them."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        (_table(table),),
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
) -> int:
    copied = ["text" if types[name] in _AS_TEXT else types[name] for name in columns]
    made = ", ".join(f"{quote(name)} {kind}" for name, kind in zip(columns, copied, strict=True))
    connection.execute(f"CREATE TEMPORARY TABLE merging ({made}) ON COMMIT DROP")
    names = ", ".join(map(quote, columns))
    given = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY pg_temp.merging ({names}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(copied)
        for row in rows:
            copy.write_row(row)
            given += 1
    return given


def _check_unique(connection: Connection[TupleRow], table: str, key: Sequence[str]) -> None:
    names = ", ".join(map(quote, key))
    twice = connection.execute(
        f"SELECT {names} FROM pg_temp.merging GROUP BY {names} HAVING count(*) > 1 ORDER BY {names} LIMIT 3"
    ).fetchall()
    if twice:
        shown = "; ".join("/".join(map(str, row)) for row in twice)
        raise OperatorFault(f"rows for {table} have the same key ({', '.join(key)}): {shown}")


def _upsert(
    connection: Connection[TupleRow],
    table: str,
    key: Sequence[str],
    columns: Sequence[str],
    types: Mapping[str, str],
) -> tuple[int, int]:
    names = ", ".join(map(quote, columns))
    values = ", ".join(f"{quote(name)}::{types[name]}" if types[name] in _AS_TEXT else quote(name) for name in columns)
    rest = [name for name in columns if name not in key]
    compared = [quote(name) for name in rest if f"{name}_text" not in columns]
    if rest:
        made = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in rest)
        old, new = (", ".join(f"{side}.{name}" for name in compared) for side in ("t", "excluded"))
        action = f"DO UPDATE SET {made} WHERE ROW({old}) IS DISTINCT FROM ROW({new})"
    else:
        action = "DO NOTHING"
    row = connection.execute(
        f"WITH touched AS (INSERT INTO {_table(table)} AS t ({names}) SELECT {values} FROM pg_temp.merging "
        f"ON CONFLICT ({', '.join(map(quote, key))}) {action} RETURNING t.xmax = 0 AS inserted) "
        "SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM touched"
    ).fetchone()
    if row is None:
        raise AssertionError("an aggregate gives one row")
    return row[0], row[1]
