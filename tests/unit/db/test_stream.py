import threading
import time

import psycopg
import pyarrow as pa
import pytest
from adbc_driver_manager import AdbcStatusCode, OperationalError
from patience import PATIENCE, eventually

from vo.db import stream
from vo.db.connect import Database
from vo.db.faults import CANCELED, sqlstate_of, translate
from vo.errors import FatalFault, TimeLimitFault, TransientFault, UsageFault


def test_arrow_types_of_all_that_the_renderer_selects(database):
    sql = (
        "SELECT true AS a, 1::int2 AS b, 2::int4 AS c, 3::int8 AS d, 1.5::float4 AS e, 2.5::float8 AS f, "
        "'x'::text AS g, ARRAY[1.0, 2.0]::float8[] AS h, NULL::text AS i"
    )
    with database.stream(sql, 10) as result:
        assert result.schema.types == [
            pa.bool_(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string(),
            pa.list_(pa.field("item", pa.float64())), pa.string(),
        ]  # fmt: skip
        (row,) = pa.Table.from_batches(result).to_pylist()
    assert list(row.values()) == [True, 1, 2, 3, 1.5, 2.5, "x", [1.0, 2.0], None]


def test_no_rows(database):
    with database.stream("SELECT 1 AS n WHERE false", 10) as result:
        assert result.schema.names == ["n"]
        assert list(result) == []


def test_a_long_result_comes_in_batches(database):
    with database.stream("SELECT n, n * 0.5::float8 AS x FROM generate_series(1, 300000) n", 30) as result:
        sizes = [batch.num_rows for batch in result]
    assert sum(sizes) == 300_000
    assert len(sizes) > 3
    assert max(sizes) * 12 < 2 * stream.BATCH_BYTES


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT 1 / (n - n) FROM generate_series(1, 3) n", "division by zero"),
        ("SELECT 2147483647 + n FROM generate_series(1, 3) n", "out of the range"),
        ("SELECT 'x'::text::int", "cannot be read as"),
        ("SELECT ln(-1.0::float8)", "logarithm"),
        ("SELECT sqrt(-1.0::float8)", "not a real number"),
        ("SELECT (SELECT n FROM generate_series(1, 2) n)", "more than one row"),
        ("SELECT spoly '{(0, 0), (1, 0)}'", "three corners"),
        ("SELECT scircle(spoint(0, 0), 'Infinity')", "radius of a circle"),
        ("SELECT ('{(0,0),(1,0),(' || 'NaN'::float8 || ',1)}')::spoly", "NaN"),
        ("SELECT repeat('x', 2000000000)", "fewer or shorter values"),
        ("SELECT a || a FROM (SELECT repeat('x', 600000000) AS a OFFSET 0) t", "fewer or shorter values"),
        ("SELECT n::text LIKE 'a' ESCAPE 'xy' FROM generate_series(1, 3) n", "ESCAPE"),
    ],
)
def test_errors_of_the_data_are_the_users(database, sql, says):
    with pytest.raises(UsageFault, match=says) as caught:
        database.stream(sql, 60)
    assert caught.value.status == 400


def test_an_error_after_many_rows_is_told_in_our_words(database):
    sql = "SELECT 1 / (n - 200000) AS q FROM generate_series(1, 300000) n"
    with database.stream(sql, 30) as result, pytest.raises(UsageFault, match="division by zero"):
        list(result)
    with database.stream("SELECT 1", 10) as result:
        assert len(list(result)) == 1


def test_database_text_is_never_shown(database):
    with pytest.raises(FatalFault) as caught:
        database.stream("SELECT nonsense FROM nowhere", 10)
    assert "nowhere" not in caught.value.text
    assert "SELECT" not in caught.value.text


def test_time_limit_before_the_first_row(database):
    start = time.monotonic()
    with pytest.raises(TimeLimitFault, match=r"limit of 0\.3 s.*narrower") as caught:
        database.stream("SELECT count(*) FROM generate_series(1, 1000000000) n", 0.3)
    assert time.monotonic() - start < PATIENCE
    assert caught.value.status == 408


def test_time_limit_in_the_middle(database):
    slow = "SELECT count(*) FROM generate_series(1, 100000) b, generate_series(1, 100000) c"
    sql = f"SELECT generate_series(1::int8, 1000000) AS a UNION ALL {slow}"
    with database.stream(sql, 3) as result, pytest.raises(TimeLimitFault):
        list(result)


def test_cancel_from_another_thread(database):
    sql = "SELECT a FROM generate_series(1, 10000) a, generate_series(1, 100000) b"
    with database.stream(sql, 5 * PATIENCE) as result:
        timer = threading.Timer(0.2, result.cancel)
        timer.start()
        start = time.monotonic()
        with pytest.raises(TransientFault, match="cancelled") as caught:
            list(result)
        timer.join()
        assert time.monotonic() - start < PATIENCE
        assert not isinstance(caught.value, TimeLimitFault)


def test_closing_early_ends_the_query_in_the_database(database):
    result = database.stream(
        "SELECT a AS left_alone FROM generate_series(1, 10000) a, generate_series(1, 100000) b",
        5 * PATIENCE,
    )
    next(iter(result))
    result.close()
    result.close()
    eventually(lambda: _running(database, "left_alone") == 0)


def _aheads() -> int:
    return sum(thread.name.startswith("ahead") for thread in threading.enumerate())


def test_a_thread_fetches_ahead_of_long_results_alone(database):
    with database.stream("SELECT n FROM generate_series(1, 10) n", 10) as result:
        for batch in result:
            assert batch.num_rows == 10
            assert _aheads() == 0
    with database.stream("SELECT n, n * 0.5::float8 AS x FROM generate_series(1, 300000) n", 30) as result:
        batches = iter(result)
        next(batches)
        assert _aheads() == 0
        next(batches)
        assert _aheads() == 1
    assert _aheads() == 0


def test_a_fault_comes_after_the_rows_before_it(database):
    sql = "SELECT n, 1 / (n - 200000) AS q FROM generate_series(1, 300000) n"
    seen = []
    with database.stream(sql, 30) as result, pytest.raises(UsageFault, match="division by zero"):
        seen.extend((batch["n"][-1].as_py(), time.sleep(0.02)) for batch in result)  # the thread is well ahead by then
    assert seen[-1][0] > 100_000
    assert _aheads() == 0


def test_a_result_that_nobody_reads_holds_its_query_up(database):
    with database.stream("SELECT n, repeat('x', 1000) AS t FROM generate_series(1, 1000000) n", 30) as result:
        batches = iter(result)
        next(batches)
        next(batches)
        time.sleep(0.3)
        assert _running(database, "repeat") == 1
    assert _running(database, "repeat") == 0


def test_one_connection_serves_query_after_query(database):
    pool = stream.QueryPool(database.query_dsn, 3, 1.0)
    seen = set()
    for _ in range(5):
        with pool.stream("SELECT pg_backend_pid() AS pid", 10) as result:
            seen |= {row["pid"] for row in pa.Table.from_batches(result).to_pylist()}
        with pytest.raises(UsageFault):
            pool.stream("SELECT 1 / (n - n) FROM generate_series(1, 3) n", 10)
        with pool.stream("SELECT a FROM generate_series(1, 10000) a, generate_series(1, 1000) b", 10) as result:
            next(iter(result))
        with pool.stream("SELECT a FROM generate_series(1, 10000) a, generate_series(1, 1000) b", 10) as result:
            for _, _ in zip(range(5), result, strict=False):
                pass  # closed while a batch is being fetched
        with pytest.raises(TimeLimitFault):
            pool.stream("SELECT count(*) FROM generate_series(1, 1000000000) n", 0.05)
    pool.close()
    assert len(seen) == 1


def test_when_all_connections_are_busy(database):
    pool = stream.QueryPool(database.query_dsn, 1, 0.2)
    try:
        with pool.stream("SELECT 1", 10), pytest.raises(TransientFault, match="1 query connections") as caught:
            pool.stream("SELECT 2", 10)
        assert caught.value.status == 503
        assert caught.value.retry_after
        with pool.stream("SELECT 3", 10) as result:
            assert len(list(result)) == 1
    finally:
        pool.close()


def test_faults_give_the_connection_back(database):
    for _ in range(20):
        with pytest.raises(UsageFault):
            database.stream("SELECT 1 / (n - n) FROM generate_series(1, 3) n", 10)


def test_a_connection_that_died_is_replaced(database):
    with database.stream("SELECT 1", 10) as result:
        list(result)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'vo_query' AND datname = current_database()"
        )
    with database.stream("SELECT 1", 10) as result:
        assert len(list(result)) == 1


def test_only_a_lost_connection_is_tried_again(database):
    asked = []

    def refuse(one: stream.BatchStream) -> None:
        asked.append(one)
        raise TransientFault("the query was cancelled before it began")

    with database.stream("SELECT 1", 10) as result:
        list(result)
    with pytest.raises(TransientFault):
        database.stream("SELECT 1", 10, refuse)
    assert len(asked) == 1


def test_a_query_that_fills_the_disk_is_ended(database):
    with psycopg.connect(database.query_dsn) as connection:
        assert connection.execute("SHOW temp_file_limit").fetchone() == ("20GB",)
    fault = translate("53400", "temporary file size exceeds temp_file_limit")
    assert isinstance(fault, UsageFault)
    assert "fewer rows" in fault.text


def test_who_is_cancelled_by_an_operator_has_not_been_too_slow(database):
    sql = "SELECT a AS ended_from_outside FROM generate_series(1, 10000) a, generate_series(1, 100000) b"
    with database.stream(sql, 60) as result, psycopg.connect(database.admin_dsn) as admin:
        admin.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'vo_query' AND state = 'active' "
            "AND datname = current_database() AND query LIKE '%ended_from_outside%'"
        )
        with pytest.raises(TransientFault, match="was cancelled") as caught:
            list(result)
    assert not isinstance(caught.value, TimeLimitFault)


def test_a_full_disk_of_the_database_is_told_as_one():
    fault = translate("53100", "could not extend file: No space left on device")
    assert isinstance(fault, TransientFault)
    assert "no room on its disk" in fault.text


def test_a_query_that_takes_all_memory_is_ended_alone(database):
    """A limit of each process: without it the kernel ends one, and PostgreSQL all others with it."""
    with psycopg.connect(database.admin_dsn) as admin:
        if not database.is_private:
            pytest.skip("the limit is that of a private cluster")
        (before,) = admin.execute("SELECT pg_postmaster_start_time()").fetchone() or (None,)
        text = "rpad(n::text, 100000000)"
        sql = f"SELECT {' || '.join([text] * 8)} AS a FROM generate_series(1, 2) n"  # 36 parts of 100 MB
        with pytest.raises(UsageFault, match="more memory"):
            database.stream(sql, 30)
        assert admin.execute("SELECT pg_postmaster_start_time()").fetchone() == (before,)


def test_the_server_away_is_transient(tmp_path):
    pool = stream.QueryPool(f"host={tmp_path} user=vo_query dbname=vo", 2, 1.0)
    for _ in range(3):
        with pytest.raises(TransientFault, match="try again") as caught:
            pool.stream("SELECT 1", 10)
        assert str(tmp_path) not in caught.value.text
    pool.close()


def test_every_connection_reads_only(database):
    with database.stream("SELECT current_setting('transaction_read_only') AS a", 10) as result:
        assert pa.Table.from_batches(result).to_pylist() == [{"a": "on"}]


def _running(database: Database, word: str) -> int:
    with psycopg.connect(database.admin_dsn) as admin:
        row = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'vo_query' AND state = 'active' "
            "AND datname = current_database() AND query LIKE %s",
            (f"%{word}%",),
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_cancel_that_strikes_the_drivers_own_question_is_known_as_one():
    """For its own statements the driver keeps no SQLSTATE: only its status says that they were cancelled."""
    said = "CANCELLED: [libpq] Failed to execute query: ERROR:  canceling statement due to user request"
    error = OperationalError(said, status_code=AdbcStatusCode.CANCELLED)
    assert sqlstate_of(error) == CANCELED
    assert sqlstate_of(OperationalError("gone", status_code=AdbcStatusCode.IO)) == ""
    assert sqlstate_of(OperationalError("gone", status_code=AdbcStatusCode.CANCELLED, sqlstate="57P01")) == "57P01"
