"""``DISTANCE(p, q) < r`` and circles around indexed points get the form that the index on points answers."""

from __future__ import annotations

from collections.abc import Iterator

from vo.adql.geometry import WIDEST_CIRCLE, number
from vo.adql.plan import (
    And,
    Apply,
    Circle,
    ColumnValue,
    Compare,
    Expression,
    Or,
    Point,
    SelectPlan,
    Spherical,
    Within,
    map_conditions,
)


def use_cones(select: SelectPlan) -> SelectPlan:
    """Add the cone that a distance condition implies, and turn a circle around an indexed point inside out."""
    return map_conditions(select, _with_cones, in_having=False)


def _with_cones(condition: Expression) -> Expression:
    match condition:
        case And(terms):
            return And(tuple(term for one in terms for term in _terms(one)))
        case Or(terms):
            return Or(tuple(map(_with_cones, terms)))
        case _:
            found = tuple(_terms(condition))
            return found[0] if len(found) == 1 else And(found)


def _terms(condition: Expression) -> Iterator[Expression]:
    match condition:
        case And() | Or():
            yield _with_cones(condition)
        case Compare("<" | "<=", Apply("DISTANCE", _, _, (p, q)), radius):
            yield from _cone(p, q, radius)
            yield condition
        case Compare(">" | ">=", radius, Apply("DISTANCE", _, _, (p, q))):
            yield from _cone(p, q, radius)
            yield condition
        case Within(Apply("DISTANCE", _, _, (p, q)), _, radius):
            yield from _cone(p, q, radius)
            yield condition
        case Spherical("<@", p, Circle(q, radius)) if _indexed(q) and not _indexed(p) and number(radius) is not None:
            yield Spherical("<@", q, Circle(p, radius))
        case _:
            yield condition


def _cone(p: Expression, q: Expression, radius: Expression) -> Iterator[Expression]:
    # only a constant radius is known to be one that pgSphere accepts
    size = number(radius)
    if size is None or not 0 < size <= WIDEST_CIRCLE:
        return
    if _rank(q) > _rank(p):
        p, q = q, p
    yield Spherical("<@", p, Circle(q, radius))


def _rank(position: Expression) -> int:
    """How much an index on this position helps: 2 for an indexed one, 1 for a column, 0 for constants."""
    if _indexed(position):
        return 2
    return 1 if _uses_columns(position) else 0


def _uses_columns(expression: Expression) -> bool:
    return isinstance(expression, ColumnValue) or any(_uses_columns(part) for part in expression.parts)


def _indexed(position: Expression) -> bool:
    """Whether this is a point column, or a point of two columns, of a published table that indexes them."""
    match position:
        case Point(ColumnValue(relation, lon), ColumnValue(other, lat)) if relation is other:
            columns = (lon.column, lat.column)
        case ColumnValue(relation, output):
            columns = (output.column, output.column)
        case _:
            return False
    # an index serves the table itself, not a sub-query over it
    return relation.table is not None and all(column is not None and column.indexed for column in columns)
