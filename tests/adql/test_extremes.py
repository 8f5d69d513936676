"""Numbers at the ends of their types: what the translator computes of them, and what it leaves to the database."""

from __future__ import annotations

import psycopg
import pytest
from adql.tables import CATALOGUE

from vo.adql import compile_query
from vo.db.faults import translate
from vo.errors import ADQLFault, LimitFault, UsageFault


@pytest.fixture(scope="module", autouse=True)
def one_row(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO sky.stars (id, ra, dec) VALUES (1, 30, 0)")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # whole numbers are divided without a rest, from left to right, as in a select list
        ("COORD1(POINT(1 / 2 * 1.0, 0))", 0.0),
        ("COORD1(POINT(7 / 2 * 10.0, 0))", 30.0),
        ("COORD1(POINT(1.0 * 7 / 2, 0))", 3.5),
        ("COORD1(POINT(-7 / 2 * 1.0 + 10, 0))", 7.0),
        ("DISTANCE(POINT(7 / 2 * 10.0, 0), POINT(30, 0))", 0.0),
        ("CONTAINS(POINT(30, 0), CIRCLE(30, 0, 1 / 2 * 1.0))", 1),
        ("CONTAINS(POINT(30.4, 0), CIRCLE(30, 0, 1 / 2 * 1.0))", 0),
    ],
)
def test_constants_of_shapes_are_computed_as_the_database_does(run, expression, expected):
    assert run(f"SELECT {expression} FROM sky.stars") == [(expected,)]
    number = f"{expected} AND " if expression.startswith("CONTAINS") else f"{expected}e0 AND "
    assert run(f"SELECT id FROM sky.stars WHERE {expression} = {number}id = 1") == [(1,)]


@pytest.mark.parametrize(
    "expression",
    [
        "POINT(1e308 * 10, 0)",
        "POINT(1e308 * 10 - 1e308 * 10, 0)",
        "CAST(POINT(-1e308 * 10, 0) AS VARCHAR)",
        "POINT('GALACTIC', 1e308 * 10, 0)",
        "POINT(2147483647 + 1 + 0.5, 0)",
        "CIRCLE(1e308 * 10, 0, 1)",
        "POLYGON(1e308 * 10, 1, 2, 2, 3, 4)",
        "BOX(1e308 * 10, 0, 1, 1)",
        "DISTANCE(POINT(1e308 * 10, 0), POINT(ra, dec))",
        "POWER(ra, 1e308 * 10 - 1e308 * 10)",
        "ivo_interval_overlaps(1, 1e308 * 10, 2, 3)",
    ],
)
def test_constants_beyond_their_range_are_a_fault_of_the_query(connection, expression):
    """As NaN or infinity they were no SQL, or ended in an exception of Python's."""
    sql = compile_query(f"SELECT {expression} FROM sky.stars", CATALOGUE).sql
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql.encode())
    fault = translate(caught.value.sqlstate, str(caught.value))
    assert isinstance(fault, UsageFault)
    assert "out of the range of its type" in fault.text


def test_a_range_is_made_of_numbers_that_a_double_can_hold():
    with pytest.raises(ADQLFault, match="vo_range takes numbers"):
        compile_query("SELECT CONTAINS(POINT(ra, dec), vo_range(1e308 * 10, 1, 0, 1)) FROM sky.stars", CATALOGUE)


def test_intervals_of_intervals_end_soon():
    """Each of them names its first bound two or three times."""
    nested = "ivo_interval_overlaps(" * 5 + "ra" + ", dec, 2, 3)" * 5
    assert len(compile_query(f"SELECT {nested} FROM sky.stars", CATALOGUE).sql) < 100_000
    nested = "ivo_interval_overlaps(" * 40 + "ra" + ", dec, 2, 3)" * 40
    with pytest.raises(LimitFault, match="IVO_INTERVAL_OVERLAPS becomes more than"):
        compile_query(f"SELECT id FROM sky.stars WHERE 1 = {nested}", CATALOGUE)
    nested = "ivo_interval_overlaps((SELECT " * 24 + "ra" + " FROM sky.stars), dec, 2, 3)" * 24
    with pytest.raises(LimitFault, match="IVO_INTERVAL_OVERLAPS becomes more than"):
        compile_query(f"SELECT {nested} FROM sky.stars", CATALOGUE)


def test_ranges_that_nest_end_soon():
    """A range across the equator names its point twice, one beside a polygon names it many times."""
    for shape in ("POINT({}, 1), vo_range(1, 2, -3, 4)", "POINT({}, 1), vo_range(1, 2, 3, 4)"):
        nested = "dec"
        for _ in range(6):
            nested = f"CONTAINS({shape.format(nested)})"
        assert len(compile_query(f"SELECT id FROM sky.stars WHERE {nested} = 1", CATALOGUE).sql) < 100_000
    for call in (
        "CONTAINS(POINT({}, 1), vo_range(1, 2, -3, 4))",
        "INTERSECTS(vo_range(1, 2, -3, 4), POLYGON({}, 1, 2, 3, 4, 5))",
    ):
        nested = "dec"
        for _ in range(20):
            nested = call.format(nested)
        with pytest.raises(LimitFault, match=f"{call[:8]}.* becomes more than"):
            compile_query(f"SELECT id FROM sky.stars WHERE {nested} = 1", CATALOGUE)
