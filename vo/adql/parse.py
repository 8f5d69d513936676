"""From text to tree: the lexer's words, the parser's callbacks, and faults that say what was expected where."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from vo.adql import tree
from vo.adql.functions import FUNCTIONS
from vo.errors import ADQLFault, LimitFault
from vo.metadata.words import RESERVED_WORDS


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may ask of the translator; the numbers come from :mod:`vo.settings`.

    ``length`` in characters; ``terms`` counts names, words and literals; ``depth`` counts brackets in brackets.
    """

    length: int = 200_000
    terms: int = 50_000
    depth: int = 100


#: Words of the grammar and the terminals they become; a leading underscore means that the tree does not keep the word.
_KEPT = """SELECT DISTINCT ALL UNION EXCEPT INTERSECT NATURAL INNER LEFT RIGHT FULL CROSS NOT LIKE ILIKE EXISTS ASC DESC
    CAST DOUBLE NULL"""
_DROPPED = """WITH AS FROM TOP WHERE GROUP BY HAVING ORDER OFFSET JOIN OUTER ON USING OR AND BETWEEN IN IS PRECISION"""

AGGREGATES = ("AVG", "COUNT", "MAX", "MIN", "SUM")
TYPES = ("SMALLINT", "INTEGER", "BIGINT", "REAL", "CHAR", "VARCHAR", "TIMESTAMP")

_TERMINALS: dict[str, str] = (
    dict.fromkeys(RESERVED_WORDS, "RESERVED")
    | {name: "FUNCTION" for name in FUNCTIONS if name in RESERVED_WORDS}
    | dict.fromkeys(AGGREGATES, "AGGREGATE")
    | dict.fromkeys(TYPES, "TYPE")
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
    "$END": "the end of the query",
}

#: So many digits fit PostgreSQL's largest integer for certain; a number with more is a DOUBLE.
_INT_DIGITS = 19

#: Most operators in one sum, product or concatenation: PostgreSQL's stack ends between 2,000 and 5,000.
LONGEST_CHAIN = 1000

#: A number of rows that no table reaches.
ALL_ROWS = 10**18

_PUNCTUATION = frozenset({"LPAR", "RPAR", "COMMA", "DOT", "SEMICOLON"})
#: Levels of the tree that one pair of brackets may stand for.
_NODES_PER_BRACKET = 2

#: Up to so many brackets and signs, a tree is shallow anyway.
_SHALLOW = 20

#: Quotation marks of word processors.
_TYPOGRAPHIC = "\u2018\u2019\u201c\u201d\u00b4`"

#: A longer list of what was expected leaves out what everybody knows.
_LONG_LIST = 8

_PREFIXES = frozenset({"NOT", "PLUS", "MINUS"})


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column, counted from 1, of an offset in the text."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def parse(text: str, limits: Limits) -> tree.Query:
    """The tree of a query; :class:`ADQLFault` when it is not ADQL, :class:`LimitFault` beyond the limits."""
    _check_text(text, limits)
    try:
        query: tree.Query = _parser(limits).parse(text)  # type: ignore[assignment]  # what the callback of start makes
    except UnexpectedCharacters as fault:
        raise _bad_character(text, fault) from None
    except UnexpectedToken as fault:
        raise _bad_token(text, fault) from None
    except UnexpectedInput as fault:  # pragma: no cover - lark has no third kind for this parser
        raise ADQLFault(f"this is not ADQL: {type(fault).__name__}") from None
    # few brackets and signs cannot nest deeply
    if sum(text.count(mark) for mark in "(-+") + text.upper().count("NOT") > _SHALLOW:
        _check_depth(query, limits)
    return query


def _check_depth(query: tree.Query, limits: Limits) -> None:
    """Measure the tree without recursion, so that everything after it may recurse."""
    level: list[Any] = [query]
    for _ in range(limits.depth * _NODES_PER_BRACKET):
        level = [part for node in level for part in _parts(node)]
        if not level:
            return
    raise _too_deep(limits)


def _parts(node: Any) -> Iterator[Any]:
    if isinstance(node, tuple):
        yield from node
    elif hasattr(node, "at"):
        for slot in node.__slots__:
            value = getattr(node, slot)
            if isinstance(value, tuple) or hasattr(value, "at"):
                yield value


def _too_deep(limits: Limits) -> LimitFault:
    return LimitFault(
        f"brackets, signs or sub-queries are nested deeper than the limit query_depth of {limits.depth}; simplify"
    )


def _check_text(text: str, limits: Limits) -> None:
    if len(text) > limits.length:
        raise LimitFault(
            f"the query has {len(text)} characters, the limit query_length is {limits.length};"
            " upload long lists as a table and join it"
        )
    odd = re.search("[\x00\ud800-\udfff]", text)
    if odd:
        line, column = place(text, odd.start())
        raise ADQLFault(f"the character {odd.group()!r} cannot be part of a query", line=line, column=column)


@functools.lru_cache(maxsize=4)
def _parser(limits: Limits) -> Lark:
    grammar = (files("vo.adql") / "grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        strict=True,
        transformer=_Builder(),
        lexer_callbacks={"NAME": _tell_apart},
        postlex=_Gauge(limits),
    )


def _tell_apart(token: Token) -> Token:
    kind = _TERMINALS.get(token.upper())
    if kind is not None:
        token.type = kind
    return token


class _Gauge:
    """Counts terms and depth while tokens pass, before anything is built of them."""

    always_accept = ()

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        terms = depth = prefixes = 0
        limits = self._limits
        for token in stream:
            kind = token.type
            if kind in _PUNCTUATION:
                depth += (kind == "LPAR") - (kind == "RPAR")
            else:
                terms += 1
            prefixes = prefixes + 1 if kind in _PREFIXES else 0
            if depth + prefixes > limits.depth:
                raise _too_deep(limits)
            if terms > limits.terms:
                raise LimitFault(
                    f"the query has more than {limits.terms} terms, the limit query_terms;"
                    " upload long lists as a table and join it"
                )
            yield token


def _bad_character(text: str, fault: UnexpectedCharacters) -> ADQLFault:
    at: int = fault.pos_in_stream  # type: ignore[assignment]  # lark's stubs allow None, its lexer always sets it
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


def _bad_token(text: str, fault: UnexpectedToken) -> ADQLFault:
    token = fault.token
    terminals = fault.accepts or fault.expected
    at = len(text.rstrip()) if token.type == "$END" else token.start_pos or 0
    before = re.search(r"(\w+)\s*$", text[:at])
    word = before[1] if before else ""
    if before and terminals == {"LPAR"} and _TERMINALS.get(word.upper()) in ("FUNCTION", "AGGREGATE"):
        line, column = place(text, before.start())
        problem = f'{word} is a function of ADQL and needs its arguments in brackets; as a name it is written "{word}"'
        return ADQLFault(problem, line=line, column=column)
    problem = "the query ends too early" if token.type == "$END" else f"{str(token)!r} cannot stand here"
    line, column = place(text, at)
    hint = _hint(token, word, terminals)
    return ADQLFault(f"{problem}; expected {_expected(terminals)}{hint}", line=line, column=column)


def _expected(terminals: set[str]) -> str:
    words = sorted({_CALLED.get(terminal, terminal.lstrip("_")) for terminal in terminals - {"RESERVED"}})
    if len(words) > _LONG_LIST:
        words = [word for word in words if word[0] != "'" and word not in ("NULL", "EXISTS", "CAST")]
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


def _hint(token: Token, before: str, terminals: set[str]) -> str:
    """What may have been meant, by the token or by the word in front of it, which may have passed for an alias."""
    if "NAME" in terminals and token.upper() in RESERVED_WORDS:
        return f'. {token.upper()} is a reserved word of ADQL; as a name it is written "{token}"'
    words = [terminal.lstrip("_") for terminal in terminals if terminal.lstrip("_") in RESERVED_WORDS]
    for word in (str(token).upper(), before.upper()):
        if word == "LIMIT":
            return ". ADQL limits rows by SELECT TOP n"
        near = difflib.get_close_matches(word, words, n=1) if word not in RESERVED_WORDS else []
        if near:
            return f". Did you mean {near[0]}?"
    return ""


def _flag(token: Token | None, word: str) -> bool:
    return token is not None and token.upper() == word


Children = list[Any]  # tokens and nodes as the grammar puts them


class _Builder(Transformer[Token, tree.Query]):
    """One method for each rule of the grammar; lark calls it while it parses."""

    def start(self, children: Children) -> tree.Query:
        query: tree.Query = children[0]
        return query

    def query(self, children: Children) -> tree.Query:
        with_items, body, order_by, offset = children
        at = with_items[0].at if with_items else body.at
        return tree.Query(at, body, with_items or (), order_by or (), offset)

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
        token = children[0]
        return int(token) if len(token) < _INT_DIGITS else ALL_ROWS

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
        left, natural, kind, right, specification = children
        columns = specification if isinstance(specification, tuple) else ()
        return tree.Join(
            left.at,
            "INNER" if kind is None else kind.upper(),
            left,
            right,
            natural is not None,
            None if columns else specification,
            columns,
        )

    def table_name(self, children: Children) -> tree.TableName:
        return tree.TableName(children[0][0].at, children[0], children[1] if len(children) > 1 else None)

    def derived(self, children: Children) -> tree.Derived:
        return tree.Derived(children[0].at, children[0], children[1])

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

    def in_list(self, children: Children) -> tree.InItems:
        operand, negated, *items = children
        return tree.InItems(operand.at, operand, tuple(items), negated is not None)

    def like(self, children: Children) -> tree.Matches:
        operand, negated, word, pattern = children
        return tree.Matches(operand.at, operand, pattern, word.upper() == "ILIKE", negated is not None)

    def is_null(self, children: Children) -> tree.NullTest:
        return tree.NullTest(children[0].at, children[0], children[1] is not None)

    def exists(self, children: Children) -> tree.ExistsTest:
        return tree.ExistsTest(children[0].start_pos, children[1])

    def sum_chain(self, children: Children) -> tree.Chain:
        first, *rest = children
        if len(rest) > 2 * LONGEST_CHAIN:
            raise LimitFault(
                f"an expression joins more than {LONGEST_CHAIN} values by operators, more than the database takes;"
                " upload them as a table and use SUM or a join"
            )
        pairs = tuple((str(rest[i]), rest[i + 1]) for i in range(0, len(rest), 2))
        return tree.Chain(first.at, first, pairs)

    product_chain = sum_chain

    def signed(self, children: Children) -> tree.Signed:
        return tree.Signed(children[0].start_pos, str(children[0]), children[1])

    def integer(self, children: Children) -> tree.Number:
        token = children[0]
        return tree.Number(token.start_pos, int(token) if len(token) < _INT_DIGITS else float(token))

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

    def type(self, children: Children) -> tuple[str, int | None]:
        if children[0].type == "DOUBLE":
            return "DOUBLE PRECISION", None
        return children[0].upper(), None if children[1] is None else int(children[1])

    def qualified(self, children: Children) -> tuple[tree.Name, ...]:
        return (children[0],)

    def qualified_further(self, children: Children) -> tuple[tree.Name, ...]:
        return (*children[0], children[1])

    def name(self, children: Children) -> tree.Name:
        token: Token = children[0]
        if token.type == "DELIMITED":
            return tree.Name(token.start_pos or 0, token[1:-1].replace('""', '"'), delimited=True)
        return tree.Name(token.start_pos or 0, str(token))
