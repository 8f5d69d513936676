"""Which indexes the planner takes for compiled queries, on 20,000 rows of the project's own ivoa.obscore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from adql import sphere

from vo.adql import compile_query
from vo.metadata.fields import Catalogue, Kind

ROWS = 20_000
FILLERS = {Kind.CHAR: "''", Kind.DOUBLE: "0", Kind.BOOLEAN: "false", Kind.TIMESTAMP: "now()"}

POSITION = "obscore_position"
REGION = "obscore_s_region"
TIME_AND_REGION = "obscore_t_range_s_region"


@pytest.fixture(scope="module")
def observations(fresh_database, catalogue) -> Iterator[psycopg.Connection]:
    """Plates of 5 degrees all over the sky, an hour long each, over a hundred years, one in a thousand of a year."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(ROWS, 3))
    centres /= np.linalg.norm(centres, axis=1)[:, None]
    lon, lat = sphere.lon_lat(centres)
    begin = rng.uniform(15000, 51500, ROWS)
    end = begin + np.where(rng.uniform(size=ROWS) < 0.001, 365, 0.04)
    angles = np.radians([45, 135, 225, 315])
    table = catalogue.by_name["ivoa.obscore"]
    own = ["obs_publisher_did", "s_ra", "s_dec", "s_region", "s_region_text", "t_min", "t_max"]
    needed = [column for column in table.columns if not column.nullable and column.name not in own]
    with fresh_database().owner() as connection:
        for column in needed:
            filler = FILLERS.get(column.kind, "0")
            connection.execute(f"ALTER TABLE ivoa.obscore ALTER COLUMN {column.name} SET DEFAULT {filler}".encode())
        with connection.cursor().copy(f"COPY ivoa.obscore ({', '.join(own)}) FROM STDIN".encode()) as copy:
            for i in range(ROWS):
                region = sphere.spoly(sphere.around(centres[i], 3.5, angles))
                copy.write_row((f"ivo://x/y?{i}", lon[i], lat[i], region, "", begin[i], end[i]))
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE ivoa.obscore")
        yield connection


def plan(connection: psycopg.Connection, catalogue: Catalogue, query: str) -> list[dict[str, Any]]:
    """The nodes of the plan of an ADQL query."""
    sql = compile_query(query, catalogue).sql
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


def indexes(connection: psycopg.Connection, catalogue: Catalogue, query: str) -> set[str]:
    """The indexes of the plan; none may be scanned as a table is."""
    nodes = plan(connection, catalogue, query)
    scanned = [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "obscore"]
    assert not scanned, query
    return {node["Index Name"] for node in nodes if "Index Name" in node}


@pytest.mark.parametrize(
    "condition",
    [
        "1 = CONTAINS(POINT(10, 20), s_region)",
        "CONTAINS(POINT('ICRS', 10, 20), s_region) = 1",
        "INTERSECTS(CIRCLE(10, 20, 0.5), s_region) = 1",
        "INTERSECTS(s_region, POLYGON(0, 0, 1, 0, 1, 1)) = 1",
        "INTERSECTS(s_region, BOX(10, 89, 1, 1)) = 1",
        "NOT INTERSECTS(s_region, CIRCLE(10, 20, 0.5)) = 0",
        "INTERSECTS(vo_range(355, 5, -2, 2), s_region) = 1",
    ],
)
def test_a_question_about_the_footprint_takes_its_index(observations, catalogue, condition):
    used = indexes(observations, catalogue, f"SELECT obs_id FROM ivoa.obscore WHERE {condition}")
    assert used <= {REGION, TIME_AND_REGION}


@pytest.mark.parametrize(
    "condition",
    [
        "1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 10, 20, 0.5))",
        "CONTAINS(POINT(s_ra, s_dec), CIRCLE(POINT(10, 20), 1/60.)) = 1",
        "DISTANCE(POINT(s_ra, s_dec), POINT(10, 20)) < 0.5",
        "0.5 > DISTANCE(10, 20, s_ra, s_dec)",
        "DISTANCE(10, 20, s_ra, s_dec) BETWEEN 0.1 AND 0.5",
        "CONTAINS(POINT(10, 20), CIRCLE(s_ra, s_dec, 0.5)) = 1",
        "CONTAINS(POINT(s_ra, s_dec), POLYGON(0, 0, 1, 0, 1, 1)) = 1",
        "CONTAINS(POINT(s_ra, s_dec), vo_range(10, 11, 5, 6)) = 1",
        "CONTAINS(POINT('FK5', s_ra, s_dec), CIRCLE('FK5', 10, 20, 0.5)) = 1",
        "DISTANCE(POINT(s_ra, s_dec), POINT('GALACTIC', 10, 20)) < 0.5",
        "INTERSECTS(CIRCLE(s_ra, s_dec, 0.1), CIRCLE(10, 20, 0.5)) = 1",
    ],
)
def test_a_question_about_the_centre_takes_its_index(observations, catalogue, condition):
    assert indexes(observations, catalogue, f"SELECT obs_id FROM ivoa.obscore WHERE {condition}") == {POSITION}


@pytest.mark.parametrize(
    "condition",
    [
        "40000.5 BETWEEN t_min AND t_max",
        "t_min <= 40000.5 AND t_max >= 40000.5",
        "t_min < 40001 AND 40000 < t_max",
        "NOT (t_min > 40001 OR t_max < 40000)",
        "ivo_interval_overlaps(t_min, t_max, 40000, 40001) = 1",
    ],
)
def test_place_and_time_take_their_common_index(observations, catalogue, condition):
    place = "1 = CONTAINS(POINT(10, 20), s_region)"
    query = f"SELECT obs_id FROM ivoa.obscore WHERE {place} AND {condition}"
    assert indexes(observations, catalogue, query) == {TIME_AND_REGION}


def test_joined_places_and_times_take_their_common_index(observations, catalogue):
    ephemeris = "(SELECT TOP 2000 s_ra, s_dec, t_min AS epoch FROM ivoa.obscore) AS e"
    query = (
        f"SELECT o.obs_id FROM {ephemeris} JOIN ivoa.obscore AS o"
        " ON 1 = CONTAINS(POINT(e.s_ra, e.s_dec), o.s_region) AND e.epoch BETWEEN o.t_min AND o.t_max"
    )
    nodes = plan(observations, catalogue, query)
    inner = [node for node in nodes if node.get("Index Name") == TIME_AND_REGION]
    assert inner, nodes
    assert "t_range" in inner[0]["Index Cond"]
    assert "s_region" in inner[0]["Index Cond"]


def test_positions_of_two_tables_take_the_index_on_points(observations, catalogue):
    query = (
        "SELECT o.obs_id FROM (SELECT TOP 500 s_ra, s_dec FROM ivoa.obscore) AS e"
        " JOIN ivoa.obscore AS o ON DISTANCE(POINT(e.s_ra, e.s_dec), POINT(o.s_ra, o.s_dec)) < 1/60."
    )
    assert any(node.get("Index Name") == POSITION for node in plan(observations, catalogue, query))


def test_circles_with_radii_of_their_own_take_the_index_on_points(observations, catalogue):
    query = (
        "SELECT o.obs_id FROM (SELECT TOP 500 s_ra, s_dec, t_min / 1000000 AS r FROM ivoa.obscore) AS e"
        " JOIN ivoa.obscore AS o ON 1 = CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(e.s_ra, e.s_dec, e.r))"
    )
    assert any(node.get("Index Name") == POSITION for node in plan(observations, catalogue, query))


def test_the_cone_of_obscore_clients_takes_an_index_on_both_branches(observations, catalogue):
    """pyVO's discovery sends this OR; one branch without an index would scan the whole table."""
    query = (
        "SELECT * FROM ivoa.obscore WHERE dataproduct_type='image' AND"
        " (contains(point('ICRS', s_ra, s_dec), circle('ICRS', 10, 20, 0.5))=1"
        " or 1=intersects(circle('ICRS', 10, 20, 0.5), s_region)) AND t_min<=40001 AND t_max>=40000"
    )
    without_time = query.split(" AND t_min", maxsplit=1)[0]
    nodes = plan(observations, catalogue, without_time)
    assert any(node["Node Type"] == "BitmapOr" for node in nodes)
    assert indexes(observations, catalogue, without_time) in ({POSITION, REGION}, {POSITION, TIME_AND_REGION})
    assert indexes(observations, catalogue, query)


def test_a_selected_footprint_is_read_from_its_text(observations, catalogue):
    assert "spoly" not in compile_query("SELECT s_region FROM ivoa.obscore", catalogue).sql
    assert observations.execute(
        compile_query("SELECT TOP 1 s_region FROM ivoa.obscore", catalogue).sql.encode()
    ).fetchone() == ("",)


def test_an_identifier_takes_its_key(observations, catalogue):
    used = indexes(observations, catalogue, "SELECT * FROM ivoa.obscore WHERE obs_publisher_did = 'ivo://x/y?77'")
    assert len(used) == 1
