"""Uploaded tables in the database: there for one query, seen by no other, gone afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest
from patience import PATIENCE

from vo.db import uploads
from vo.db.stream import QueryPool
from vo.db.uploads import MadeColumn, UploadedTable, find_repeated_scans, positions_in
from vo.errors import FatalFault, LimitFault, TimeLimitFault, TransientFault, UsageFault

SCHEMA = pa.schema([("u1_1", pa.float64()), ("u1_2", pa.float64()), ("u1_3", pa.string())])
SENT = (("u1_1", "double precision"), ("u1_2", "double precision"), ("u1_3", "text"))


def batches(*counts: int) -> Iterator[pa.RecordBatch]:
    for count in counts:
        numbers = [float(n % 90) for n in range(count)]
        yield pa.record_batch([numbers, numbers, [f"t{n}" for n in range(count)]], schema=SCHEMA)


def upload(rows: Iterator[pa.RecordBatch], made: tuple[MadeColumn, ...] = ()) -> UploadedTable:
    return UploadedTable("u1", "TAP_UPLOAD.mine", SENT, made, SCHEMA, rows)


def answer(database, sql: str, table: UploadedTable, seconds: float = 20) -> list[dict[str, object]]:
    with database.stream(sql, seconds, uploads=(table,)) as result:
        return pa.Table.from_batches(result, schema=result.schema).to_pylist()


def temporary_tables(database) -> int:
    with psycopg.connect(database.admin_dsn) as admin:
        (count,) = admin.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").fetchone() or (None,)
    return int(count)


def test_rows_arrive_in_batches_and_are_counted(database):
    (row,) = answer(database, "SELECT count(*) AS n, max(u1_3) AS t FROM pg_temp.u1", upload(batches(3, 0, 5000)))
    assert row == {"n": 5003, "t": "t999"}


def test_an_empty_table(database):
    assert answer(database, "SELECT u1_1 FROM pg_temp.u1", upload(batches())) == []


def test_it_has_statistics(database):
    sql = "SELECT reltuples::int8 AS n FROM pg_class WHERE oid = 'pg_temp.u1'::regclass"
    assert answer(database, sql, upload(batches(777))) == [{"n": 777}]


def test_nothing_is_left_after_the_answer(database):
    before = temporary_tables(database)
    for _ in range(3):
        answer(database, "SELECT count(*) AS n FROM pg_temp.u1", upload(batches(10)))
    assert temporary_tables(database) == before
    with pytest.raises(FatalFault, match="failed inside the database"):
        answer_without(database, "SELECT count(*) FROM pg_temp.u1")


def answer_without(database, sql: str) -> None:
    with database.stream(sql, 10) as result:
        list(result)


def test_no_other_session_sees_it(database):
    """The same name in two sessions at once: each has its own rows, and a third has none."""
    sql = "SELECT u1_3 AS t FROM pg_temp.u1 ORDER BY u1_1 LIMIT 1"
    first = database.stream(sql, 20, uploads=(upload(batches(5)),))
    try:
        with database.stream(sql, 20, uploads=(upload(batches(2)),)) as second:
            assert len(list(second)) == 1
        with psycopg.connect(database.query_dsn) as stranger:
            schemas = stranger.execute(
                "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'u1' AND relpersistence = 't'"
            ).fetchall()
            # A catalogue shows no table of a transaction that has not ended.
            assert schemas == []
        assert len(list(first)) == 1
    finally:
        first.close()


def test_a_closed_answer_drops_it_while_rows_are_left(database):
    before = temporary_tables(database)
    sql = "SELECT a.u1_1 FROM pg_temp.u1 a, pg_temp.u1 b, pg_temp.u1 c"
    stream = database.stream(sql, 20, uploads=(upload(batches(2000)),))
    next(iter(stream))
    stream.close()
    assert temporary_tables(database) == before


def test_the_query_itself_only_reads(database):
    sql = "SELECT current_setting('transaction_read_only') AS a, current_user::text AS b FROM pg_temp.u1 LIMIT 1"
    (row,) = answer(database, sql, upload(batches(1)))
    assert row == {"a": "on", "b": "vo_query"}


@pytest.mark.parametrize("kind", [LimitFault, UsageFault])
def test_what_reading_finds_wrong_is_told_as_it_is(database, kind):
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(1000)
        raise kind("row 1001 is one too many")

    before = temporary_tables(database)
    with pytest.raises(kind, match="row 1001 is one too many"):
        answer(database, "SELECT 1 FROM pg_temp.u1", upload(broken()))
    assert temporary_tables(database) == before
    assert answer(database, "SELECT count(*) AS n FROM pg_temp.u1", upload(batches(1))) == [{"n": 1}]


def test_an_error_of_our_own_is_not_hidden(database):
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(10)
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        answer(database, "SELECT 1 FROM pg_temp.u1", upload(broken()))


@pytest.mark.parametrize("error", [OSError("a disk fails"), pa.ArrowInvalid("no such cast")])
def test_an_error_of_a_reader_does_not_pass_for_one_of_the_database(database, error):
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(10)
        raise error

    with pytest.raises(RuntimeError, match="a table cannot be read"):
        answer(database, "SELECT 1 FROM pg_temp.u1", upload(broken()))
    assert answer(database, "SELECT count(*) AS n FROM pg_temp.u1", upload(batches(1))) == [{"n": 1}]


@pytest.mark.parametrize("turn", range(12))
def test_a_cancel_at_any_moment_ends_the_query_and_its_connection_is_of_use(database, turn):
    """Cancels fall before, within and between the statements that store an upload."""
    pool = QueryPool(database.query_dsn, 1, 1.0)
    sql = "SELECT count(*) FROM pg_temp.u1 a, pg_temp.u1 b, pg_temp.u1 c WHERE a.u1_1 + b.u1_1 < c.u1_1"
    made = (MadeColumn("u1_4", "spoint", "vo.point_of_numbers(ARRAY[u1_1, u1_2])", "place"),)
    going = threading.Event()
    threads = []

    def cancel(stream) -> None:
        def repeat() -> None:
            time.sleep(turn * 0.004)
            while not going.is_set():
                stream.cancel()
                time.sleep(0.05)

        threads.append(threading.Thread(target=repeat))
        threads[0].start()

    begin = time.monotonic()
    try:
        with pytest.raises(TransientFault, match="cancelled") as caught:
            pool.stream(sql, 5 * PATIENCE, cancel, (upload(batches(5000, 5000), made),)).close()
        going.set()
        threads[0].join()
        assert not isinstance(caught.value, TimeLimitFault)
        assert time.monotonic() - begin < PATIENCE
        with pool.stream("SELECT 1 AS a", 5) as result:
            assert len(list(result)) == 1
    finally:
        going.set()
        pool.close()


def test_a_made_column_and_values_that_are_none(database):
    def made(expression: str) -> tuple[MadeColumn, ...]:
        return (MadeColumn("u1_4", "spoint", expression, "place"),)

    good = made("vo.point_of_numbers(ARRAY[u1_1, u1_2])")
    (row,) = answer(database, "SELECT count(u1_4) AS n FROM pg_temp.u1", upload(batches(50), good))
    assert row == {"n": 50}
    bad = made("vo.point_of_numbers(ARRAY[u1_1, u1_2 + 50])")
    with pytest.raises(UsageFault, match=r"column place of TAP_UPLOAD\.mine holds a value that is none"):
        answer(database, "SELECT count(u1_4) AS n FROM pg_temp.u1", upload(batches(50), bad))


@pytest.mark.parametrize(
    ("numbers", "kind", "made"),
    [
        ("ARRAY[10, 20]", "point", True),
        ("ARRAY['NaN', 'NaN']", "point", False),
        ("NULL", "point", False),
        ("ARRAY[10, 20, 1.5]", "circle", True),
        ("ARRAY['NaN', 'NaN', 'NaN']", "circle", False),
        ("ARRAY[10, 20, 11, 20, 11, 21]", "polygon", True),
        ("ARRAY['NaN']", "polygon", False),
    ],
)
def test_shapes_of_numbers_and_their_nulls(database, numbers, kind, made):
    sql = f"SELECT vo.{kind}_of_numbers({numbers}::float8[]) IS NOT NULL AS made FROM pg_temp.u1"
    assert answer(database, sql, upload(batches(1))) == [{"made": made}]


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ("ARRAY[10, 91]", "point"),
        ("ARRAY[10, 'NaN']", "point"),
        ("ARRAY['Infinity', 0]", "point"),
        ("ARRAY[10, 20, 30]", "point"),
        ("ARRAY[10, 20, 91]", "circle"),
        ("ARRAY[10, 20, 11, 20]", "polygon"),
        ("ARRAY[10, 20, 11, 20, 11, 95]", "polygon"),
        ("ARRAY[10, 20, 11, 21, 10, 21, 11, 20]", "polygon"),
    ],
)
def test_numbers_that_are_no_shape(database, numbers, kind):
    with pytest.raises(UsageFault):
        answer(database, f"SELECT vo.{kind}_of_numbers({numbers}::float8[])::text FROM pg_temp.u1", upload(batches(1)))


def test_a_time_limit_holds(database):
    sql = "SELECT count(*) FROM pg_temp.u1 a, pg_temp.u1 b, pg_temp.u1 c WHERE a.u1_1 + b.u1_1 < c.u1_1"
    before = temporary_tables(database)
    with pytest.raises(TimeLimitFault):
        answer(database, sql, upload(batches(5000)), seconds=0.5)
    assert temporary_tables(database) == before


def test_cancelling_while_rows_come_in(database):
    pool = QueryPool(database.query_dsn, 1, 1.0)
    going, ended = threading.Event(), threading.Event()

    def slow() -> Iterator[pa.RecordBatch]:
        for _ in range(5000):  # for more than 100 seconds
            going.set()
            yield from batches(10)
            time.sleep(0.02)
        ended.set()

    def cancel(stream) -> None:
        threading.Thread(target=lambda: (going.wait(PATIENCE), time.sleep(0.1), stream.cancel())).start()

    try:
        with pytest.raises(TransientFault, match="cancelled"):
            pool.stream("SELECT 1 FROM pg_temp.u1", 5 * PATIENCE, cancel, (upload(slow()),)).close()
        assert not ended.is_set()
        with pool.stream("SELECT 1 AS a", 5) as result:
            assert len(list(result)) == 1
    finally:
        pool.close()


def terminate(database) -> None:
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'vo_query' AND datname = current_database()"
        )


def test_a_kept_connection_that_died_is_replaced_before_rows_are_read(database):
    pool = QueryPool(database.query_dsn, 1, 1.0)
    try:
        with pool.stream("SELECT 1 AS a", 5) as result:
            list(result)
        terminate(database)
        with pool.stream("SELECT count(*) AS n FROM pg_temp.u1", 5, None, (upload(batches(10)),)) as result:
            assert pa.Table.from_batches(result).to_pylist() == [{"n": 10}]
    finally:
        pool.close()


def test_a_server_that_goes_away_amid_the_rows_is_told(database):
    """What has been read cannot be sent again, so there is no second try that would lose it."""

    def interrupted() -> Iterator[pa.RecordBatch]:
        yield from batches(1000)
        terminate(database)
        yield from batches(*[5000] * 20)

    pool = QueryPool(database.query_dsn, 1, 1.0)
    try:
        with pool.stream("SELECT 1 AS a", 5) as result:
            list(result)
        with pytest.raises(TransientFault):
            pool.stream("SELECT count(*) AS n FROM pg_temp.u1", 5, None, (upload(interrupted()),))
    finally:
        pool.close()


# -- indexes on positions


def test_positions_that_a_query_makes_of_an_upload():
    sql = (
        "SELECT 1 FROM pg_temp.u1 AS e JOIN x AS o ON spoint(radians(e.u1_1), radians(e.u1_2::float8)) <@ o.s_region "
        "AND spoint(radians(o.s_ra), radians(o.s_dec)) <@ scircle(e.u1_9, 1)"
    )
    place = MadeColumn("u1_9", "spoint", "", "p")
    found = positions_in(sql, upload(batches(), (place,)))
    assert found == ("spoint(radians(u1_1), radians(u1_2::float8))", "u1_9")


def test_a_scan_for_each_row_of_a_large_other_table_is_found():
    inner = {"Node Type": "Seq Scan", "Relation Name": "u1", "Plan Rows": 5000}
    outer = {"Node Type": "Seq Scan", "Relation Name": "obscore", "Plan Rows": 500}
    loop = {"Node Type": "Nested Loop", "Plan Rows": 1, "Plans": [outer, inner]}
    assert find_repeated_scans({"Node Type": "Sort", "Plan Rows": 1, "Plans": [loop]}, {"u1": 5000}) == ("u1",)
    turned = {**loop, "Plans": [inner, outer]}
    assert find_repeated_scans(turned, {"u1": 5000}) == ()
    assert find_repeated_scans(loop, {"u1": 500}) == ()


def test_an_index_is_made_when_it_pays(database, monkeypatch):
    sql = (
        "SELECT count(*) AS n FROM generate_series(1, 300) AS g (i) JOIN pg_temp.u1 AS e "
        "ON spoint(radians(e.u1_1), radians(e.u1_2)) <@ scircle(spoint(radians(g.i % 90), radians(g.i % 90)), 0.001)"
    )
    found: list[tuple[str, ...]] = []

    def watched(*asked):
        found.append(find_repeated_scans(*asked))
        return found[-1]

    monkeypatch.setattr(uploads, "find_repeated_scans", watched)
    for rows in (900, 18_000):
        (counted,) = answer(database, sql, upload(batches(rows)))
        assert counted == {"n": 300 * rows // 90}
    assert found == [(), ("u1",)]


def test_a_query_that_asks_for_no_position_gets_no_index(database, monkeypatch):
    monkeypatch.setattr(uploads, "_plan", lambda *_: pytest.fail("the plan was asked for"))
    answer(database, "SELECT count(*) AS n FROM pg_temp.u1 a, pg_temp.u1 b", upload(batches(2000)))
