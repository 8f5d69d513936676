"""``DISTANCE(p, q) < r``, and with it points in circles, get a cone that the index on points answers.

The exact condition always stays; the cone only has to hold all that it holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from vo.adql.kinds import NUMBERS, Type
from vo.adql.plan import (
    And,
    Apply,
    Circle,
    ColumnValue,
    Compare,
    Expression,
    Or,
    Point,
    Relation,
    SelectPlan,
    Spherical,
    Transformed,
    Within,
    map_conditions,
)
from vo.adql.rewrite.groups import asks_keys_alone
from vo.adql.rewrite.linear import Sum, as_sum, bound, is_harmless
from vo.adql.sky.geometry import WIDEST_CIRCLE, antipode, double, number, transformed

_INDEXED = 2


def use_cones(select: SelectPlan) -> SelectPlan:
    """Add the cone that a distance condition implies."""
    return map_conditions(select, _with_cones, in_having=asks_keys_alone(select))


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
        case Compare("<" | "<=", less, more) | Compare(">" | ">=", more, less) | Within(less, _, more):
            yield from _cone_of_sums(less, more)
            yield condition
        case _:
            yield condition


#: Added to a cone's radius, in degrees: pgSphere moves points within 1e-9 radians of longitude 0 or the equator there,
#: and a cone must hold all that the exact condition holds.
MARGIN = 2e-7


def _cone(p: Expression, q: Expression, radius: Expression) -> Iterator[Expression]:
    p, q = _unrotated(p, q)
    if _rank(q) > _rank(p):
        p, q = q, p
    size = number(radius)
    if size is None:
        known = radius.type in NUMBERS and is_harmless(radius) and _relations(radius).isdisjoint(_relations(p))
        if known and _rank(p) >= _INDEXED:
            yield _any_cone(p, q, radius)
    elif 0 <= size <= WIDEST_CIRCLE - MARGIN:
        yield Spherical("<@", p, Circle(q, double(size + MARGIN)))


def _cone_of_sums(less: Expression, more: Expression) -> Iterator[Expression]:
    """The same where DISTANCE stands in arithmetic, as in ``DISTANCE(..) * 3600 < 5``."""
    if not any(_has_distance(side) for side in (less, more)):
        return
    left, right = as_sum(less, also="DISTANCE"), as_sum(more, also="DISTANCE")
    if left is None or right is None:
        return
    total = left.plus(right.times(-1.0))
    found = [(factor, value) for factor, value in total.terms if _has_distance(value)]
    if len(found) != 1:
        return
    factor, distance = found[0]
    if factor <= 0 or left.has_negative(distance) or right.has_negative(distance):
        return
    others = tuple(term for term in total.terms if term[1] is not distance)
    radius = bound(Sum(others, total.constant, total.size).times(-1 / factor), upper=True)
    if isinstance(distance, Apply):
        p, q = distance.arguments
        yield from _cone(p, q, radius)


def _has_distance(expression: Expression) -> bool:
    if isinstance(expression, Apply) and expression.name == "DISTANCE":
        return True
    return any(_has_distance(part) for part in expression.parts)


def _any_cone(p: Expression, q: Expression, radius: Expression) -> Expression:
    """A cone whose radius rows decide; beyond 90 degrees, where pgSphere has no circles, it is the whole sphere."""
    widest = f"{WIDEST_CIRCLE!r}::float8"
    near = Apply("cone", Type.DOUBLE, f"least(greatest({{0}}, 0) + {MARGIN!r}::float8, {widest})", (radius,))
    far = Apply(
        "cone", Type.DOUBLE, f"CASE WHEN {{0:p}} > {widest} - {MARGIN!r}::float8 THEN {widest} ELSE 0 END", (radius,)
    )
    return Or((Spherical("<@", p, Circle(q, near)), Spherical("<@", p, Circle(antipode(q), far))))


def _unrotated(p: Expression, q: Expression) -> tuple[Expression, Expression]:
    """Two points as far apart as these, the indexed one without its change of frame."""
    if isinstance(q, Transformed) and is_indexed(q.shape):
        p, q = q, p
    if isinstance(p, Transformed) and is_indexed(p.shape):
        return p.shape, transformed(q, p.target, p.source)
    return p, q


def _rank(position: Expression) -> int:
    """How much an index on this position helps.

    3 for an indexed one, 2 for one of a sub-query, which PostgreSQL may merge with the query around it, 1 for a
    column, 0 for constants.
    """
    if is_indexed(position):
        return _INDEXED + all(relation.table is not None for relation in _relations(position))
    return 1 if _uses_columns(position) else 0


def _relations(expression: Expression) -> set[Relation]:
    if isinstance(expression, ColumnValue):
        return {expression.relation}
    return {relation for part in expression.parts for relation in _relations(part)}


def _uses_columns(expression: Expression) -> bool:
    return isinstance(expression, ColumnValue) or any(_uses_columns(part) for part in expression.parts)


def is_indexed(position: Expression) -> bool:
    """Whether this is a point column, or a point of two columns, that are indexed where they come from."""
    match position:
        case Point(ColumnValue(relation, lon), ColumnValue(other, lat)) if relation is other:
            columns = (lon.column, lat.column)
        case ColumnValue(relation, output):
            columns = (output.column, output.column)
        case _:
            return False
    return all(column is not None and column.indexed for column in columns)
