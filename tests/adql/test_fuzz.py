"""Whatever text comes: a fault of ours or SQL that PostgreSQL accepts. Random queries are in test_search.py."""

from __future__ import annotations

import pytest
from adql.tables import CATALOGUE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vo.adql import Limits, compile_query
from vo.adql.syntax.parse import parse
from vo.errors import ADQLFault, LimitFault, UsageFault

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

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
        ("SELECT id FROM sky.plates GROUP BY " + ", ".join(f"id + {i}" for i in range(1500)), "more than 1500 columns"),
        (
            "WITH c0 AS (SELECT id FROM sky.plates)"
            + "".join(f", c{i} AS (SELECT id FROM c{i - 1})" for i in range(1, 101))
            + " SELECT id FROM c100",
            "more than 100 queries",
        ),
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


def test_queries_of_with_are_not_done_twice_at_each_step(connection):
    """Where each of a chain is used twice, planning must not double with each."""
    step = ", c{} AS (SELECT id FROM sky.plates WHERE id IN (SELECT id FROM c{}) OR n IN (SELECT id FROM c{}))"
    steps = "".join(step.format(i, i - 1, i - 1) for i in range(1, 100))
    query = f"WITH c0 AS (SELECT id FROM sky.plates){steps} SELECT * FROM c99"
    connection.execute("SET statement_timeout = '5s'")
    connection.execute(f"EXPLAIN {compile_query(query, CATALOGUE).sql}".encode())
