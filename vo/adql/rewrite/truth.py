"""``CONTAINS(..) = 1`` becomes the bare condition, ``= 0`` its negation: an index serves only a bare operator."""

from __future__ import annotations

import operator

from vo.adql.plan import And, Compare, Constant, Expression, Minus, Not, Or, SelectPlan, Truth, map_conditions

_OPERATORS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def unwrap_truths(select: SelectPlan) -> SelectPlan:
    """Replace comparisons of a truth value with a number by its condition, wherever null stays null by that."""
    return map_conditions(select, _unwrap)


def _unwrap(condition: Expression) -> Expression:
    match condition:
        case And(terms):
            return And(tuple(map(_unwrap, terms)))
        case Or(terms):
            return Or(tuple(map(_unwrap, terms)))
        case Not(operand):
            return Not(_unwrap(operand))
        case Compare(sign, Truth(inner), right):
            answers = _holds(sign, 1, right), _holds(sign, 0, right)
        case Compare(sign, left, Truth(inner)):
            answers = _holds(sign, left, 1), _holds(sign, left, 0)
        case _:
            return condition
    if answers == (True, False):
        return _unwrap(inner)
    return Not(_unwrap(inner)) if answers == (False, True) else condition


def _holds(sign: str, left: Expression | int, right: Expression | int) -> bool | None:
    a, b = (_number(side) for side in (left, right))
    return None if a is None or b is None else bool(_OPERATORS[sign](a, b))


def _number(side: Expression | int) -> float | None:
    match side:
        case int():
            return side
        case Constant(_, int() | float() as value):
            return value
        case Minus(Constant(_, int() | float() as value)):
            return -value
        case _:
            return None
