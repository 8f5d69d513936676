"""DDL from the catalogue: what stands in Felis becomes tables, views, indexes and comments."""

from __future__ import annotations

from collections.abc import Iterator

from vo.metadata.fields import Catalogue, Column, ForeignKey, Index, Kind, Table

#: The range type of t_range; schema vo holds what is neither published nor a record.
MJD_RANGE = "vo.mjd_range"


def quote(name: str) -> str:
    """Quote one of our own names for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL (standard_conforming_strings is on)."""
    return "'" + text.replace("'", "''") + "'"


def quote_table(name: str) -> str:
    """Quote one of our own tables, ``schema.table``, for SQL."""
    return ".".join(map(quote, name.split(".")))


def qualified(table: Table) -> str:
    """``"schema"."table"``."""
    return f"{quote(table.schema)}.{quote(table.name)}"


def stored_columns(table: Table) -> Iterator[tuple[str, str]]:
    """Name and SQL definition of each stored column, hidden ones included, in order."""
    for column in table.columns:
        yield column.name, _definition(column)
        if column.text_column is not None:
            yield column.text_column, "text"
    if table.time_range is not None:
        _name, lower, upper = (quote(one) for one in table.time_range)
        # Null where an end is unknown (a comparison with null is not true), never an unbounded interval.
        made = f"CASE WHEN {lower} <= {upper} THEN {MJD_RANGE}({lower}, {upper}, '[]') END"
        yield table.time_range[0], f"{MJD_RANGE} GENERATED ALWAYS AS ({made}) STORED"


def create_table(table: Table) -> str:
    """Statement that creates the table with its primary key and checks."""
    lines = [f"{quote(name)} {definition}" for name, definition in stored_columns(table)]
    if table.primary_key:
        lines.append(f"PRIMARY KEY ({', '.join(map(quote, table.primary_key))})")
    if table.time_range is not None:
        _, lower, upper = table.time_range
        lines.append(f"CONSTRAINT {quote(f'{table.name}_time_order')} CHECK ({quote(lower)} <= {quote(upper)})")
    return f"CREATE TABLE {qualified(table)} (\n    " + ",\n    ".join(lines) + "\n)"


def keep_plain(table: Table) -> Iterator[str]:
    """Statements that keep range columns unpacked, also in indexes made later.

    An index on ranges compares hundreds of entries for each look into it, and would unpack each anew: that takes a
    fifth of the time of joins in place and time.
    """
    if table.time_range is not None:
        yield f"ALTER TABLE {qualified(table)} ALTER COLUMN {quote(table.time_range[0])} SET STORAGE PLAIN"


def create_view(table: Table) -> str:
    """Statement that creates a view; one of a single table has the hidden columns of that."""
    if table.view_query is not None:
        return f"CREATE VIEW {qualified(table)} AS\n{table.view_query}"
    names = ", ".join(quote(name) for name, _ in stored_columns(table))
    source = f"{quote(table.schema)}.{quote(table.view_of or '')}"
    return f"CREATE VIEW {qualified(table)} AS SELECT {names} FROM {source} WHERE {table.view_condition or 'true'}"


def create_index(table: Table, index: Index) -> str:
    """Statement that creates the index if it is missing."""
    parts = ", ".join(quote(part) if part.isidentifier() else part for part in index.parts)
    unique = "UNIQUE " if index.unique else ""
    filled = "" if index.fillfactor is None else f" WITH (fillfactor = {index.fillfactor})"
    return (
        f"CREATE {unique}INDEX IF NOT EXISTS {quote(index.name)} ON {qualified(table)} "
        f"USING {index.method} ({parts}){filled}"
    )


def add_key(table: Table, key: ForeignKey, catalogue: Catalogue) -> str:
    """Statement that enforces a foreign key at the end of each transaction."""
    target = catalogue.by_name[key.target_table]
    here = ", ".join(quote(one) for one, _ in key.columns)
    there = ", ".join(quote(one) for _, one in key.columns)
    return (
        f"ALTER TABLE {qualified(table)} ADD CONSTRAINT {quote(key_name(key))} FOREIGN KEY ({here}) "
        f"REFERENCES {qualified(target)} ({there}) DEFERRABLE INITIALLY DEFERRED"
    )


def key_name(key: ForeignKey) -> str:
    """Name of the constraint of a foreign key."""
    return key.key_id.rpartition(".")[2]


def is_enforced(table: Table, key: ForeignKey) -> bool:
    """Whether the database checks a key: within a schema yes; derived tables only declare how they join."""
    return key.target_table.partition(".")[0] == table.schema


def comments(table: Table) -> Iterator[str]:
    """Statements that put the descriptions into the database, for people with psql."""
    what = "VIEW" if table.is_view else "TABLE"
    yield f"COMMENT ON {what} {qualified(table)} IS {literal(table.description or '')}"
    for column in table.columns:
        about = (column.description or "") + (f" [{column.unit}]" if column.unit else "")
        yield f"COMMENT ON COLUMN {qualified(table)}.{quote(column.name)} IS {literal(about)}"


def _definition(column: Column) -> str:
    kind = column.kind.value if column.kind is not Kind.TIMESTAMP else "timestamp without time zone"
    return kind if column.nullable else f"{kind} NOT NULL"
