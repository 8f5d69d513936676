from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from vo.db.connect import external
from vo.db.merge import merge
from vo.db.migrate import initialise, initialised_collections
from vo.errors import FatalFault, OperatorFault
from vo.metadata.fields import Catalogue, Column, Kind, Table
from vo.metadata.words import as_typed


@pytest.fixture
def own(fresh_database):
    return fresh_database()


def read(database, sql):
    with database.read() as connection:
        return connection.execute(sql).fetchall()


def changed(catalogue: Catalogue, name: str, change) -> Catalogue:
    """The catalogue with one table changed."""
    schemas = [
        replace(one, tables=tuple(change(table) if table.qualified == name else table for table in one.tables))
        for one in catalogue.schemas
    ]
    return Catalogue(tuple(schemas))


def plus(column: Column):
    def change(table: Table) -> Table:
        return replace(table, columns=(*table.columns, column))

    return change


def without(catalogue: Catalogue, name: str) -> Catalogue:
    return Catalogue(tuple(schema for schema in catalogue.schemas if schema.name != name))


def test_tap_schema_says_what_the_catalogue_says_tsc_08(database, catalogue):
    expected = {
        (table.qualified, as_typed(column.name)): (
            column.field().datatype, column.field().arraysize, column.field().xtype, column.unit, column.ucd,
            column.utype, column.description, int(column.indexed), int(column.principal), int(column.std),
        )
        for table in catalogue.tables for column in table.columns
    }  # fmt: skip
    rows = read(
        database,
        "SELECT table_name, column_name, datatype, arraysize, xtype, unit, ucd, utype, description, "
        "indexed, principal, std FROM tap_schema.columns",
    )
    assert {row[:2]: row[2:] for row in rows} == expected
    tables = read(database, "SELECT table_name, table_type FROM tap_schema.tables ORDER BY table_index")
    assert tables == [(table.qualified, "view" if table.is_view else "table") for table in catalogue.tables]


def test_tap_schema_describes_itself_with_five_keys_tsc_01_tsc_07(database):
    keys = read(
        database,
        "SELECT from_table, from_column, target_table, target_column FROM tap_schema.keys "
        "NATURAL JOIN tap_schema.key_columns WHERE from_table LIKE 'tap_schema.%' ORDER BY 1, 2",
    )
    assert keys == [
        ("tap_schema.columns", "table_name", "tap_schema.tables", "table_name"),
        ("tap_schema.key_columns", "key_id", "tap_schema.keys", "key_id"),
        ("tap_schema.keys", "from_table", "tap_schema.tables", "table_name"),
        ("tap_schema.keys", "target_table", "tap_schema.tables", "table_name"),
        ("tap_schema.tables", "schema_name", "tap_schema.schemas", "schema_name"),
    ]
    lost = read(
        database,
        "SELECT k.key_id FROM tap_schema.keys k JOIN tap_schema.key_columns p USING (key_id) "
        "LEFT JOIN tap_schema.columns f ON f.table_name = k.from_table AND f.column_name = p.from_column "
        "LEFT JOIN tap_schema.columns t ON t.table_name = k.target_table AND t.column_name = p.target_column "
        "WHERE f.table_name IS NULL OR t.table_name IS NULL",
    )
    assert lost == []


def test_size_is_quoted_and_null_for_variable_arrays_tsc_02_tsc_05(database):
    sizes = "SELECT DISTINCT column_name FROM tap_schema.columns WHERE column_name LIKE '%size%' ORDER BY 1"
    assert read(database, sizes) == [('"size"',), ("access_estsize",), ("arraysize",)]
    wrong = "SELECT count(*) FROM tap_schema.columns WHERE \"size\" IS NOT NULL AND arraysize ~ '[*x]'"
    assert read(database, wrong) == [(0,)]


def test_columns_stored_are_those_described(database, catalogue):
    for table in catalogue.tables:
        rows = read(
            database,
            "SELECT attname, attnotnull FROM pg_attribute "
            f"WHERE attrelid = '{table.qualified}'::regclass AND attnum > 0 AND NOT attisdropped",
        )
        stored = dict(rows)
        hidden = {column.text_column for column in table.columns if column.text_column} | {"t_range", "own"}
        assert set(stored) - hidden == {column.name for column in table.columns}
        if not table.is_view:
            assert all(stored[column.name] is not column.nullable for column in table.columns)


def test_indexed_columns_are_those_with_an_index(database, catalogue):
    rows = read(
        database,
        "SELECT i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i "
        "JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace::regnamespace::text <> 'pg_catalog'",
    )
    for table in catalogue.tables:
        name = f"{table.schema}.{table.view_of or table.name}"
        definitions = " ".join(row[1].partition(" USING ")[2].partition(" WHERE ")[0] for row in rows if row[0] == name)
        words = set(definitions.replace("(", " ").replace(")", " ").replace(",", " ").replace('"', " ").split())
        words |= {"t_min", "t_max"} if "t_range" in words else set()
        assert {column.name for column in table.columns if column.indexed} == {
            column.name for column in table.columns if column.name in words
        }


def test_design_section_3_indexes_are_there(database, collections):
    wanted = ["ivoa.obscore", *(f"{one.name}.plates" for one in collections)]
    for table in wanted:
        schema, name = table.split(".")
        rows = read(
            database,
            f"SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = '{schema}' AND tablename = '{name}'",
        )
        found = dict(rows)
        assert "USING gist (t_range, s_region)" in found[f"{name}_t_range_s_region"]
        assert "USING gist (s_region)" in found[f"{name}_s_region"]
        assert "USING gist (spoint(radians(s_ra), radians(s_dec)))" in found[f"{name}_position"]
        assert "UNIQUE" in found[f"{name}_obs_publisher_did_nocase"]
        assert {f"{name}_t_min", f"{name}_t_max", f"{name}_target_name", f"{name}_plate_id"} <= set(found)


def test_pgsphere_is_parallel_safe_and_costs_what_it_costs(database):
    names = "'spoly_contains_point_com', 'spoly_overlap_circle'"
    assert set(read(database, f"SELECT proparallel, procost FROM pg_proc WHERE proname IN ({names})")) == {("s", 200.0)}
    operator = "SELECT oprrest::text FROM pg_operator WHERE oid = '<@(spoint, spoly)'::regoperator"
    assert read(database, operator) == [("areasel",)]


def test_again_changes_nothing(own, catalogue):
    before = read(own, "SELECT name, digest, applied FROM vo.applied WHERE name NOT LIKE '900%' ORDER BY name")
    initialise(own, catalogue)
    assert read(own, "SELECT name, digest, applied FROM vo.applied WHERE name NOT LIKE '900%' ORDER BY name") == before


def test_collections_are_remembered(own, catalogue, collections):
    assert initialised_collections(own) == tuple(sorted(one.name for one in collections))
    initialise(own, without(catalogue, collections[0].name))
    assert initialised_collections(own) == tuple(sorted(one.name for one in collections[1:]))
    left = read(own, f"SELECT count(*) FROM tap_schema.tables WHERE schema_name = '{collections[0].name}'")
    assert left == [(0,)]
    with psycopg.connect(own.query_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"SELECT plate_id FROM {collections[0].name}.plates")


def test_an_empty_database_was_never_initialised(postgres):
    name = "vo_never"
    postgres.create(name)
    try:
        database = postgres.open(name)
        assert initialised_collections(database) == ()
        database.close()
    finally:
        postgres.drop(name)


def test_a_new_column_arrives_with_rows_in_place(own, catalogue, collections):
    name = f"{collections[0].name}.plates"
    key = ("obs_publisher_did",)
    columns = ("obs_publisher_did", "plate_id", "exposure_id", "has_imaging", "t_min", "t_max")
    with own.owner() as connection:
        merge(connection, name, key, columns, [("ivo://x/y", "p", "1", True, 1.0, 2.0)])
    column = Column("grade", Kind.CHAR, description="Grade of the plate.")
    wider = changed(changed(catalogue, name, plus(column)), name.replace(".plates", ".narrow_plates"), plus(column))
    initialise(own, wider)
    assert read(own, f"SELECT plate_id, grade, t_range FROM {name.replace('.plates', '.narrow_plates')}")[0][:2] == (
        "p",
        None,
    )
    with psycopg.connect(own.query_dsn) as connection:
        connection.execute(f"SELECT grade FROM {name}")


def test_a_new_column_without_nulls_on_rows_is_refused(own, catalogue, collections):
    name = f"{collections[0].name}.plates"
    columns = ("obs_publisher_did", "plate_id", "exposure_id", "has_imaging")
    with own.owner() as connection:
        merge(connection, name, columns[:1], columns, [("ivo://x/y", "p", "1", True)])
    column = Column("grade", Kind.CHAR, nullable=False, description="Grade of the plate.")
    with pytest.raises(OperatorFault, match=f"{name}.*grade.*nullable"):
        initialise(own, changed(catalogue, name, plus(column)))
    assert "grade" not in {
        row[0] for row in read(own, f"SELECT attname FROM pg_attribute WHERE attrelid = '{name}'::regclass")
    }


def test_a_changed_type_is_refused_by_name(own, catalogue):
    def change(table: Table) -> Table:
        columns = [replace(one, kind=Kind.CHAR) if one.name == "s_fov" else one for one in table.columns]
        return replace(table, columns=tuple(columns))

    with pytest.raises(OperatorFault, match=r"ivoa\.obscore\.s_fov is double precision .* but text"):
        initialise(own, changed(catalogue, "ivoa.obscore", change))


def test_a_new_wide_limit_reaches_the_view(own, catalogue, collections):
    name = collections[0].name
    columns = ("obs_publisher_did", "plate_id", "exposure_id", "has_imaging", "plate_scale")
    rows = [
        ("ivo://x/1", "a", "1", True, 100.0),
        ("ivo://x/2", "b", "1", True, 900.0),
        ("ivo://x/3", "c", "1", True, None),
    ]
    with own.owner() as connection:
        merge(connection, f"{name}.plates", columns[:1], columns, rows)

    def limit(table: Table) -> Table:
        return replace(table, view_condition="plate_scale IS NULL OR plate_scale <= 150.0")

    initialise(own, changed(catalogue, f"{name}.narrow_plates", limit))
    assert sorted(row[0] for row in read(own, f"SELECT plate_id FROM {name}.narrow_plates")) == ["a", "c"]


def test_schema_folder_without_sql_is_said(own, catalogue, tmp_path):
    elsewhere = replace(own, settings=own.settings.model_copy(update={"schema_dir": tmp_path}))
    with pytest.raises(OperatorFault, match="VO_SCHEMA_DIR"):
        initialise(elsewhere, catalogue)


def test_a_database_that_is_away_is_said(own, catalogue, tmp_path):
    away = replace(own, admin_dsn=f"host={tmp_path} user=x dbname=y")
    with pytest.raises(OperatorFault, match="cannot be reached"):
        initialise(away, catalogue)


@pytest.mark.parametrize("options", ["ENCODING 'UTF8' LOCALE 'C.UTF-8'", "ENCODING 'SQL_ASCII' LOCALE 'C'"])
def test_a_database_that_sorts_otherwise_is_refused(postgres, catalogue, options):
    name = "vo_sorted"
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    try:
        database = postgres.open(name)
        with pytest.raises(OperatorFault, match=r"CREATE DATABASE .* LOCALE 'C'"):
            initialise(database, catalogue)
        assert initialised_collections(database) == ()
        database.close()
    finally:
        postgres.drop(name)


def test_an_owner_who_is_no_superuser(postgres, catalogue, settings, caplog):
    """An operator's own PostgreSQL: pgSphere is there, the owner may make roles and owns the database, nothing more."""
    name, owner = "vo_operators", "vo_operator"
    postgres.create(name)
    with psycopg.connect(make_conninfo(postgres.admin_dsn, dbname=name), autocommit=True) as admin:
        admin.execute(f"DROP ROLE IF EXISTS {owner}")
        admin.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD '{owner}'")
        admin.execute(f"ALTER DATABASE {name} OWNER TO {owner}")
        admin.execute("CREATE EXTENSION pg_sphere")
        # On a server of their own that role would have made these; here they are there already.
        admin.execute(f"GRANT vo_owner, vo_service TO {owner}")
    dsn = make_conninfo(postgres.admin_dsn, dbname=name, user=owner, password=owner)
    query = make_conninfo(dsn, user="vo_query", password="vo_query")  # noqa: S106 - a test's own role
    database = external(settings.model_copy(update={"dsn": dsn, "query_dsn": query}))
    try:
        initialise(database, catalogue)
        assert "010_pgsphere.sql" in caplog.text
        assert "020_functions.sql" in caplog.text
        assert "temp_file_limit" in caplog.text
        with database.owner() as connection:
            merge(connection, "archive.plate", ("collection", "plate_id"), ("collection", "plate_id"), [("x", "y")])
        with database.read() as connection:
            assert connection.execute("SELECT count(*) FROM archive.plate").fetchone() == (1,)
        with database.stream("SELECT plate_id FROM archive.plate", 10) as result:
            assert result.schema.names == ["plate_id"]
        with pytest.raises(FatalFault):
            database.stream("SELECT location FROM archive.product", 10)
    finally:
        database.close()
        postgres.drop(name)
        with psycopg.connect(postgres.admin_dsn, autocommit=True) as admin:
            admin.execute(f"DROP ROLE {owner}")


def test_two_dsns_go_together(settings):
    with pytest.raises(OperatorFault, match="VO_DSN and VO_QUERY_DSN"):
        external(settings.model_copy(update={"dsn": "dbname=x"}))
