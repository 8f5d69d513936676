"""The parser's callbacks: one method for each rule of the grammar makes the node of the tree."""

from __future__ import annotations

from typing import Any

from vo.adql.syntax import tree
from vo.adql.syntax.lexer import Token
from vo.errors import LimitFault

#: A number with more digits is beyond PostgreSQL's largest integer, and a DOUBLE.
_INT_DIGITS = 19

#: Most operators in one sum, product or concatenation: PostgreSQL's stack ends between 2,000 and 5,000.
LONGEST_CHAIN = 1000

#: A number of rows that no table reaches.
ALL_ROWS = 10**18


def _flag(token: Token | None, word: str) -> bool:
    return token is not None and token.upper() == word


def _count(token: Token) -> int:
    return min(int(token), ALL_ROWS) if len(token) <= _INT_DIGITS else ALL_ROWS


def _all_of_it(join: tree.Join) -> tree.Query:
    """The query that a join in brackets is (SQL-92, section 7.10): all of its columns."""
    return tree.Query(join.at, tree.Select(join.at, False, None, (tree.Star(join.at),), (join,)))


Children = list[Any]  # tokens and nodes as the grammar puts them


class _Builder:
    """One method for each rule of the grammar; the parser calls it as soon as the rule is complete."""

    def start(self, children: Children) -> tree.Query:
        query: tree.Query = children[0]
        return query

    def query(self, children: Children) -> tree.Query:
        with_items, body, order_by, offset = children
        at = with_items[0].at if with_items else body.at
        return tree.Query(at, body, with_items or (), order_by or (), offset)

    def query_from(self, children: Children) -> tree.Query:
        with_items, body, offset = children
        return self.query([with_items, body, None, offset])

    def query_of(self, children: Children) -> tree.Query:
        with_items, query = children
        if query.with_items:
            return self.query([*children, None, None])
        # brackets round all that follows WITH mean nothing
        return tree.Query(with_items[0].at, query.body, with_items, query.order_by, query.offset)

    def with_clause(self, children: Children) -> tuple[tree.WithItem, ...]:
        return tuple(children)

    def cte(self, children: Children) -> tree.WithItem:
        name, columns, query = children
        return tree.WithItem(name.at, name, columns or (), query)

    def union(self, children: Children) -> tree.SetOperation:
        left, operator, every, right = children
        step = (operator.upper(), every is not None, right)
        # a chain stays one wide node
        if isinstance(left, tree.SetOperation) and left.rest[0][0] != "INTERSECT":
            return tree.SetOperation(left.at, left.first, (*left.rest, step))
        return tree.SetOperation(left.at, left, (step,))

    intersection = union

    def subquery(self, children: Children) -> tree.Query:
        query: tree.Query = children[0]
        return query

    def select(self, children: Children) -> tree.Select:
        word, quantifier, top, items, sources, where, group_by, having = children
        return tree.Select(
            word.start_pos, _flag(quantifier, "DISTINCT"), top, items, sources, where, group_by or (), having
        )

    def quantifier(self, children: Children) -> Token:
        token: Token = children[0]
        return token

    def top(self, children: Children) -> int:
        return _count(children[0])

    offset = top

    def items(self, children: Children) -> tuple[Any, ...]:
        return tuple(children)

    tables = group_by = order_by = names = items

    def star(self, children: Children) -> tree.Star:
        return tree.Star(children[0].start_pos)

    def table_star(self, children: Children) -> tree.Star:
        return tree.Star(children[0][0].at, children[0])

    def plain_item(self, children: Children) -> tree.Item:
        return tree.Item(children[0].at, children[0])

    def named_item(self, children: Children) -> tree.Item:
        return tree.Item(children[0].at, children[0], children[1])

    def where(self, children: Children) -> tree.Node:
        node: tree.Node = children[0]
        return node

    having = on = where

    def using(self, children: Children) -> tuple[tree.Name, ...]:
        names: tuple[tree.Name, ...] = children[0]
        return names

    def sort_key(self, children: Children) -> tree.SortKey:
        return tree.SortKey(children[0].at, children[0], _flag(children[1], "DESC"))

    def join_kind(self, children: Children) -> Token:
        token: Token = children[0]
        return token

    def join(self, children: Children) -> tree.Join:
        left, kind, right, specification = children
        kind = "INNER" if kind is None else kind.upper()
        if isinstance(specification, tuple):
            return tree.Join(left.at, kind, left, right, using=specification)
        return tree.Join(left.at, kind, left, right, condition=specification)

    def natural_join(self, children: Children) -> tree.Join:
        left, _, kind, right = children
        return tree.Join(left.at, "INNER" if kind is None else kind.upper(), left, right, natural=True)

    def cross_join(self, children: Children) -> tree.Join:
        left, _, right = children
        return tree.Join(left.at, "CROSS", left, right)

    def table_name(self, children: Children) -> tree.TableName:
        name, alias, sample = children
        return tree.TableName(name[0].at, name, alias, sample)

    def sampled_table(self, children: Children) -> tree.TableName:
        name, sample, alias = children
        return tree.TableName(name[0].at, name, alias, sample)

    def sample(self, children: Children) -> tree.Number:
        return tree.Number(children[1].start_pos, float(children[1]))

    def derived(self, children: Children) -> tree.Derived:
        return tree.Derived(children[0].at, children[0], children[1])

    def derived_join(self, children: Children) -> tree.Derived:
        join, alias = children
        return tree.Derived(join.at, _all_of_it(join), alias)

    def disjunction(self, children: Children) -> tree.AnyOf:
        return tree.AnyOf(children[0].at, tuple(children))

    def all_of(self, children: Children) -> tree.AllOf:
        return tree.AllOf(children[0].at, tuple(children))

    def negation(self, children: Children) -> tree.Negation:
        return tree.Negation(children[0].start_pos, children[1])

    def comparison(self, children: Children) -> tree.Comparison:
        left, operator, right = children
        return tree.Comparison(left.at, "<>" if operator == "!=" else str(operator), left, right)

    def between(self, children: Children) -> tree.Between:
        operand, negated, low, high = children
        return tree.Between(operand.at, operand, low, high, negated is not None)

    def in_query(self, children: Children) -> tree.InSubquery:
        operand, negated, query = children
        return tree.InSubquery(operand.at, operand, query, negated is not None)

    def in_list(self, children: Children) -> tree.InItems | tree.InSubquery:
        operand, negated, *items = children
        if len(items) == 1 and isinstance(items[0], tree.ScalarSubquery):
            # brackets more than needed: a query in brackets is a table here (ADQL 2.1, <in_predicate_value>)
            return tree.InSubquery(operand.at, operand, items[0].query, negated is not None)
        return tree.InItems(operand.at, operand, tuple(items), negated is not None)

    def like(self, children: Children) -> tree.Matches:
        operand, negated, word, pattern = children
        return tree.Matches(operand.at, operand, pattern, word.upper() == "ILIKE", negated is not None)

    def is_null(self, children: Children) -> tree.NullTest:
        return tree.NullTest(children[0].at, children[0], children[1] is not None)

    def exists(self, children: Children) -> tree.ExistsTest:
        return tree.ExistsTest(children[0].start_pos, children[1])

    def exists_join(self, children: Children) -> tree.ExistsTest:
        return tree.ExistsTest(children[0].start_pos, _all_of_it(children[1]))

    def sum_chain(self, children: Children) -> tree.Chain:
        first, *rest = children
        if len(rest) > 2 * LONGEST_CHAIN:
            raise LimitFault(
                f"an expression joins more than {LONGEST_CHAIN} values by operators, more than the database takes;"
                " use SUM over a column, or several expressions"
            )
        pairs = tuple((str(rest[i]), rest[i + 1]) for i in range(0, len(rest), 2))
        return tree.Chain(first.at, first, pairs)

    product_chain = sum_chain

    def signed(self, children: Children) -> tree.Signed:
        return tree.Signed(children[0].start_pos, str(children[0]), children[1])

    def integer(self, children: Children) -> tree.Number:
        token = children[0]
        return tree.Number(token.start_pos, int(token) if len(token) <= _INT_DIGITS else float(token))

    def hexadecimal(self, children: Children) -> tree.Number:
        return tree.Number(children[0].start_pos, int(children[0], 16))

    def decimal(self, children: Children) -> tree.Number:
        return tree.Number(children[0].start_pos, float(children[0]))

    def string(self, children: Children) -> tree.String:
        return tree.String(children[0].start_pos, children[0][1:-1].replace("''", "'"))

    def null(self, children: Children) -> tree.Null:
        return tree.Null(children[0].start_pos)

    def column(self, children: Children) -> tree.ColumnName:
        return tree.ColumnName(children[0][0].at, children[0])

    def scalar_query(self, children: Children) -> tree.ScalarSubquery:
        return tree.ScalarSubquery(children[0].at, children[0])

    def call(self, children: Children) -> tree.Call:
        word, *arguments = children
        if arguments == [None]:
            arguments = []
        return tree.Call(word.start_pos, str(word), tuple(arguments))

    def aggregate(self, children: Children) -> tree.AggregateCall:
        word, quantifier, argument = children
        return tree.AggregateCall(word.start_pos, word.upper(), argument, _flag(quantifier, "DISTINCT"))

    def aggregate_star(self, children: Children) -> tree.AggregateCall:
        return tree.AggregateCall(children[0].start_pos, children[0].upper(), None)

    def cast(self, children: Children) -> tree.CastTo:
        word, operand, (name, length) = children
        return tree.CastTo(word.start_pos, operand, name, length)

    def case(self, children: Children) -> tree.Case:
        word, operand, *branches, otherwise = children
        return tree.Case(word.start_pos, operand, tuple(branches), otherwise)

    def branch(self, children: Children) -> tuple[tree.Node, tree.Node]:
        test, value = children
        return test, value

    def type(self, children: Children) -> tuple[str, int | None]:
        if children[0].type == "DOUBLE":
            return "DOUBLE PRECISION", None
        length = children[1] if len(children) > 1 else None
        return children[0].upper(), None if length is None else _count(length)

    def qualified(self, children: Children) -> tuple[tree.Name, ...]:
        return (children[0],)

    def qualified_further(self, children: Children) -> tuple[tree.Name, ...]:
        return (*children[0], children[1])

    def name(self, children: Children) -> tree.Name:
        token: Token = children[0]
        if token.type == "DELIMITED":
            return tree.Name(token.start_pos, token[1:-1].replace('""', '"'), delimited=True)
        return tree.Name(token.start_pos, str(token))


def builder() -> object:
    """What the parser calls; the first rule of the grammar gives a :class:`vo.adql.syntax.tree.Query`."""
    return _Builder()
