"""Queries as text for people: the tree as an indented drawing, SQL with a line for each clause, a fault's place.

The drawing reads the fields of the dataclasses in :mod:`vo.adql.syntax.tree`, so a new construct needs nothing here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from vo.adql.syntax.tree import Name

#: Of a longer list only so many members are drawn; the number of the others is said.
_MOST_MEMBERS = 20
#: A fault's line is cut to about so many characters around the column.
_EXCERPT = 100
_STEP = "  "

_TOKEN = re.compile(r"""E?'(?:[^'\\]|''|\\.)*' | "(?:[^"]|"")*" | \w+ | \s+ | .""", re.VERBOSE | re.DOTALL)
_BREAKS = frozenset({"FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT"})
_JOINS = frozenset({"INNER", "LEFT", "RIGHT", "FULL", "CROSS"})


def draw(node: Any) -> str:
    """The tree below a node of :mod:`vo.adql.syntax.tree`, one line for each construct.

    A construct is the name of its class and its own words; each part is indented below it, with the name of the field
    that holds it. What is absent (None, False, an empty tuple) is left out, and so are offsets.
    """
    lines = [_label(node)]
    _draw_parts(node, "", lines)
    return "\n".join(lines)


def _draw_parts(node: Any, indent: str, lines: list[str]) -> None:
    parts = list(_parts(node))
    for number, (field, part) in enumerate(parts, 1):
        is_last = number == len(parts)
        lines.append(f"{indent}{'└─ ' if is_last else '├─ '}{': '.join(filter(None, (field, _label(part))))}")
        _draw_parts(part, f"{indent}{'   ' if is_last else '│  '}", lines)


def _label(node: Any) -> str:
    if isinstance(node, tuple | str):
        return _text_of(node)
    words = [type(node).__name__]
    own = [field for field in dataclasses.fields(node) if field.name != "at"]
    for field in own:
        value = getattr(node, field.name)
        if value is None or value is False or value == () or not _is_word(value):
            continue
        if value is True:
            words.append(field.name)
        elif field is own[0]:  # what the construct is: its operator, its name
            words.append(_word(value, "."))
        else:
            words.append(f"{field.name}={_word(value, ', ')}")
    return " ".join(words)


def _is_word(value: Any) -> bool:
    """Whether a field's value stands on the construct's own line."""
    if isinstance(value, tuple):
        return all(isinstance(one, Name) for one in value)
    return isinstance(value, str | int | float | Name)


def _word(value: Any, between: str) -> str:
    if isinstance(value, tuple):
        return between.join(map(str, value))
    return str(value) if isinstance(value, Name) else repr(value)


def _text_of(member: tuple[Any, ...] | str) -> str:
    """What stands on the line of a tuple inside a list, such as ('+', operand); a text says itself."""
    if isinstance(member, str):
        return member
    return ", ".join(_word(one, ".") for one in member if _is_word(one) and one is not False)


def _parts(node: Any) -> Iterator[tuple[str, Any]]:
    """What is drawn below a node: pairs of the field's name and a construct, a tuple of constructs, or a remark."""
    if isinstance(node, str):
        return
    if isinstance(node, tuple):
        yield from (("", member) for member in node if not _is_word(member))
        return
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, Name):
            yield field.name, value
        elif isinstance(value, tuple) and not _is_word(value):
            yield from ((field.name, member) for member in value[:_MOST_MEMBERS])
            if len(value) > _MOST_MEMBERS:
                yield field.name, f"{len(value) - _MOST_MEMBERS:,} more"


def break_sql(sql: str) -> str:
    """SQL with each clause, join and condition on a line of its own, queries in brackets indented.

    Only blanks between tokens change; texts and quoted names stay as they are.
    """
    return _Breaker().broken(sql)


class _Breaker:
    """Writes tokens one after the other.

    ``_open`` holds for each open bracket the clause that is being written, None where no query is; ``_margins`` the
    indentation of each open query, the outermost first.
    """

    def __init__(self) -> None:
        self._lines = [""]
        self._open: list[str | None] = ["SELECT"]
        self._margins = [""]

    def broken(self, sql: str) -> str:
        tokens = _TOKEN.findall(sql)
        words = [token for token in tokens if not token.isspace()]
        space_before = [False]
        for token in tokens:
            if token.isspace():
                space_before[-1] = True
            else:
                space_before.append(False)
        for i, word in enumerate(words):
            before = words[i - 1] if i else ""
            after = words[i + 1] if i + 1 < len(words) else ""
            self._write(word, before, after, spaced=space_before[i])
        return "\n".join(self._lines)

    def _write(self, word: str, before: str, after: str, *, spaced: bool) -> None:
        if word == "(":
            self._add(word, spaced=spaced)
            self._open.append("SELECT" if after in ("SELECT", "WITH") else None)
            if self._open[-1]:
                line = self._lines[-1]
                self._margins.append(line[: len(line) - len(line.lstrip())] + _STEP)
                self._lines.append(self._margins[-1])
            return
        if word == ")" and len(self._open) > 1:
            if self._open.pop():
                self._lines.append(self._margins.pop().removesuffix(_STEP))
            self._add(word, spaced=spaced)
            return
        clause = self._open[-1]
        if clause is not None and self._begins_line(word, before, clause):
            is_deeper = word in ("AND", "OR") or self._is_join(word, before)
            self._lines.append(self._margins[-1] + (_STEP if is_deeper else ""))
        self._add(word, spaced=spaced)
        self._note(word)

    def _begins_line(self, word: str, before: str, clause: str) -> bool:
        if word == "FROM":
            return clause == "SELECT" and before != "DISTINCT"
        if word in _BREAKS:
            return True
        if word == "SELECT":
            return before in ("UNION", "EXCEPT", "INTERSECT", "ALL", ")")
        if word in ("AND", "OR"):
            return clause in ("WHERE", "HAVING", "FROM")
        return clause == "FROM" and self._is_join(word, before)

    def _is_join(self, word: str, before: str) -> bool:
        return word in _JOINS or (word == "JOIN" and before not in _JOINS)

    def _note(self, word: str) -> None:
        """Remember the clause; the AND of BETWEEN is no operator between conditions."""
        clause = self._open[-1]
        if clause is None:
            return
        if word == "BETWEEN":
            self._open[-1] = f"{clause} BETWEEN"
        elif word == "AND" and clause.endswith(" BETWEEN"):
            self._open[-1] = clause.removesuffix(" BETWEEN")
        elif word in ("SELECT", "FROM", "WHERE", "HAVING", "GROUP", "ORDER"):
            self._open[-1] = word

    def _add(self, word: str, *, spaced: bool) -> None:
        line = self._lines[-1]
        self._lines[-1] = f"{line} {word}" if spaced and line.strip() else line + word


def point_at(text: str, line: int, column: int) -> str:
    """The line of a query, and below it a caret under the column (both from 1); long lines are cut around it."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    shown = "".join(character if character.isprintable() else " " for character in lines[line - 1])
    at = column - 1
    begin = max(0, min(at - _EXCERPT // 2, len(shown) - _EXCERPT))
    end = begin + _EXCERPT
    before, after = "..." if begin else "", "..." if end < len(shown) else ""
    return f"{before}{shown[begin:end]}{after}\n{' ' * (len(before) + at - begin)}^"
