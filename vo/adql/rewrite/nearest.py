"""``SELECT TOP n ... ORDER BY DISTANCE(..)`` asks the index on positions for the nearest ones first.

pgSphere's class spoint3 orders by distance, but only nearly as DISTANCE does (its own distances below 0.2 mas are 0).
So the index tells how far the n nearest are, and the query is asked within a little more than that; order and rows stay
what they are.
"""

from __future__ import annotations

from dataclasses import replace

from vo.adql.kinds import Type
from vo.adql.plan import (
    AmongValues,
    And,
    Apply,
    Circle,
    ColumnValue,
    Compare,
    Constant,
    Expression,
    IsNull,
    ItemPlan,
    Minus,
    Or,
    Output,
    Point,
    QueryPlan,
    QuerySource,
    QueryValue,
    Relation,
    SelectPlan,
    SortPlan,
    Spherical,
    TableSource,
    Within,
)
from vo.adql.resolve.expressions import has_aggregate
from vo.adql.rewrite.cone import is_indexed
from vo.adql.sky.geometry import WIDEST_CIRCLE, antipode, number
from vo.metadata.fields import Field

#: For more rows than this the whole table may as well be sorted.
_MOST = 5000

#: Degrees added to the distance of the last one; pgSphere's distances are wrong by less than 1e-7.
_MARGIN = 1e-6


def ask_nearest(select: SelectPlan) -> SelectPlan:
    """Add the cone that holds the first rows of a SELECT sorted by distance from a constant position."""
    found = _distance(select)
    # without TOP all rows are wanted but the first
    if found is None or select.top is None or not _is_plain(select):
        return select
    place, centre = found
    count = select.top + (select.offset or 0)
    if not 0 < count <= _MOST:
        return select
    radius = _radius(select, place, centre, count)
    widest = f"{WIDEST_CIRCLE!r}::float8"
    near = Apply("cone", Type.DOUBLE, f"least({{0}}, {widest})", (radius,))
    far = Apply("cone", Type.DOUBLE, f"CASE WHEN {{0}} > {widest} THEN {widest} ELSE 0 END", (radius,))
    within: list[Expression] = [
        Spherical("<@", place, Circle(centre, near)),
        Spherical("<@", place, Circle(antipode(centre), far)),
    ]
    if _may_be_null(place):
        # rows without a position come last; they are there when there are too few others
        within.append(IsNull(place, negated=False))
    cone = Or(tuple(within))
    return replace(select, where=cone if select.where is None else And((cone, *_terms(select.where))))


def _distance(select: SelectPlan) -> tuple[Expression, Expression] | None:
    """The indexed position and the constant one whose distance is the first key of ORDER BY."""
    if not select.order_by or select.order_by[0].descending:
        return None
    key = select.order_by[0].key
    match select.items[key - 1].expression if isinstance(key, int) else key:
        case Apply("DISTANCE", _, _, (p, q)):
            for place, centre in ((p, q), (q, p)):
                if is_indexed(place) and isinstance(place, Point) and _is_constant(centre):
                    return place, centre
            return None
        case _:
            return None


def _may_be_null(place: Expression) -> bool:
    columns = [part.output.column for part in place.parts if isinstance(part, ColumnValue)]
    return any(column is None or column.nullable for column in columns)


def _is_constant(centre: Expression) -> bool:
    return isinstance(centre, Point) and number(centre.lon) is not None and number(centre.lat) is not None


def _is_plain(select: SelectPlan) -> bool:
    """Whether this reads some rows of one table, and a condition that is asked twice costs little."""
    if len(select.sources) != 1 or select.distinct or select.group_by or select.having is not None:
        return False
    source = select.sources[0]
    if not isinstance(source, TableSource) or source.sample is not None:
        return False
    if any(has_aggregate(item.expression) for item in select.items):
        return False
    return select.where is None or all(map(_is_quick, _terms(select.where)))


def _terms(condition: Expression) -> tuple[Expression, ...]:
    return condition.terms if isinstance(condition, And) else (condition,)


def _is_quick(term: Expression) -> bool:
    """Whether this compares indexed columns with constants: its share of the rows is known to PostgreSQL."""
    match term:
        case Compare("=" | "<" | "<=" | ">" | ">=") | Within() | AmongValues():
            return all(_is_quick_value(part) for part in term.parts)
        case _:
            return False


def _is_quick_value(value: Expression) -> bool:
    match value:
        case ColumnValue(_, output):
            return output.column is not None and output.column.indexed
        case Minus(operand):
            return _is_quick_value(operand)
        case _:
            return isinstance(value, Constant)


def _radius(select: SelectPlan, place: Expression, centre: Expression, count: int) -> Expression:
    """How far the last of so many rows is, in degrees and a little more; 180 when there are fewer."""
    apart = Apply("nearness", Type.DOUBLE, "{0} <-> {1}", (place, centre))
    output = Output("d", "d", Type.DOUBLE, Field("d", "double"))
    nearest = SelectPlan(
        False,
        count,
        (ItemPlan(apart, output),),
        select.sources,
        select.where,
        (),
        None,
    )
    inner = QueryPlan(nearest, (output,), order_by=(SortPlan(1, descending=False),))
    relation = Relation("vo_nearest", ("vo_nearest",), lambda _: (output,), lambda: (output,))
    reach = Apply(
        "reach",
        Type.DOUBLE,
        f"CASE WHEN count({{0}}) < {count} THEN 180 ELSE degrees(max({{0}})) + {_MARGIN!r}::float8 END",
        (ColumnValue(relation, output),),
        aggregate=True,
    )
    outer = SelectPlan(
        False,
        None,
        (ItemPlan(reach, output),),
        (QuerySource(relation, inner),),
        None,
        (),
        None,
    )
    return QueryValue(Type.DOUBLE, QueryPlan(outer, (output,)), ())
