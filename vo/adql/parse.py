"""From text to tree: the lexer's words, the parser's callbacks, and faults that say what was expected where."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from vo.adql import lalr, tree
from vo.adql.build import builder
from vo.adql.functions import FUNCTIONS
from vo.adql.lalr import END, Parser, Unexpected
from vo.adql.lexer import BadCharacter, Lexer, Limits, Token, token, too_deep
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

#: How terminals are called in a fault; words stand for themselves.
_CALLED = {
    "NAME": "a name",
    "DELIMITED": "a name",
    "STRING": "a text",
    "INTEGER_LITERAL": "a number",
    "DECIMAL_LITERAL": "a number",
    "HEX_LITERAL": "a number",
    "COMPARISON": "a comparison",
    "FUNCTION": "a function",
    "AGGREGATE": "a function",
    "TYPE": "a type",
    "CONCAT": "'||'",
    "PLUS": "'+'",
    "MINUS": "'-'",
    "STAR": "'*'",
    "SLASH": "'/'",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "DOT": "'.'",
    "SEMICOLON": "';'",
    END: "the end of the query",
}

#: Levels of the tree that one pair of brackets may stand for.
_NODES_PER_BRACKET = 2

#: Up to so many brackets, signs and joins, a tree is shallow anyway.
_SHALLOW = 20

#: Quotation marks of word processors.
_TYPOGRAPHIC = "\u2018\u2019\u201c\u201d\u00b4`"

#: A longer list of what was expected leaves out what everybody knows.
_LONG_LIST = 8


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column, counted from 1, of an offset in the text."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def parse(text: str, limits: Limits) -> tree.Query:
    """The tree of a query; :class:`ADQLFault` when it is not ADQL, :class:`LimitFault` beyond the limits."""
    _check_text(text, limits)
    lexer, parser = _machines()
    tokens = chain(lexer.tokens(text, limits), [token(END, "", len(text.rstrip()))])
    try:
        query: tree.Query = parser.parse(tokens)
    except BadCharacter as fault:
        raise _bad_character(text, fault.at) from None
    except Unexpected as fault:
        raise _bad_token(text, fault.token, fault.accepted) from None
    # few brackets, signs and joins cannot nest deeply
    capitals = text.upper()
    if sum(capitals.count(mark) for mark in ("(", "-", "+", "NOT", "JOIN", "CASE")) > _SHALLOW:
        _check_depth(query, limits)
    return query


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


def _bad_character(text: str, at: int) -> ADQLFault:
    line, column = place(text, at)
    character = text[at]
    hint = ""
    if character == "'":
        hint = "; a text that begins here does not end: write ' at its end, and '' for a ' inside"
    elif character == '"':
        hint = '; a delimited name that begins here is empty or does not end with "'
    elif character in _TYPOGRAPHIC:
        hint = "; write texts in straight quotes ' and delimited names in straight double quotes"
    elif character.isdigit():
        hint = "; a number cannot be followed at once by letters"
    elif character in "[]{}":
        hint = '; delimited names stand in double quotes "'
    elif character == "_":
        hint = "; a name begins with a letter, or stands in double quotes"
    return ADQLFault(f"{character!r} cannot stand here{hint}", line=line, column=column)


def _bad_token(text: str, found: Token, terminals: set[str]) -> ADQLFault:
    at = found.start_pos
    before = re.search(r"(\w+)\s*$", text[:at])
    word = before[1] if before else ""
    if before and terminals == {"LPAR"} and _TERMINALS.get(word.upper()) in ("FUNCTION", "SHAPE", "AGGREGATE"):
        line, column = place(text, before.start())
        problem = f'{word} is a function of ADQL and needs its arguments in brackets; as a name it is written "{word}"'
        return ADQLFault(problem, line=line, column=column)
    problem = "the query ends too early" if found.type == END else f"{str(found)!r} cannot stand here"
    line, column = place(text, at)
    hint = _hint(found, word, terminals)
    return ADQLFault(f"{problem}; expected {_expected(terminals)}{hint}", line=line, column=column)


def _expected(terminals: set[str]) -> str:
    words = sorted({_CALLED.get(terminal, terminal.lstrip("_")) for terminal in terminals - {"RESERVED"}})
    if len(words) > _LONG_LIST:
        words = [word for word in words if word[0] != "'" and word not in ("NULL", "EXISTS", "CAST")]
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


def _hint(found: Token, before: str, terminals: set[str]) -> str:
    """What may have been meant, by the token or by the word in front of it, which may have passed for an alias."""
    if "NAME" in terminals and found.upper() in RESERVED_WORDS:
        return f'. {found.upper()} is a reserved word of ADQL; as a name it is written "{found}"'
    words = [terminal.lstrip("_") for terminal in terminals if terminal.lstrip("_") in RESERVED_WORDS]
    for word in (str(found).upper(), before.upper()):
        if word == "LIMIT":
            return ". ADQL limits rows by SELECT TOP n"
        near = difflib.get_close_matches(word, words, n=1) if word not in RESERVED_WORDS else []
        if near:
            return f". Did you mean {near[0]}?"
    return ""
