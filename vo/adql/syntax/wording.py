"""Expressions as they would be written in ADQL, short: the descriptions of computed columns.

Text that was written one way or another (case, blanks, brackets without need) becomes one text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from vo.adql.syntax import tree

#: Longer texts end in dots.
LONGEST = 120


def worded(node: Any) -> str | None:
    """A node of :mod:`vo.adql.syntax.tree` as ADQL of at most 120 characters; None for what has no words here."""
    pieces: list[str] = []
    size = 0
    try:
        for piece in _words(node):
            pieces.append(piece)
            size += len(piece)
            if size > LONGEST:
                return "".join(pieces)[: LONGEST - 3] + "..."
    except KeyError:
        return None
    return "".join(pieces)


def _words(node: Any) -> Iterator[str]:
    return _WORDS[type(node)](node)


def _operand(node: Any) -> Iterator[str]:
    """In brackets where it is more than one word."""
    if not isinstance(node, _COMPOUND):
        yield from _words(node)
        return
    yield "("
    yield from _words(node)
    yield ")"


def _listed(nodes: tuple[Any, ...]) -> Iterator[str]:
    for i, node in enumerate(nodes):
        if i:
            yield ", "
        yield from _words(node)


def _number(node: tree.Number) -> Iterator[str]:
    yield f"{node.value!r}"


def _string(node: tree.String) -> Iterator[str]:
    yield "'" + node.value[: LONGEST + 1].replace("'", "''") + "'"


def _null(_node: tree.Null) -> Iterator[str]:
    yield "NULL"


def _column(node: tree.ColumnName) -> Iterator[str]:
    yield ".".join(map(str, node.parts))


def _signed(node: tree.Signed) -> Iterator[str]:
    yield node.sign
    yield from _operand(node.operand)


def _chain(node: tree.Chain) -> Iterator[str]:
    yield from _term(node.first, node.rest[0][0])
    for operator, operand in node.rest:
        yield f" {operator} "
        yield from _term(operand, operator)


def _term(node: Any, operator: str) -> Iterator[str]:
    """A product in a sum needs no brackets."""
    if operator in "+-" and isinstance(node, tree.Chain) and node.rest[0][0] in "*/":
        return _words(node)
    return _operand(node)


def _call(node: tree.Call) -> Iterator[str]:
    yield f"{node.name}("
    yield from _listed(node.arguments)
    yield ")"


def _aggregate(node: tree.AggregateCall) -> Iterator[str]:
    yield f"{node.name}({'DISTINCT ' if node.distinct else ''}"
    if node.argument is None:
        yield "*"
    else:
        yield from _words(node.argument)
    yield ")"


def _cast(node: tree.CastTo) -> Iterator[str]:
    yield "CAST("
    yield from _words(node.operand)
    yield f" AS {node.type}{'' if node.length is None else f'({node.length})'})"


def _case(node: tree.Case) -> Iterator[str]:
    yield "CASE"
    if node.operand is not None:
        yield " "
        yield from _operand(node.operand)
    for test, value in node.branches:
        yield " WHEN "
        yield from _words(test)
        yield " THEN "
        yield from _words(value)
    if node.otherwise is not None:
        yield " ELSE "
        yield from _words(node.otherwise)
    yield " END"


def _comparison(node: tree.Comparison) -> Iterator[str]:
    yield from _operand(node.left)
    yield f" {node.operator} "
    yield from _operand(node.right)


def _between(node: tree.Between) -> Iterator[str]:
    yield from _operand(node.operand)
    yield f"{_not(node)} BETWEEN "
    yield from _operand(node.low)
    yield " AND "
    yield from _operand(node.high)


def _in_items(node: tree.InItems) -> Iterator[str]:
    yield from _operand(node.operand)
    yield f"{_not(node)} IN ("
    yield from _listed(node.items)
    yield ")"


def _in_query(node: tree.InSubquery) -> Iterator[str]:
    yield from _operand(node.operand)
    yield f"{_not(node)} IN (SELECT ...)"


def _matches(node: tree.Matches) -> Iterator[str]:
    yield from _operand(node.operand)
    yield f"{_not(node)} {'ILIKE' if node.any_case else 'LIKE'} "
    yield from _operand(node.pattern)


def _null_test(node: tree.NullTest) -> Iterator[str]:
    yield from _operand(node.operand)
    yield f" IS{_not(node)} NULL"


def _not(node: tree.Between | tree.InItems | tree.InSubquery | tree.Matches | tree.NullTest) -> str:
    return " NOT" if node.negated else ""


def _exists(_node: tree.ExistsTest) -> Iterator[str]:
    yield "EXISTS (SELECT ...)"


def _negation(node: tree.Negation) -> Iterator[str]:
    yield "NOT "
    yield from _operand(node.operand)


def _all_of(node: tree.AllOf) -> Iterator[str]:
    return _joined(node.terms, " AND ")


def _any_of(node: tree.AnyOf) -> Iterator[str]:
    return _joined(node.terms, " OR ")


def _joined(terms: tuple[Any, ...], word: str) -> Iterator[str]:
    for i, term in enumerate(terms):
        if i:
            yield word
        if isinstance(term, tree.AllOf | tree.AnyOf):
            yield from _operand(term)
        else:
            yield from _words(term)


def _scalar(_node: tree.ScalarSubquery) -> Iterator[str]:
    yield "(SELECT ...)"


_COMPOUND = (
    tree.Chain,
    tree.Signed,
    tree.Comparison,
    tree.Between,
    tree.InItems,
    tree.InSubquery,
    tree.Matches,
    tree.NullTest,
    tree.Negation,
    tree.AllOf,
    tree.AnyOf,
)

_WORDS: dict[type, Callable[[Any], Iterator[str]]] = {
    tree.Number: _number,
    tree.String: _string,
    tree.Null: _null,
    tree.ColumnName: _column,
    tree.Signed: _signed,
    tree.Chain: _chain,
    tree.Call: _call,
    tree.AggregateCall: _aggregate,
    tree.CastTo: _cast,
    tree.Case: _case,
    tree.Comparison: _comparison,
    tree.Between: _between,
    tree.InItems: _in_items,
    tree.InSubquery: _in_query,
    tree.Matches: _matches,
    tree.NullTest: _null_test,
    tree.ExistsTest: _exists,
    tree.Negation: _negation,
    tree.AllOf: _all_of,
    tree.AnyOf: _any_of,
    tree.ScalarSubquery: _scalar,
}
