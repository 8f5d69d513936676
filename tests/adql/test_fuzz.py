"""Whatever text comes: a fault of ours or SQL that PostgreSQL accepts; nothing else."""

from __future__ import annotations

import psycopg
import pytest
from adql.tables import CATALOGUE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vo.adql import Limits, compile_query
from vo.adql.parse import parse
from vo.errors import ADQLFault, LimitFault, UsageFault

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

NUMBERS = st.sampled_from(
    ["1", "0", "2.5", "1e3", "n", "id", "ra", "dec", "mag", "size_kb", "t_min", "t_max", "NULL", '"size"', "0x1F", "-3"]
)
TEXTS = st.sampled_from(["name", "'a'", "'it''s'", "link", r"'\'", "NULL", "'2000-01-01'", "UPPER(name)"])
TIMES = st.sampled_from(["taken", "'1999-12-31T23:59:59'", "CAST(name AS TIMESTAMP)", "NULL"])
FLAGS = st.sampled_from(["scanned", "1", "'true'"])


def call(name: str, *arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*arguments).map(lambda parts: f"{name}({', '.join(parts)})")


def numbers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
        inner.map(lambda x: f"({x})"),
        inner.map(lambda x: f"- {x}"),
        *(call(name, inner) for name in ("ABS", "SQRT", "ROUND", "TRUNCATE", "FLOOR", "SIN", "LOG")),
        call("MOD", inner, inner),
        call("COALESCE", inner, inner),
        call("CONTAINS", POINTS, AREAS),
        call("INTERSECTS", SHAPES, SHAPES),
        call("DISTANCE", POINTS, POINTS),
        call("COORD1", POINTS),
        call("AREA", AREAS),
        call("ivo_interval_overlaps", inner, inner, inner, inner),
        call("ivo_hasword", TEXTS, TEXTS),
        call("ivo_to_mjd", TIMES),
        inner.map(lambda x: f"CAST({x} AS BIGINT)"),
        st.tuples(inner, inner, inner).map(lambda p: f"CASE WHEN {p[0]} > 1 THEN {p[1]} ELSE {p[2]} END"),
        st.tuples(inner, inner, inner).map(lambda p: f"CASE {p[0]} WHEN {p[1]} THEN {p[2]} WHEN NULL THEN 1 END"),
        inner.map(lambda x: f"(SELECT MAX({x}) FROM sky.plates AS deeper)"),
    )


POINTS = st.sampled_from(
    [
        "place", "POINT(ra, dec)", "POINT('ICRS', 10, -20)", "CENTROID(hull)", "POINT(mag, n)",
        "CAST('1 -2.5' AS POINT)", "CASE WHEN n = 1 THEN place WHEN n = 2 THEN POINT(ra, dec) END",
    ]
)  # fmt: skip
AREAS = st.sampled_from(
    [
        "shape", "hull", "spot", "CIRCLE(ra, dec, 1)", "CIRCLE('', 10, 20, 0.5)", "POLYGON(0, 0, 10, 0, 10, 10)",
        "BOX(10, 20, 3, 4)", "BOX(ra, dec, 1, 1)", "REGION('CIRCLE ICRS 1 2 3')", "CIRCLE(place, mag)",
        "POLYGON(place, POINT(1, 2), POINT(ra, 3))", "CIRCLE(1, 2, 120)", "vo_range(350, 10, -5, 5)",
        "vo_range(0, 360, 60, 90)", "CAST('1 2 3' AS CIRCLE)", "CAST('0 0 10 0 10 10' AS POLYGON)",
        "CASE WHEN n = 1 THEN shape ELSE hull END", "CASE n WHEN 1 THEN shape END", "CASE n WHEN 1 THEN spot END",
    ]
)  # fmt: skip
SHAPES = st.one_of(POINTS, AREAS)
VALUES = st.recursive(NUMBERS, numbers, max_leaves=6)
OPERATORS = st.sampled_from(["=", "<>", "!=", "<", ">", "<=", ">="])

PREDICATES = st.one_of(
    st.tuples(VALUES, OPERATORS, VALUES).map(" ".join),
    st.tuples(TEXTS, OPERATORS, TEXTS).map(" ".join),
    st.tuples(TIMES, OPERATORS, TIMES).map(" ".join),
    st.tuples(FLAGS, OPERATORS, FLAGS).map(" ".join),
    st.tuples(VALUES, st.sampled_from(["BETWEEN", "NOT BETWEEN"]), VALUES, st.just("AND"), VALUES).map(" ".join),
    st.tuples(TEXTS, st.sampled_from(["LIKE", "NOT LIKE", "ILIKE"]), TEXTS).map(" ".join),
    st.tuples(st.one_of(VALUES, TEXTS, SHAPES), st.sampled_from(["IS NULL", "IS NOT NULL"])).map(" ".join),
    st.tuples(VALUES, VALUES, VALUES).map(lambda p: f"{p[0]} IN ({p[1]}, {p[2]})"),
    VALUES.map(lambda x: f"{x} NOT IN (SELECT {x} FROM sky.plates AS other)"),
    VALUES.map(lambda x: f"EXISTS (SELECT 1 FROM sky.stars AS s WHERE s.plate_id = {x})"),
    st.sampled_from(["CONTAINS(place, shape) = 1", "0 = INTERSECTS(shape, hull)", "5 BETWEEN t_min AND t_max"]),
)
CONDITIONS = st.recursive(
    PREDICATES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(" ".join),
        inner.map(lambda x: f"({x})"),
        inner.map(lambda x: f"NOT {x}"),
        inner.map(lambda x: f"NOT ({x})"),
    ),
    max_leaves=5,
)
SOURCES = st.sampled_from(
    [
        "sky.plates", "plates AS p", "(SELECT * FROM sky.plates) AS q", "sky.plates NATURAL JOIN lab.series",
        "sky.plates LEFT JOIN lab.series AS l USING (name)",
        "(SELECT DISTINCT id AS k FROM sky.stars) AS s, sky.plates",
        "(SELECT TOP 5 * FROM sky.plates ORDER BY id) AS q", "sky.plates p JOIN lab.stars l ON p.id = l.id AND p.n > 1",
        "(SELECT * FROM sky.plates UNION ALL SELECT * FROM sky.plates) AS u", "sky.plates TABLESAMPLE(10)",
        "((SELECT * FROM sky.plates) ORDER BY 1 OFFSET 1) AS q", "(sky.plates NATURAL JOIN lab.series) AS j",
    ]
)  # fmt: skip
NAMED = VALUES.map(lambda x: f"{x} AS v")
ITEMS = st.lists(st.one_of(VALUES, TEXTS, TIMES, SHAPES, st.just("*"), NAMED), min_size=1, max_size=3)
TAILS = st.sampled_from(["", " ORDER BY 1", " ORDER BY id DESC, name", " ORDER BY ra + dec", " ORDER BY 1 OFFSET 2"])
PLAIN = st.tuples(st.sampled_from(["", "TOP 3 ", "DISTINCT ", "ALL TOP 0 "]), ITEMS, SOURCES, CONDITIONS, TAILS).map(
    lambda p: f"SELECT {p[0]}{', '.join(p[1])} FROM {p[2]} WHERE {p[3]}{p[4]}"
)
GROUPED = st.tuples(VALUES, st.sampled_from(["COUNT", "SUM", "AVG", "MIN", "MAX"]), VALUES, SOURCES, PREDICATES).map(
    lambda p: (
        f"SELECT {p[0]} AS k, {p[1]}({p[2]}), COUNT(*) AS c FROM {p[3]} WHERE {p[4]} GROUP BY k HAVING c > 1 ORDER BY 2"
    )
)
SETS = st.tuples(VALUES, st.sampled_from(["UNION", "EXCEPT ALL", "INTERSECT"]), VALUES).map(
    lambda p: f"SELECT {p[0]} FROM sky.plates {p[1]} SELECT {p[2]} FROM sky.plates ORDER BY 1"
)
QUERIES = st.one_of(PLAIN, PLAIN, GROUPED, SETS)


def test_what_is_accepted_can_be_planned(connection: psycopg.Connection):
    """Every translated query passes PostgreSQL's parser and planner (constant folding may meet data errors)."""
    outcomes = {"accepted": 0, "refused": 0}

    @QUICK
    @given(QUERIES)
    def check(query: str) -> None:
        try:
            compiled = compile_query(query, CATALOGUE, max_rows=10)
        except ADQLFault:
            outcomes["refused"] += 1
            return
        outcomes["accepted"] += 1
        cursor = connection.cursor()
        try:
            cursor.execute(f"EXPLAIN {compiled.sql}".encode())
        except psycopg.errors.DataError:
            # found while constants were folded: division by zero, a number out of range, a radius below zero
            return

    check()
    assert outcomes["accepted"] > 80, outcomes


VOCABULARY = """
    SELECT FROM WHERE TOP 5 * , ( ) . id ra sky plates "a" 'x' 1 2.5 = < AND OR NOT IN BETWEEN LIKE IS NULL JOIN ON
    USING NATURAL LEFT GROUP BY HAVING ORDER COUNT MAX POINT CIRCLE CONTAINS UNION ALL WITH AS EXISTS - + || / ; -- '' "
    size DISTINCT CAST INTEGER sky.plates t_min OFFSET CASE WHEN THEN ELSE END TABLESAMPLE
"""
WORDS = st.sampled_from(VOCABULARY.split())


@QUICK
@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_words_in_any_order(text):
    _only_our_faults(text)


@QUICK
@given(st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_bytes(text):
    _only_our_faults(text)


@QUICK
@given(st.text(max_size=60), st.integers(0, 60))
def test_any_text_inside_a_query(text, place):
    query = "SELECT id, name FROM sky.plates WHERE name = 'abc' AND id > 5"
    _only_our_faults(query[:place] + text + query[place:])


def _fault(text: str) -> UsageFault | None:
    try:
        compile_query(text, CATALOGUE)
    except UsageFault as fault:
        return fault
    return None


def _only_our_faults(text: str) -> None:
    fault = _fault(text)
    if isinstance(fault, ADQLFault):
        assert fault.text
        assert fault.line == 0 or fault.text.startswith(f"line {fault.line}, column {fault.column}: ")
    elif fault is not None:
        assert isinstance(fault, LimitFault)
        assert "limit" in fault.text


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000 + " FROM sky.plates",
        "SELECT id FROM sky.plates WHERE " + "NOT " * 5000 + "id = 1",
        "SELECT " + "- " * 5000 + "1 FROM sky.plates",
        "SELECT " + "ABS(" * 90 + "1" + ")" * 90 + " FROM sky.plates",
        "SELECT " + "(1 + " * 95 + "1" + ")" * 95 + " FROM sky.plates",
        "SELECT id FROM sky.plates WHERE " + "(id = 1 AND (NOT - id < 2 OR " * 48 + "id = 3" + "))" * 48,
        "SELECT id FROM sky.plates WHERE " + "id IN (SELECT id FROM sky.plates WHERE " * 60 + "id = 1" + ")" * 60,
        "SELECT id FROM " + "(SELECT id FROM " * 60 + "sky.plates" + ") AS q" * 60,
        "(" * 200 + "SELECT id FROM sky.plates" + ")" * 200,
        "SELECT s0.id FROM lab.stars AS s0 "
        + " ".join(f"JOIN lab.stars AS s{i} ON s0.id = s{i}.id" for i in range(1, 150)),
        "SELECT s0.id FROM lab.stars AS s0 " + " ".join(f"CROSS JOIN lab.stars AS s{i}" for i in range(1, 3000)),
    ],
)
def test_deep_nesting_is_answered_or_refused(connection, query):
    fault = _fault(query)
    if fault is None:
        connection.execute(f"EXPLAIN {compile_query(query, CATALOGUE).sql}".encode())
    else:
        assert "query_depth" in fault.text or "cannot stand here" in fault.text


def test_long_queries(connection):
    many = ", ".join(str(i) for i in range(20_000))
    for query in (
        f"SELECT id FROM sky.plates WHERE id IN ({many})",
        "SELECT id FROM sky.plates WHERE " + " OR ".join(f"id = {i}" for i in range(8000)),
        "SELECT " + " + ".join(["ra"] * 1001) + " FROM sky.plates",
        # as many computed corners as a polygon may have
        "SELECT POLYGON(" + ", ".join(f"ra + {i}, dec" for i in range(300)) + ") FROM sky.plates",
    ):
        connection.execute(f"EXPLAIN {compile_query(query, CATALOGUE).sql}".encode())


def test_limits_say_what_they_are():
    with pytest.raises(LimitFault, match="query_length is 50"):
        parse("SELECT id FROM sky.plates WHERE name = 'a long text that does not fit'", Limits(length=50))
    with pytest.raises(LimitFault, match="more than 10 terms, the limit query_terms"):
        parse("SELECT id, ra, dec, mag, n FROM sky.plates WHERE id = 1 AND n = 2", Limits(terms=10))
    with pytest.raises(LimitFault, match="more than 1000 values"):
        parse(f"SELECT {' + '.join(['ra'] * 1002)} FROM sky.plates", Limits())
    with pytest.raises(LimitFault, match="query_depth of 5"):
        parse("SELECT ((((((1)))))) FROM sky.plates", Limits(depth=5))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT 0x" + "F" * 300 + " FROM sky.plates", "too large for a DOUBLE"),
        ("SELECT CAST(name AS VARCHAR(" + "9" * 5000 + ")) FROM sky.plates", "length of a text runs from"),
        ("SELECT " + ", ".join(["id"] * 1501) + " FROM sky.plates", "more than 1500 columns"),
        (
            "WITH c0 AS (SELECT id FROM sky.plates)"
            + "".join(f", c{i} AS (SELECT * FROM c{i - 1} AS x, c{i - 1} AS y)" for i in range(1, 60))
            + " SELECT COUNT(*) FROM c59",
            "more than 1500 columns",
        ),
        (
            "SELECT " + "COORD1(POINT(" * 30 + "ra" + ", dec))" * 30 + " AS x FROM sky.plates",
            "1000000 characters of SQL",
        ),
        (
            "SELECT id FROM sky.plates WHERE 1 = CONTAINS(place, POLYGON("
            + ", ".join(f"{i / 100}, {i * i / 1e6}" for i in range(301))
            + "))",
            "at most 300 points",
        ),
    ],
)
def test_what_grows_without_bounds_is_refused_at_once(query, says):
    fault = _fault(query)
    assert fault is not None
    assert says in fault.text


def test_ranges_in_choices_in_ranges_are_read_once():
    """What is resolved twice at each level takes forever at thirty."""
    value = "id"
    for _ in range(30):
        value = f"CASE WHEN {value} BETWEEN 1 AND 2 THEN 1 ELSE 2 END"
    assert compile_query(f"SELECT {value} AS x FROM sky.plates", CATALOGUE).sql.count("BETWEEN") == 30
