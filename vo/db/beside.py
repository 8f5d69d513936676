"""A large table made anew beside the one in use, and put in its place in one moment.

The keys of a polygon index take so long to make (docs/design.md, "Indexes") that one connection cannot load half a
million rows in good time, and only what is committed can be indexed by several connections. So a table ``dasch.plates``
gets a twin in schema ``vo``, which no query can name: it is filled (``COPY`` with ``FREEZE``: no older snapshot misses
its rows), its indexes are made by several connections, and at the end of the ingest's own transaction it takes
name, views, rights and comments of the old table, which goes. Until then everybody reads the old rows; what a killed
ingest leaves is removed by :func:`drop_left`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from psycopg import Connection, errors
from psycopg.rows import TupleRow

from vo.db.connect import Database
from vo.db.ddl import literal, quote, quote_table

_SCHEMA = "vo"
_PREFIX = "beside_"
#: Connections that make indexes at the same time.
_BUILDERS = 2
_BUILD_MEMORY = "256MB"
#: How long readers may be kept waiting by us while we wait for one of them, and how long they are left alone then.
_LOCK_WAIT = "200ms"
_PAUSE_SECONDS = 1.0

_INDEXES = """
SELECT i.relname, pg_get_indexdef(i.oid), x.indisunique, c.contype::text
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_constraint c ON c.conindid = i.oid
WHERE x.indrelid = %s::regclass ORDER BY i.oid
"""
_VIEWS = """
SELECT DISTINCT r.ev_class::regclass::text, pg_get_viewdef(r.ev_class)
FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %s::regclass
"""
#: What else hangs on a table and would not come along: keys, triggers, policies, materialised views, functions.
_HINDRANCES = """
SELECT count(*) FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %(table)s::regclass
    AND (d.deptype = 'n' OR d.classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass))
    AND NOT (d.classid = 'pg_rewrite'::regclass AND EXISTS (
        SELECT FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class WHERE r.oid = d.objid AND v.relkind = 'v'))
    AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (
        SELECT FROM pg_constraint c
        WHERE c.oid = d.objid AND c.conrelid = d.refobjid AND c.contype IN ('c', 'n', 'p', 'u')))
    AND NOT (d.classid = 'pg_attrdef'::regclass AND EXISTS (
        SELECT FROM pg_attrdef a WHERE a.oid = d.objid AND a.adrelid = d.refobjid))
    AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
        SELECT FROM pg_index x WHERE x.indexrelid = d.objid AND x.indrelid = d.refobjid))
"""
_RIGHTS = """
SELECT NULL AS name, grantee, privilege_type FROM pg_class, aclexplode(relacl) WHERE oid = %(table)s::regclass
UNION ALL
SELECT attname, grantee, privilege_type FROM pg_attribute, aclexplode(attacl)
WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped
"""


@dataclass(frozen=True, slots=True)
class _Index:
    """An index of the table: ``definition`` is what follows USING, ``constraint`` its kind (p, u) if it is of one."""

    name: str
    definition: str
    unique: bool
    constraint: str | None

    @property
    def is_long(self) -> bool:
        """Whether it takes longer than all others of the table together."""
        return "s_region" in self.definition


@dataclass(frozen=True, slots=True)
class Beside:
    """The twin of ``table`` (``schema.table``): ``name`` is its own, quoted."""

    table: str
    name: str
    indexes: tuple[_Index, ...]

    def own_name(self, index: _Index) -> str:
        """What an index is called until the old one is gone."""
        return f"{_PREFIX}{self.table.replace('.', '_')}_{self.indexes.index(index)}"


def is_replaceable(connection: Connection[TupleRow], table: str) -> bool:
    """Whether nothing hangs on the table that could not be carried over, such as a trigger or a foreign key."""
    row = connection.execute(_HINDRANCES, {"table": quote_table(table)}).fetchone()
    odd = [one for one in _indexes(connection, table) if one.constraint not in (None, "p", "u")]
    return row == (0,) and not odd


def keep_shape(connection: Connection[TupleRow], tables: Sequence[str]) -> None:
    """Let nobody change the tables otherwise than by rows until the connection's transaction ends."""
    connection.execute(f"LOCK TABLE {', '.join(map(quote_table, tables))} IN ACCESS SHARE MODE")


def drop_left(connection: Connection[TupleRow]) -> None:
    """Remove the twins of an ingest that was killed; whoever calls it keeps other ingests away."""
    found = connection.execute(
        "SELECT relname FROM pg_class "
        "WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND starts_with(relname, %s)",
        (_SCHEMA, _PREFIX),
    ).fetchall()
    for (name,) in found:
        connection.execute(f"DROP TABLE {_SCHEMA}.{quote(name)}")


def create(connection: Connection[TupleRow], table: str) -> Beside:
    """Make the twin, empty and without indexes, in the connection's transaction."""
    name = f"{_SCHEMA}.{quote(_PREFIX + table.replace('.', '_'))}"
    connection.execute(f"CREATE TABLE {name} (LIKE {quote_table(table)} INCLUDING ALL EXCLUDING INDEXES)")
    connection.execute(f"ALTER TABLE {name} SET (autovacuum_enabled = false)")
    return Beside(table, name, _indexes(connection, table))


def build_indexes(database: Database, twins: Sequence[Beside], tell: Callable[[int, int], None]) -> None:
    """Make all indexes of the twins, two at a time, and analyse them; ``tell`` hears how many are made of how many."""
    total = sum(len(twin.indexes) for twin in twins)
    done = 0
    tell(done, total)
    with ThreadPoolExecutor(_BUILDERS) as pool:
        making = [pool.submit(_run, database, statements) for statements in _tasks(twins)]
        try:
            for future in as_completed(making):
                done += future.result()
                tell(done, total)
            list(pool.map(lambda twin: _run(database, [f"ANALYZE {twin.name}"]), twins))
        finally:
            for future in making:
                future.cancel()


def _tasks(twins: Sequence[Beside]) -> Iterator[list[str]]:
    """What one connection does after another, the longest first, so that both end together.

    The short indexes of a table stay in their order: of two that promise the same PostgreSQL takes the one made last.
    """
    for twin in twins:
        yield from ([_create_index(twin, one)] for one in twin.indexes if one.is_long)
    for twin in twins:
        yield [_create_index(twin, one) for one in twin.indexes if not one.is_long]


def _create_index(twin: Beside, index: _Index) -> str:
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {quote(twin.own_name(index))} ON {twin.name} USING {index.definition}"


def _run(database: Database, statements: Sequence[str]) -> int:
    with database.owner() as connection:
        connection.execute(f"SET LOCAL maintenance_work_mem = '{_BUILD_MEMORY}'")
        for statement in statements:
            connection.execute(statement)
    return len(statements)


def replace(connection: Connection[TupleRow], twins: Sequence[Beside], wait: Callable[[], None]) -> None:
    """Put the twins in the place of their tables, in the connection's transaction.

    The tables are locked for a moment, until the transaction ends. While somebody's query reads one, ``wait`` is called
    each second; others are not held up by that for longer than a fifth of a second.
    """
    views = {twin: connection.execute(_VIEWS, (quote_table(twin.table),)).fetchall() for twin in twins}
    names = [name for found in views.values() for name, _ in found]
    _lock(connection, [*names, *(quote_table(twin.table) for twin in twins)], wait)
    for twin in twins:
        _put_in_place(connection, twin, views[twin])


def _lock(connection: Connection[TupleRow], names: Sequence[str], wait: Callable[[], None]) -> None:
    """Lock views before their tables, as those do who read them."""
    while True:
        connection.execute("SAVEPOINT locking")
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
        try:
            for name in names:
                connection.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            connection.execute("ROLLBACK TO SAVEPOINT locking")
            wait()
            time.sleep(_PAUSE_SECONDS)
        else:
            connection.execute("RELEASE SAVEPOINT locking")
            connection.execute("SET LOCAL lock_timeout = 0")
            return


def _put_in_place(connection: Connection[TupleRow], twin: Beside, views: Sequence[tuple[str, str]]) -> None:
    schema, _, name = twin.table.partition(".")
    old = f"{quote(schema)}.{quote(_PREFIX + 'old')}"
    rights = list(_rights(connection, twin))
    table = quote_table(twin.table)
    comment = connection.execute("SELECT obj_description(%s::regclass, 'pg_class')", (table,)).fetchone()
    moved = f"{_SCHEMA}.{quote(name)}"
    statements = [
        f"ALTER TABLE {twin.name} RESET (autovacuum_enabled)",
        f"ALTER TABLE {table} RENAME TO {quote(_PREFIX + 'old')}",
        f"ALTER TABLE {twin.name} RENAME TO {quote(name)}",
        f"ALTER TABLE {moved} SET SCHEMA {quote(schema)}",
        *(f"CREATE OR REPLACE VIEW {view} AS {definition}" for view, definition in views),
        f"DROP TABLE {old}",
        *(statement for index in twin.indexes for statement in _named(twin, index, schema)),
        *rights,
    ]
    for statement in statements:
        connection.execute(statement)
    if comment is not None and comment[0] is not None:
        connection.execute(f"COMMENT ON TABLE {table} IS {literal(str(comment[0]))}")


def _named(twin: Beside, index: _Index, schema: str) -> Iterator[str]:
    """An index of the new table gets the old one's name, or becomes its constraint."""
    own = quote(twin.own_name(index))
    if index.constraint is None:
        yield f"ALTER INDEX {quote(schema)}.{own} RENAME TO {quote(index.name)}"
        return
    kind = "PRIMARY KEY" if index.constraint == "p" else "UNIQUE"
    yield f"ALTER TABLE {quote_table(twin.table)} ADD CONSTRAINT {quote(index.name)} {kind} USING INDEX {own}"


def _rights(connection: Connection[TupleRow], twin: Beside) -> Iterator[str]:
    """The grants of the old table, on all or on columns; its owner has them anyway."""
    found = connection.execute(
        f"SELECT name, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type "
        f"FROM ({_RIGHTS}) AS rights WHERE grantee <> (SELECT relowner FROM pg_class WHERE oid = %(table)s::regclass)",
        {"table": quote_table(twin.table)},
    ).fetchall()
    for column, grantee, privilege in found:
        what = privilege if column is None else f"{privilege} ({quote(column)})"
        yield f"GRANT {what} ON {quote_table(twin.table)} TO {grantee}"


def _indexes(connection: Connection[TupleRow], table: str) -> tuple[_Index, ...]:
    found = connection.execute(_INDEXES, (quote_table(table),)).fetchall()
    return tuple(
        _Index(name, definition.partition(" USING ")[2], unique, constraint)
        for name, definition, unique, constraint in found
    )
