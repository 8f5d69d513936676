"""What result columns are called."""

from __future__ import annotations

import itertools
import re

from vo.adql.kinds import SHAPES, Type
from vo.adql.plan import Apply, ColumnValue, Convert, Expression, Spherical, Truth

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")


class Names:
    """Gives unique names, whatever their case; as SQL names they are also short and simple."""

    def __init__(self, *, sql: bool = False) -> None:
        self._sql = sql
        self._taken: set[str] = set()
        self._numbers: dict[str, itertools.count[int]] = {}

    def take(self, name: str) -> str:
        """The name, or the name with a number where it is taken (TAP-15)."""
        if self._sql:
            name = name.lower() if _SIMPLE.fullmatch(name) else "c"
        unique = name
        if name.lower() in self._taken:
            numbers = self._numbers.setdefault(name.lower(), itertools.count(2))
            candidates = (f"{name}_{i}" for i in numbers)
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
            return f"{expression.type.label.lower()}_value" if expression.type in SHAPES | {Type.MOC} else "expr"


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
