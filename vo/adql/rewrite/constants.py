"""Constants are computed once, here: other passes see a number, and PostgreSQL has less to plan.

Only what Python computes to the last bit as PostgreSQL does is computed; what PostgreSQL would refuse is left to it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from vo.adql.kinds import INTEGERS, Type, numeric_result
from vo.adql.plan import (
    Apply,
    Constant,
    Expression,
    HasRows,
    Minus,
    Operators,
    QueryValue,
    SelectPlan,
    map_conditions,
)

_LARGEST = {Type.INTEGER: 2**31 - 1, Type.BIGINT: 2**63 - 1}

#: PostgreSQL's own radians in a degree (float.c).
_RADIAN = 0.0174532925199432957692

_DAY_0 = {"MJD": Fraction(40587), "JD": Fraction(4881175, 2)}


def fold_constants(select: SelectPlan) -> SelectPlan:
    """Compute sums, products and functions of constants in WHERE and ON; HAVING must repeat the keys of its groups."""
    return map_conditions(select, folded, in_having=False)


def folded(expression: Expression) -> Expression:
    """The expression with its constant parts computed."""
    match expression:
        case Constant() | QueryValue() | HasRows():
            return expression
        case Operators(type_, first, rest):
            return _chain(type_, folded(first), [(sign, folded(operand)) for sign, operand in rest])
        case _:
            changed = _with_parts(expression)
            return _call(changed) if isinstance(changed, Apply) else changed


def _with_parts(node: Expression) -> Expression:
    changes: dict[str, object] = {}
    for name in node.inner:
        old = getattr(node, name)
        if isinstance(old, tuple):
            new = tuple(map(folded, old))
            if any(a is not b for a, b in zip(old, new, strict=True)):
                changes[name] = new
        elif (one := folded(old)) is not old:
            changes[name] = one
    return dataclasses.replace(node, **changes) if changes else node  # type: ignore[arg-type] # fields of their own node


def _chain(type_: Type, first: Expression, rest: Sequence[tuple[str, Expression]]) -> Expression:
    """From left to right as far as all is constant; sums of doubles must not be put together otherwise."""
    total, done = first, 0
    for sign, operand in rest:
        step = _step(total, sign, operand)
        if step is None:
            break
        total, done = step, done + 1
    return Operators(type_, total, tuple(rest[done:])) if done < len(rest) else total


def _step(left: Expression, sign: str, right: Expression) -> Constant | None:
    a, b = _value(left), _value(right)
    if a is None or b is None:
        return None
    type_ = numeric_result(left.type, right.type)
    if type_ in INTEGERS:
        return _integer(type_, sign, int(a), int(b))
    return _double(sign, float(a), float(b)) if type_ is Type.DOUBLE else None


def _value(node: Expression) -> int | float | None:
    match node:
        case Constant(Type.INTEGER | Type.BIGINT | Type.DOUBLE, (int() | float()) as value):
            return value
        case Minus(Constant(Type.INTEGER | Type.BIGINT | Type.DOUBLE, (int() | float()) as value)):
            return -value
        case _:
            return None


def _integer(type_: Type, sign: str, a: int, b: int) -> Constant | None:
    if sign == "/":
        if b == 0:
            return None
        value = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    else:
        value = a + b if sign == "+" else a - b if sign == "-" else a * b
    # written without its type, a number must be of that type by its size
    smallest = 0 if type_ is Type.INTEGER else _LARGEST[Type.INTEGER] + 2
    return Constant(type_, value) if smallest <= abs(value) <= _LARGEST[type_] else None


def _double(sign: str, a: float, b: float) -> Constant | None:
    if sign == "/" and b == 0:
        return None
    try:
        value = a + b if sign == "+" else a - b if sign == "-" else a * b if sign == "*" else a / b
    except OverflowError:
        return None
    # PostgreSQL refuses what becomes too large, or too small to be more than 0
    vanished = value == 0 and sign in ("*", "/") and a != 0 and (sign == "/" or b != 0)
    return None if vanished else _finite(value)


def _finite(value: float) -> Constant | None:
    return Constant(Type.DOUBLE, value) if math.isfinite(value) else None


def _call(node: Apply) -> Expression:
    compute = _FUNCTIONS.get(node.name)
    if compute is None or len(node.arguments) != 1:
        return node
    return compute(node.arguments[0]) or node


def _of_double(compute: Callable[[float], float]) -> Callable[[Expression], Constant | None]:
    def call(argument: Expression) -> Constant | None:
        value = _value(argument)
        if argument.type is not Type.DOUBLE or value is None:
            return None
        computed = compute(float(value))
        return _finite(computed) if computed or not value else None

    return call


def _square_root(argument: Expression) -> Constant | None:
    value = _value(argument)
    if argument.type is not Type.DOUBLE or value is None or value < 0:
        return None
    return _finite(math.sqrt(value))


def _days(since: str) -> Callable[[Expression], Constant | None]:
    def call(argument: Expression) -> Constant | None:
        if not isinstance(argument, Constant) or argument.type is not Type.TIMESTAMP:
            return None
        if not isinstance(argument.value, str):
            return None
        moment = dt.datetime.fromisoformat(argument.value) - dt.datetime(1970, 1, 1)  # noqa: DTZ001 - as PostgreSQL's own, without a zone
        microseconds = moment // dt.timedelta(microseconds=1)
        seconds = Fraction(microseconds, 1_000_000) + _DAY_0[since] * 86400
        return _finite(float(seconds) / 86400)

    return call


_FUNCTIONS: dict[str, Callable[[Expression], Constant | None]] = {
    "ABS": _of_double(abs),
    "SQRT": _square_root,
    "RADIANS": _of_double(lambda value: value * _RADIAN),
    "DEGREES": _of_double(lambda value: value / _RADIAN),
    **dict.fromkeys(("IVO_TO_MJD", "GAVO_TO_MJD"), _days("MJD")),
    **dict.fromkeys(("IVO_TO_JD", "GAVO_TO_JD"), _days("JD")),
}
