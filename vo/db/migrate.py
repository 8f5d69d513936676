"""Makes the database what the catalogue says: roles, schemas, tables, indexes, TAP_SCHEMA, grants. Repeatable.

The order: ``schema/sql`` files numbered below 100 (as administrator), tables and views of the catalogue, files below
900 and the queue of jobs (as owner), TAP_SCHEMA, the remaining files (as administrator). The administrator's files run
each time, since what they grant on the database itself is not kept by a copy of it; an owner's file, a table or a view
whose definition has not changed since it was last made is left alone (``vo.applied`` remembers digests). All is one
transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import Connection, errors
from psycopg.rows import TupleRow

from vo.db import ddl, queue, tap_schema
from vo.db.applied import is_applied, remember
from vo.db.connect import JOBS, OWNER, QUERY, SERVICE, Database
from vo.errors import OperatorFault
from vo.metadata.fields import Catalogue, Table

LOG = logging.getLogger(__name__)

#: Any number, the same for all: two initialisations wait for each other.
_LOCK = 0x766F5F706C
_FIRST_OF_OWNER = 100
_FIRST_OF_GRANTS = 900


def initialise(database: Database, catalogue: Catalogue) -> None:
    """Bring the database to the state the catalogue describes; :class:`OperatorFault` says what stands in the way.

    TAP_SCHEMA holds exactly the catalogue afterwards. Tables that the catalogue does not name stay, unpublished.
    """
    files = _files(database.settings.schema_dir / "sql")
    try:
        with psycopg.connect(database.admin_dsn) as connection:
            connection.add_notice_handler(_log_notice)
            _check_locale(connection)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            _initialise(connection, database, catalogue, files)
    except errors.InsufficientPrivilege as error:
        raise OperatorFault(
            f"the database does not allow it ({error.diag.message_primary}): the role of VO_DSN must own the database, "
            "with CREATEROLE; a superuser must run CREATE EXTENSION pg_sphere in it once"
        ) from error
    except (errors.UndefinedFile, errors.FeatureNotSupported) as error:
        if "extension" not in str(error):
            raise
        raise OperatorFault(
            "the database server has no pgSphere: on its machine install the package "
            "postgresql-<its major version>-pgsphere"
        ) from error
    except psycopg.OperationalError as error:
        raise OperatorFault(f"the database cannot be reached: {str(error).strip()}") from error


def _check_locale(connection: Connection[TupleRow]) -> None:
    """Refuse a database that sorts texts otherwise than queries are promised; it could not be changed later."""
    row = connection.execute(
        "SELECT datname, pg_encoding_to_char(encoding), datcollate, "
        "coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') "  # from PostgreSQL 15 on
        "FROM pg_database d WHERE datname = current_database()"
    ).fetchone()
    if row is None:  # pragma: no cover - one is always connected to a database
        return
    name, encoding, collation, provider = row
    if encoding == "UTF8" and collation in ("C", "POSIX") and provider != "i":
        return
    raise OperatorFault(
        f"the database {name} has the encoding {encoding} and the collation {collation}, but texts are sorted by their "
        "code points: make a new one with CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    )


def _log_notice(notice: errors.Diagnostic) -> None:
    level = logging.WARNING if notice.severity_nonlocalized == "WARNING" else logging.DEBUG
    LOG.log(level, "database: %s", notice.message_primary)


def initialised_collections(database: Database) -> tuple[str, ...]:
    """Names of the collections the database has been initialised with, sorted; none when it never was."""
    with psycopg.connect(database.admin_dsn) as connection:
        if connection.execute("SELECT to_regclass('vo.collection')").fetchone() == (None,):
            return ()
        return tuple(row[0] for row in connection.execute("SELECT name FROM vo.collection ORDER BY name"))


def _initialise(
    connection: Connection[TupleRow], database: Database, catalogue: Catalogue, files: dict[int, list[Path]]
) -> None:
    for number, paths in files.items():
        if number < _FIRST_OF_OWNER:
            _run_files(connection, paths, always=True)
    if database.is_private:
        for role in (SERVICE, JOBS, QUERY):
            connection.execute(f"ALTER ROLE {role} LOGIN")
    connection.execute(f"SET ROLE {OWNER}")
    _make_tables(connection, catalogue)
    for number, paths in files.items():
        if _FIRST_OF_OWNER <= number < _FIRST_OF_GRANTS:
            _run_files(connection, paths)
    queue.install(connection)
    tap_schema.fill(connection, catalogue)
    _remember_collections(connection, catalogue)
    connection.execute("RESET ROLE")
    for number, paths in files.items():
        if number >= _FIRST_OF_GRANTS:
            _run_files(connection, paths, always=True)


def _files(folder: Path) -> dict[int, list[Path]]:
    paths = sorted(folder.glob("[0-9][0-9][0-9]_*.sql"))
    if not paths:
        raise OperatorFault(f"no numbered SQL files in {folder}: set VO_SCHEMA_DIR to the folder that holds schema/")
    numbered: dict[int, list[Path]] = {}
    for path in paths:
        numbered.setdefault(int(path.name[:3]), []).append(path)
    return numbered


def _run_files(connection: Connection[TupleRow], paths: Iterable[Path], *, always: bool = False) -> None:
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if not always and is_applied(connection, path.name, text):
            continue
        _execute(connection, text)
        remember(connection, path.name, text)


def _execute(connection: Connection[TupleRow], text: str) -> None:
    connection.execute(text)


def _make_tables(connection: Connection[TupleRow], catalogue: Catalogue) -> None:
    for schema in catalogue.schemas:
        _execute(connection, f"CREATE SCHEMA IF NOT EXISTS {ddl.quote(schema.name)}")
    tables = [table for table in catalogue.tables if not table.is_view]
    changed = {table.qualified for table in tables if not is_applied(connection, table.qualified, repr(table))}
    for table in catalogue.tables:
        if table.is_view and _reads(table, changed):
            _execute(connection, f"DROP VIEW IF EXISTS {ddl.qualified(table)}")
    for table in tables:
        if table.qualified in changed:
            _make_table(connection, table)
    for table in tables:
        if table.qualified in changed:
            _make_keys(connection, table, catalogue)
            remember(connection, table.qualified, repr(table))
    for table in catalogue.tables:
        if table.is_view:
            _make_view(connection, table)


def _reads(view: Table, changed: set[str]) -> bool:
    """Whether a view may read one of the changed tables; SQL of one's own may read any of its schema."""
    if view.view_of is not None:
        return f"{view.schema}.{view.view_of}" in changed
    return any(name.partition(".")[0] == view.schema for name in changed)


def _make_table(connection: Connection[TupleRow], table: Table) -> None:
    stored = _stored(connection, table)
    if not stored:
        _execute(connection, ddl.create_table(table))
    else:
        _add_columns(connection, table, stored)
    for statement in ddl.keep_plain(table):
        _execute(connection, statement)
    for index in table.indexes:
        _execute(connection, ddl.create_index(table, index))
    for statement in ddl.comments(table):
        _execute(connection, statement)


def _add_columns(connection: Connection[TupleRow], table: Table, stored: dict[str, str]) -> None:
    for name, definition in ddl.stored_columns(table):
        if name not in stored:
            LOG.info("%s gets column %s", table.qualified, name)
            try:
                _execute(connection, f"ALTER TABLE {ddl.qualified(table)} ADD COLUMN {ddl.quote(name)} {definition}")
            except errors.NotNullViolation as error:
                raise OperatorFault(
                    f"{table.qualified} has rows and cannot get the column {name}, which allows no nulls: "
                    "describe it with nullable: true"
                ) from error
            continue
        wanted = definition.split(" NOT NULL")[0].split(" GENERATED")[0]
        if stored[name] != wanted:
            raise OperatorFault(
                f"{table.qualified}.{name} is {stored[name]} in the database but {wanted} in its description: "
                "change the description back, or drop the column and ingest the collection again"
            )


def _stored(connection: Connection[TupleRow], table: Table) -> dict[str, str]:
    """The columns a table has in the database with their types; empty when there is no such table."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (ddl.qualified(table),),
    )
    return dict(rows.fetchall())


def _make_keys(connection: Connection[TupleRow], table: Table, catalogue: Catalogue) -> None:
    for key in table.keys:
        found = connection.execute(
            "SELECT 1 FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
            (ddl.qualified(table), ddl.key_name(key)),
        )
        if ddl.is_enforced(table, key) and found.fetchone() is None:
            _execute(connection, ddl.add_key(table, key, catalogue))


def _make_view(connection: Connection[TupleRow], table: Table) -> None:
    statement = ddl.create_view(table)
    if _stored(connection, table) and is_applied(connection, table.qualified, statement):
        return
    _execute(connection, f"DROP VIEW IF EXISTS {ddl.qualified(table)}")
    _execute(connection, statement)
    for comment in ddl.comments(table):
        _execute(connection, comment)
    remember(connection, table.qualified, statement)


def _remember_collections(connection: Connection[TupleRow], catalogue: Catalogue) -> None:
    names = [table.schema for table in catalogue.tables if table.name == "plates"]
    connection.execute("DELETE FROM vo.collection WHERE name <> ALL(%s)", (names,))
    connection.execute("INSERT INTO vo.collection SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (names,))
