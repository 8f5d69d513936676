"""Fills TAP_SCHEMA from the catalogue (TAP 1.1, section 4); itself included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from vo.metadata.fields import Catalogue, Column, Table
from vo.metadata.words import as_typed

Row = tuple[str | int | None, ...]


def fill(connection: Connection[TupleRow], catalogue: Catalogue) -> None:
    """Replace the rows of TAP_SCHEMA by those of the catalogue, in the connection's transaction."""
    for table in ("key_columns", "keys", "columns", "tables", "schemas"):
        connection.execute(f"DELETE FROM tap_schema.{table}")
    for table, rows in _rows(catalogue).items():
        names = [column.name for column in catalogue.by_name[f"tap_schema.{table}"].columns]
        _insert(connection, table, names, rows)


def _insert(connection: Connection[TupleRow], table: str, names: Sequence[str], rows: Iterable[Row]) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    places = ", ".join(["%s"] * len(names))
    statement = f"INSERT INTO tap_schema.{table} ({columns}) VALUES ({places})"
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(rows))


def _rows(catalogue: Catalogue) -> dict[str, list[Row]]:
    keys = [(table, key) for table in catalogue.tables for key in table.keys]
    return {
        "schemas": [
            (as_typed(schema.name), schema.utype, schema.description, place)
            for place, schema in enumerate(catalogue.schemas, 1)
        ],
        "tables": [_table_row(table, place) for place, table in enumerate(catalogue.tables, 1)],
        "columns": [
            _column_row(table, column, place)
            for table in catalogue.tables
            for place, column in enumerate(table.columns, 1)
        ],
        "keys": [(key.key_id, key.from_table, key.target_table, key.description, key.utype) for _, key in keys],
        "key_columns": [
            (key.key_id, as_typed(here), as_typed(there)) for _, key in keys for here, there in key.columns
        ],
    }


def _table_row(table: Table, place: int) -> Row:
    kind = "view" if table.is_view else "table"
    return (as_typed(table.schema), table.qualified, kind, table.utype, table.description, place)


def _column_row(table: Table, column: Column, place: int) -> Row:
    shown = column.field()
    size = int(shown.arraysize) if shown.arraysize is not None and shown.arraysize.isdigit() else None
    return (
        table.qualified,
        as_typed(column.name),
        shown.datatype,
        shown.arraysize,
        shown.xtype,
        size,
        column.description,
        column.utype,
        column.unit,
        column.ucd,
        int(column.indexed),
        int(column.principal),
        int(column.std),
        place,
    )
