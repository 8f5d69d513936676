"""The deepest queries that the limits allow: no step runs out of Python's stack, and the database can follow."""

from __future__ import annotations

import inspect
import sys

import psycopg
import pytest
from adql import fuzzing
from adql.tables import CATALOGUE

from vo.adql import compile_query
from vo.errors import LimitFault, UsageFault

#: Python's own limit is 1,000; a server's frames lie underneath.
FRAMES = 750


def value(opening: str, inner: str, closing: str):
    return lambda n: f"SELECT {opening * n}{inner}{closing * n} FROM sky.plates"


def where(opening: str, inner: str, closing: str):
    return lambda n: f"SELECT id FROM sky.plates WHERE {opening * n}{inner}{closing * n}"


def joins(form: str, items: str = "1"):
    def query(n: int) -> str:
        return f"SELECT {items} FROM lab.stars AS s0 " + " ".join(form.format(i=i) for i in range(1, n + 1))

    return query


#: How each construct is put into itself so many times.
FORMS = {
    "brackets": value("(", "1", ")"),
    "signs": value("- ", "ra", ""),
    "sums": value("(1 + 2 * ", "ra", ")"),
    "texts": value("('a' || ", "name", ")"),
    "functions": value("ABS(", "ra", ")"),
    "rounding": value("ROUND(", "ra", ", 3)"),
    "coalesce": value("COALESCE(", "id", ", 3)"),
    "casts": value("CAST(CAST(", "id", " AS VARCHAR) AS INTEGER)"),
    "choices by condition": value("CASE WHEN id = 1 THEN ", "ra", " END"),
    "choices otherwise": value("CASE WHEN id = 1 THEN 1 ELSE ", "ra", " END"),
    "choices by value": value("CASE ", "id", " WHEN 1 THEN 1 END"),
    "choices in conditions": where("1 = CASE WHEN ", "id = 1", " THEN 1 END"),
    "scalar queries": value("(SELECT MAX(", "ra", ") FROM sky.plates)"),
    "scalar queries in WHERE": where("id = (SELECT MAX(id) FROM sky.plates WHERE ", "id = 1", ")"),
    "shapes": value("COORD1(CENTROID(CIRCLE(", "ra", ", dec, 1)))"),
    "frames": value("COORD1(POINT('GALACTIC', ", "ra", ", dec))"),
    "polygons": value("AREA(POLYGON(0, 0, 1, 1, ", "ra", ", dec))"),
    "coverages": value("AREA(MOC(3, CIRCLE(1, 2, ", "ra", ")))"),
    "predicates": value("CONTAINS(POINT(", "ra", ", dec), shape)"),
    "negations": where("NOT ", "id = 1", ""),
    "negated brackets": where("NOT (id = 1 AND NOT (t_min < 2 OR ", "id = 3", "))"),
    "times": where("(t_min < 5 AND t_max > 3 AND NOT (", "id = 1", "))"),
    "truths": where("NOT (1 = CONTAINS(place, shape) OR NOT (", "id = 1", "))"),
    "lists": where("1 IN (CASE WHEN ", "id = 1", " THEN 1 END)"),
    "queries in IN": where("id IN (SELECT id FROM sky.plates WHERE ", "id = 1", ")"),
    "queries in EXISTS": where("NOT EXISTS (SELECT id FROM sky.plates WHERE NOT (", "id = 1", "))"),
    "queries in FROM": lambda n: "SELECT * FROM " + "(SELECT * FROM " * n + "sky.plates" + ") AS q" * n,
    "unions": lambda n: "(" * n + "SELECT id FROM lab.stars" + " UNION SELECT id FROM lab.stars)" * n,
    "joins": joins("JOIN lab.stars AS s{i} ON s0.id = s{i}.id"),
    "natural joins": joins("NATURAL JOIN lab.stars AS s{i}", "*"),
    "full joins": joins("FULL JOIN lab.stars AS s{i} USING (id)", "*"),
    "joins in joins": lambda n: (
        "SELECT 1 FROM "
        + "".join(f"lab.stars AS s{i} JOIN (" for i in range(n))
        + "lab.stars AS a CROSS JOIN lab.stars AS b"
        + ") ON 1 = 1" * n
    ),
    "queries in WITH": lambda n: (
        "WITH c0 AS (SELECT id FROM lab.stars)"
        + "".join(f", c{i} AS (SELECT id FROM c{i - 1})" for i in range(1, n + 1))
        + f" SELECT * FROM c{n}"
    ),
}


def is_accepted(query: str) -> bool:
    try:
        compile_query(query, CATALOGUE)
    except LimitFault:
        return False
    return True


@pytest.mark.parametrize("form", FORMS)
def test_the_deepest_that_is_accepted(connection: psycopg.Connection, form):
    write = FORMS[form]
    deepest, refused = 1, 300
    assert is_accepted(write(deepest))
    while refused - deepest > 1:
        middle = (deepest + refused) // 2
        deepest, refused = (middle, refused) if is_accepted(write(middle)) else (deepest, middle)
    query = write(deepest)
    # the stack of this very test is not counted
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + FRAMES)
    try:
        sql = compile_query(query, CATALOGUE).sql
    finally:
        sys.setrecursionlimit(before)
    connection.execute("SET statement_timeout = '2s'")
    answer = fuzzing.rows(connection, f"EXPLAIN {sql}")
    assert not isinstance(answer, UsageFault) or "nested too deep" in answer.text
