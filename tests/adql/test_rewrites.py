"""Each pass on random rows: what it adds takes no row away and brings none, whatever else is rewritten."""

from __future__ import annotations

import math
import random
import struct

import psycopg
import pytest
from adql.tables import CATALOGUE
from hypothesis import given
from hypothesis import strategies as st

from vo.adql import compile_query
from vo.adql.kinds import Type
from vo.adql.plan import Apply, Constant, Expression, Minus, Operators
from vo.adql.render.values import Values
from vo.adql.rewrite import PASSES, add_time_ranges, compare_lower_case, use_cones
from vo.adql.rewrite.constants import folded

CHOICES = [PASSES, *((one,) for one in PASSES), *(tuple(p for p in PASSES if p is not one) for one in PASSES)]

#: Of those that join, some passes are tried alone and some left out.
_JOINING = (use_cones, add_time_ranges, compare_lower_case)
CHOICES_OF_JOINS = [PASSES, *((one,) for one in _JOINING), tuple(p for p in PASSES if p not in _JOINING)]

#: Values that arithmetic could stumble over.
ODD = [math.nan, math.inf, -math.inf, 1.7e308, -1.7e308, 1e-300, 0.0, None]


@pytest.fixture(scope="module", autouse=True)
def rows(connection: psycopg.Connection) -> None:
    rng = random.Random(8)  # noqa: S311 - test data
    plates, stars = [], []
    for i in range(200):
        begin = rng.choice([None, *[rng.uniform(0, 100)] * 20])
        end = None if begin is None or rng.random() < 0.05 else begin + rng.choice([0, rng.uniform(0, 3), 60])
        lon, lat = rng.uniform(-20, 20), rng.uniform(-20, 20)
        if rng.random() < 0.05:
            lon = lat = None
        shape = None
        if rng.random() > 0.05:
            a, b = rng.uniform(-20, 15), rng.uniform(-20, 15)
            shape = f"{{({a}d,{b}d),({a + 5}d,{b}d),({a + 5}d,{b + 5}d),({a}d,{b + 5}d)}}"
        name = rng.choice([None, "Ab", "aB", "AB", "abc", "B", "a_", "a%"])
        plates.append((i, name, lon, lat, rng.choice([None, 1, 2, 3]), begin, end, shape))
    for i in range(80):
        epoch = rng.choice(ODD) if rng.random() < 0.2 else rng.uniform(0, 100)
        error = rng.choice([None, -1.0, 0.0, 400.0, 2.5])
        name = rng.choice([None, "ab", "AB", "b"])
        stars.append((i, rng.uniform(-20, 20), rng.uniform(-20, 20), error, epoch, name))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sky.plates (id, name, ra, dec, n, t_min, t_max, shape)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            plates,
        )
        cursor.execute("UPDATE sky.plates SET place = spoint(radians(ra), radians(dec)), mag = n")
        cursor.executemany(
            "INSERT INTO sky.stars (id, ra, dec, mag, epoch, name) VALUES (%s, %s, %s, %s, %s, %s)", stars
        )


CONDITIONS = [
    "CONTAINS(POINT(3, 4), shape) IN (1)",
    "CONTAINS(POINT(3, 4), shape) NOT IN (1)",
    "NOT CONTAINS(POINT(3, 4), shape) IN (1, NULL)",
    "COALESCE(CONTAINS(POINT(3, 4), shape), 0) = 1",
    "COALESCE(CONTAINS(POINT(3, 4), shape), 1) = 1",
    "NOT COALESCE(CONTAINS(POINT(3, 4), shape), 0) = 1",
    "COALESCE(CONTAINS(POINT(3, 4), shape), 0) = 0 OR n = 1",
    "CONTAINS(POINT(3, 4), shape) * CONTAINS(place, CIRCLE(0, 0, 10)) = 1",
    "CONTAINS(POINT(3, 4), shape) + CONTAINS(place, CIRCLE(0, 0, 10)) = 1",
    "CONTAINS(POINT(3, 4), shape) + CONTAINS(place, CIRCLE(0, 0, 10)) < 2",
    "NOT CONTAINS(POINT(3, 4), shape) * CONTAINS(place, CIRCLE(0, 0, 10)) = 1",
    "CONTAINS(POINT(3, 4), shape) BETWEEN 0 AND 0",
    "CONTAINS(POINT(3, 4), shape) = n",
    "CASE WHEN CONTAINS(POINT(3, 4), shape) = 1 THEN 1 ELSE 0 END = 0",
    "DISTANCE(ra, dec, 3, 4) * 3600 < 20000",
    "-DISTANCE(ra, dec, 3, 4) >= -5",
    "DISTANCE(ra, dec, 3, 4) - n < 5",
    "DISTANCE(ra, dec, 3, 4) < mag * 4",
    "10 - DISTANCE(ra, dec, 3, 4) BETWEEN 2 AND 5",
    "NOT DISTANCE(ra, dec, 3, 4) * 2 > 11",
    "(DISTANCE(ra, dec, 3, 4) < 4 OR 1 = INTERSECTS(CIRCLE(3, 4, 4), shape)) AND t_min < 50 AND t_max > 20",
    "t_min + 0.5 > 50",
    "2 * t_min - 7 BETWEEN 20 AND 30",
    "t_min - 5 < 40 AND t_max + 5 > 40",
    "(t_min + t_max) / 2 BETWEEN 40 AND 60",
    "ABS((t_min + t_max) / 2 - 50) <= 10",
    "ABS(t_min - 50) < 10 AND NOT t_max IS NULL",
    "t_min + (t_max - t_min) / 3 > 40 AND t_min + (t_max - t_min) / 3 < 60",
    "t_max - t_min > 2",
    "t_max - t_min > 2 AND t_min < 50 AND t_max > 40",
    "3 * t_max - t_min > 100",
    "-t_min > -50 AND -t_max < -20",
    "t_min * 0 < 1 AND t_max > 50",
    "t_min / 2 < 20 AND t_max / n > 5",
    "t_min * n < 20 AND t_max > 5",
    "t_min + n < 50 AND t_max + n > 30",
    "t_min + 7 / 2 < 50 AND t_max + n / 2 > 30",
    "ivo_interval_overlaps(t_min - 1, t_max + 1, 30, 40) = 1",
    "t_min = t_max",
    "t_min < ivo_to_mjd('1858-12-01') AND t_max > ivo_to_mjd('1858-11-30T12:00:00.123456')",
    "UPPER(name) = 'AB'",
    "name ILIKE 'ab'",
    "name ILIKE 'a_'",
    "NOT name ILIKE 'ab%'",
    "ivo_nocasematch(name, 'AB%') = 1",
    "UPPER(name) IN ('AB', 'B', NULL)",
    "1 + 1 = 2 AND SQRT(16) / 8 = 0.5 AND n > 3 / 2",
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(connection, condition):
    _compare(connection, f"SELECT id FROM sky.plates WHERE {condition}")


JOINED = [
    "s.epoch BETWEEN p.t_min AND p.t_max",
    "p.t_min - 1 < s.epoch AND p.t_max + 1 > s.epoch",
    "s.epoch + 2400000.5 - 2400000.5 BETWEEN p.t_min AND p.t_max",
    "p.t_min + 2400000.5 < s.epoch + 2400000.5 AND p.t_max - s.epoch > 0",
    "ABS((p.t_min + p.t_max) / 2 - s.epoch) < s.mag",
    "ABS(p.t_min - s.epoch) < 2 AND p.t_max < s.epoch + 5",
    "ivo_interval_overlaps(p.t_min, p.t_max, s.epoch - s.mag, s.epoch + s.mag) = 1",
    "2 * p.t_min < s.epoch AND 2 * p.t_max > s.epoch",
    "p.t_min < s.id AND p.t_max > s.id + 1",
    "p.t_min < 100 / s.id AND p.t_max > 1 AND s.id > 0",
    "DISTANCE(p.ra, p.dec, s.ra, s.dec) < s.mag",
    "DISTANCE(s.ra, s.dec, p.ra, p.dec) * 3600 < 3600 * s.mag",
    "DISTANCE(p.ra, p.dec, s.ra, s.dec) < 2 * SQRT(POWER(s.mag, 2) + s.mag * s.mag)",
    "(DISTANCE(p.ra, p.dec, s.ra, s.dec) < 2 OR 1 = CONTAINS(POINT(s.ra, s.dec), p.shape)) AND p.t_min < 50",
    "1 = CONTAINS(POINT(s.ra, s.dec), p.shape) AND p.t_min < s.epoch AND p.t_max > s.epoch",
    "UPPER(p.name) = UPPER(s.name)",
    "UPPER(s.name) = p.name",
]
SOURCES = [
    "sky.plates AS p, sky.stars AS s WHERE {}",
    "sky.plates AS p JOIN sky.stars AS s ON {}",
    "sky.stars AS s LEFT JOIN sky.plates AS p ON {}",
    "sky.plates AS p LEFT JOIN sky.stars AS s ON {}",
    "sky.stars AS s LEFT JOIN sky.plates AS p ON p.n = 1 WHERE {}",
    "(SELECT * FROM sky.plates WHERE n = 1) AS p JOIN (SELECT * FROM sky.stars) AS s ON {}",
    "(SELECT TOP 100 id, name, ra, dec, t_min, t_max, shape FROM sky.plates ORDER BY id) AS p, sky.stars AS s WHERE {}",
]


@pytest.mark.parametrize("condition", JOINED)
@pytest.mark.parametrize("source", SOURCES)
def test_joins(connection, source, condition):
    _compare(connection, f"SELECT p.id, s.id FROM {source.format(condition)}", CHOICES_OF_JOINS)


QUERIES = """
WITH q AS (SELECT * FROM sky.plates) SELECT a.id, b.id FROM q a, q b WHERE a.n = 1 AND b.n = 2 AND a.t_min < b.t_max AND
    a.t_max > b.t_min
WITH q (i, b, e) AS (SELECT id, t_min, t_max FROM sky.plates) SELECT i FROM q WHERE 40 BETWEEN b AND e
SELECT q.b FROM (SELECT t_min AS b, t_max AS e, t_min AS vo_range_1 FROM sky.plates) AS q WHERE q.b < 50 AND q.e > 40
SELECT id FROM (SELECT a.id, b.t_min, a.t_max FROM sky.plates a JOIN sky.plates b ON a.id = b.id + 1) AS q
    WHERE t_min < 50 AND t_max > 40
SELECT t_min FROM (SELECT DISTINCT t_min, t_max FROM sky.plates) AS q WHERE t_min < 50 AND t_max > 40
SELECT t_min FROM (SELECT t_min, t_max FROM sky.plates UNION ALL SELECT epoch, epoch FROM sky.stars) AS q
    WHERE t_min < 50 AND t_max > 40
SELECT id FROM sky.plates NATURAL JOIN (SELECT id, t_min FROM sky.plates) AS q WHERE t_min < 50 AND t_max > 40
SELECT id FROM sky.plates FULL JOIN (SELECT id, t_min, t_max FROM sky.plates WHERE n = 1) AS q USING (id, t_min, t_max)
    WHERE t_min < 50 AND t_max > 40
SELECT s.id FROM sky.plates p JOIN sky.stars s ON p.t_min < s.epoch WHERE p.t_max > s.epoch
SELECT n, COUNT(*) FROM sky.plates GROUP BY n, CONTAINS(POINT(3, 4), shape) HAVING CONTAINS(POINT(3, 4), shape) = 1
SELECT t_min + (1 + 1), COUNT(*) FROM sky.plates GROUP BY t_min + (1 + 1) HAVING t_min + (1 + 1) < 50
SELECT ra, dec, name, COUNT(*) FROM sky.plates GROUP BY ra, dec, name
    HAVING DISTANCE(ra, dec, 3, 4) < 9 AND UPPER(name) = 'AB'
SELECT DISTANCE(ra, dec, 3, 4) AS d, COUNT(*) FROM sky.plates GROUP BY d HAVING d < 9
SELECT UPPER(name) AS u, MAX(ra) FROM sky.plates GROUP BY u HAVING u = 'AB' AND MAX(ra) > 3
SELECT id FROM sky.stars s WHERE EXISTS (SELECT 1 FROM sky.plates p WHERE s.epoch BETWEEN p.t_min AND p.t_max)
SELECT TOP 7 id, DISTANCE(ra, dec, 3, 4) AS d FROM sky.plates ORDER BY d, id
SELECT TOP 7 id FROM sky.plates WHERE ra > 10 ORDER BY DISTANCE(POINT(3, 4), POINT(ra, dec)), id OFFSET 3
SELECT id FROM sky.plates ORDER BY DISTANCE(POINT(3, 4), POINT(ra, dec)), id OFFSET 3
SELECT TOP 199 id FROM sky.plates ORDER BY DISTANCE(POINT(183, -4), POINT(ra, dec)), id
SELECT TOP 400 id FROM sky.plates ORDER BY DISTANCE(POINT(3, 4), POINT(ra, dec)), id
SELECT TOP 5 id FROM sky.plates WHERE ra > 1000 ORDER BY DISTANCE(POINT(3, 4), POINT(ra, dec)), id
SELECT TOP 5 id FROM sky.plates ORDER BY DISTANCE(POINT(3, 4), POINT(ra, dec)) DESC, id
"""
QUERY_LIST = QUERIES.strip().replace("\n    ", " ").splitlines()


@pytest.mark.parametrize("query", QUERY_LIST)
def test_queries(connection, query):
    _compare(connection, query)


def _compare(connection: psycopg.Connection, query: str, choices=CHOICES) -> None:
    plain = _answer(connection, query, ())
    for passes in choices:
        assert _answer(connection, query, passes) == plain, passes


def _answer(connection: psycopg.Connection, query: str, passes) -> list[str]:
    sql = compile_query(query, CATALOGUE, passes=passes).sql
    rows = [repr(row) for row in connection.execute(sql.encode())]
    return rows if "ORDER BY" in query and "TOP 100 " not in query else sorted(rows)


def test_the_conditions_ask_for_something(connection):
    """Rows are found and left out by nearly all of them, so that a lost one would show."""
    found = [len(_answer(connection, f"SELECT id FROM sky.plates WHERE {condition}", ())) for condition in CONDITIONS]
    assert sum(0 < count < 200 for count in found) > 0.9 * len(found)


# Constants

NUMBERS = st.one_of(
    st.integers(-(2**31) + 1, 2**31 - 1).map(lambda value: Constant(Type.INTEGER, value)),
    st.integers(2**31, 2**63 - 1).map(lambda value: Constant(Type.BIGINT, value)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Constant(Type.DOUBLE, value)),
    st.sampled_from([0.0, 1e-308, 5e-324, 1.7e308, 0.1, 1 / 3]).map(lambda value: Constant(Type.DOUBLE, value)),
)
FUNCTIONS = {"ABS": "abs({0})", "SQRT": "sqrt({0})", "RADIANS": "radians({0})", "DEGREES": "degrees({0})"}


@st.composite
def sums(draw) -> Expression:
    first, second = draw(NUMBERS), draw(NUMBERS)
    sign = draw(st.sampled_from("+-*/"))
    types = (first.type, second.type)
    type_ = Type.DOUBLE if Type.DOUBLE in types else Type.BIGINT if Type.BIGINT in types else Type.INTEGER
    total: Expression = Operators(type_, first, ((sign, second),))
    if draw(st.booleans()):
        total = Minus(total)
    if type_ is Type.DOUBLE and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(FUNCTIONS)))
        total = Apply(name, Type.DOUBLE, FUNCTIONS[name], (total,))
    return total


def _value(connection: psycopg.Connection, expression: Expression) -> object:
    text = Values(lambda _: "", "").value(expression)
    try:
        row = connection.execute(f"SELECT {text}, pg_typeof({text})::text".encode()).fetchone()
    except psycopg.DataError as error:
        return error.sqlstate
    assert row is not None
    return (struct.pack("d", row[0]) if isinstance(row[0], float) else row[0]), row[1]


@given(expression=sums())
def test_constants_are_computed_to_the_last_bit(connection, expression):
    assert _value(connection, folded(expression)) == _value(connection, expression)


def test_days_are_computed_to_the_last_bit(connection):
    rng = random.Random(4)  # noqa: S311 - test data
    for _ in range(300):
        second = f"{rng.randrange(60):02d}{rng.choice(['', '.5', f'.{rng.randrange(10**6):06d}'])}"
        day = f"{rng.randrange(1, 9999):04d}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        text = f"{day}T{rng.randrange(24):02d}:{rng.randrange(60):02d}:{second}"
        for name in ("ivo_to_mjd", "ivo_to_jd"):
            query = f"SELECT id FROM sky.plates WHERE {name}('{text}') = ra"
            plain, computed = (
                compile_query(query, CATALOGUE, passes=passes).sql.split(" WHERE ")[1].split(" = plates")[0]
                for passes in ((), PASSES)
            )
            assert "extract" not in computed
            row = connection.execute(f"SELECT {plain} = {computed}".encode()).fetchone()
            assert row == (True,), text
