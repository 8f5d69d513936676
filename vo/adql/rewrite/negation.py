"""NOT moves inward to the single conditions.

pgSphere 1.2.0 binds the negators of some operators to wrong functions, and PostgreSQL puts the negator in place of
NOT in front of an operator; so NOT must not stand over one. It also brings more conditions into the form that other
passes know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from vo.adql.plan import And, Compare, Expression, IsNull, Not, Or, SelectPlan, map_conditions

_OPPOSITES = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def push_negations(select: SelectPlan) -> SelectPlan:
    """Move each NOT inward (De Morgan), and make ANDs in ANDs one."""
    return map_conditions(select, _positive)


def _positive(condition: Expression) -> Expression:
    match condition:
        case And(terms):
            return And(tuple(_flat(And, map(_positive, terms))))
        case Or(terms):
            return Or(tuple(_flat(Or, map(_positive, terms))))
        case Not(operand):
            return _negative(operand)
        case _:
            return condition


def _negative(condition: Expression) -> Expression:
    match condition:
        case And(terms):
            return Or(tuple(_flat(Or, map(_negative, terms))))
        case Or(terms):
            return And(tuple(_flat(And, map(_negative, terms))))
        case Not(operand):
            return _positive(operand)
        case Compare(operator):
            return replace(condition, operator=_OPPOSITES[operator])
        case IsNull(_, negated):
            return replace(condition, negated=not negated)
        case _:
            return Not(condition)


def _flat(kind: type[And | Or], terms: Iterable[Expression]) -> Iterator[Expression]:
    for term in terms:
        if isinstance(term, And | Or) and isinstance(term, kind):
            yield from term.terms
        else:
            yield term
