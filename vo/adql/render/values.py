"""Expressions as SQL. ``value`` writes one as it may stand alone, ``operand`` puts brackets round what needs them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from vo.adql.kinds import INTEGERS, SHAPES, Type
from vo.adql.plan import (
    AmongRows,
    AmongValues,
    And,
    Apply,
    Choice,
    Circle,
    ColumnValue,
    Compare,
    Constant,
    Convert,
    During,
    Expression,
    HasRows,
    IsNull,
    Like,
    Minus,
    Not,
    Operators,
    Or,
    Point,
    Polygon,
    QueryPlan,
    QueryValue,
    Range,
    Spherical,
    Transformed,
    Truth,
    Within,
)
from vo.adql.render.quoting import identifier, literal
from vo.adql.resolve.convert import convert
from vo.adql.resolve.expressions import has_aggregate
from vo.adql.sky import spherical
from vo.adql.sky.frames import rotation_sql
from vo.adql.sky.geometry import coordinate, number
from vo.adql.sky.moc import may_be_empty
from vo.adql.sky.spherical import VERTICES
from vo.errors import LimitFault

#: No call has longer SQL, in characters. Some templates write an argument many times, and calls nest.
LONGEST_CALL = 1_000_000

#: What stands anywhere without brackets.
_ATOMS = (Constant, ColumnValue, Apply, Choice, Convert, QueryValue, Point, Circle, Polygon, Range, Truth, Transformed)


def _limited(name: str, text: str) -> str:
    if len(text) > LONGEST_CALL:
        raise LimitFault(
            f"{name} becomes more than {LONGEST_CALL} characters of SQL, the limit;"
            " functions that nest so deeply are better taken apart: name the inner ones in a sub-query"
        )
    return text


class _Argument:
    """An argument in a template: ``{0}`` as it is, ``{0:p}`` with brackets where it needs them.

    ``{0:lon}`` and ``{0:lat}`` are the coordinates of a point in degrees.
    """

    __slots__ = ("_expression", "_values")

    def __init__(self, values: Values, expression: Expression) -> None:
        self._values = values
        self._expression = expression

    def __format__(self, spec: str) -> str:
        if spec in ("lon", "lat"):
            return self._values.coordinate(self._expression, spec)
        return self._values.operand(self._expression) if spec == "p" else self._values.value(self._expression)


class _Written:
    """SQL that is already safe to stand anywhere, for a template."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __format__(self, spec: str) -> str:
        return self._text


class Values:
    """Writes expressions; ``query`` writes the queries inside them, ``base_url`` goes before stored paths."""

    def __init__(self, query: Callable[[QueryPlan], str], base_url: str) -> None:
        self._query = query
        self._base = literal(base_url) if base_url else ""

    def value(self, expression: Expression) -> str:
        """SQL of a value or of a condition that may be unknown."""
        return self._WRITERS[type(expression)](self, expression)

    def operand(self, expression: Expression) -> str:
        """SQL that may stand beside any operator."""
        text = self.value(expression)
        return text if isinstance(expression, _ATOMS) and not text.startswith("-") else f"({text})"

    def condition(self, expression: Expression) -> str:
        """SQL of a condition of which only the rows count where it holds: there operators may stand bare."""
        match expression:
            case And(terms):
                return " AND ".join(self._term(term) for term in terms)
            case Or(terms):
                return " OR ".join(self._term(term) for term in terms)
            case Not(Spherical() as shape):
                return f"({self._sphere(shape)}) IS FALSE"
            case Spherical():
                return self._sphere(expression)
            case _:
                return self.value(expression)

    def _term(self, term: Expression) -> str:
        text = self.condition(term)
        return f"({text})" if isinstance(term, And | Or) else text

    # Values

    def _constant(self, node: Constant) -> str:
        value = node.value
        if value is None:
            return f"NULL::{node.type.sql}"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return f"{literal(value)}::{node.type.sql}"
        if node.type in INTEGERS:
            return str(value)
        return f"{value!r}::{node.type.sql}"

    def _column(self, node: ColumnValue) -> str:
        text = _bare(node)
        return f"({self._base} || {text})" if node.output.is_path and self._base else text

    def _minus(self, node: Minus) -> str:
        return f"-{self.operand(node.operand)}"

    def _operators(self, node: Operators) -> str:
        return self.operand(node.first) + "".join(f" {sign} {self.operand(operand)}" for sign, operand in node.rest)

    def _apply(self, node: Apply) -> str:
        text = node.template.format(*(_Argument(self, argument) for argument in node.arguments))
        return _limited(node.name, text)

    def _convert(self, node: Convert) -> str:
        operand = node.operand
        text = self.operand(operand)
        if node.type in SHAPES:
            return f"vo.{node.type.label.lower()}_of_text({self.value(operand)})"
        if node.type is not Type.TEXT:
            step = "::int" if operand.type is Type.BOOLEAN and node.type is not Type.INTEGER else ""
            return f"{text}{step}::{node.type.sql}"
        if operand.type is Type.TIMESTAMP:
            text = iso_text(text)
        elif operand.type in SHAPES:
            text = f"array_to_string({self.coordinates(operand)}, ' ')"
        elif operand.type is not Type.TEXT or isinstance(operand, Constant):
            text = f"{text}::text"
        if node.length is None:
            return text
        return f"rpad({text}, {node.length})" if node.padded else f"left({text}, {node.length})"

    def _choice(self, node: Choice) -> str:
        return self.choice(node, self.value)

    def choice(self, node: Choice, write: Callable[[Expression], str]) -> str:
        """SQL of a CASE, with what it chooses from written by another method."""
        operand = "" if node.operand is None else f" {self.operand(node.operand)}"
        pairs = zip(node.tests, node.values, strict=True)
        branches = "".join(f" WHEN {self.value(test)} THEN {write(value)}" for test, value in pairs)
        is_null = isinstance(node.otherwise, Constant) and node.otherwise.value is None
        return f"CASE{operand}{branches}{'' if is_null else f' ELSE {write(node.otherwise)}'} END"

    def _query_value(self, node: QueryValue) -> str:
        return f"({self._query(node.query)})"

    def _truth(self, node: Truth) -> str:
        condition = node.condition
        text = self._sphere(condition) if isinstance(condition, Spherical) else self.value(condition)
        return f"({text})::int"

    # Shapes

    def coordinates(self, shape: Expression) -> str:
        """The numbers of a shape in degrees: DALI's point, circle and polygon (1.1, section 3.3.5 to 3.3.7)."""
        if isinstance(shape, Constant):
            return "NULL::float8[]"
        if isinstance(shape, Choice):
            return self.choice(shape, self.coordinates)
        if isinstance(shape, Point):
            return self._place(shape)
        text = self.operand(shape)
        if shape.type is Type.POLYGON:
            return self._vertices(shape, text)
        if isinstance(shape, Apply | Circle | Convert | Transformed) and not has_aggregate(shape):
            # long ones are written once
            return f"(SELECT {_numbers(shape.type, 'v')} FROM (SELECT {text} AS v OFFSET 0) AS vo_value)"
        return _numbers(shape.type, text)

    def _place(self, point: Point) -> str:
        """A written point is shown as it was written, its longitude from 0 to 360."""
        text = f"ARRAY[{self.value(coordinate(1, point))}, {self.value(coordinate(2, point))}]"
        if _constant_place(point) is not None:
            return text
        return f"CASE WHEN {self._point(point)} IS NOT NULL THEN {text} END"

    def _vertices(self, polygon: Expression, text: str) -> str:
        """A polygon of written points is shown as it was written; that it can be made is still checked."""
        vertices = polygon.vertices if isinstance(polygon, Polygon) else ()
        points = [vertex for vertex in vertices if isinstance(vertex, Point)]
        if not points or len(points) < len(vertices):
            return VERTICES.format(_Written(text))
        numbers = [self.value(number) for point in points for number in (point.lon, point.lat)]
        return f"CASE WHEN {text} IS NOT NULL THEN ARRAY[{', '.join(numbers)}]::float8[] END"

    def _point(self, node: Point) -> str:
        return f"spoint(radians({self._double(node.lon)}), radians({self._double(node.lat)}))"

    def _circle(self, node: Circle) -> str:
        return f"scircle({self.value(node.centre)}, radians({self._double(node.radius)}))"

    def _polygon(self, node: Polygon) -> str:
        places = [_constant_place(vertex) for vertex in node.vertices]
        if None not in places:
            vertices = ",".join(f"({place[0]!r},{place[1]!r})" for place in places if place is not None)
            return f"'{{{vertices}}}'::spoly"
        vertices = " || ',' || ".join(self._vertex(vertex) for vertex in node.vertices)
        return f"('{{' || {vertices} || '}}')::spoly"

    def _vertex(self, vertex: Expression) -> str:
        """``(lon,lat)`` in radians, as pgSphere reads it."""
        if isinstance(vertex, Point):
            lon, lat = f"radians({self._double(vertex.lon)})", f"radians({self._double(vertex.lat)})"
        else:
            lon, lat = f"long({self.value(vertex)})", f"lat({self.value(vertex)})"
        return f"'(' || {lon} || ',' || {lat} || ')'"

    def _range(self, node: Range) -> str:
        return spherical.range_box(node.lon_min, node.lon_max, node.lat_min, node.lat_max)

    def _transformed(self, node: Transformed) -> str:
        return f"({self.operand(node.shape)}{rotation_sql(node.source, node.target)})"

    def coordinate(self, position: Expression, which: str) -> str:
        """Longitude or latitude of a point, degrees: the very numbers it was made of, where they are at hand."""
        if isinstance(position, Point):
            return self.operand(convert(position.lon if which == "lon" else position.lat, Type.DOUBLE))
        return f"degrees({'long' if which == 'lon' else 'lat'}({self.value(position)}))"

    def _double(self, expression: Expression) -> str:
        """A number as float8; that of a real column is made one, so that it fits the indexed expression."""
        return self.value(convert(expression, Type.DOUBLE))

    # Conditions

    def _compare(self, node: Compare) -> str:
        return f"{self.operand(node.left)} {node.operator} {self.operand(node.right)}"

    def _within(self, node: Within) -> str:
        return f"{self.operand(node.operand)} BETWEEN {self.operand(node.low)} AND {self.operand(node.high)}"

    def _among_values(self, node: AmongValues) -> str:
        return f"{self.operand(node.operand)} IN ({', '.join(self.value(item) for item in node.items)})"

    def _among_rows(self, node: AmongRows) -> str:
        return f"{self.operand(node.operand)} IN ({self._query(node.query)})"

    def _has_rows(self, node: HasRows) -> str:
        return f"EXISTS ({self._query(node.query)})"

    def _like(self, node: Like) -> str:
        operator = "ILIKE" if node.any_case else "LIKE"
        pattern = node.pattern
        if isinstance(pattern, Constant) and isinstance(pattern.value, str):
            # PostgreSQL's own escape character, escaped: a constant pattern can use an index
            escaped = literal(pattern.value.replace("\\", "\\\\"))
            return f"{self.operand(node.operand)} {operator} {escaped}"
        return f"{self.operand(node.operand)} {operator} {self.operand(pattern)} ESCAPE ''"

    def _is_null(self, node: IsNull) -> str:
        operand = node.operand
        text = _bare(operand) if isinstance(operand, ColumnValue) else self.operand(operand)
        return f"{text} IS {'NOT ' if node.negated else ''}NULL"

    def _spherical(self, node: Spherical) -> str:
        # in a place where NOT or a cast may stand round it: PostgreSQL must not look for a negator
        return f"({self._sphere(node)})::int = 1"

    def _sphere(self, node: Spherical) -> str:
        return _limited("INTERSECTS" if node.operator == "&&" else "CONTAINS", self._sphere_of(node))

    def _sphere_of(self, node: Spherical) -> str:
        if isinstance(node.right, Range) and node.operator == "&&":
            area = node.right
            shape = self.operand(node.left)
            return spherical.range_overlaps(shape, area.lon_min, area.lon_max, area.lat_min, area.lat_max)
        if isinstance(node.right, Range) and node.right.lat_min < 0 < node.right.lat_max:
            # pgSphere's indexes on points miss some that are in a box across the equator
            point = self.operand(node.left)
            halves = replace(node.right, lat_max=0.0), replace(node.right, lat_min=0.0)
            return f"({' OR '.join(f'{point} <@ {self._range(half)}' for half in halves)})"
        text = f"{self.operand(node.left)} {node.operator} {self.operand(node.right)}"
        if node.operator == "<@" and isinstance(node.right, ColumnValue) and may_be_empty(node.left):
            # pgSphere's index finds no column that contains an empty MOC
            return f"({text})::int = 1"
        return text

    def _during(self, node: During) -> str:
        column = f"{identifier(node.relation.alias)}.{identifier(node.name)}"
        low, high = self._double(node.low), self._double(node.high)
        if node.operator == "@>":
            return f"{column} @> {low}"
        if number(node.low) is None or number(node.high) is None:
            low, high = f"least({low}, {high})", f"greatest({low}, {high})"
        return f"{column} {node.operator} vo.mjd_range({low}, {high}, '[]')"

    def _negation(self, node: Not) -> str:
        return f"NOT ({self.value(node.operand)})"

    def _all_of(self, node: And) -> str:
        return " AND ".join(self._nested(term) for term in node.terms)

    def _any_of(self, node: Or) -> str:
        return " OR ".join(self._nested(term) for term in node.terms)

    def _nested(self, term: Expression) -> str:
        text = self.value(term)
        return f"({text})" if isinstance(term, And | Or) else text

    _WRITERS: ClassVar[dict[type, Callable[..., str]]] = {
        Constant: _constant,
        ColumnValue: _column,
        Minus: _minus,
        Operators: _operators,
        Apply: _apply,
        Convert: _convert,
        Choice: _choice,
        QueryValue: _query_value,
        Truth: _truth,
        Point: _point,
        Circle: _circle,
        Polygon: _polygon,
        Range: _range,
        Transformed: _transformed,
        Compare: _compare,
        Within: _within,
        AmongValues: _among_values,
        AmongRows: _among_rows,
        HasRows: _has_rows,
        Like: _like,
        IsNull: _is_null,
        Spherical: _spherical,
        During: _during,
        Not: _negation,
        And: _all_of,
        Or: _any_of,
    }


def _bare(column: ColumnValue) -> str:
    """The column as it is stored."""
    return f"{identifier(column.relation.alias)}.{identifier(column.output.sql)}"


def iso_text(timestamp: str) -> str:
    """SQL that writes a timestamp as DALI does (1.1, section 3.3.3), with no more decimals than it has."""
    return f"rtrim(rtrim(to_char({timestamp}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '0'), '.')"


def _numbers(type_: Type, text: str) -> str:
    """A point or circle as array of degrees; the array of a null is null."""
    centre, radius = text, ""
    if type_ is Type.CIRCLE:
        centre, radius = f"center({text})", f", degrees(radius({text}))"
    return f"CASE WHEN {text} IS NOT NULL THEN ARRAY[degrees(long({centre})), degrees(lat({centre})){radius}] END"


def _constant_place(vertex: Expression) -> tuple[float, float] | None:
    """Longitude and latitude in radians of a constant point."""
    if not isinstance(vertex, Point):
        return None
    lon, lat = number(vertex.lon), number(vertex.lat)
    return None if lon is None or lat is None else (math.radians(lon), math.radians(lat))
