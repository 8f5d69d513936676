"""What the query role cannot do, were a query ever to say it."""

import psycopg
import pytest
from psycopg import errors

REFUSED = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)


@pytest.fixture(scope="module")
def query(database):
    with psycopg.connect(database.query_dsn, autocommit=True) as connection:
        # The most that a query could do: leave read-only mode. Privileges alone must hold.
        connection.execute("SET default_transaction_read_only = off")
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tap_schema.schemas (schema_name) VALUES ('x')",
        "UPDATE ivoa.obscore SET obs_id = 'x'",
        "DELETE FROM archive.plate",
        "TRUNCATE ivoa.obscore",
        "CREATE TABLE public.x (a int)",
        "CREATE TABLE ivoa.x (a int)",
        "CREATE TABLE pg_catalog.x (a int)",
        "CREATE SCHEMA x",
        "CREATE FUNCTION public.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP TABLE ivoa.obscore",
        "SELECT own FROM archive.plate",
        "SELECT p FROM archive.plate p",
        "SELECT * FROM archive.product",
        "SELECT location FROM archive.product",
        "SELECT * FROM vo.applied",
        "SELECT * FROM vo.collection",
        "SELECT pg_sleep(1)",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, '')",
        "SELECT set_config('role', 'vo_owner', false)",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_ls_dir('.')",
        "SELECT query_to_xml('SELECT 1', true, true, '')",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_notify('a', 'b')",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT query FROM pg_stat_activity",
        "SELECT set_sphere_output('HMS')",
        "COPY ivoa.obscore TO PROGRAM 'cat'",
        "COPY ivoa.obscore TO '/tmp/x'",
        "SET ROLE vo_owner",
        "SET ROLE vo_service",
        "SELECT rolpassword FROM pg_authid",
    ],
)
def test_refused(query, statement):
    with pytest.raises(REFUSED):
        query.execute(statement)


def test_temporary_tables_are_for_uploads_alone(database):
    """An upload's transaction says READ WRITE; nothing else may make a table, and what it makes only it can see."""
    with psycopg.connect(database.query_dsn) as connection:
        with pytest.raises(errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TEMPORARY TABLE x (a int)")
        connection.rollback()
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute("CREATE TEMPORARY TABLE x (a int)")
        with psycopg.connect(database.query_dsn) as other, pytest.raises(errors.UndefinedTable):
            other.execute("SELECT * FROM pg_temp.x")


def test_all_published_tables_can_be_read_hidden_columns_included(query, catalogue):
    for table in catalogue.tables:
        names = [f'"{column.name}"' for column in table.columns]
        names += [f'"{column.text_column}"' for column in table.columns if column.text_column]
        names += [f'"{table.time_range[0]}"'] if table.time_range else []
        query.execute(f"SELECT {', '.join(names)} FROM {table.qualified} LIMIT 1")


def test_the_service_reads_all_and_writes_nothing(database):
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM archive.product").fetchone() is not None
        with pytest.raises(errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM archive.product")
    with database.read() as connection:
        connection.execute("SET TRANSACTION READ WRITE")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DELETE FROM archive.product")


def test_the_owner_owns_every_table(database, catalogue):
    with database.read() as connection:
        owners = connection.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class "
            "WHERE relkind IN ('r', 'v') AND relnamespace::regnamespace::text = ANY(%s)",
            ([schema.name for schema in catalogue.schemas] + ["vo"],),
        ).fetchall()
    assert owners == [("vo_owner",)]
