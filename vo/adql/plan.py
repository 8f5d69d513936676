"""The query as it will be answered: names bound to columns, every expression with its type.

The resolver makes these from the tree, the rewriter exchanges conditions for better ones, the renderer writes SQL.
Expressions compare equal when they mean the same; relations are told apart by identity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from vo.adql.kinds import Type
from vo.metadata.fields import Column, Field, Table


@dataclass(frozen=True, slots=True)
class Output:
    """A column that a relation offers.

    ``sql`` is its name in SQL, ``text`` the SQL name of the hidden column beside it that holds its text form.
    ``column`` is the published column behind it where its values are that column's own.
    """

    name: str
    sql: str
    type: Type
    field: Field
    text: str | None = None
    is_path: bool = False
    column: Column | None = None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """SQL names of a relation's hidden range column and of the columns that it is made of, its ends."""

    name: str
    begin: str
    end: str


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """A table in a FROM clause, under an SQL alias that is unique in the whole query.

    ``names`` are the ways to qualify its columns: the alias, or the table's name with and without its schema.
    """

    alias: str
    name: tuple[str, ...]
    find: Callable[[str], tuple[Output, ...]] = field(repr=False)
    outputs: Callable[[], tuple[Output, ...]] = field(repr=False)
    table: Table | None = None
    delimited: bool = False
    time_ranges: tuple[TimeRange, ...] = ()


# Expressions


class Part:
    """A node of an expression; ``inner`` are its fields that hold expressions or tuples of them."""

    __slots__ = ()
    inner: ClassVar[tuple[str, ...]] = ()

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The expressions that this one is made of."""
        found: list[Expression] = []
        for name in self.inner:
            value = getattr(self, name)
            found.extend(value if isinstance(value, tuple) else (value,))
        return tuple(found)


class Condition(Part):
    """A node that is true, false or unknown."""

    __slots__ = ()
    type: ClassVar[Type] = Type.CONDITION


@dataclass(frozen=True, slots=True)
class Constant(Part):
    """A literal; ``value`` is an int, a float, a text (also of a timestamp), a bool or None."""

    type: Type
    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class ColumnValue(Part):
    """A column of a relation."""

    relation: Relation
    output: Output

    @property
    def type(self) -> Type:
        """That of the column."""
        return self.output.type


@dataclass(frozen=True, slots=True)
class Minus(Part):
    """``- operand``."""

    inner: ClassVar[tuple[str, ...]] = ("operand",)

    operand: Expression

    @property
    def type(self) -> Type:
        """That of the operand."""
        return self.operand.type


@dataclass(frozen=True, slots=True)
class Operators(Part):
    """Arithmetic or concatenation from left to right."""

    type: Type
    first: Expression
    rest: tuple[tuple[str, Expression], ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The operands."""
        return (self.first, *(operand for _, operand in self.rest))


@dataclass(frozen=True, slots=True)
class Apply(Part):
    """A function: ``template`` is SQL with places {0}, {1} ... for the arguments.

    ``name`` is ADQL's; ``aggregate`` marks what is computed from a group of rows, ``volatile`` what may
    differ from call to call.
    """

    inner: ClassVar[tuple[str, ...]] = ("arguments",)

    name: str
    type: Type
    template: str
    arguments: tuple[Expression, ...]
    aggregate: bool = False
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class Convert(Part):
    """The operand as another type."""

    inner: ClassVar[tuple[str, ...]] = ("operand",)

    type: Type
    operand: Expression
    length: int | None = None
    padded: bool = False


@dataclass(frozen=True, slots=True)
class Choice(Part):
    """CASE: the value beside the first test that holds, else ``otherwise``.

    The ``tests`` are conditions; with an ``operand`` they are values that it is compared with.
    """

    type: Type
    operand: Expression | None
    tests: tuple[Expression, ...]
    values: tuple[Expression, ...]
    otherwise: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The operand, the tests and the values."""
        operand = () if self.operand is None else (self.operand,)
        return (*operand, *self.tests, *self.values, self.otherwise)


@dataclass(frozen=True, slots=True)
class QueryValue(Part):
    """The one value of a query in brackets; ``outer`` are columns of the queries around it that it uses."""

    inner: ClassVar[tuple[str, ...]] = ("outer",)

    type: Type
    query: QueryPlan
    outer: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Truth(Part):
    """1 where the condition holds, 0 where it does not, null where it is unknown: what CONTAINS returns."""

    type: ClassVar[Type] = Type.INTEGER
    inner: ClassVar[tuple[str, ...]] = ("condition",)

    condition: Expression


# Geometry


@dataclass(frozen=True, slots=True)
class Point(Part):
    """A position in degrees. ``frame`` only tells what its numbers are: all else takes them for ICRS."""

    type: ClassVar[Type] = Type.POINT
    inner: ClassVar[tuple[str, ...]] = (
        "lon",
        "lat",
    )

    lon: Expression
    lat: Expression
    frame: str = "ICRS"


@dataclass(frozen=True, slots=True)
class Circle(Part):
    """All within ``radius`` degrees of ``centre``; a constant radius above 90 is allowed."""

    type: ClassVar[Type] = Type.CIRCLE
    inner: ClassVar[tuple[str, ...]] = (
        "centre",
        "radius",
    )

    centre: Expression
    radius: Expression
    frame: str = "ICRS"


@dataclass(frozen=True, slots=True)
class Polygon(Part):
    """Great-circle edges between points; inside is the smaller side."""

    type: ClassVar[Type] = Type.POLYGON
    inner: ClassVar[tuple[str, ...]] = ("vertices",)

    vertices: tuple[Expression, ...]
    frame: str = "ICRS"


@dataclass(frozen=True, slots=True)
class Range(Part):
    """Longitudes from ``lon_min`` eastward to ``lon_max``, latitudes from ``lat_min`` to ``lat_max``, degrees."""

    type: ClassVar[Type] = Type.RANGE

    lon_min: float
    lon_max: float
    lat_min: float
    lat_max: float


@dataclass(frozen=True, slots=True)
class Transformed(Part):
    """A point, circle or polygon whose numbers, of one frame, are made those of another.

    Both have names of ``vo.adql.sky.frames``. A rotation alone: the E-terms of FK4 are another function's business.
    """

    inner: ClassVar[tuple[str, ...]] = ("shape",)

    shape: Expression
    source: str
    target: str

    @property
    def type(self) -> Type:
        """That of the shape."""
        return self.shape.type


# Conditions


@dataclass(frozen=True, slots=True)
class Compare(Condition):
    """``left operator right`` of values whose types have been made to fit."""

    inner: ClassVar[tuple[str, ...]] = (
        "left",
        "right",
    )

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Within(Condition):
    """``low <= operand <= high``."""

    inner: ClassVar[tuple[str, ...]] = (
        "operand",
        "low",
        "high",
    )

    operand: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class AmongValues(Condition):
    """``operand IN (items)``."""

    inner: ClassVar[tuple[str, ...]] = (
        "operand",
        "items",
    )

    operand: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AmongRows(Condition):
    """``operand IN (query)``."""

    inner: ClassVar[tuple[str, ...]] = (
        "operand",
        "outer",
    )

    operand: Expression
    query: QueryPlan
    outer: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class HasRows(Condition):
    """``EXISTS (query)``."""

    inner: ClassVar[tuple[str, ...]] = ("outer",)

    query: QueryPlan
    outer: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like(Condition):
    """``operand LIKE pattern``: % and _ are wild, nothing escapes them (ADQL knows no ESCAPE)."""

    inner: ClassVar[tuple[str, ...]] = (
        "operand",
        "pattern",
    )

    operand: Expression
    pattern: Expression
    any_case: bool


@dataclass(frozen=True, slots=True)
class IsNull(Condition):
    """``operand IS NULL``."""

    inner: ClassVar[tuple[str, ...]] = ("operand",)

    operand: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class Spherical(Condition):
    """``left <@ right`` (lies in) or ``left && right`` (shares a point with), pgSphere's operators."""

    inner: ClassVar[tuple[str, ...]] = (
        "left",
        "right",
    )

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class During(Condition):
    """The hidden range column ``name`` against a moment or a span of time (MJD), added by the rewriter.

    ``operator`` is @> (contains the moment ``low``), && or <@ (shares a point with, lies in, the span).
    """

    inner: ClassVar[tuple[str, ...]] = (
        "low",
        "high",
    )

    relation: Relation
    name: str
    operator: str
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """``NOT operand``."""

    inner: ClassVar[tuple[str, ...]] = ("operand",)

    operand: Expression


@dataclass(frozen=True, slots=True)
class And(Condition):
    """Terms that must all hold."""

    inner: ClassVar[tuple[str, ...]] = ("terms",)

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or(Condition):
    """Terms of which one must hold."""

    inner: ClassVar[tuple[str, ...]] = ("terms",)

    terms: tuple[Expression, ...]


Expression = (
    Constant
    | ColumnValue
    | Minus
    | Operators
    | Apply
    | Convert
    | Choice
    | QueryValue
    | Truth
    | Point
    | Circle
    | Polygon
    | Range
    | Transformed
    | Compare
    | Within
    | AmongValues
    | AmongRows
    | HasRows
    | Like
    | IsNull
    | Spherical
    | During
    | Not
    | And
    | Or
)


# Queries


@dataclass(frozen=True, slots=True)
class TableSource:
    """A relation that stands for a table of the catalogue; ``sample`` is the percentage of its blocks that are read."""

    relation: Relation
    sample: float | None = None


@dataclass(frozen=True, slots=True)
class WithSource:
    """A relation that stands for a query of the WITH clause, by its SQL name."""

    relation: Relation
    name: str


@dataclass(frozen=True, slots=True)
class QuerySource:
    """A relation that stands for a query in the FROM clause."""

    relation: Relation
    query: QueryPlan


@dataclass(frozen=True, slots=True)
class JoinSource:
    """Two sources joined; ``kind`` is INNER, LEFT, RIGHT, FULL or CROSS, only CROSS has no condition."""

    kind: str
    left: SourcePlan
    right: SourcePlan
    condition: Expression | None


SourcePlan = TableSource | WithSource | QuerySource | JoinSource


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """One output of a select: its expression and what it is called outside."""

    expression: Expression
    output: Output


@dataclass(frozen=True, slots=True)
class SortPlan:
    """One key of ORDER BY: an expression, or the number of an output (from 1)."""

    key: Expression | int
    descending: bool


@dataclass(frozen=True, slots=True)
class SelectPlan:
    """One SELECT; ``order_by`` and ``offset`` are those of the query that it is, told to the rewriter."""

    distinct: bool
    top: int | None
    items: tuple[ItemPlan, ...]
    sources: tuple[SourcePlan, ...]
    where: Expression | None
    group_by: tuple[Expression, ...]
    having: Expression | None
    order_by: tuple[SortPlan, ...] = ()
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class SetPlan:
    """A set operation; ``types`` are those of its outputs, ``texts`` tells which have their text form beside them."""

    first: BodyPlan
    rest: tuple[tuple[str, bool, BodyPlan], ...]
    types: tuple[Type, ...]
    texts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class WithPlan:
    """A query of the WITH clause under its SQL name; an ``inlined`` one is planned anew wherever it is named."""

    name: str
    query: QueryPlan
    inlined: bool = False


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A whole query with the columns it yields."""

    body: BodyPlan
    outputs: tuple[Output, ...]
    with_items: tuple[WithPlan, ...] = ()
    order_by: tuple[SortPlan, ...] = ()
    offset: int | None = None


BodyPlan = SelectPlan | SetPlan | QueryPlan


def map_conditions(
    select: SelectPlan, change: Callable[[Expression], Expression], *, in_having: bool = True
) -> SelectPlan:
    """The select with each of its own conditions (WHERE, ON, HAVING) changed; queries inside are not entered."""
    having = select.having
    return replace(
        select,
        sources=tuple(_map_joins(source, change) for source in select.sources),
        where=None if select.where is None else change(select.where),
        having=change(having) if having is not None and in_having else having,
    )


def _map_joins(source: SourcePlan, change: Callable[[Expression], Expression]) -> SourcePlan:
    if not isinstance(source, JoinSource):
        return source
    return replace(
        source,
        left=_map_joins(source.left, change),
        right=_map_joins(source.right, change),
        condition=None if source.condition is None else change(source.condition),
    )
