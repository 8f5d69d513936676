"""Questions of time against [t_min, t_max] get the implied one against the table's indexed range column.

``gist(t_range, s_region)`` answers place and time together; two b-trees on t_min and t_max do not (docs/design.md).
The written condition always stays, so what is added need only follow from it. Arithmetic around the columns is moved to
the other side, with a margin for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

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
    Minus,
    Or,
    QueryValue,
    Relation,
    SelectPlan,
    SourcePlan,
    TimeRange,
    Within,
    map_conditions,
)
from vo.adql.resolve.expressions import has_aggregate
from vo.adql.rewrite.linear import Sum, as_sum, bound, is_harmless
from vo.adql.sky.geometry import number

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}

#: One range column and the relation that has it.
_Place = tuple[Relation, TimeRange]


def add_time_ranges(select: SelectPlan) -> SelectPlan:
    """Add what WHERE and ON imply for the range columns of the tables in FROM."""
    places = tuple(place for source in select.sources for place in _places(source))
    if not places:
        return select
    # what ON says of an inner join holds for the rows that WHERE sees, too
    joined = tuple(term for source in select.sources for term in _inner_terms(source))
    both = _of_both(joined, () if select.where is None else _terms_of(select.where), places)
    select = map_conditions(select, lambda condition: _extended(condition, places), in_having=False)
    if not both:
        return select
    return replace(select, where=And((*both, *(() if select.where is None else _terms_of(select.where)))))


def _of_both(
    joined: tuple[Expression, ...], written: tuple[Expression, ...], places: tuple[_Place, ...]
) -> tuple[Expression, ...]:
    """What neither ON nor WHERE implies alone."""
    if not joined or not written:
        return ()
    known = {*_implied(joined, places), *_implied(written, places)}
    return tuple(one for one in _implied((*joined, *written), places) if one not in known)


def _places(source: SourcePlan) -> Iterator[_Place]:
    if isinstance(source, JoinSource):
        yield from _places(source.left)
        yield from _places(source.right)
    else:
        for time_range in source.relation.time_ranges:
            yield source.relation, time_range


def _inner_terms(source: SourcePlan) -> Iterator[Expression]:
    if isinstance(source, JoinSource) and source.kind in ("INNER", "CROSS"):
        yield from _inner_terms(source.left)
        yield from _inner_terms(source.right)
        if source.condition is not None:
            yield from _terms_of(source.condition)


def _terms_of(condition: Expression) -> tuple[Expression, ...]:
    return condition.terms if isinstance(condition, And) else (condition,)


def _extended(condition: Expression, places: tuple[_Place, ...]) -> Expression:
    match condition:
        case And(terms):
            terms = tuple(_extended(term, places) if isinstance(term, Or) else term for term in terms)
        case Or(terms):
            return Or(tuple(_extended(term, places) for term in terms))
        case _:
            terms = (condition,)
    implied = tuple(_implied(terms, places))
    if not implied:
        return And(terms) if isinstance(condition, And) else condition
    return And((*implied, *terms))


@dataclass(slots=True)
class _Bounds:
    """What terms say of the beginning and the end of one range.

    ``moved`` are conditions on the columns themselves where these stood in arithmetic, for their b-trees.
    """

    range: TimeRange
    begin_above: list[Expression] = field(default_factory=list)
    begin_below: list[Expression] = field(default_factory=list)
    end_above: list[Expression] = field(default_factory=list)
    end_below: list[Expression] = field(default_factory=list)
    moved: list[Expression] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def add(self, first: str, last: str, sign: str, lower: Expression, upper: Expression) -> None:
        """``first`` is at most ``upper`` (for <, <= and =), ``last`` at least ``lower`` (for >, >= and =)."""
        self.known |= {first, last}
        if sign in ("<", "<=", "="):
            (self.begin_below if first == self.range.begin else self.end_below).append(upper)
        if sign in (">", ">=", "="):
            (self.end_above if last == self.range.end else self.begin_above).append(lower)


def _implied(terms: Sequence[Expression], places: tuple[_Place, ...]) -> Iterator[Expression]:
    comparisons = [comparison for term in terms for comparison in _comparisons(term)]
    for place in places:
        found = _Bounds(place[1])
        for comparison in comparisons:
            _note(found, place, *comparison)
        during = _during(place, found)
        if during is not None:
            yield during
        else:
            yield from found.moved


def _comparisons(term: Expression) -> Iterator[tuple[Expression, str, Expression]]:
    match term:
        case Compare("<" | "<=" | "=", Apply("ABS", _, _, (inner,)), limit):
            yield inner, "<=", limit
            yield inner, ">=", Minus(limit)
        case Compare(">" | ">=" | "=", limit, Apply("ABS", _, _, (inner,))):
            yield from _comparisons(Compare("<=", Apply("ABS", inner.type, "", (inner,)), limit))
        case Within(Apply("ABS", _, _, (inner,)), _, limit):
            yield from _comparisons(Compare("<=", Apply("ABS", inner.type, "", (inner,)), limit))
        case Compare(operator, left, right) if operator in _MIRRORED:
            yield left, operator, right
        case Within(operand, low, high):
            yield low, "<=", operand
            yield operand, "<=", high
        case _:
            return


def _note(found: _Bounds, place: _Place, low: Expression, operator: str, high: Expression) -> None:
    """What ``low operator high`` says of the ends of a range."""
    if low.type not in NUMBERS or high.type not in NUMBERS:
        return
    for column, sign, value in ((low, operator, high), (high, _MIRRORED[operator], low)):
        end = _end_of(column, place)
        if end is not None and _usable(value, place[0]):
            found.add(end, end, sign, value, value)
            return
    _note_moved(found, place, low, operator, high)


def _note_moved(found: _Bounds, place: _Place, low: Expression, operator: str, high: Expression) -> None:
    """The same where the columns stand in arithmetic."""
    relation, time_range = place
    if not _mentions(low, place) and not _mentions(high, place):
        return
    left, right = as_sum(low), as_sum(high)
    if left is None or right is None:
        return
    total = left.plus(right.times(-1.0))
    columns = {time_range.begin: 0.0, time_range.end: 0.0}
    others: list[tuple[float, Expression]] = []
    written: dict[str, ColumnValue] = {}
    for factor, value in total.terms:
        name = _end_of(value, place)
        if name is None or not isinstance(value, ColumnValue):
            others.append((factor, value))
        else:
            columns[name] += factor
            written[name] = value
    begin, end = columns[time_range.begin], columns[time_range.end]
    weight = begin + end
    # a difference of the ends says nothing of when they are
    if begin * end < 0 or not abs(weight) > 1e-6 or not all(_usable(value, relation) for _, value in others):  # noqa: PLR2004 - no factor
        return
    if any(side.has_negative(value) for side in (left, right) for value in written.values()):
        return
    rest = Sum(tuple(others), total.constant, total.size).times(-1 / weight)
    sign = operator if weight > 0 else _MIRRORED[operator]
    # a mean of both lies between them: the beginning is not after it, the end not before it
    first = time_range.begin if begin else time_range.end
    last = time_range.end if end else time_range.begin
    lower, upper = bound(rest, upper=False), bound(rest, upper=True)
    found.add(first, last, sign, lower, upper)
    if sign in ("<", "<=", "="):
        found.moved.append(Compare("<=", written[first], upper))
    if sign in (">", ">=", "="):
        found.moved.append(Compare(">=", written[last], lower))


def _end_of(column: Expression, place: _Place) -> str | None:
    """Which end of the range this column is, by its name."""
    relation, time_range = place
    if not isinstance(column, ColumnValue) or column.relation is not relation:
        return None
    return column.output.sql if column.output.sql in (time_range.begin, time_range.end) else None


def _mentions(expression: Expression, place: _Place) -> bool:
    return _end_of(expression, place) is not None or any(_mentions(part, place) for part in expression.parts)


def _usable(value: Expression, relation: Relation) -> bool:
    """A number that may be written twice, anywhere, and does not depend on the relation itself."""
    return (
        value.type in NUMBERS
        and not has_aggregate(value)
        and _independent(value, relation)
        and (number(value) is not None or is_harmless(value))
    )


def _independent(value: Expression, relation: Relation) -> bool:
    match value:
        case ColumnValue(other, _):
            return other is not relation
        case QueryValue() | HasRows():
            return False
        case Apply() if value.volatile:
            return False
    return all(_independent(part, relation) for part in value.parts)


def _during(place: _Place, found: _Bounds) -> Expression | None:
    # the range is null when one end is: only terms on both make sure that it is not
    if len(found.known) != len((found.range.begin, found.range.end)):
        return None
    relation, name = place[0], place[1].name
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
        return During(relation, name, "@>", early, early)
    low, high = number(early), number(late)
    if low is not None and high is not None and low > high:
        # nothing lies in an empty span; what begins before and ends after contains the span turned round
        return None if operator == "<@" else During(relation, name, operator, late, early)
    return During(relation, name, operator, early, late)


def _tightest(values: list[Expression], *, least: bool) -> Expression | None:
    """The constant that limits most, else the first value."""
    if not values:
        return None
    constants = [(amount, value) for value in values if (amount := number(value)) is not None]
    if not constants:
        return values[0]
    choose = min if least else max
    return choose(constants, key=lambda pair: pair[0])[1]
