"""What result columns are called, and what is known of them: type, unit, UCD."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

from vo.adql.functions import FUNCTIONS
from vo.adql.kinds import SHAPES, Type, kind_of
from vo.adql.plan import (
    Apply,
    ColumnValue,
    Constant,
    Convert,
    Expression,
    Minus,
    Operators,
    Spherical,
    Truth,
)
from vo.metadata.fields import Field, votable_type

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")


class Names:
    """Gives unique names, whatever their case; as SQL names they are also short and simple."""

    def __init__(self, *, sql: bool = False) -> None:
        self._sql = sql
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """The name, or the name with a number where it is taken (TAP-15)."""
        if self._sql:
            name = name.lower() if _SIMPLE.fullmatch(name) else "c"
        unique = name
        if name.lower() in self._taken:
            candidates = (f"{name}_{i}" for i in itertools.count(2))
            unique = next(candidate for candidate in candidates if candidate.lower() not in self._taken)
        self._taken.add(unique.lower())
        return unique


def proposed_name(expression: Expression) -> str:
    """A valid name for an expression without alias: ``max_t_min``, ``count_all``, ``point_value``, ``expr``."""
    match expression:
        case ColumnValue(_, output):
            return output.name
        case Apply(name, _, _, arguments):
            return _name_of_call(name.lower(), arguments)
        case Truth(Spherical(operator)):
            return "contains_value" if operator == "<@" else "intersects_value"
        case Truth(inner) | Convert(_, inner):
            return proposed_name(inner)
        case _:
            return f"{expression.type.label.lower()}_value" if expression.type in SHAPES else "expr"


def _plain(expression: Expression) -> Expression:
    """The value that was written, without a conversion that the function asked for."""
    return _plain(expression.operand) if isinstance(expression, Convert) else expression


def _name_of_call(name: str, arguments: tuple[Expression, ...]) -> str:
    match tuple(map(_plain, arguments)):
        case ():
            return f"{name}_all" if name == "count" else f"{name}_value"
        case (ColumnValue(_, output),) if _SIMPLE.fullmatch(output.name):
            return f"{name}_{output.name}"
        case _:
            return f"{name}_value"


_STATISTICS = {"MIN": "stat.min", "MAX": "stat.max", "AVG": "stat.mean"}
_KEEPING = ("MIN", "MAX", "AVG", "SUM", "COALESCE")


def field_of(expression: Expression, name: str) -> Field:
    """The VOTable field of a result column with this name."""
    if isinstance(expression, ColumnValue):
        known = expression.output.field
        return known if known.name == name else replace(known, name=name)
    datatype, arraysize, xtype = votable_type(kind_of(expression.type))
    return Field(name, datatype, arraysize, xtype, unit=_unit(expression), ucd=_ucd(expression))


def _unit(expression: Expression) -> str | None:
    match expression:
        case ColumnValue(_, output):
            return output.field.unit
        case Minus(operand):
            return _unit(operand)
        case Convert(type_, operand):
            return None if type_ is Type.TEXT else _unit(operand)
        case Operators(_, first, rest) if all(operator in "+-" for operator, _ in rest):
            return _common_unit([first, *(operand for _, operand in rest)])
        case Apply(name, _, _, arguments):
            return _unit_of_call(name, arguments)
        case _:
            return None


def _unit_of_call(name: str, arguments: tuple[Expression, ...]) -> str | None:
    function = FUNCTIONS.get(name, (None,))[0]
    keeps = name in _KEEPING or (function is not None and function.keeps_unit)
    if keeps and arguments:
        return _unit(arguments[0])
    return None if function is None else function.unit


def _common_unit(terms: list[Expression]) -> str | None:
    """A sum has the unit that its terms share; plain numbers have any."""
    units = {_unit(term) for term in terms if not isinstance(term, Constant)}
    return units.pop() if len(units) == 1 else None


def _ucd(expression: Expression) -> str | None:
    match expression:
        case Apply("COUNT"):
            return "meta.number"
        case Apply(name, _, _, (argument,)) if name in _STATISTICS:
            value = _plain(argument)
            words = (value.output.field.ucd or "").split(";") if isinstance(value, ColumnValue) else [""]
            return ";".join(dict.fromkeys([*words, _STATISTICS[name]])) if words[0] else None
        case Apply(name):
            function = FUNCTIONS.get(name, (None,))[0]
            return function.ucd if function is not None else None
        case _:
            return None
