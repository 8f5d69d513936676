"""The rule of GROUP BY: what is not aggregated must be grouped (SQL-92, section 7.9)."""

from __future__ import annotations

from vo.adql.plan import Apply, ColumnValue, Expression
from vo.adql.resolve.scope import Scope
from vo.adql.syntax.tree import Problem


def check_grouped(expression: Expression, keys: frozenset[Expression], scope: Scope, at: int) -> None:
    """Refuse a value that uses a column of this SELECT outside its group keys and outside aggregates."""
    own = {id(relation) for relation in scope.relations()}
    column = _ungrouped(expression, keys, own)
    if column is not None:
        name = f"{column.relation.name[-1]}.{column.output.name}"
        raise Problem(at, f"the column {name} is neither in GROUP BY nor in an aggregate such as MAX")


def _ungrouped(expression: Expression, keys: frozenset[Expression], own: set[int]) -> ColumnValue | None:
    if expression in keys or (isinstance(expression, Apply) and expression.aggregate):
        return None
    if isinstance(expression, ColumnValue):
        return expression if id(expression.relation) in own else None
    found = (_ungrouped(part, keys, own) for part in expression.parts)
    return next((column for column in found if column is not None), None)
