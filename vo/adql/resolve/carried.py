"""Hidden columns that queries in FROM and WITH carry outward, so that indexes serve conditions outside them.

PostgreSQL merges a plain sub-query with the query around it. What the rewriter asks of a table's range column outside
it can then use the table's index, if the sub-query has that column too.
"""

from __future__ import annotations

from dataclasses import replace

from vo.adql.kinds import Type
from vo.adql.plan import (
    AmongRows,
    ColumnValue,
    Expression,
    HasRows,
    ItemPlan,
    Output,
    QueryPlan,
    QueryValue,
    SelectPlan,
    TableSource,
    TimeRange,
)
from vo.adql.resolve.expressions import has_aggregate
from vo.metadata.fields import Field


def carry_time_ranges(plan: QueryPlan) -> tuple[QueryPlan, tuple[TimeRange, ...]]:
    """The query with a hidden range column for each table of which it yields both ends, and their names."""
    select = plan.body
    if not isinstance(select, SelectPlan) or not _is_merged(plan, select):
        return plan, ()
    columns: dict[tuple[int, str], tuple[ColumnValue, str]] = {}
    for item in select.items:
        value = item.expression
        if isinstance(value, ColumnValue) and value.relation.time_ranges:
            columns.setdefault((id(value.relation), value.output.sql), (value, item.output.sql))
    taken = {item.output.sql for item in select.items} | {item.output.text for item in select.items}
    hidden, ranges = [], []
    for (relation, column), (value, begin) in columns.items():
        for inner in value.relation.time_ranges:
            if inner.begin != column or (relation, inner.end) not in columns:
                continue
            name = next(name for name in (f"vo_range_{i}" for i in range(1, len(taken) + 2)) if name not in taken)
            taken.add(name)
            ranges.append(TimeRange(name, begin, columns[relation, inner.end][1]))
            hidden.append(ItemPlan(ColumnValue(value.relation, _output(inner.name)), _output(name)))
    if not hidden:
        return plan, ()
    return replace(plan, body=replace(select, items=(*select.items, *hidden))), tuple(ranges)


def is_plain(plan: QueryPlan) -> bool:
    """Whether the query only reads one table, so that doing it twice costs no more than keeping its rows.

    One with queries inside is not plain: in a chain of such, each done twice, the work would double at each step.
    """
    select = plan.body
    if not isinstance(select, SelectPlan) or not _is_merged(plan, select):
        return False
    expressions = [item.expression for item in select.items]
    if select.where is not None:
        expressions.append(select.where)
    if any(map(_has_query, expressions)):
        return False
    return len(select.sources) == 1 and isinstance(select.sources[0], TableSource) and select.sources[0].sample is None


def _has_query(expression: Expression) -> bool:
    return isinstance(expression, QueryValue | AmongRows | HasRows) or any(map(_has_query, expression.parts))


def _is_merged(plan: QueryPlan, select: SelectPlan) -> bool:
    """Whether PostgreSQL merges the query with the one around it."""
    if select.distinct or select.top is not None or plan.order_by or plan.offset or plan.with_items:
        return False
    if select.group_by or select.having is not None:
        return False
    return not any(has_aggregate(item.expression) for item in select.items)


def _output(name: str) -> Output:
    return Output(name, name, Type.TIME_RANGE, Field(name, "char", "*"))
