"""Queries as text for people: nothing is lost, nothing is invented."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from adql.fixtures import files, read
from adql.tables import CATALOGUE

from vo.adql import Limits, compile_query
from vo.adql.syntax import tree
from vo.adql.syntax.draw import break_sql, draw, point_at
from vo.adql.syntax.parse import parse

ACCEPTED = [case.query for path in files() for case in read(path) if not case.expected.startswith("!")]


def drawn(query):
    return draw(parse(query, Limits())).splitlines()


def test_a_query_is_drawn_a_line_for_each_construct():
    query = (
        'SELECT DISTINCT TOP 5 p."Odd Name" AS x FROM sky.plates p LEFT JOIN sky.stars USING (ra, dec) ORDER BY 1 - 2'
    )
    assert drawn(query) == [
        "Query",
        "├─ body: Select distinct top=5",
        "│  ├─ items: Item alias=x",
        '│  │  └─ expression: ColumnName p."Odd Name"',
        "│  └─ sources: Join 'LEFT' using=ra, dec",
        "│     ├─ left: TableName sky.plates alias=p",
        "│     └─ right: TableName sky.stars",
        "└─ order_by: SortKey",
        "   └─ expression: Chain",
        "      ├─ first: Number 1",
        "      └─ rest: '-'",
        "         └─ Number 2",
    ]


def test_long_lists_are_cut():
    lines = drawn(f"SELECT id FROM sky.plates WHERE id IN ({', '.join(map(str, range(1030)))})")
    assert sum("items: Number" in line for line in lines) == 20
    assert lines[-1].endswith("└─ items: 1,010 more")


def test_texts_cannot_play_with_the_terminal():
    assert r"String 'a\x1b[31m\nb'" in "\n".join(drawn("SELECT 'a\x1b[31m\nb' FROM sky.plates"))


def constructs(node):
    """How often each class of the tree is in a query, by its slots and not by what draw does."""
    if isinstance(node, tuple):
        for member in node:
            yield from constructs(member)
    elif hasattr(node, "at") and not isinstance(node, tree.Name):
        yield type(node).__name__
        for slot in node.__slots__:
            yield from constructs(getattr(node, slot))


def test_every_construct_of_the_fixtures_is_drawn():
    seen = set()
    for query in ACCEPTED:
        wanted = sorted(constructs(parse(query, Limits())))
        if "more" in (text := "\n".join(drawn(query))):
            continue
        got = sorted(
            name for name in re.findall(r"(?:^|─ |: )([A-Z][A-Za-z]+)\b", text, re.MULTILINE) if name in dir(tree)
        )
        assert got == wanted, query
        seen |= set(wanted)
    made = {name for name, value in vars(tree).items() if isinstance(value, type) and hasattr(value, "at")}
    assert seen == made - {"Name", "Problem"}


def test_what_is_new_in_the_tree_is_drawn_too():
    @dataclass(frozen=True, slots=True)
    class Choice:
        at: int
        pairs: tuple[tuple[tree.Number, tree.Null], ...]
        otherwise: tree.Number | None = None

    node = Choice(0, ((tree.Number(1, 1), tree.Null(2)),), tree.Number(3, 7))
    assert draw(node).splitlines() == [
        "Choice",
        "├─ pairs",
        "│  ├─ Number 1",
        "│  └─ Null",
        "└─ otherwise: Number 7",
    ]


def bare(sql):
    return re.sub(r"\s+", "", sql)


@pytest.mark.parametrize("query", ACCEPTED[::3])
def test_broken_sql_is_the_same_sql(query):
    sql = compile_query(query, CATALOGUE).sql
    broken = break_sql(sql)
    assert bare(broken) == bare(sql)
    # texts and delimited names are untouched
    pattern = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
    assert re.findall(pattern, broken) == re.findall(pattern, sql)
    assert all(line.strip() for line in broken.splitlines())


BROKEN = r"""
SELECT p.id AS "from AND", CASE WHEN p.n = 1 AND p.id = 2 THEN 1 END AS c, extract(epoch FROM p.taken)
FROM sky.plates AS p
  INNER JOIN lab.x AS x ON x.n BETWEEN 1 AND 2
  AND x.n IS DISTINCT FROM p.n
WHERE p.n BETWEEN 1 AND 2
  AND p.name = E'x\\ AND ''y'
  AND (p.n = 1 OR p.n = 2)
  AND p.id IN (
    SELECT s.id
    FROM sky.stars AS s
    WHERE s.mag > 1
      OR s.mag < 0
  )
UNION
SELECT 1 AS "id", 2 AS "c", 3
FROM sky.stars
ORDER BY 1
LIMIT 9
"""


def test_sql_is_broken_at_its_clauses_only():
    sql = re.sub(r"\s*\n\s*", " ", BROKEN.strip()).replace("( SELECT", "(SELECT").replace("0 )", "0)")
    assert break_sql(sql) == BROKEN.strip()


@pytest.mark.parametrize(
    ("text", "line", "column", "shown"),
    [
        ("SELECT x", 1, 8, "SELECT x\n       ^"),
        ("a\nbc", 2, 2, "bc\n ^"),
        ("a\nbc", 2, 3, "bc\n  ^"),
        ("a", 0, 0, ""),
        ("a", 3, 1, ""),
        ("x" * 300, 1, 1, "x" * 100 + "...\n^"),
        ("x" * 149 + "y" + "x" * 150, 1, 150, "..." + "x" * 50 + "y" + "x" * 49 + "...\n" + " " * 53 + "^"),
        ("x" * 299 + "y", 1, 300, "..." + "x" * 99 + "y\n" + " " * 102 + "^"),
    ],
)
def test_a_caret_stands_under_the_column(text, line, column, shown):
    assert point_at(text, line, column) == shown


def test_the_caret_of_every_refused_fixture_stands_on_the_query():
    refused = [case for path in files() for case in read(path) if case.expected.startswith("! line")]
    assert len(refused) > 100
    for case in refused:
        found = re.match(r"! line (\d+), column (\d+): ", case.expected)
        assert found, case.title
        shown, caret = point_at(case.query, int(found[1]), int(found[2])).split("\n")
        assert 0 < len(caret) <= len(shown) + 1, case.title
