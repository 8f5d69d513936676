"""Texts compared whatever their case are also compared in lower case, where an index is over that.

The database's ``lower`` and ``upper`` change the letters A to Z alone (its collation is C), as ILIKE does; so what is
equal in upper case is equal in lower case.
"""

from __future__ import annotations

from collections.abc import Iterator

from vo.adql.kinds import Type
from vo.adql.plan import (
    AmongValues,
    And,
    Apply,
    ColumnValue,
    Compare,
    Constant,
    Expression,
    Like,
    Or,
    SelectPlan,
    map_conditions,
)
from vo.adql.rewrite.groups import asks_keys_alone

_WILD = ("%", "_")


def compare_lower_case(select: SelectPlan) -> SelectPlan:
    """Add the comparison in lower case that UPPER, ILIKE and ivo_nocasematch imply."""
    return map_conditions(select, _with_lower, in_having=asks_keys_alone(select))


def _with_lower(condition: Expression) -> Expression:
    match condition:
        case And(terms):
            return And(tuple(one for term in terms for one in _terms(term)))
        case Or(terms):
            return Or(tuple(map(_with_lower, terms)))
        case _:
            found = tuple(_terms(condition))
            return found[0] if len(found) == 1 else And(found)


def _terms(condition: Expression) -> Iterator[Expression]:
    if isinstance(condition, And | Or):
        yield _with_lower(condition)
        return
    implied = _implied(condition)
    if implied is not None:
        yield implied
    yield condition


def _implied(condition: Expression) -> Expression | None:
    match condition:
        case Compare("=", left, right) if _is_indexed(_upper(left)) and _is_simple(right):
            return Compare("=", _lower(left), _lower(right))
        case Compare("=", left, right) if _is_indexed(_upper(right)) and _is_simple(left):
            return Compare("=", _lower(right), _lower(left))
        case AmongValues(text, items) if _is_indexed(_upper(text)) and all(map(_is_simple, items)):
            return AmongValues(_lower(text), tuple(map(_lower, items)))
        case Like(text, pattern, any_case) if _is_indexed(text if any_case else _upper(text)):
            return _like(text, pattern)
        case Apply("IVO_NOCASEMATCH", _, _, (text, pattern)) if _is_indexed(text) and _is_ascii(text, pattern):
            return _like(text, pattern)
        case _:
            return None


def _upper(text: Expression) -> Expression | None:
    """What stands in UPPER."""
    return text.arguments[0] if isinstance(text, Apply) and text.name == "UPPER" else None


def _is_indexed(text: Expression | None) -> bool:
    column = text.output.column if isinstance(text, ColumnValue) else None
    return column is not None and column.indexed_lower and not column.is_path


def _is_simple(other: Expression) -> bool:
    """Whether the other side may be written twice."""
    match other:
        case Apply("UPPER", _, _, (text,)):
            return _is_simple(text)
        case _:
            return isinstance(other, Constant | ColumnValue)


def _is_ascii(text: Expression, pattern: Expression) -> bool:
    """Whether both have no letters but those that ``lower`` changes; a column's metadata tell."""
    column = text.output.column if isinstance(text, ColumnValue) else None
    value = pattern.value if isinstance(pattern, Constant) else None
    return column is not None and not column.is_unicode and isinstance(value, str) and value.isascii()


def _like(text: Expression, pattern: Expression) -> Expression | None:
    value = pattern.value if isinstance(pattern, Constant) else None
    if not isinstance(value, str) or value.startswith(_WILD):
        return None
    return Like(_lower(text), Constant(Type.TEXT, _lowered(value)), any_case=False)


def _lower(text: Expression) -> Expression:
    match text:
        case Constant(type_, str(value)):
            return Constant(type_, _lowered(value))
        case Constant():
            return text
        case Apply("UPPER", _, _, (inner,)):
            return _lower(inner)
        case _:
            return Apply("LOWER", Type.TEXT, "lower({0})", (text,))


def _lowered(value: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in value)
