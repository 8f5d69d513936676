"""The tree of a query, its positions, and what the lexer takes for words, names and numbers."""

from __future__ import annotations

import pytest

from vo.adql import Limits
from vo.adql.syntax import tree
from vo.adql.syntax.messages import place
from vo.adql.syntax.parse import parse
from vo.errors import ADQLFault
from vo.metadata.words import RESERVED_WORDS

LIMITS = Limits()


def select(text: str) -> tree.Select:
    body = parse(text, LIMITS).body
    assert isinstance(body, tree.Select)
    return body


def expression(text: str) -> tree.Node:
    item = select(f"SELECT {text} FROM t").items[0]
    assert isinstance(item, tree.Item)
    return item.expression


def test_every_node_knows_its_place():
    text = "SELECT a,\n  b + c AS d\nFROM s.t AS u\nWHERE a = 'x'"
    query = select(text)
    first, second = query.items
    assert place(text, first.at) == (1, 8)
    assert place(text, second.at) == (2, 3)
    assert isinstance(second, tree.Item)
    assert isinstance(second.expression, tree.Chain)
    assert place(text, second.expression.rest[0][1].at) == (2, 7)
    assert second.alias is not None
    assert place(text, second.alias.at) == (2, 12)
    assert place(text, query.sources[0].at) == (3, 6)
    assert isinstance(query.where, tree.Comparison)
    assert place(text, query.where.right.at) == (4, 11)


def test_chains_are_wide_not_deep():
    chain = expression("1 + 2 - 3 + 4")
    assert isinstance(chain, tree.Chain)
    assert [operator for operator, _ in chain.rest] == ["+", "-", "+"]
    where = select("SELECT a FROM t WHERE a = 1 AND b = 2 AND c = 3 OR d = 4").where
    assert isinstance(where, tree.AnyOf)
    assert isinstance(where.terms[0], tree.AllOf)
    assert len(where.terms[0].terms) == 3
    body = parse(
        "SELECT a FROM t UNION SELECT a FROM t UNION ALL SELECT a FROM t INTERSECT SELECT b FROM t", LIMITS
    ).body
    assert isinstance(body, tree.SetOperation)
    assert [(operator, every) for operator, every, _ in body.rest] == [("UNION", False), ("UNION", True)]
    assert isinstance(body.rest[1][2], tree.SetOperation)


def test_products_bind_tighter_than_sums_and_signs_tightest():
    chain = expression("-a * b + c")
    assert isinstance(chain, tree.Chain)
    assert isinstance(chain.first, tree.Chain)
    assert isinstance(chain.first.first, tree.Signed)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("1.5E-2", 0.015), ("0xfF", 255), ("007", 7)],
)
def test_numbers(text, value):
    number = expression(text)
    assert isinstance(number, tree.Number)
    assert number.value == value
    assert type(number.value) is type(value)


@pytest.mark.parametrize("text", ["1a", "1.5x", "0x", "0xG", "1e", "1_000"])
def test_numbers_do_not_run_into_letters(text):
    with pytest.raises(ADQLFault, match="line 1, column 8"):
        parse(f"SELECT {text} FROM t", LIMITS)


def test_names_and_texts():
    column = expression('"a ""b""".C')
    assert isinstance(column, tree.ColumnName)
    assert [(name.text, name.delimited) for name in column.parts] == [('a "b"', True), ("C", False)]
    text = expression("'it''s -- no comment'")
    assert isinstance(text, tree.String)
    assert text.value == "it's -- no comment"


@pytest.mark.parametrize("word", sorted(RESERVED_WORDS))
def test_reserved_words_are_names_only_in_quotes(word):
    for name in (word, word.lower()):
        with pytest.raises(ADQLFault):
            parse(f"SELECT a AS {name} FROM t", LIMITS)
        with pytest.raises(ADQLFault):
            parse(f"SELECT a FROM {name}", LIMITS)
        assert parse(f'SELECT "{name}" FROM t AS "{name}"', LIMITS)


def test_words_that_only_look_reserved_are_names():
    assert isinstance(expression("selected + froms"), tree.Chain)
    assert isinstance(expression("columns"), tree.ColumnName)


def test_keywords_in_any_case():
    query = parse("select distinct Top 3 a From t Where a iS nOt nuLL oRder bY a dEsc ofFset 2", LIMITS)
    assert query.order_by[0].descending
    assert query.offset == 2
    assert isinstance(query.body, tree.Select)
    assert (query.body.distinct, query.body.top) == (True, 3)


def test_enormous_integers_are_doubles_and_a_top_of_them_means_all():
    number = expression("9" * 5000)
    assert isinstance(number, tree.Number)
    assert number.value == float("inf")
    top = select(f"SELECT TOP {'9' * 30} a FROM t").top
    assert top is not None
    assert top >= 10**18


@pytest.mark.parametrize(
    "text", ["", " ", "--", "SELECT", "SELECT a FROM t;;", "SELECT a FROM t; SELECT", "\0", "SELECT \ud800 FROM t"]
)
def test_what_is_no_query(text):
    with pytest.raises(ADQLFault):
        parse(text, LIMITS)


def test_one_parser_serves_threads():
    from concurrent.futures import ThreadPoolExecutor

    texts = [f"SELECT {'(' * (i % 40)}a{')' * (i % 40)} AS c{i} FROM t" for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        queries = list(pool.map(lambda text: parse(text, LIMITS), texts))
    for i, query in enumerate(queries):
        assert isinstance(query.body, tree.Select)
        item = query.body.items[0]
        assert isinstance(item, tree.Item)
        assert item.alias is not None
        assert item.alias.text == f"c{i}"
