"""The way of large sources: the same rows, rights and indexes as row by row, in one moment, or nothing."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import sources
from patience import PATIENCE, eventually
from psycopg import errors

from vo.db.records import Exposure, Plate, PlateBundle
from vo.errors import OperatorFault
from vo.ingest import bulk
from vo.ingest.load import ingest, load_bundles

TABLES = {
    "archive.plate": "collection, plate_id",
    "archive.scan": "collection, plate_id, scan_id",
    "archive.exposure": "collection, plate_id, exposure_id",
    "archive.product": "product_id",
    "dasch.plates": "obs_publisher_did",
    "dasch.narrow_plates": "obs_publisher_did",
    "ivoa.obscore": "obs_publisher_did",
}
PUBLISHED = ("dasch.plates", "ivoa.obscore")
COUNT = 1000


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """Every source is a large one, and comes in several chunks."""
    monkeypatch.setattr(bulk, "LEAST", 1)
    monkeypatch.setattr(bulk, "CHUNK", COUNT // 3)


@pytest.fixture(scope="module")
def exposure_list(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "exposures.ecsv"
    sources.write(path, COUNT)
    return path


@pytest.fixture(scope="module")
def part(exposure_list):
    """Fifty plates of the list, as they were known before: one has moved, one is no longer there."""
    lines = exposure_list.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    names, *rows = lines[len(head) :]
    some = [row.split(" ") for row in rows[:50]]
    moved = next(row for row in some if row[9] == "imwcs")
    moved[-2:] = ["12.5", "-3.25"]
    some[-1][4] = "77"
    path = exposure_list.with_name("part.ecsv")
    path.write_text("\n".join([*head, names, *(" ".join(row) for row in some)]) + "\n")
    return path


def ask(database, sql, *values):
    with database.owner() as connection:
        return connection.execute(sql, values).fetchall()


def content(database):
    return {table: ask(database, f"SELECT t::text FROM {table} t ORDER BY {key}") for table, key in TABLES.items()}


def standing(database):
    """What stands around the rows: indexes, constraints, rights, comments, views, storage."""
    return {
        "indexes": ask(
            database,
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid, indisready FROM pg_index "
            "WHERE indrelid::regclass::text = ANY(%s) ORDER BY 1",
            list(PUBLISHED),
        ),
        "constraints": ask(
            database,
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
            "WHERE conrelid::regclass::text = ANY(%s) ORDER BY 1, 2",
            list(PUBLISHED),
        ),
        "rights": ask(
            database,
            "SELECT oid::regclass::text, relowner::regrole::text, a::text FROM pg_class, unnest(relacl) AS a "
            "WHERE oid::regclass::text = ANY(%s) AND split_part(a::text, '=', 1) <> 'vo_owner' ORDER BY 1, 3",
            list(TABLES),
        ),
        "columns": ask(
            database,
            "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attstorage, attnotnull, "
            "attgenerated, attacl::text, col_description(attrelid, attnum) "
            "FROM pg_attribute WHERE attrelid::regclass::text = ANY(%s) AND attnum > 0 ORDER BY 1, attnum",
            list(TABLES),
        ),
        "tables": ask(
            database,
            "SELECT oid::regclass::text, relkind, reloptions, obj_description(oid), pg_get_viewdef(oid) FROM pg_class "
            "WHERE oid::regclass::text = ANY(%s) ORDER BY 1",
            list(TABLES),
        ),
    }


def twins(database):
    return ask(database, "SELECT relname FROM pg_class WHERE relname LIKE 'beside%%'")


def other_collection():
    exposure = Exposure("samples", "p1", "1", "ivo://x/samples?p1/1", ra=1.0, dec=2.0, has_imaging=True)
    return [PlateBundle(Plate("samples", "p1", plate_scale=100.0, width_mm=9.0, height_mm=9.0), exposures=(exposure,))]


@pytest.mark.parametrize("before", ["an empty database", "plates that were known and another collection"])
def test_both_ways_give_the_same(fresh_database, settings, exposure_list, part, monkeypatch, before):
    done = []
    databases = [fresh_database(), fresh_database()]
    for database, least in zip(databases, (10**9, 1), strict=True):
        monkeypatch.setattr(bulk, "LEAST", 10**9)
        if before != "an empty database":
            ingest(database, settings, "dasch", part)
            load_bundles(database, settings, "samples", other_collection(), "others")
        monkeypatch.setattr(bulk, "LEAST", least)
        old = ask(database, "SELECT 'ivoa.obscore'::regclass::oid")
        done.append(ingest(database, settings, "dasch", exposure_list))
        assert (ask(database, "SELECT 'ivoa.obscore'::regclass::oid") != old) == (least == 1)
    assert done[0] == done[1]
    by_rows, at_once = (content(database) for database in databases)
    assert len(by_rows["dasch.plates"]) >= COUNT
    for table in TABLES:
        assert by_rows[table] == at_once[table], table
    assert standing(databases[0]) == standing(databases[1])
    assert ingest(databases[1], settings, "dasch", exposure_list).changed == 0
    assert twins(databases[1]) == []


def test_rows_are_in_the_order_of_the_sky_and_analysed(fresh_database, settings, tmp_path):
    """So many that an index is worth while."""
    longer = tmp_path / "exposures.ecsv"
    sources.write(longer, 3 * COUNT)
    database = fresh_database()
    ingest(database, settings, "dasch", longer)
    rows = ask(database, "SELECT s_ra, s_dec FROM dasch.plates WHERE s_ra IS NOT NULL ORDER BY ctid")
    places = np.radians(np.array(rows))
    level = np.cos(places[:, 1])
    vectors = np.stack([level * np.cos(places[:, 0]), level * np.sin(places[:, 0]), np.sin(places[:, 1])], axis=1)
    steps = np.degrees(np.arccos(np.clip((vectors[1:] * vectors[:-1]).sum(axis=1), -1, 1)))
    assert np.median(steps) < 5
    for schema, table in (name.split(".") for name in PUBLISHED):
        known = ask(database, "SELECT count(*) FROM pg_stats WHERE schemaname = %s AND tablename = %s", schema, table)
        assert known[0][0] > 10
        (pages, visible) = ask(
            database, "SELECT relpages, relallvisible FROM pg_class WHERE oid = %s::regclass", f"{schema}.{table}"
        )[0]
        assert visible == pages > 10
    # queries find their way: the query role reads the new table, by its index
    sql = "SELECT count(*) AS n FROM ivoa.obscore WHERE spoint(0.5, 0.5) <@ s_region"
    with database.stream(sql, 10.0) as batches:
        assert sum(batch.column(0)[0].as_py() for batch in batches) > 0
    plan = [line for (line,) in ask(database, f"EXPLAIN {sql}")]
    # so small an archive leaves PostgreSQL the choice between the two that begin with it or contain it
    assert any("Index" in line and "s_region" in line for line in plan)
    assert not any("Seq Scan" in line for line in plan)


@pytest.mark.parametrize("where", ["build_indexes", "create", "replace", "_count_rows", "_derive", "append_records"])
def test_a_failure_in_the_middle_leaves_the_old_state(
    fresh_database, settings, exposure_list, part, monkeypatch, where
):
    database = fresh_database()
    ingest(database, settings, "dasch", part)
    before, around = content(database), standing(database)
    broken_in = bulk.beside if hasattr(bulk.beside, where) else bulk
    working = getattr(broken_in, where)

    def broken(*arguments):
        working(*arguments)
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(broken_in, where, broken)
        with pytest.raises(RuntimeError, match="power cut"):
            ingest(database, settings, "dasch", exposure_list)
    assert content(database) == before
    assert standing(database) == around
    assert twins(database) == []
    assert ingest(database, settings, "dasch", exposure_list).exposures == COUNT


def test_what_a_killed_ingest_left_is_removed(fresh_database, settings, exposure_list):
    database = fresh_database()
    with database.owner() as connection:
        connection.execute("CREATE TABLE vo.beside_dasch_plates (LIKE dasch.plates)")
        connection.execute("CREATE TABLE vo.beside_ivoa_obscore (LIKE ivoa.obscore)")
    assert ingest(database, settings, "dasch", exposure_list).exposures == COUNT
    assert twins(database) == []


def test_readers_see_the_old_or_the_new_state_and_never_wait_long(fresh_database, settings, exposure_list, part):
    database = fresh_database()
    ingest(database, settings, "dasch", part)
    old = ask(database, "SELECT count(*) FROM dasch.plates")[0][0]
    told: list[str] = []
    seen, waited = set(), []
    stop = threading.Event()

    def read():
        sql = "SELECT (SELECT count(*) FROM dasch.plates), (SELECT count(*) FROM ivoa.obscore)"
        while not stop.is_set():
            began = time.monotonic()
            with database.read() as connection:
                seen.add(connection.execute(sql).fetchone())
            waited.append(time.monotonic() - began)

    reader = threading.Thread(target=read)
    loader = threading.Thread(
        target=ingest,
        args=(database, settings, "dasch", exposure_list),
        kwargs={"progress": lambda stage, *_: told.append(stage)},
    )
    try:
        with database.read() as slow:
            slow.execute("SELECT count(*) FROM ivoa.obscore")  # its lock stays until the connection is given back
            reader.start()
            loader.start()
            eventually(lambda: told.count("waiting for readers") >= 2, lambda: told)
            assert len(seen) == 1
        loader.join(PATIENCE)
        (new,) = ask(database, "SELECT (SELECT count(*) FROM dasch.plates), (SELECT count(*) FROM ivoa.obscore)")
        eventually(lambda: len(seen) == 2, lambda: seen)
    finally:
        stop.set()
        reader.join(PATIENCE)
    assert {count for count, _ in seen} == {old, new[0]}
    assert len(seen) == 2
    assert max(waited) < 10  # promised is a fifth of a second, which a machine at work on much else cannot keep
    assert "indexing" in told


def test_two_ingests_wait_for_each_other(fresh_database, settings, exposure_list):
    database = fresh_database()
    done = []
    loaders = [
        threading.Thread(target=lambda: done.append(ingest(database, settings, "dasch", exposure_list)))
        for _ in range(2)
    ]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join(2 * PATIENCE)
    assert sorted(one.changed > 0 for one in done) == [False, True]
    assert twins(database) == []


def test_nobody_changes_the_tables_meanwhile(fresh_database, settings, exposure_list, monkeypatch):
    database = fresh_database()
    working = bulk.beside.build_indexes
    refused = []

    def change(*arguments):
        working(*arguments)
        for table in PUBLISHED:
            with database.owner() as connection, pytest.raises(errors.LockNotAvailable):
                connection.execute(f"SET lock_timeout = '100ms'; ALTER TABLE {table} ADD COLUMN own text")
            refused.append(table)

    monkeypatch.setattr(bulk.beside, "build_indexes", change)
    ingest(database, settings, "dasch", exposure_list)
    assert refused == list(PUBLISHED)


def ask_nothing(database, sql):
    with database.owner() as connection:
        connection.execute(sql)


@pytest.mark.parametrize(
    "hangs",
    [
        "CREATE MATERIALIZED VIEW vo.depth AS SELECT count(*) FROM dasch.plates",
        "CREATE TABLE vo.mine (did text REFERENCES ivoa.obscore)",
        "CREATE TRIGGER t AFTER TRUNCATE ON ivoa.obscore EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ],
    ids=["materialised view", "foreign key", "trigger"],
)
def test_a_table_with_more_than_views_on_it_is_filled_row_by_row(fresh_database, settings, exposure_list, hangs):
    database = fresh_database()
    ask_nothing(database, hangs)
    old = ask(database, "SELECT 'ivoa.obscore'::regclass::oid")
    assert ingest(database, settings, "dasch", exposure_list).exposures == COUNT
    assert ask(database, "SELECT 'ivoa.obscore'::regclass::oid") == old


def test_a_collection_that_has_much_already_is_loaded_row_by_row(fresh_database, settings, exposure_list, part):
    database = fresh_database()
    ingest(database, settings, "dasch", exposure_list)
    old = ask(database, "SELECT 'dasch.plates'::regclass::oid")
    assert ingest(database, settings, "dasch", part).archive["exposure"].inserted == 1
    assert ask(database, "SELECT 'dasch.plates'::regclass::oid") == old


def test_rows_that_the_archive_refuses_are_the_operators_to_mend(fresh_database, settings, exposure_list):
    database = fresh_database()
    taken = Exposure("samples", "p", "1", f"IVO://{settings.authority}/dasch?" + first_plate(exposure_list) + "/E0")
    load_bundles(database, settings, "samples", [PlateBundle(Plate("samples", "p"), exposures=(taken,))], "others")
    with pytest.raises(OperatorFault, match=r"archive.exposure refuses a row .*already exists"):
        ingest(database, settings, "dasch", exposure_list)
    assert ask(database, "SELECT count(*) FROM dasch.plates") == [(0,)]
    assert twins(database) == []


def first_plate(path):
    row = next(line for line in path.read_text().splitlines() if not line.startswith(("#", "series"))).split(" ")
    return f"{row[0]}{int(row[1]):05d}"
