"""What HAVING may be given: columns that groups are made by, and nothing else of the tables."""

from __future__ import annotations

from vo.adql.plan import ColumnValue, Expression, SelectPlan


def asks_keys_alone(select: SelectPlan) -> bool:
    """Whether HAVING names no columns but those of GROUP BY: then what follows from it can be written there, too.

    PostgreSQL moves such conditions to WHERE, where indexes answer them.
    """
    return select.having is not None and _columns(select.having) <= set(select.group_by)


def _columns(expression: Expression) -> set[Expression]:
    if isinstance(expression, ColumnValue):
        return {expression}
    return {column for part in expression.parts for column in _columns(part)}
