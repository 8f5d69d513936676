"""What each pass of the rewriter gains on 500,000 exposures: the same query with all passes and without the one.

The comet query of docs/adql.md has limits of its own. Each query runs as users' queries do, all rows fetched; times are
medians. A query that would take hours unrewritten is asked for a part of the upload's rows only, on both sides.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator

import exposures as large
import pytest

from vo.adql import compile_query
from vo.adql.rewrite import (
    PASSES,
    Pass,
    add_time_ranges,
    ask_nearest,
    compare_lower_case,
    fold_constants,
    push_negations,
    unwrap_truths,
    use_cones,
)
from vo.db.connect import Database
from vo.metadata.fields import Catalogue

pytestmark = pytest.mark.timeout(1800)

#: Seconds that the comet query may take, by the upload's number of rows.
COMET = {"orbit": 0.1, "long_orbit": 1.0}
ROUNDS = 7
ROUNDS_WITHOUT = 5
LONGEST = 120.0

OBSCORE = "SELECT obs_id FROM ivoa.obscore WHERE "
FEW = "SELECT o.obs_id FROM (SELECT TOP 5 * FROM tap_upload.finds) AS u JOIN ivoa.obscore AS o ON "
CONTAINS = "CONTAINS(POINT(10, 20), s_region)"
JOINED_CONE = "(DISTANCE(o.s_ra, o.s_dec, u.ra, u.dec) < 0.5 OR 1 = INTERSECTS(CIRCLE(u.ra, u.dec, 0.5), o.s_region))"

#: What is asked, the pass that is left out, and how many times faster the query must be with it.
QUERIES: dict[str, tuple[str, Pass, float]] = {
    "CONTAINS = 1": (f"{OBSCORE} 1 = {CONTAINS}", unwrap_truths, 10),
    "CONTAINS IN (1)": (f"{OBSCORE} {CONTAINS} IN (1)", unwrap_truths, 10),
    "NOT CONTAINS = 0": (f"{OBSCORE} NOT {CONTAINS} = 0", push_negations, 10),
    "CONTAINS, joined": (f"{FEW} 1 = CONTAINS(POINT(u.ra, u.dec), o.s_region)", unwrap_truths, 10),
    "DISTANCE < r": (f"{OBSCORE} DISTANCE(s_ra, s_dec, 10, 20) < 0.5", use_cones, 10),
    "DISTANCE in arcsec": (f"{OBSCORE} DISTANCE(s_ra, s_dec, 10, 20) * 3600 < 60", use_cones, 10),
    "DISTANCE < u.err, joined": (f"{FEW} DISTANCE(o.s_ra, o.s_dec, u.ra, u.dec) < u.err", use_cones, 10),
    "POINT in CIRCLE": (f"{OBSCORE} 1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE(10, 20, 0.5))", use_cones, 10),
    "cone of ObsCore": (
        f"{OBSCORE} (DISTANCE(s_ra, s_dec, 10, 20) < 0.5 OR 1 = INTERSECTS(CIRCLE(10, 20, 0.5), s_region))",
        use_cones,
        10,
    ),
    "cone of ObsCore, joined": (
        f"{FEW} {JOINED_CONE}",
        use_cones,
        10,
    ),
    "cone of ObsCore and time, joined": (
        f"{FEW} {JOINED_CONE} WHERE u.epoch BETWEEN o.t_min AND o.t_max",
        add_time_ranges,
        2,
    ),
    "place and moment": (f"{OBSCORE} 1 = {CONTAINS} AND 40000.5 BETWEEN t_min AND t_max", add_time_ranges, 3),
    "moment": (f"{OBSCORE} t_min < 40000.5 AND t_max > 40000.5", add_time_ranges, 10),
    "middle of exposure": (f"{OBSCORE} ABS((t_min + t_max) / 2 - 40000) < 0.5", add_time_ranges, 10),
    "times as Julian dates": (
        f"{OBSCORE} t_min + 2400000.5 < 2440001 AND t_max + 2400000.5 > 2440000",
        add_time_ranges,
        10,
    ),
    "t_min + 0.5": (f"{OBSCORE} t_min + 0.5 > 48600", add_time_ranges, 10),
    "moment of a sub-query": (
        "SELECT obs_id FROM (SELECT * FROM ivoa.obscore) AS q WHERE 40000.5 BETWEEN t_min AND t_max",
        add_time_ranges,
        10,
    ),
    "moment, joined": (f"{FEW} u.epoch BETWEEN o.t_min AND o.t_max", add_time_ranges, 10),
    "place and moment, joined": (
        f"{FEW} 1 = CONTAINS(POINT(u.ra, u.dec), o.s_region) AND u.epoch BETWEEN o.t_min AND o.t_max",
        add_time_ranges,
        10,
    ),
    "UPPER(did) =": (
        f"{OBSCORE} UPPER(obs_publisher_did) = 'IVO://EXAMPLE/DASCH?PLATE5'",
        compare_lower_case,
        10,
    ),
    "name ILIKE 'x%'": (f"{OBSCORE} target_name ILIKE 'sa 77%'", compare_lower_case, 10),
    "TOP 10 by DISTANCE": (
        "SELECT TOP 10 obs_id FROM ivoa.obscore ORDER BY DISTANCE(POINT(s_ra, s_dec), POINT(10, 20))",
        ask_nearest,
        5,
    ),
    "radius in arcmin": (
        f"{OBSCORE} DISTANCE(s_ra, s_dec, 10, 20) < 30 / 60. + SQRT(4) * RADIANS(1)",
        fold_constants,
        10,
    ),
}


@pytest.fixture(scope="module")
def published(catalogue: Catalogue) -> Catalogue:
    return large.with_uploads(catalogue)


def ask(database: Database, sql: str) -> int:
    """Run a query as the service does, and count its rows."""
    with database.stream(sql, LONGEST) as batches:
        return sum(batch.num_rows for batch in batches)


def seconds(database: Database, sql: str, rounds: int) -> float:
    """The median of some rounds, after one that warms the caches."""
    ask(database, sql)
    return statistics.median(_timed(database, sql, rounds))


def _timed(database: Database, sql: str, rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        begin = time.perf_counter()
        ask(database, sql)
        yield time.perf_counter() - begin


@pytest.mark.parametrize("title", QUERIES)
def test_a_pass_makes_its_queries_faster(exposures: Database, published: Catalogue, benchmark, title: str):
    query, left_out, least = QUERIES[title]
    rewritten = compile_query(query, published).sql
    plain = compile_query(query, published, passes=tuple(one for one in PASSES if one is not left_out)).sql
    assert ask(exposures, rewritten) == ask(exposures, plain)
    slow = seconds(exposures, plain, ROUNDS_WITHOUT)
    fast = seconds(exposures, rewritten, ROUNDS)
    benchmark.extra_info |= {"pass": left_out.__name__, "without_ms": slow * 1000, "with_ms": fast * 1000}
    sys.stderr.write(
        f"\n{title:34} {left_out.__name__:20} {slow * 1000:10.2f} ms {fast * 1000:9.2f} ms {slow / fast:8.0f} times"
    )
    benchmark.pedantic(ask, (exposures, rewritten), rounds=3)
    assert slow / fast > least


@pytest.mark.parametrize("table", COMET)
def test_the_comet(exposures: Database, published: Catalogue, benchmark, table: str):
    query = (
        f"SELECT * FROM dasch.narrow_plates JOIN tap_upload.{table} ON (1=CONTAINS(POINT(ra, dec), s_region))"
        " WHERE t_min<epoch AND t_max>epoch"
    )
    sql = compile_query(query, published).sql
    taken = seconds(exposures, sql, ROUNDS)
    sys.stderr.write(f"\nthe comet, {table}: {taken * 1000:.1f} ms, {ask(exposures, sql)} rows")
    benchmark.pedantic(ask, (exposures, sql), rounds=3)
    assert taken < COMET[table]
