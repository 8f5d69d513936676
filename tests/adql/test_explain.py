"""Which indexes the planner takes for compiled queries, on a generated archive: 500,000 exposures in `make bench`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import exposures as large
import psycopg
import pytest

from vo.adql import compile_query
from vo.adql.rewrite import (
    PASSES,
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

#: The first test waits for the archive to be made.
pytestmark = pytest.mark.timeout(900)

POSITION = "obscore_position"
REGION = "obscore_s_region"
TIME_AND_REGION = "obscore_t_range_s_region"
IDENTIFIER = "obscore_obs_publisher_did_nocase"
TARGET = "obscore_target_name_nocase"
BIG = ("obscore", "plates")


@pytest.fixture(scope="module")
def observations(exposures: Database) -> Iterator[psycopg.Connection]:
    with exposures.owner() as connection:
        connection.commit()
        connection.autocommit = True
        yield connection


@pytest.fixture(scope="module")
def published(catalogue: Catalogue) -> Catalogue:
    return large.with_uploads(catalogue)


def plan(connection: psycopg.Connection, catalogue: Catalogue, query: str, **options: Any) -> list[dict[str, Any]]:
    """The nodes of the plan of an ADQL query."""
    sql = compile_query(query, catalogue, **options).sql
    row = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}".encode()).fetchone()
    assert row is not None
    answer = row[0] if isinstance(row[0], list) else json.loads(row[0])
    found: list[dict[str, Any]] = []
    open_nodes = [answer[0]["Plan"]]
    while open_nodes:
        node = open_nodes.pop()
        found.append(node)
        open_nodes += node.get("Plans", [])
    return found


def indexes(connection: psycopg.Connection, catalogue: Catalogue, query: str, **options: Any) -> set[str]:
    """The indexes of the plan; none of the large tables may be read whole."""
    nodes = plan(connection, catalogue, query, **options)
    scanned = [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG]
    assert not scanned, query
    return {node["Index Name"] for node in nodes if "Index Name" in node}


def is_read_whole(connection: psycopg.Connection, catalogue: Catalogue, query: str, **options: Any) -> bool:
    nodes = plan(connection, catalogue, query, **options)
    return any("Seq Scan" in node["Node Type"] and node["Relation Name"] in BIG for node in nodes)


def where(condition: str) -> str:
    return f"SELECT obs_id FROM ivoa.obscore WHERE {condition}"


def without(*passes: Any) -> dict[str, Any]:
    return {"passes": tuple(one for one in PASSES if one not in passes)}


# Truth values

CONTAINS = "CONTAINS(POINT(10, 20), s_region)"


@pytest.mark.parametrize(
    "condition",
    [
        f"1 = {CONTAINS}",
        "CONTAINS(POINT('ICRS', 10, 20), s_region) = 1",
        f"{CONTAINS} <> 0",
        f"{CONTAINS} > 0",
        f"{CONTAINS} IN (1)",
        f"1 IN ({CONTAINS})",
        f"{CONTAINS} NOT IN (0)",
        f"{CONTAINS} BETWEEN 1 AND 1",
        f"COALESCE({CONTAINS}, 0) = 1",
        f"{CONTAINS} * INTERSECTS(CIRCLE(10, 20, 1), s_region) = 1",
        "INTERSECTS(CIRCLE(10, 20, 0.5), s_region) = 1",
        "INTERSECTS(s_region, POLYGON(0, 0, 1, 0, 1, 1)) = 1",
        "INTERSECTS(s_region, BOX(10, 89, 1, 1)) = 1",
        "INTERSECTS(vo_range(355, 5, -2, 2), s_region) = 1",
    ],
)
def test_a_question_about_the_footprint_takes_its_index(observations, published, condition):
    assert indexes(observations, published, where(condition)) <= {REGION, TIME_AND_REGION}
    assert is_read_whole(observations, published, where(condition), **without(unwrap_truths))


@pytest.mark.parametrize(
    "condition",
    [
        f"NOT ({CONTAINS} = 0)",
        "NOT INTERSECTS(s_region, CIRCLE(10, 20, 0.5)) = 0",
        f"NOT ({CONTAINS} <> 1 OR s_ra < 5)",
    ],
)
def test_a_negation_leaves_the_index_of_the_footprint(observations, published, condition):
    assert indexes(observations, published, where(condition)) <= {REGION, TIME_AND_REGION}
    assert is_read_whole(observations, published, where(condition), **without(push_negations))


@pytest.mark.parametrize(
    ("condition", "index", "needed"),
    [
        ("1 = CONTAINS(POINT(s_ra, s_dec), POLYGON(0, 0, 1, 0, 1, 1))", POSITION, unwrap_truths),
        ("1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE(10, 20, 0.5)) AND COUNT(*) > 1", POSITION, use_cones),
        ("target_name ILIKE 'sa 77%'", TARGET, compare_lower_case),
    ],
)
def test_a_condition_on_groups_takes_an_index(observations, published, condition, index, needed):
    """PostgreSQL moves what HAVING says of grouped columns to WHERE."""
    keys = "s_ra, s_dec, target_name"
    query = f"SELECT {keys}, COUNT(*) FROM ivoa.obscore GROUP BY {keys} HAVING {condition}"
    assert indexes(observations, published, query) == {index}
    assert is_read_whole(observations, published, query, **without(needed))


# Cones


@pytest.mark.parametrize(
    "condition",
    [
        "1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 10, 20, 0.5))",
        "CONTAINS(POINT(s_ra, s_dec), CIRCLE(POINT(10, 20), 1/60.)) = 1",
        "DISTANCE(POINT(s_ra, s_dec), POINT(10, 20)) < 0.5",
        "0.5 > DISTANCE(10, 20, s_ra, s_dec)",
        "NOT DISTANCE(10, 20, s_ra, s_dec) > 0.5",
        "DISTANCE(10, 20, s_ra, s_dec) BETWEEN 0.1 AND 0.5",
        "DISTANCE(10, 20, s_ra, s_dec) * 3600 <= 60",
        "60 > 3600 * DISTANCE(10, 20, s_ra, s_dec)",
        "CONTAINS(POINT(10, 20), CIRCLE(s_ra, s_dec, 0.5)) = 1",
    ],
)
def test_a_question_about_the_distance_takes_the_index_on_points(observations, published, condition):
    assert indexes(observations, published, where(condition)) == {POSITION}
    assert is_read_whole(observations, published, where(condition), **without(use_cones))


@pytest.mark.parametrize(
    "condition",
    [
        "CONTAINS(POINT(s_ra, s_dec), POLYGON(0, 0, 1, 0, 1, 1)) = 1",
        "CONTAINS(POINT(s_ra, s_dec), vo_range(10, 11, 5, 6)) = 1",
        "CONTAINS(POINT(s_ra, s_dec), BOX(10, 20, 1, 1)) = 1",
    ],
)
def test_a_question_about_the_centre_takes_its_index(observations, published, condition):
    assert indexes(observations, published, where(condition)) == {POSITION}


@pytest.mark.parametrize(
    "condition",
    [
        "DISTANCE(POINT(u.ra, u.dec), POINT(o.s_ra, o.s_dec)) < 1/60.",
        "DISTANCE(POINT(o.s_ra, o.s_dec), POINT(u.ra, u.dec)) < u.err",
        "3600 * DISTANCE(o.s_ra, o.s_dec, u.ra, u.dec) <= 5 * u.err",
        "DISTANCE(o.s_ra, o.s_dec, u.ra, u.dec) < 3 * SQRT(POWER(u.err, 2) + u.dt * u.dt)",
        "1 = CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(u.ra, u.dec, u.err))",
        "1 = CONTAINS(POINT(u.ra, u.dec), CIRCLE(o.s_ra, o.s_dec, u.err))",
        "1 = CONTAINS(POINT(u.ra, u.dec), CIRCLE(o.s_ra, o.s_dec, 0.1))",
    ],
)
def test_positions_of_an_upload_take_the_index_on_points(observations, published, condition):
    for table in ("ivoa.obscore", "(SELECT * FROM ivoa.obscore WHERE calib_level = 2)"):
        query = f"SELECT o.obs_id FROM tap_upload.finds AS u JOIN {table} AS o ON {condition}"
        assert indexes(observations, published, query) == {POSITION}
        assert is_read_whole(observations, published, query, **without(use_cones))


CONE = (
    "(contains(point('ICRS', s_ra, s_dec), circle('ICRS', 10, 20, 0.5))=1"
    " or 1=intersects(circle('ICRS', 10, 20, 0.5), s_region))"
)
DISTANT = "(DISTANCE(s_ra, s_dec, 10, 20) < 0.5 OR 1=INTERSECTS(CIRCLE(10, 20, 0.5), s_region))"


@pytest.mark.parametrize("cone", [CONE, DISTANT])
def test_the_cone_of_obscore_clients_takes_an_index_on_both_branches(observations, published, cone):
    """pyVO's discovery sends this OR; one branch without an index would scan the whole table."""
    query = f"SELECT * FROM ivoa.obscore WHERE dataproduct_type='image' AND {cone}"
    assert any(node["Node Type"] == "BitmapOr" for node in plan(observations, published, query))
    assert indexes(observations, published, query) == {POSITION, REGION}
    for one in (unwrap_truths, use_cones):
        assert is_read_whole(observations, published, query, **without(one))
    timed = f"{query} AND t_min<=40001 AND t_max>=40000"
    assert TIME_AND_REGION in indexes(observations, published, timed)


@pytest.mark.parametrize("radius", ["0.5", "u.err"])
def test_the_same_cone_around_positions_of_an_upload(observations, published, radius):
    cone = f"(DISTANCE(u.ra, u.dec, s_ra, s_dec) < {radius} OR 1=INTERSECTS(CIRCLE(u.ra, u.dec, {radius}), s_region))"
    query = f"SELECT obs_id FROM tap_upload.finds AS u JOIN ivoa.obscore ON {cone}"
    assert indexes(observations, published, query) == {POSITION, REGION}
    assert is_read_whole(observations, published, query, **without(use_cones))
    timed = f"{query} WHERE u.epoch + u.dt >= t_min AND u.epoch - u.dt <= t_max"
    assert TIME_AND_REGION in indexes(observations, published, timed)


# Times

MOMENTS = [
    "40000.5 BETWEEN t_min AND t_max",
    "2440001.0 - 2400000.5 BETWEEN t_min AND t_max",
    "t_min <= 40000.5 AND t_max >= 40000.5",
    "t_min < 40001 AND 40000 < t_max",
    "NOT (t_min > 40001 OR t_max < 40000)",
    "ivo_interval_overlaps(t_min, t_max, 40000, 40001) = 1",
    "ivo_interval_overlaps(t_min - 1, t_max + 1, 40000, 40001) = 1",
    "t_min < ivo_to_mjd('1968-05-25') AND t_max > ivo_to_mjd('1968-05-24T12:00:00')",
    "t_min - 5 < 40000 AND t_max + 5 > 40000",
    "t_min + 2400000.5 < 2440001 AND t_max + 2400000.5 > 2440000",
    "(t_min + t_max) / 2 BETWEEN 40000 AND 40001",
    "ABS(0.5 * (t_min + t_max) - 40000) < 0.5",
    "t_min + (t_max - t_min) / 2 > 40000 AND t_min + (t_max - t_min) / 2 < 40000.1",
    "ABS(t_min - 40000) < 0.5 AND t_max < 40002",
    "t_min * 86400 < 40001 * 86400.0 AND t_max / 365.25 > 40000 / 365.25",
]


@pytest.mark.parametrize("condition", MOMENTS)
def test_times_take_the_index_on_ranges(observations, published, condition):
    for table in ("ivoa.obscore", "(SELECT obs_id, t_min, t_max FROM ivoa.obscore) AS q"):
        query = f"SELECT obs_id FROM {table} WHERE {condition}"
        assert indexes(observations, published, query) == {TIME_AND_REGION}
        assert TIME_AND_REGION not in indexes_or_none(observations, published, query, **without(add_time_ranges))


@pytest.mark.parametrize("condition", MOMENTS)
def test_place_and_time_take_their_common_index(observations, published, condition):
    query = where(f"{CONTAINS} = 1 AND {condition}")
    nodes = plan(observations, published, query)
    (used,) = [node["Index Cond"] for node in nodes if node.get("Index Name") == TIME_AND_REGION]
    assert "t_range" in used
    assert "s_region" in used


def indexes_or_none(connection, catalogue, query, **options):
    return {node.get("Index Name") for node in plan(connection, catalogue, query, **options)}


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("t_min + 0.5 > 48600", "obscore_t_min"),
        ("ABS(t_min - 40000) < 0.1", "obscore_t_min"),
        ("t_min * 86400 BETWEEN 40000 * 86400.0 AND 40000.1 * 86400", "obscore_t_min"),
        ("2400000.5 + t_max < 2410001.5", "obscore_t_max"),
    ],
)
def test_arithmetic_around_one_end_leaves_its_own_index(observations, published, condition, index):
    assert indexes(observations, published, where(condition)) == {index}
    assert is_read_whole(observations, published, where(condition), **without(add_time_ranges))


EPOCHS = [
    "u.epoch BETWEEN o.t_min AND o.t_max",
    "o.t_min < u.epoch AND o.t_max > u.epoch",
    "o.t_min - 5 < u.epoch AND o.t_max + 5 > u.epoch",
    "u.epoch + 2400000.5 - 2400000.5 BETWEEN o.t_min AND o.t_max",
    "ABS((o.t_min + o.t_max) / 2 - u.epoch) < u.dt",
    "ivo_interval_overlaps(o.t_min, o.t_max, u.epoch - u.dt, u.epoch + u.dt) = 1",
]


@pytest.mark.parametrize("condition", EPOCHS)
@pytest.mark.parametrize(
    "source",
    [
        "tap_upload.finds AS u JOIN ivoa.obscore AS o ON {place} WHERE {time}",
        "tap_upload.finds AS u JOIN ivoa.obscore AS o ON {place} AND {time}",
        "ivoa.obscore AS o, tap_upload.finds AS u WHERE {place} AND {time}",
        "tap_upload.finds AS u LEFT JOIN ivoa.obscore AS o ON {place} AND {time}",
        "(SELECT * FROM ivoa.obscore WHERE calib_level = 2) AS o JOIN tap_upload.finds AS u ON {place} WHERE {time}",
        "tap_upload.finds AS u JOIN q AS o ON {place} WHERE {time}",
        "tap_upload.finds AS u WHERE EXISTS (SELECT 1 FROM ivoa.obscore AS o WHERE {place} AND {time})",
    ],
)
def test_joined_places_and_times_take_their_common_index(observations, published, condition, source):
    place = "1 = CONTAINS(POINT(u.ra, u.dec), o.s_region)"
    query = f"SELECT u.id FROM {source.format(place=place, time=condition)}"
    if " q " in query:
        query = f"WITH q AS (SELECT obs_id, s_region, t_min, t_max FROM ivoa.obscore) {query}"
    nodes = plan(observations, published, query)
    inner = [node for node in nodes if node.get("Index Name") == TIME_AND_REGION]
    assert inner, nodes
    assert "t_range" in inner[0]["Index Cond"]
    assert "s_region" in inner[0]["Index Cond"]
    assert not is_read_whole(observations, published, query)


def test_a_query_named_twice_is_planned_where_it_is_named(observations, published):
    query = (
        "WITH q AS (SELECT * FROM ivoa.obscore) SELECT a.obs_id FROM q AS a, q AS b"
        " WHERE a.obs_publisher_did = 'ivo://example/dasch?Plate7' AND a.t_min <= b.t_max AND a.t_max >= b.t_min"
        " AND 1 = INTERSECTS(a.s_region, b.s_region)"
    )
    assert indexes(observations, published, query) == {"obscore_pkey", TIME_AND_REGION}


# The comet

COMET = (
    "SELECT * FROM dasch.narrow_plates JOIN tap_upload.{} ON (1=CONTAINS(POINT(ra, dec), s_region))"
    " WHERE t_min<epoch AND t_max>epoch"
)


@pytest.mark.parametrize("table", ["orbit", "long_orbit"])
def test_the_comet_takes_one_look_into_the_index_for_each_epoch(observations, published, table):
    sql = compile_query(COMET.format(table), published).sql
    row = observations.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}".encode()).fetchone()
    assert row is not None
    join = row[0][0]["Plan"]
    upload, plates = join["Plans"]
    assert upload["Relation Name"] == table
    assert plates["Index Name"] == "plates_t_range_s_region"
    assert plates["Actual Loops"] == upload["Actual Rows"]
    assert plates["Shared Hit Blocks"] + plates["Shared Read Blocks"] < 15 * upload["Actual Rows"]
    assert plates["Rows Removed by Filter"] < upload["Actual Rows"]


def test_the_comet_is_found_without_statistics_of_the_upload(exposures, published):
    with exposures.owner() as connection:
        connection.execute("CREATE TABLE tap_upload.fresh AS SELECT * FROM tap_upload.orbit")
        for count in (0, 1000):
            if not count:
                connection.execute("DELETE FROM tap_upload.fresh")
            sql = compile_query(COMET.format("orbit"), published).sql.replace("tap_upload.orbit", "tap_upload.fresh")
            row = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}".encode()).fetchone()
            assert row is not None
            assert "plates_t_range_s_region" in json.dumps(row[0])
        connection.rollback()


# Texts


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("UPPER(obs_publisher_did) = 'IVO://EXAMPLE/DASCH?PLATE5'", IDENTIFIER),
        ("'IVO://EXAMPLE/DASCH?PLATE5' = UPPER(obs_publisher_did)", IDENTIFIER),
        ("UPPER(obs_publisher_did) IN ('IVO://EXAMPLE/DASCH?PLATE5', 'IVO://EXAMPLE/DASCH?PLATE6')", IDENTIFIER),
        ("obs_publisher_did ILIKE 'ivo://example/dasch?Plate5'", IDENTIFIER),
        ("obs_publisher_did ILIKE 'ivo://example/dasch?Plate77%'", IDENTIFIER),
        ("ivo_nocasematch(obs_publisher_did, 'ivo://example/dasch?plate5') = 1", IDENTIFIER),
        ("UPPER(obs_publisher_did) LIKE 'IVO://EXAMPLE/DASCH?PLATE77%'", IDENTIFIER),
        ("UPPER(target_name) = 'SA 77'", TARGET),
        ("target_name ILIKE 'sa 77%'", TARGET),
    ],
)
def test_texts_of_any_case_take_the_index_in_lower_case(observations, published, condition, index):
    assert indexes(observations, published, where(condition)) == {index}
    assert is_read_whole(observations, published, where(condition), **without(compare_lower_case))


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("LOWER(obs_publisher_did) = 'ivo://example/dasch?plate5'", IDENTIFIER),
        ("LOWER(obs_publisher_did) LIKE 'ivo://example/dasch?plate5%'", IDENTIFIER),
        ("obs_publisher_did = 'ivo://example/dasch?Plate77'", "obscore_pkey"),
        ("obs_publisher_did LIKE 'ivo://example/dasch?Plate77%'", "obscore_pkey"),
        ("target_name LIKE 'SA 77%'", "obscore_target_name"),
    ],
)
def test_other_texts_take_an_index_as_they_are(observations, published, condition, index):
    assert indexes(observations, published, where(condition)) == {index}


# The nearest ones


@pytest.mark.parametrize("table", ["ivoa.obscore", "dasch.narrow_plates"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT TOP 10 s_ra, DISTANCE(s_ra, s_dec, 10, 20) AS d FROM {} ORDER BY d",
        "SELECT TOP 10 s_ra FROM {} ORDER BY DISTANCE(POINT(10, 20), POINT(s_ra, s_dec)), s_ra OFFSET 5",
        "SELECT TOP 10 s_ra FROM {} WHERE series = 'mc' ORDER BY DISTANCE(POINT(s_ra, s_dec), POINT(10, 20))",
    ],
)
def test_the_nearest_take_the_index_that_orders(observations, published, query, table):
    written, name = query.format(table), table.rpartition(".")[2].removeprefix("narrow_")
    nodes = plan(observations, published, written)
    assert any(node.get("Index Name") == f"{name}_nearest" and "Order By" in node for node in nodes), nodes
    assert not is_read_whole(observations, published, written)
    assert is_read_whole(observations, published, written, **without(ask_nearest)) or "series" in query


@pytest.mark.parametrize("place", ["10, 20", "0, 0", "359.9, -89.5", "123, 90", "180, 45.3"])
def test_the_nearest_are_the_nearest(observations, published, place):
    query = (
        f"SELECT TOP 100 obs_publisher_did, DISTANCE(s_ra, s_dec, {place}) AS d FROM ivoa.obscore ORDER BY d,"
        " obs_publisher_did OFFSET 7"
    )
    found, sorted_ = (
        observations.execute(compile_query(query, published, **options).sql.encode()).fetchall()
        for options in ({}, without(ask_nearest))
    )
    assert len(found) == 100
    assert found == sorted_


# What is selected


def test_a_selected_footprint_is_read_from_its_text(observations, published):
    assert "spoly" not in compile_query("SELECT s_region FROM ivoa.obscore", published).sql
    row = observations.execute(compile_query("SELECT TOP 1 s_region FROM ivoa.obscore", published).sql.encode())
    assert row.fetchone()[0].startswith("POLYGON ICRS")


def test_constants_are_written_as_they_are(observations, published):
    query = where("DISTANCE(s_ra, s_dec, 10, 20) < 5 / 3600. + RADIANS(1)")
    assert indexes(observations, published, query) == {POSITION}
    assert "radians(1.0::float8)" in compile_query(query, published, **without(fold_constants)).sql
    assert "radians(1.0::float8)" not in compile_query(query, published).sql
