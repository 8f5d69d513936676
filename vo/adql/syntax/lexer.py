"""From text to tokens: words told apart from names, and the limits of a query watched while they pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vo.errors import LimitFault


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may ask of the translator; the numbers come from :mod:`vo.settings`.

    ``length`` in characters; ``terms`` counts names, words and literals; ``depth`` counts brackets and
    CASEs in one another.
    """

    length: int = 200_000
    terms: int = 50_000
    depth: int = 100


class Token(str):
    """A piece of the text as it was written; ``type`` is the grammar's name for it, ``start_pos`` its offset."""

    __slots__ = ("start_pos", "type")

    type: str
    start_pos: int


class BadCharacter(Exception):
    """No token begins at this offset."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


_PUNCTUATION = frozenset({"LPAR", "RPAR", "COMMA", "DOT", "SEMICOLON"})
#: A CASE holds what stands before its END as brackets do.
_OPENING = frozenset({"LPAR", "CASE"})
_CLOSING = frozenset({"RPAR", "_END"})

#: What may stand many times in front of a value without a bracket.
_PREFIXES = frozenset({"NOT", "PLUS", "MINUS"})


def token(kind: str, text: str, at: int) -> Token:
    """A token of this type and text."""
    made = Token(text)
    made.type = kind
    made.start_pos = at
    return made


class Lexer:
    """Cuts text into tokens.

    ``pattern`` has one named group for each terminal. What matches as NAME is looked up, in upper case, among the
    ``words``, which have terminals of their own.
    """

    def __init__(self, pattern: str, ignored: frozenset[str], words: Mapping[str, str]) -> None:
        self._scan = re.compile(pattern).finditer
        self._ignored = ignored
        self._words = words

    def tokens(self, text: str, limits: Limits) -> Iterator[Token]:
        """The tokens one by one, so that nothing is built of a query beyond a limit.

        Raises :class:`BadCharacter`, and :class:`LimitFault` for too many terms or too deep brackets.
        """
        words, ignored = self._words, self._ignored
        at = terms = depth = prefixes = 0
        for match in self._scan(text):
            start = match.start()
            if start != at:
                raise BadCharacter(at)
            at = match.end()
            kind = match.lastgroup or ""
            if kind in ignored:
                continue
            written = match.group()
            if kind == "NAME":
                kind = words.get(written.upper(), kind)
            if kind not in _PUNCTUATION:
                terms += 1
            depth += (kind in _OPENING) - (kind in _CLOSING)
            prefixes = prefixes + 1 if kind in _PREFIXES else 0
            if depth + prefixes > limits.depth:
                raise too_deep(limits)
            if terms > limits.terms:
                raise LimitFault(
                    f"the query has more than {limits.terms} terms, the limit query_terms;"
                    " split long lists over several queries"
                )
            yield token(kind, written, start)
        if at != len(text):
            raise BadCharacter(at)


def too_deep(limits: Limits) -> LimitFault:
    """The fault for a query beyond the limit of depth."""
    return LimitFault(
        f"brackets, signs, joins, CASEs or sub-queries are nested deeper than the limit query_depth of {limits.depth};"
        " simplify"
    )
