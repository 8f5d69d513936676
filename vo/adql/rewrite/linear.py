"""Numbers as sums: ``2 * (a - 3) + b`` is 2 a + b - 6. What a comparison says of one column can be read from that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from vo.adql.kinds import FLOATS, INTEGERS, NUMBERS, Type
from vo.adql.plan import Apply, ColumnValue, Constant, Convert, Expression, Minus, Operators
from vo.adql.resolve.convert import convert
from vo.adql.sky.geometry import double, number

#: The part by which bounds are widened against rounding: some thousand units in the last place of what is added.
_ROUNDING = 1e-12

#: Values that reach this, and NaN and null, say nothing: the bound is then as wide as _NONE makes it, and what we
#: compute stays in the range of doubles.
_LARGEST = "1e150::float8"
_NONE = 1e300

#: Factors and constants outside these limits are left alone, for the same reason.
_FACTORS = (1e-8, 1e8)
_LARGEST_CONSTANT = 1e12

#: Functions whose calls may be copied: they take whatever their arguments can be, without a fault.
_HARMLESS = frozenset(
    {"ABS", "FLOOR", "CEILING", "IVO_TO_MJD", "IVO_TO_JD", "GAVO_TO_MJD", "GAVO_TO_JD", "radius", "bound"}
)


@dataclass(frozen=True, slots=True)
class Sum:
    """``constant`` plus each factor times its value; ``size`` is the sum of the magnitudes of all constants added."""

    terms: tuple[tuple[float, Expression], ...]
    constant: float
    size: float

    def times(self, factor: float) -> Sum:
        """All of it times a number."""
        terms = tuple((factor * one, value) for one, value in self.terms)
        return Sum(terms, factor * self.constant, abs(factor) * self.size)

    def has_negative(self, value: Expression) -> bool:
        """Whether the value is taken away: NaN is the largest number, and stays so behind a minus."""
        return any(factor < 0 and one == value for factor, one in self.terms)

    def plus(self, other: Sum) -> Sum:
        """The sum of both, each value once."""
        terms = list(self.terms)
        for factor, value in other.terms:
            same = next((i for i, (_, known) in enumerate(terms) if known == value), None)
            if same is None:
                terms.append((factor, value))
            else:
                terms[same] = (terms[same][0] + factor, value)
        return Sum(tuple(terms), self.constant + other.constant, self.size + other.size)


def as_sum(expression: Expression, also: str = "") -> Sum | None:
    """The expression as a sum, None when it is none or could fault where it is copied to.

    Calls of the function ``also`` count as values, too; they must not be copied.
    """
    constant = number(expression)
    if constant is not None:
        return Sum((), constant, abs(constant)) if abs(constant) < _LARGEST_CONSTANT else None
    match expression:
        case ColumnValue() | Apply() if expression.type in NUMBERS and _is_value(expression, also):
            return Sum(((1.0, expression),), 0.0, 0.0)
        case Minus(operand):
            inner = as_sum(operand, also)
            return None if inner is None else inner.times(-1.0)
        case Convert(Type.DOUBLE, operand) if operand.type in NUMBERS:
            return as_sum(operand, also)
        case Operators(type_, first, rest) if type_ in NUMBERS:
            return _of_operators(first, rest, also)
        case _:
            return None


def _is_value(expression: Expression, also: str) -> bool:
    return (isinstance(expression, Apply) and expression.name == also) or is_harmless(expression)


def is_harmless(expression: Expression) -> bool:
    """Whether the value can be computed at any time without a fault: columns, constants and few functions of them."""
    match expression:
        case ColumnValue() | Constant():
            return True
        case Minus(operand) | Convert(Type.DOUBLE, operand):
            # the smallest integer has no opposite
            allowed = FLOATS if isinstance(expression, Minus) else NUMBERS
            return operand.type in allowed and is_harmless(operand)
        case Apply(name, _, _, arguments) if name in _HARMLESS:
            # the smallest integer has no ABS
            return all(is_harmless(one) and one.type not in INTEGERS for one in arguments)
        case Apply("SQRT", _, _, (square,)):
            return _is_sum_of_squares(square) and all(is_harmless(part) for part in square.parts)
        case Operators(Type.DOUBLE, first, rest) if not _is_square(expression):
            return _is_harmless_chain(first, rest)
        case _:
            return _is_square(expression) and all(map(is_harmless, expression.parts))


def _is_harmless_chain(first: Expression, rest: tuple[tuple[str, Expression], ...]) -> bool:
    match rest:
        case (("*", second),) if _is_factor(number(first) or 0):
            return is_harmless(second)
        case _:
            return is_harmless(first) and all(_is_harmless_step(sign, operand) for sign, operand in rest)


def _is_harmless_step(sign: str, operand: Expression) -> bool:
    # doubles overflow, but not by times and places
    if sign in ("+", "-"):
        return is_harmless(operand)
    factor = number(operand)
    return factor is not None and _is_factor(factor)


def _is_sum_of_squares(value: Expression) -> bool:
    match value:
        case Operators(Type.DOUBLE, first, rest) if not _is_square(value):
            return all(sign == "+" for sign, _ in rest) and all(map(_is_sum_of_squares, (first, *(v for _, v in rest))))
        case _:
            constant = number(value)
            return _is_square(value) or (constant is not None and constant >= 0)


def _is_square(value: Expression) -> bool:
    match value:
        case Apply("POWER", _, _, (_, exponent)):
            return number(exponent) == 2  # noqa: PLR2004 - what makes it a square
        case Operators(Type.DOUBLE, first, (("*", second),)):
            return first == second
        case _:
            return False


def _is_factor(value: float) -> bool:
    return _FACTORS[0] <= abs(value) <= _FACTORS[1]


def _of_operators(first: Expression, rest: Iterable[tuple[str, Expression]], also: str) -> Sum | None:
    total = as_sum(first, also)
    is_float = first.type in FLOATS
    for sign, operand in rest:
        right = as_sum(operand, also)
        if total is None or right is None:
            return None
        # reals are rounded more, integers divided without a rest
        if Type.REAL in (first.type, operand.type) or (sign == "/" and not (is_float or operand.type in FLOATS)):
            return None
        is_float = is_float or operand.type in FLOATS
        total = _step(total, sign, right)
    return total


def _step(left: Sum, sign: str, right: Sum) -> Sum | None:
    if sign == "+":
        return left.plus(right)
    if sign == "-":
        return left.plus(right.times(-1.0))
    if sign == "*" and not left.terms:
        left, right = right, left
    if right.terms or not _is_factor(right.constant):
        return None
    return left.times(right.constant if sign == "*" else 1 / right.constant)


def bound(total: Sum, *, upper: bool) -> Expression:
    """The sum as an expression, made a little larger (``upper``) or smaller, so that rounding does no harm."""
    sign = 1.0 if upper else -1.0
    if not total.terms:
        margin = _ROUNDING * (abs(total.constant) + total.size)
        return double(total.constant + sign * margin)
    places = [(factor, _place(i, math.copysign(_NONE, sign * factor))) for i, (factor, _) in enumerate(total.terms)]
    value = " + ".join(_scaled(factor, place) for factor, place in places)
    magnitude = " + ".join(_scaled(abs(factor), f"abs({place})") for factor, place in places)
    fixed = total.constant + sign * _ROUNDING * (abs(total.constant) + total.size)
    template = f"({value} + {fixed!r}::float8 + {sign * _ROUNDING!r}::float8 * ({magnitude}))"
    return Apply("bound", Type.DOUBLE, template, tuple(convert(term, Type.DOUBLE) for _, term in total.terms))


def _place(index: int, otherwise: float) -> str:
    """Where a template has a value, or another number in place of one that says nothing."""
    return f"CASE WHEN abs({{{index}}}) < {_LARGEST} THEN {{{index}}} ELSE {otherwise!r}::float8 END"


def _scaled(factor: float, place: str) -> str:
    return place if factor == 1 else f"{factor!r}::float8 * ({place})"
