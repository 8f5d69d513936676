import math
import time
from collections.abc import Callable

import numpy as np
import pytest

from vo.db.connect import Database
from vo.db.merge import Counts, merge, prune
from vo.errors import OperatorFault

KEY = ("obs_publisher_did",)
COLUMNS = (
    "obs_publisher_did", "dataproduct_type", "calib_level", "obs_collection", "obs_id", "plate_id", "exposure_id",
    "s_ra", "s_dec", "s_fov", "s_region", "s_region_text", "t_min", "t_max", "target_name",
)  # fmt: skip


def row(number: int, ra: float, dec: float, t_min: float = 20000.0, size: float = 3.0) -> tuple[object, ...]:
    half = size / 2
    corners = [(ra - half, dec - half), (ra + half, dec - half), (ra + half, dec + half), (ra - half, dec + half)]
    region = "{" + ",".join(f"({math.radians(a) % (2 * math.pi)!r}, {math.radians(d)!r})" for a, d in corners) + "}"
    text = "POLYGON ICRS " + " ".join(f"{a % 360!r} {d!r}" for a, d in corners)
    return (
        f"ivo://x/y?{number}", "image", 2, "X", f"p{number // 2}", f"p{number // 2}", str(number % 2),
        ra, dec, size * 1.5, region, text, t_min, t_min + 0.04, None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def own(fresh_database: Callable[[], Database]) -> Database:
    return fresh_database()


def test_counts_and_idempotence(own):
    rows = [row(n, 10.0 + n / 10, 20.0) for n in range(100)]
    with own.owner() as connection:
        assert merge(connection, "ivoa.obscore", KEY, COLUMNS, rows) == Counts(100, 0, 0)
        assert merge(connection, "ivoa.obscore", KEY, COLUMNS, rows) == Counts(0, 0, 100)
        rows[7] = row(7, 11.0, 20.0)
        rows.append(row(100, 1.0, 2.0))
        assert merge(connection, "ivoa.obscore", KEY, COLUMNS, rows) == Counts(1, 1, 99)
        found = connection.execute(
            "SELECT s_ra, s_region_text FROM ivoa.obscore WHERE obs_publisher_did = %s", (rows[7][0],)
        )
        assert found.fetchone() == (11.0, rows[7][11])


def test_a_hundred_rows_of_no_change_write_nothing(own):
    rows = [row(n, 10.0, 20.0) for n in range(200, 300)]
    with own.owner() as connection:
        merge(connection, "ivoa.obscore", KEY, COLUMNS, rows)
    with own.owner() as connection:
        before = connection.execute("SELECT max(xmin::text::bigint) FROM ivoa.obscore").fetchone()
        merge(connection, "ivoa.obscore", KEY, COLUMNS, rows)
        assert connection.execute("SELECT max(xmin::text::bigint) FROM ivoa.obscore").fetchone() == before


def test_numpy_values_and_nulls(own):
    values = list(row(400, 10.0, 20.0))
    values[2] = np.int64(2)
    values[7] = np.float64(12.25)
    values[8] = np.float32(-0.5)
    values[10] = values[11] = None
    with own.owner() as connection:
        merge(connection, "ivoa.obscore", KEY, COLUMNS, [values])
        found = connection.execute("SELECT calib_level, s_ra, s_dec, s_region FROM ivoa.obscore WHERE obs_id = 'p200'")
        assert found.fetchone() == (2, 12.25, -0.5, None)


def test_same_key_twice_is_refused_by_name(own):
    with own.owner() as connection, pytest.raises(OperatorFault, match=r"ivo://x/y\?900"):
        merge(connection, "ivoa.obscore", KEY, COLUMNS, [row(900, 1, 1), row(900, 2, 2)])


def test_identifiers_that_differ_in_case_only_are_refused(own):
    other = list(row(950, 1, 1))
    other[0] = "IVO://x/Y?950"
    with pytest.raises(OperatorFault, match="obscore_obs_publisher_did_nocase"), own.owner() as connection:
        merge(connection, "ivoa.obscore", KEY, COLUMNS, [row(950, 1, 1), other])


def test_time_upside_down_is_refused(own):
    bad = list(row(960, 1, 1))
    bad[13] = bad[12] - 1
    with pytest.raises(OperatorFault, match="obscore_time_order"), own.owner() as connection:
        merge(connection, "ivoa.obscore", KEY, COLUMNS, [bad])


def test_a_shape_that_pgsphere_refuses_is_an_operators_fault(own):
    bad = list(row(970, 1, 1))
    bad[10] = "{(0, 0), (1, 0)}"
    with pytest.raises(OperatorFault, match=r"ivoa\.obscore"), own.owner() as connection:
        merge(connection, "ivoa.obscore", KEY, COLUMNS, [bad])


def test_time_range_is_null_safe(own):
    rows = [list(row(n, 1, 1)) for n in (980, 981, 982)]
    rows[0][12] = None
    rows[1][13] = None
    with own.owner() as connection:
        merge(connection, "ivoa.obscore", KEY, COLUMNS, rows)
        found = connection.execute(
            "SELECT t_range IS NULL, t_range @> 20000.04::float8 FROM ivoa.obscore "
            "WHERE obs_publisher_did = ANY(%s) ORDER BY obs_publisher_did", ([one[0] for one in rows],)
        ).fetchall()  # fmt: skip
        assert found == [(True, None), (True, None), (False, True)]


def test_prune_removes_only_in_scope(own):
    with own.owner() as connection:
        merge(connection, "ivoa.obscore", KEY, COLUMNS, [row(n, 1, 1) for n in range(1000, 1006)])
        gone = prune(
            connection,
            "ivoa.obscore",
            {"obs_collection": ["X"], "plate_id": ["p500", "p501"]},
            KEY,
            [row(1000, 1, 1)[:1]],
        )
        assert gone == 3
        left = connection.execute(
            "SELECT count(*) FROM ivoa.obscore WHERE plate_id IN ('p500', 'p501', 'p502')"
        ).fetchone()
        assert left == (3,)
        with pytest.raises(ValueError, match="scope"):
            prune(connection, "ivoa.obscore", {}, KEY, [])


def test_many_rows(own):
    # pgSphere needs 80 us to make the index key of a rectangle, twice for each new row; a row that stays costs little.
    generator = np.random.default_rng(1)
    dec = np.degrees(np.arcsin(generator.uniform(-0.99, 0.99, 5_000))).tolist()
    ra = generator.uniform(0, 360, 5_000).tolist()
    rows = [row(n + 10_000, a, d, 20000.0 + n / 10) for n, (a, d) in enumerate(zip(ra, dec, strict=True))]
    with own.owner() as connection:
        start = time.monotonic()
        assert merge(connection, "ivoa.obscore", KEY, COLUMNS, rows) == Counts(5_000, 0, 0)
        between = time.monotonic()
        assert merge(connection, "ivoa.obscore", KEY, COLUMNS, rows) == Counts(0, 0, 5_000)
        assert time.monotonic() - between < between - start


def test_many_merges_in_one_transaction_take_no_more_locks(own):
    """A large list comes in hundreds of parts; a server has locks for a few thousand tables."""

    def locks(connection) -> int:
        (count,) = connection.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()").fetchone()
        return int(count)

    with own.owner() as connection:
        counted = []
        for part in range(20):
            rows = [row(number, 10.0, 20.0) for number in range(5000 + part * 5, 5005 + part * 5)]
            assert merge(connection, "ivoa.obscore", KEY, COLUMNS, rows) == Counts(5, 0, 0)
            prune(connection, "ivoa.obscore", {"plate_id": [rows[0][5]]}, KEY, [(one[0],) for one in rows])
            counted.append(locks(connection))
    assert counted[-1] == counted[1]
