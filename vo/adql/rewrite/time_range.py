"""Questions of time against [t_min, t_max] get the implied one against the table's indexed range column.

``gist(t_range, s_region)`` answers place and time together; two b-trees on t_min and t_max do not (docs/design.md).
The written condition always stays, so what is added need only follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vo.adql.expressions import has_aggregate
from vo.adql.geometry import number
from vo.adql.kinds import NUMBERS
from vo.adql.plan import (
    And,
    Apply,
    ColumnValue,
    Compare,
    During,
    Expression,
    HasRows,
    JoinSource,
    Or,
    QueryValue,
    Relation,
    SelectPlan,
    SourcePlan,
    TableSource,
    Within,
    map_conditions,
)

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


def add_time_ranges(select: SelectPlan) -> SelectPlan:
    """Add what WHERE and ON imply for the range columns of the tables in FROM."""
    relations = tuple(relation for source in select.sources for relation in _ranged(source))
    if not relations:
        return select
    return map_conditions(select, lambda condition: _extended(condition, relations), in_having=False)


def _ranged(source: SourcePlan) -> Iterator[Relation]:
    if isinstance(source, JoinSource):
        yield from _ranged(source.left)
        yield from _ranged(source.right)
    elif isinstance(source, TableSource) and source.relation.table and source.relation.table.time_range:
        yield source.relation


def _extended(condition: Expression, relations: tuple[Relation, ...]) -> Expression:
    match condition:
        case And(terms):
            terms = tuple(_extended(term, relations) if isinstance(term, Or) else term for term in terms)
        case Or(terms):
            return Or(tuple(_extended(term, relations) for term in terms))
        case _:
            terms = (condition,)
    implied = tuple(_implied(terms, relations))
    if not implied:
        return And(terms) if isinstance(condition, And) else condition
    return And((*implied, *terms))


@dataclass(slots=True)
class _Bounds:
    """What the terms say of one relation's beginning (t_min) and end (t_max)."""

    begin_above: list[Expression] = field(default_factory=list)
    begin_below: list[Expression] = field(default_factory=list)
    end_above: list[Expression] = field(default_factory=list)
    end_below: list[Expression] = field(default_factory=list)


def _implied(terms: Sequence[Expression], relations: tuple[Relation, ...]) -> Iterator[Expression]:
    bounds = {relation: _Bounds() for relation in relations}
    for term in terms:
        for low, operator, high in _comparisons(term):
            _note(bounds, low, operator, high)
            _note(bounds, high, _MIRRORED[operator], low)
    for relation, found in bounds.items():
        during = _during(relation, found)
        if during is not None:
            yield during


def _comparisons(term: Expression) -> Iterator[tuple[Expression, str, Expression]]:
    match term:
        case Compare(operator, left, right) if operator in _MIRRORED:
            yield left, operator, right
        case Within(operand, low, high):
            yield low, "<=", operand
            yield operand, "<=", high
        case _:
            return


def _note(bounds: dict[Relation, _Bounds], column: Expression, operator: str, value: Expression) -> None:
    if not isinstance(column, ColumnValue) or column.relation not in bounds or not _usable(value, column.relation):
        return
    table = column.relation.table
    if table is None or table.time_range is None:
        return
    _, begin, end = table.time_range
    found = bounds[column.relation]
    name = column.output.sql
    if name == begin:
        targets = (found.begin_below, found.begin_above)
    elif name == end:
        targets = (found.end_below, found.end_above)
    else:
        return
    if operator in ("<", "<=", "="):
        targets[0].append(value)
    if operator in (">", ">=", "="):
        targets[1].append(value)


def _usable(value: Expression, relation: Relation) -> bool:
    """A number that may be written twice and does not depend on the relation itself."""
    return value.type in NUMBERS and not has_aggregate(value) and _independent(value, relation)


def _independent(value: Expression, relation: Relation) -> bool:
    match value:
        case ColumnValue(other, _):
            return other is not relation
        case QueryValue() | HasRows():
            return False
        case Apply() if value.volatile:
            return False
    return all(_independent(part, relation) for part in value.parts)


def _during(relation: Relation, found: _Bounds) -> Expression | None:
    # the range is null when one end is: only terms on both make sure that it is not
    if not (found.begin_below or found.begin_above) or not (found.end_above or found.end_below):
        return None
    late = _tightest(found.begin_below, least=True)
    early = _tightest(found.end_above, least=False)
    operator = "&&"
    if late is None and early is None:
        operator = "<@"
    # t_min > a implies t_max > a, t_max < b implies t_min < b
    late = late if late is not None else _tightest(found.end_below, least=True)
    early = early if early is not None else _tightest(found.begin_above, least=False)
    if late is None or early is None:
        return None
    if late == early and operator == "&&":
        return During(relation, "@>", early, early)
    low, high = number(early), number(late)
    if low is not None and high is not None and low > high:
        # nothing lies in an empty span; what begins before and ends after contains the span turned round
        return None if operator == "<@" else During(relation, operator, late, early)
    return During(relation, operator, early, late)


def _tightest(values: list[Expression], *, least: bool) -> Expression | None:
    """The constant that limits most, else the first value."""
    if not values:
        return None
    constants = [(amount, value) for value in values if (amount := number(value)) is not None]
    if not constants:
        return values[0]
    choose = min if least else max
    return choose(constants, key=lambda pair: pair[0])[1]
