"""``CONTAINS(..) = 1`` becomes the bare condition, ``= 0`` its negation: an index serves only a bare operator."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from vo.adql.plan import (
    AmongValues,
    And,
    Apply,
    Compare,
    Constant,
    Expression,
    Minus,
    Not,
    Operators,
    Or,
    SelectPlan,
    Truth,
    Within,
    map_conditions,
)

Number = int | float | None

_COMPARISONS: dict[str, Callable[[int | float, int | float], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[int | float, int | float], int | float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}

#: Conditions with more truth values than this stay as they are: each has three states.
_MOST_TRUTHS = 3


def unwrap_truths(select: SelectPlan) -> SelectPlan:
    """Replace what is asked about truth values by their conditions.

    Where a row counts only if the condition holds, false and unknown are one; under NOT they are kept apart.
    """
    having = select.having
    keys = frozenset(key for key in select.group_by if isinstance(key, Truth))
    changed = map_conditions(select, lambda condition: _unwrap(condition, exact=False))
    if not keys or having is None:
        return changed
    # a key of the groups must be repeated as it is
    return replace(changed, having=_unwrap(having, exact=False, kept=keys))


def _unwrap(condition: Expression, *, exact: bool, kept: frozenset[Truth] = frozenset()) -> Expression:
    match condition:
        case And(terms):
            return And(tuple(_unwrap(term, exact=exact, kept=kept) for term in terms))
        case Or(terms):
            return Or(tuple(_unwrap(term, exact=exact, kept=kept) for term in terms))
        case Not(operand):
            return Not(_unwrap(operand, exact=True, kept=kept))
        case Compare() | Within() | AmongValues():
            if kept and not kept.isdisjoint(_truths(condition.parts)):
                return condition
            return _unwrap_question(condition, exact=exact)
        case _:
            return condition


def _unwrap_question(condition: Compare | Within | AmongValues, *, exact: bool) -> Expression:
    truths = list(dict.fromkeys(_truths(condition.parts)))
    if not 0 < len(truths) <= _MOST_TRUTHS:
        return condition
    try:
        answers = {
            state: _answer(condition, dict(zip(truths, state, strict=True)))
            for state in itertools.product((1, 0, None), repeat=len(truths))
        }
    except _NotKnown:
        return condition
    found = _same(answers, exact=exact)
    if found is None:
        return condition
    if not found:
        return Not(_unwrap(truths[0].condition, exact=True))
    inner = tuple(_unwrap(truth.condition, exact=exact) for truth in truths)
    return inner[0] if len(inner) == 1 else And(inner)


def _same(answers: dict[tuple[int | None, ...], bool | None], *, exact: bool) -> bool | None:
    """True when the question means that all conditions hold, False when the one does not hold, None when neither."""
    if answers in ({(1,): True, (0,): False, (None,): None}, {(1,): False, (0,): True, (None,): None}):
        return bool(answers[1,])
    if exact:
        return None
    holding = [state for state, answer in answers.items() if answer]
    return True if len(holding) == 1 and all(holding[0]) else None


def _truths(parts: Sequence[Expression]) -> Iterator[Truth]:
    for part in parts:
        if isinstance(part, Truth):
            yield part
        elif not isinstance(part, Constant):
            yield from _truths(part.parts)


class _NotKnown(Exception):
    """The value depends on more than truth values and small numbers."""


@dataclass(frozen=True, slots=True)
class _State:
    """What the truth values are for the moment."""

    truths: dict[Truth, Number]

    def value(self, node: Expression) -> Number:
        match node:
            case Truth():
                return self.truths[node]
            case Constant(_, (int() | float() | None) as value) if not isinstance(value, bool):
                return value
            case Minus(operand):
                value = self.value(operand)
                return None if value is None else -value
            case Operators(_, first, rest) if all(sign in _ARITHMETIC for sign, _ in rest):
                total = self.value(first)
                for sign, operand in rest:
                    value = self.value(operand)
                    total = None if total is None or value is None else _ARITHMETIC[sign](total, value)
                return total
            case Apply("COALESCE", _, _, arguments):
                return next((value for value in map(self.value, arguments) if value is not None), None)
            case _:
                raise _NotKnown

    def compare(self, sign: str, left: Expression, right: Expression) -> bool | None:
        a, b = self.value(left), self.value(right)
        return None if a is None or b is None else _COMPARISONS[sign](a, b)


def _answer(condition: Compare | Within | AmongValues, truths: dict[Truth, Number]) -> bool | None:
    state = _State(truths)
    match condition:
        case Compare(sign, left, right):
            return state.compare(sign, left, right)
        case Within(operand, low, high):
            sides = state.compare(">=", operand, low), state.compare("<=", operand, high)
            return False if False in sides else None if None in sides else True
        case AmongValues(operand, items):
            found = [state.compare("=", operand, item) for item in items]
            return True if True in found else None if None in found else False
