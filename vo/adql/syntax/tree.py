"""The query as it was written: one frozen dataclass for each construct of ADQL 2.1.

``at`` is always the offset of the construct's first character in the text; :func:`vo.adql.syntax.messages.place` turns
it into line and column. Chains (``a + b - c``, ``p AND q AND r``) are one node with many terms, so that a long query
is wide, never deep.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier; a delimited one ("Size") is case-sensitive and may be any text."""

    at: int
    text: str
    delimited: bool = False

    def matches(self, stored: str) -> bool:
        """Whether this is a way to write the name that is stored (ADQL 2.1, section 2.1.7)."""
        return self.text == stored or (not self.delimited and self.text.lower() == stored.lower())

    def __str__(self) -> str:
        return '"' + self.text.replace('"', '""') + '"' if self.delimited else self.text


@dataclass(frozen=True, slots=True)
class Number:
    """An unsigned literal; ``value`` is an int or a float as it was written."""

    at: int
    value: int | float


@dataclass(frozen=True, slots=True)
class String:
    """A character literal, quotes removed."""

    at: int
    value: str


@dataclass(frozen=True, slots=True)
class Null:
    """The word NULL."""

    at: int


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column, with its table or its table and schema in front where they were written."""

    at: int
    parts: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """``-x`` or ``+x``."""

    at: int
    sign: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """Operators of one rank from left to right: ``first`` and then (operator, operand) pairs."""

    at: int
    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function other than an aggregate."""

    at: int
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """AVG, COUNT, MAX, MIN or SUM; ``argument`` is None for ``COUNT(*)``."""

    at: int
    name: str
    argument: Node | None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class CastTo:
    """``CAST(operand AS type(length))``; ``type`` is one of ADQL's words in upper case."""

    at: int
    operand: Node
    type: str
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """``CASE [operand] WHEN .. THEN value ... [ELSE otherwise] END``.

    Each of the ``branches`` has what stands after WHEN, a condition or with an ``operand`` a value, and its THEN.
    """

    at: int
    operand: Node | None
    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right``; the operator is one of = <> < > <= >=."""

    at: int
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Between:
    """``operand [NOT] BETWEEN low AND high``."""

    at: int
    operand: Node
    low: Node
    high: Node
    negated: bool


@dataclass(frozen=True, slots=True)
class InItems:
    """``operand [NOT] IN (item, ...)``."""

    at: int
    operand: Node
    items: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class InSubquery:
    """``operand [NOT] IN (SELECT ...)``."""

    at: int
    operand: Node
    query: Query
    negated: bool


@dataclass(frozen=True, slots=True)
class Matches:
    """``operand [NOT] LIKE pattern``, or ILIKE."""

    at: int
    operand: Node
    pattern: Node
    any_case: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class NullTest:
    """``operand IS [NOT] NULL``."""

    at: int
    operand: Node
    negated: bool


@dataclass(frozen=True, slots=True)
class ExistsTest:
    """``EXISTS (SELECT ...)``."""

    at: int
    query: Query


@dataclass(frozen=True, slots=True)
class Negation:
    """``NOT operand``."""

    at: int
    operand: Node


@dataclass(frozen=True, slots=True)
class AllOf:
    """Terms joined by AND."""

    at: int
    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Terms joined by OR."""

    at: int
    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ScalarSubquery:
    """A query in brackets where one value is expected."""

    at: int
    query: Query


Node = (
    Number
    | String
    | Null
    | ColumnName
    | Signed
    | Chain
    | Call
    | AggregateCall
    | CastTo
    | Case
    | Comparison
    | Between
    | InItems
    | InSubquery
    | Matches
    | NullTest
    | ExistsTest
    | Negation
    | AllOf
    | AnyOf
    | ScalarSubquery
)


@dataclass(frozen=True, slots=True)
class Star:
    """``*`` or ``qualifier.*`` in a select list."""

    at: int
    qualifier: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One expression of a select list, with its alias where it has one."""

    at: int
    expression: Node
    alias: Name | None = None


@dataclass(frozen=True, slots=True)
class TableName:
    """A table of the catalogue, or one of the query's own WITH, and its alias.

    ``sample`` is the percentage of TABLESAMPLE.
    """

    at: int
    parts: tuple[Name, ...]
    alias: Name | None = None
    sample: Number | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """A query that stands as a table."""

    at: int
    query: Query
    alias: Name


@dataclass(frozen=True, slots=True)
class Join:
    """Two tables joined; ``kind`` is INNER, LEFT, RIGHT, FULL or CROSS."""

    at: int
    kind: str
    left: Source
    right: Source
    natural: bool = False
    condition: Node | None = None
    using: tuple[Name, ...] = ()


Source = TableName | Derived | Join


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of ORDER BY."""

    at: int
    expression: Node
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT, from its list to HAVING."""

    at: int
    distinct: bool
    top: int | None
    items: tuple[Item | Star, ...]
    sources: tuple[Source, ...]
    where: Node | None = None
    group_by: tuple[Node, ...] = ()
    having: Node | None = None


@dataclass(frozen=True, slots=True)
class SetOperation:
    """UNION, EXCEPT or INTERSECT: ``first`` and then (operator, whether ALL, operand), from left to right."""

    at: int
    first: Body
    rest: tuple[tuple[str, bool, Body], ...]


@dataclass(frozen=True, slots=True)
class WithItem:
    """``name (columns) AS (query)``."""

    at: int
    name: Name
    columns: tuple[Name, ...]
    query: Query


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query, outermost or in brackets."""

    at: int
    body: Body
    with_items: tuple[WithItem, ...] = ()
    order_by: tuple[SortKey, ...] = ()
    offset: int | None = None


Body = Select | SetOperation | Query


class Problem(Exception):
    """What is wrong with the construct that begins at the offset ``at``."""

    def __init__(self, at: int, text: str) -> None:
        super().__init__(text)
        self.at = at
        self.text = text
