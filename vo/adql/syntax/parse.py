"""From text to tree: the lexer's words, the parser's callbacks, and faults that say what was expected where."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from vo.adql.functions import FUNCTIONS
from vo.adql.syntax import lalr, tree
from vo.adql.syntax.build import builder
from vo.adql.syntax.lalr import END, Parser, Unexpected
from vo.adql.syntax.lexer import BadCharacter, Lexer, Limits, Token, token, too_deep
from vo.adql.syntax.messages import bad_character, bad_token, place
from vo.errors import ADQLFault, LimitFault
from vo.metadata.words import RESERVED_WORDS

#: Words of the grammar and the terminals they become; a leading underscore means that the tree does not keep the word.
_KEPT = """SELECT DISTINCT ALL UNION EXCEPT INTERSECT NATURAL INNER LEFT RIGHT FULL CROSS NOT LIKE ILIKE EXISTS ASC DESC
    CAST CASE DOUBLE NULL TABLESAMPLE"""
_DROPPED = """WITH AS FROM TOP WHERE GROUP BY HAVING ORDER OFFSET JOIN OUTER ON USING OR AND BETWEEN IN IS PRECISION
    WHEN THEN ELSE END"""

AGGREGATES = ("AVG", "COUNT", "MAX", "MIN", "SUM")
#: Types that are functions, too.
SHAPES = ("POINT", "CIRCLE", "POLYGON")
TYPES = ("SMALLINT", "INTEGER", "BIGINT", "REAL", "CHAR", "VARCHAR", "TIMESTAMP")

_TERMINALS: dict[str, str] = (
    dict.fromkeys(RESERVED_WORDS, "RESERVED")
    | {name: "FUNCTION" for name in FUNCTIONS if name in RESERVED_WORDS}
    | dict.fromkeys(AGGREGATES, "AGGREGATE")
    | dict.fromkeys(TYPES, "TYPE")
    | dict.fromkeys(SHAPES, "SHAPE")
    | {word: word for word in _KEPT.split()}
    | {word: f"_{word}" for word in _DROPPED.split()}
)

#: Words of set operations; in front of an operand ALL may stand, too.
_SET_WORDS = frozenset({"UNION", "EXCEPT", "INTERSECT", "ALL"})
#: What can stand behind the brackets of a query, but not behind those of a value that would be read otherwise.
_BEHIND_QUERIES = (_SET_WORDS - {"ALL"}) | {"_ORDER", "_OFFSET"}
#: What brackets of arguments stand behind.
_BEFORE_ARGUMENTS = frozenset({"NAME", "FUNCTION", "SHAPE", "AGGREGATE"})
#: Whether several brackets may stand round one operand, by a glance at the text.
_MAY_DOUBLE = re.compile(r"\(\s*\(").search

#: Levels of the tree that one pair of brackets may stand for.
_NODES_PER_BRACKET = 2

#: Up to so many brackets, signs and joins, a tree is shallow anyway.
_SHALLOW = 20


def parse(text: str, limits: Limits) -> tree.Query:
    """The tree of a query; :class:`ADQLFault` when it is not ADQL, :class:`LimitFault` beyond the limits."""
    _check_text(text, limits)
    lexer, parser = _machines()
    tokens: Iterable[Token] = chain(lexer.tokens(text, limits), [token(END, "", len(text.rstrip()))])
    try:
        if _MAY_DOUBLE(text):
            tokens = _single_brackets(list(tokens))
        query: tree.Query = parser.parse(tokens)
    except BadCharacter as fault:
        raise bad_character(text, fault.at) from None
    except Unexpected as fault:
        raise bad_token(text, fault.token, fault.accepted, _is_function) from None
    # few brackets, signs and joins cannot nest deeply
    capitals = text.upper()
    if sum(capitals.count(mark) for mark in ("(", "-", "+", "NOT", "JOIN", "CASE")) > _SHALLOW:
        _check_depth(query, limits)
    return query


def _single_brackets(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens with one pair of brackets where several stand round an operand of UNION and its like.

    In ``((SELECT ..)) UNION ..`` only what follows the brackets tells that no value stands there: too late for LALR(1).
    """
    partner: dict[int, int] = {}
    opened: list[int] = []
    for i, one in enumerate(tokens):
        if one.type == "LPAR":
            opened.append(i)
        elif one.type == "RPAR" and opened:
            partner[opened.pop()] = i
    dropped: set[int] = set()
    for start, end in sorted(partner.items()):
        before, behind = tokens[start - 1].type if start else "", tokens[end + 1].type
        if before in _BEFORE_ARGUMENTS or not (before in _SET_WORDS or behind in _BEHIND_QUERIES):
            continue
        while partner.get(start + 1) == end - 1:
            dropped |= {start, end}
            start, end = start + 1, end - 1  # noqa: PLW2901 - inward
    return (one for i, one in enumerate(tokens) if i not in dropped)


def _check_depth(query: tree.Query, limits: Limits) -> None:
    """Measure the tree without recursion, so that everything after it may recurse."""
    level: list[Any] = [query]
    for _ in range(limits.depth * _NODES_PER_BRACKET):
        level = [part for node in level for part in _parts(node)]
        if not level:
            return
    raise too_deep(limits)


def _parts(node: Any) -> Iterator[Any]:
    if isinstance(node, tuple):
        yield from node
    elif hasattr(node, "at"):
        for slot in node.__slots__:
            value = getattr(node, slot)
            if isinstance(value, tuple) or hasattr(value, "at"):
                yield value


def _check_text(text: str, limits: Limits) -> None:
    if len(text) > limits.length:
        raise LimitFault(
            f"the query has {len(text)} characters, the limit query_length is {limits.length};"
            " split long lists over several queries"
        )
    odd = re.search("[\x00\ud800-\udfff]", text)
    if odd:
        line, column = place(text, odd.start())
        raise ADQLFault(f"the character {odd.group()!r} cannot be part of a query", line=line, column=column)


@functools.cache
def _machines() -> tuple[Lexer, Parser]:
    tables = lalr.load()
    return Lexer(tables.pattern, frozenset(tables.ignored), _TERMINALS), Parser(tables, builder())


def _is_function(word: str) -> bool:
    return _TERMINALS.get(word.upper()) in ("FUNCTION", "SHAPE", "AGGREGATE")
