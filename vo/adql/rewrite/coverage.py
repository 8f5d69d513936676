"""A point in a MOC column is asked for as the cell that holds it: the GIN index knows MOCs only."""

from __future__ import annotations

from vo.adql.kinds import Type
from vo.adql.plan import And, Apply, ColumnValue, Expression, Or, SelectPlan, Spherical, map_conditions


def use_coverage_indexes(select: SelectPlan) -> SelectPlan:
    """Replace points by their cells of the highest order where an indexed MOC column may hold them."""
    return map_conditions(select, _with_cells, in_having=False)


def _with_cells(condition: Expression) -> Expression:
    match condition:
        case And(terms):
            return And(tuple(map(_with_cells, terms)))
        case Or(terms):
            return Or(tuple(map(_with_cells, terms)))
        case Spherical("<@", place, ColumnValue(_, output) as coverage) if (
            place.type is Type.POINT and output.type is Type.MOC and output.column is not None and output.column.indexed
        ):
            return Spherical("<@", Apply("MOC", Type.MOC, "smoc(29, {0})", (place,)), coverage)
        case _:
            return condition
