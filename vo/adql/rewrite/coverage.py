"""Questions about MOCs in forms that indexes answer.

A point in a MOC column is asked for as the cell that holds it, since the GIN index knows MOCs only. Where a constant
MOC is asked for points, footprints or circles that have an index, a circle around the MOC is asked first.
"""

from __future__ import annotations

from collections.abc import Iterator

from vo.adql.kinds import Type
from vo.adql.plan import (
    And,
    Apply,
    Circle,
    ColumnValue,
    Constant,
    Expression,
    Or,
    Point,
    SelectPlan,
    Spherical,
    map_conditions,
)
from vo.adql.rewrite.cone import is_indexed
from vo.adql.sky.geometry import double
from vo.adql.sky.moc import surroundings

#: The MOC that stands for a shape reaches no farther than two cells, and those are at most 1.8 degrees wide.
_OVERREACH = 4.5

#: Wider circles would keep more rows than they leave out.
_WIDEST = 60.0


def use_coverage_indexes(select: SelectPlan) -> SelectPlan:
    """Replace points by their cells, and add the circles around constant MOCs."""
    return map_conditions(select, _with_indexes, in_having=False)


def _with_indexes(condition: Expression) -> Expression:
    match condition:
        case And(terms):
            return And(tuple(term for one in terms for term in _terms(one)))
        case Or(terms):
            return Or(tuple(map(_with_indexes, terms)))
        case _:
            found = tuple(_terms(condition))
            return found[0] if len(found) == 1 else And(found)


def _terms(condition: Expression) -> Iterator[Expression]:
    match condition:
        case And() | Or():
            yield _with_indexes(condition)
        case Spherical("<@", place, ColumnValue() as coverage) if (
            place.type is Type.POINT and coverage.type is Type.MOC and is_indexed(coverage)
        ):
            yield Spherical("<@", Apply("MOC", Type.MOC, "smoc(29, {0})", (place,)), coverage)
        case Spherical("<@", place, Constant(Type.MOC, str() as moc)) if place.type is Type.POINT:
            yield from _circle("<@", place, moc, 1e-6)
            yield condition
        case Spherical("<@" | "&&", Apply("MOC", _, _, (shape,)), Constant(Type.MOC, str() as moc)):
            yield from _circle("&&", shape, moc, _OVERREACH)
            yield condition
        case Spherical("&&", Constant(Type.MOC, str() as moc), Apply("MOC", _, _, (shape,))):
            yield from _circle("&&", shape, moc, _OVERREACH)
            yield condition
        case _:
            yield condition


def _circle(operator: str, shape: Expression, moc: str, more: float) -> Iterator[Expression]:
    """The circle around a MOC against an indexed shape, unless it is too wide to help."""
    if not is_indexed(shape):
        return
    around = surroundings(moc)
    if around is None or around[2] + more > _WIDEST:
        return
    lon, lat, radius = around
    yield Spherical(operator, shape, Circle(Point(double(lon), double(lat)), double(radius + more)))
