"""The planner takes the index that docs/design.md intends, for the SQL that queries are rendered to."""

import json
import math

import numpy as np
import pytest

from vo.db.merge import merge

KEY = ("obs_publisher_did",)
COLUMNS = (
    "obs_publisher_did", "calib_level", "obs_collection", "obs_id", "plate_id", "exposure_id", "s_ra", "s_dec",
    "s_region", "s_region_text", "t_min", "t_max",
)  # fmt: skip
POINT = "spoint(radians(83.8), radians(-5.4))"


@pytest.fixture(scope="module")
def filled(fresh_database):
    database = fresh_database()
    generator = np.random.default_rng(2)
    dec = np.degrees(np.arcsin(generator.uniform(-0.98, 0.98, 8_000)))
    ra = generator.uniform(0, 360, 8_000)
    start = generator.uniform(10_000, 48_000, 8_000)
    length = np.where(generator.uniform(size=8_000) < 0.01, 365.0, 0.04)  # a few of year-long uncertainty
    with database.owner() as connection:
        rows = (_row(*values) for values in enumerate(zip(ra, dec, start, length, strict=True)))
        merge(connection, "ivoa.obscore", KEY, COLUMNS, rows)
        connection.execute("ANALYZE ivoa.obscore")
    return database


def _row(number, values):
    ra, dec, start, length = map(float, values)
    wide = 2.5 / math.cos(math.radians(dec))
    corners = [(ra - wide, dec - 2.5), (ra + wide, dec - 2.5), (ra + wide, dec + 2.5), (ra - wide, dec + 2.5)]
    region = "{" + ",".join(f"({a % 360!r}d, {max(-89.9, min(89.9, d))!r}d)" for a, d in corners) + "}"
    name = f"ivo://x/y?{number}"
    return (name, 2, "X", str(number), str(number), "1", ra, dec, region, "POLYGON ICRS", start, start + length)


def indexes_of(database, where):
    with database.read() as connection:
        row = connection.execute(f"EXPLAIN (FORMAT JSON) SELECT obs_id FROM ivoa.obscore WHERE {where}").fetchone()
    assert row is not None
    text = json.dumps(row[0])
    assert '"Seq Scan"' not in text
    return {part.split('"')[0] for part in text.split('"Index Name": "')[1:]}


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (f"{POINT} <@ s_region", "obscore_s_region"),
        (f"s_region && scircle({POINT}, radians(1.0))", "obscore_s_region"),
        (f"s_region <@ scircle({POINT}, radians(20.0))", "obscore_s_region"),
        (f"{POINT} <@ s_region AND t_range @> 20000.5::float8", "obscore_t_range_s_region"),
        (f"{POINT} <@ s_region AND t_range && vo.mjd_range(20000.0, 20100.0, '[]')", "obscore_t_range_s_region"),
        (f"spoint(radians(s_ra), radians(s_dec)) <@ scircle({POINT}, radians(1.0))", "obscore_position"),
        ("lower(obs_publisher_did) = lower('ivo://x/y?7')", "obscore_obs_publisher_did_nocase"),
        ("obs_publisher_did = 'ivo://x/y?7'", "obscore_pkey"),
        ("obs_id = '7'", "obscore_obs_id"),
        ("t_min BETWEEN 20000.0 AND 20000.5", "obscore_t_min"),
    ],
)
def test_index(filled, where, index):
    assert indexes_of(filled, where) == {index}


def test_a_join_by_position_and_time_goes_through_the_index(filled):
    sql = (
        "EXPLAIN SELECT count(*) FROM generate_series(1, 1000) n, ivoa.obscore o "
        "WHERE spoint(radians((n % 360)::float8), radians(10.0)) <@ o.s_region AND o.t_range @> (20000.0 + n)::float8"
    )
    with filled.read() as connection:
        plan = "\n".join(row[0] for row in connection.execute(sql))
    assert "obscore_t_range_s_region" in plan
    assert "Seq Scan on obscore" not in plan


def test_the_narrow_view_keeps_the_index(fresh_database, collections):
    database = fresh_database()
    name = f"{collections[0].name}.narrow_plates"
    with database.read() as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute(f"EXPLAIN SELECT plate_id FROM {name} WHERE {POINT} <@ s_region").fetchall()
    assert "plates_s_region" in "\n".join(row[0] for row in plan)
