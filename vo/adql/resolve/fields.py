"""What is known of result columns: VOTable type, unit, UCD, utype and description (TAP 1.1, section 3.3).

What is a column's own value keeps all of it, through sub-queries, joins, casts between numbers, COALESCE and set
operations. What is computed keeps what still holds: a unit that follows from the arithmetic (the inference that ADQL
2.1 speaks of in section 4.9.1), a UCD with a word added. Numbers are never converted, so ``deg + arcsec`` has no unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import Enum
from fractions import Fraction

from vo.adql.functions import FUNCTIONS
from vo.adql.functions.spectral import spectral_ucd
from vo.adql.kinds import NUMBERS, Type, kind_of
from vo.adql.plan import (
    Apply,
    Choice,
    Circle,
    ColumnValue,
    Constant,
    Convert,
    Expression,
    Minus,
    Operators,
    Point,
    Polygon,
    QueryValue,
    Transformed,
)
from vo.adql.resolve import ucds, units
from vo.adql.sky.geometry import number
from vo.adql.sky.regions import text_form
from vo.adql.syntax import tree
from vo.adql.syntax.wording import worded
from vo.metadata.fields import Field, votable_type

#: The largest exponent, and the largest denominator of one, that a unit is raised to.
_LARGEST_EXPONENT = 12
#: How near an exponent such as 1/3.0 must be to the fraction.
_ROUNDING = 1e-12

#: Shapes whose numbers are degrees (DALI 1.1, section 3.3.5 to 3.3.7), whatever they are made of.
_IN_DEGREES = frozenset({Type.POINT, Type.CIRCLE, Type.POLYGON})
_STATISTICS = {"MIN": "stat.min", "MAX": "stat.max", "AVG": "stat.mean"}
#: Functions whose result is still the quantity that went in, only coarser.
_SAME_QUANTITY = frozenset({"CEILING", "FLOOR", "ROUND", "TRUNCATE"})


def field_of(expression: Expression, name: str, node: tree.Node | None = None) -> Field:
    """The VOTable field of a result column with this name; ``node`` is what was written for it.

    What no column describes is described by its own words in ADQL.
    """
    known = known_of(expression)
    if isinstance(expression, ColumnValue):
        return known if known.name == name else replace(known, name=name)
    description = known.description
    if description is None and node is not None and not isinstance(node, tree.ColumnName):
        description = worded(node)
    return replace(known, name=name, description=description)


def unit_of(expression: Expression) -> str | None:
    """The unit of a value as far as it is known."""
    return known_of(expression).unit


def known_of(expression: Expression) -> Field:
    """All that is known of a value, as a field without a name of its own."""
    rule = _KNOWN.get(type(expression))
    return _plain(expression.type) if rule is None else rule(expression)


def _column(value: ColumnValue) -> Field:
    return value.output.field


def _query_value(value: QueryValue) -> Field:
    return _as_type(value.query.outputs[0].field, value.type)


def _negative(value: Minus) -> Field:
    return _plain(value.type, unit=known_of(value.operand).unit)


def _chosen(value: Choice) -> Field:
    sides = _sides((*value.values, value.otherwise))
    return merged(value.type, sides, has_text=text_form(value) is not None)


class Standing(Enum):
    """How much a value has to say where several meet: a literal fits any unit and UCD, a null any length too."""

    VALUE = "value"
    LITERAL = "literal"
    NULL = "null"


Side = tuple[Field, Standing]


def standing(expression: Expression) -> Standing:
    """Whether this is a value, a literal or the null."""
    if not is_literal(expression):
        return Standing.VALUE
    while isinstance(expression, Convert | Minus):
        expression = expression.operand
    return Standing.NULL if isinstance(expression, Constant) and expression.value is None else Standing.LITERAL


def _sides(values: tuple[Expression, ...]) -> list[Side]:
    return [(known_of(value), standing(value)) for value in values]


def is_literal(expression: Expression) -> bool:
    """Whether this is a literal."""
    match expression:
        case Constant():
            return True
        case Minus(operand) | Convert(_, operand):
            return is_literal(operand)
        case _:
            return False


def merged(type_: Type, sides: Sequence[Side], *, has_text: bool = False) -> Field:
    """What holds for values that come from several places: what all of them say.

    ``has_text`` means that shapes are shown by their text, as on every side.
    """
    fields = [field for field, one in sides if one is Standing.VALUE] or [field for field, _ in sides]
    first = fields[0]
    datatype, arraysize, xtype = votable_type(kind_of(type_))
    if has_text:
        datatype, arraysize, xtype = first.datatype, first.arraysize, first.xtype
    elif type_ is Type.TEXT:
        texts = [field for field, one in sides if one is not Standing.NULL]
        datatype, arraysize = _text_form(texts or fields)
        xtype = _common(field.xtype for field in fields)
    unit = first.unit if all(units.agree(first.unit, field.unit) for field in fields[1:]) else None
    return Field(
        first.name,
        datatype,
        arraysize,
        xtype,
        unit,
        _common(field.ucd for field in fields),
        _common(field.utype for field in fields),
        _common(field.description for field in fields),
    )


def _common(values: Iterable[str | None]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _text_form(fields: Sequence[Field]) -> tuple[str, str | None]:
    """Datatype and arraysize that take the texts of all these fields."""
    texts = [field for field in fields if field.datatype in ("char", "unicodeChar")]
    datatype = "unicodeChar" if any(field.datatype == "unicodeChar" for field in texts) else "char"
    sizes = {field.arraysize or "1" for field in texts}
    if len(texts) < len(fields) or "*" in sizes:
        return datatype, "*"
    if len(sizes) == 1 and datatype == "char":
        return datatype, texts[0].arraysize
    return datatype, f"{max(int(size.rstrip('*')) for size in sizes)}*"


def _plain(type_: Type, *, unit: str | None = None, ucd: str | None = None) -> Field:
    """A value of which little is known."""
    datatype, arraysize, xtype = votable_type(kind_of(type_))
    if type_ in _IN_DEGREES:
        unit = unit or "deg"
        ucd = ucd or ucds.of_shape("ICRS", is_point=type_ is Type.POINT)
    return Field("", datatype, arraysize, xtype, unit, ucd)


def _transformed(shape: Transformed) -> Field:
    return _shape(shape, shape.target)


def _written(shape: Point | Circle | Polygon) -> Field:
    return _shape(shape, shape.frame)


def _shape(shape: Expression, frame: str) -> Field:
    return _plain(shape.type, ucd=ucds.of_shape(frame, is_point=shape.type is Type.POINT))


def _as_type(known: Field, type_: Type) -> Field:
    """The same value in another type; a text keeps its length."""
    if type_ is Type.TEXT and known.datatype in ("char", "unicodeChar"):
        return known
    datatype, arraysize, xtype = votable_type(kind_of(type_))
    return replace(known, datatype=datatype, arraysize=arraysize, xtype=xtype)


def _converted(node: Convert) -> Field:
    known = known_of(node.operand)
    if node.type is not Type.TEXT:
        is_same = node.type in NUMBERS and node.operand.type in NUMBERS
        return _as_type(known, node.type) if is_same else _plain(node.type, unit=known.unit, ucd=known.ucd)
    is_text = node.operand.type is Type.TEXT
    datatype, arraysize = _text_form([known]) if is_text else ("char", "*")
    if node.length is not None:
        # characters of unicodeChar are written with their number
        arraysize = str(node.length) if node.padded and datatype == "char" else f"{node.length}*"
    # clients take a column for a position or a time by its UCD, so digits in a text have none
    return Field("", datatype, arraysize, ucd=None if node.operand.type in NUMBERS else known.ucd)


# Arithmetic


def _computed(node: Operators) -> Field:
    sides = [("", known_of(node.first), node.first), *((sign, known_of(one), one) for sign, one in node.rest)]
    if node.type is Type.TEXT:
        return _plain(Type.TEXT)
    if node.rest[0][0] in "*/":
        unit = sides[0][1].unit
        for sign, known, _ in sides[1:]:
            unit = units.product(unit, sign, known.unit)
    else:
        unit = _unit_of_sum([(known.unit, one) for _, known, one in sides])
    ucd = None
    if len(node.rest) == 1:
        left, right = sides[0][1].ucd, sides[1][1].ucd
        ucd = {"-": ucds.of_difference, "/": ucds.of_ratio}.get(node.rest[0][0], _no_ucd)(left, right)
    return _plain(node.type, unit=unit, ucd=ucd)


def _no_ucd(_left: str | None, _right: str | None) -> None:
    return None


def _unit_of_sum(terms: list[tuple[str | None, Expression]]) -> str | None:
    """The unit that all terms share; ``ra + 10`` means ten of ra's unit."""
    own = [unit for unit, term in terms if unit is not None or not _is_number(term)]
    return own[0] if own and all(units.agree(own[0], unit) for unit in own[1:]) else None


def _is_number(expression: Expression) -> bool:
    """Whether no row decides this value: a literal, PI(), 2 * 3600."""
    if isinstance(expression, ColumnValue | QueryValue):
        return False
    return all(map(_is_number, expression.parts))


# Functions


def _called(call: Apply) -> Field:
    rule = _RULES.get(call.name)
    if rule is not None:
        return rule(call)
    function = FUNCTIONS.get(call.name, (None,))[0]
    if function is None:
        return _plain(call.type)
    if not function.keeps_unit:
        return _plain(call.type, unit=function.unit, ucd=function.ucd)
    first = known_of(call.arguments[0])
    return _plain(call.type, unit=first.unit, ucd=first.ucd if call.name in _SAME_QUANTITY else None)


def _first_known(call: Apply) -> Field:
    return merged(call.type, _sides(call.arguments))


def _count(call: Apply) -> Field:
    return _plain(call.type, ucd="meta.number")


def _statistic(call: Apply) -> Field:
    first = known_of(call.arguments[0])
    return replace(_same_length(call, first), unit=first.unit, ucd=ucds.with_word(first.ucd, _STATISTICS[call.name]))


def _sum(call: Apply) -> Field:
    first = known_of(call.arguments[0])
    return _plain(call.type, unit=first.unit, ucd=ucds.of_sum(first.ucd))


def _cased(call: Apply) -> Field:
    return _same_length(call, known_of(call.arguments[0]))


def _same_length(call: Apply, first: Field) -> Field:
    """A text as long as the argument."""
    form = _plain(call.type)
    if call.type is not Type.TEXT:
        return form
    datatype, arraysize = _text_form([first])
    return replace(form, datatype=datatype, arraysize=arraysize)


def _root(call: Apply) -> Field:
    return _plain(call.type, unit=units.power(known_of(call.arguments[0]).unit, Fraction(1, 2)))


def _power(call: Apply) -> Field:
    base, exponent = call.arguments
    value = number(exponent)
    if value is None or abs(value) > _LARGEST_EXPONENT:
        return _plain(call.type)
    simple = Fraction(value).limit_denominator(_LARGEST_EXPONENT)
    if abs(float(simple) - value) > _ROUNDING:
        return _plain(call.type)
    return _plain(call.type, unit=units.power(known_of(base).unit, simple))


def _remainder(call: Apply) -> Field:
    return _plain(call.type, unit=_unit_of_sum([(known_of(one).unit, one) for one in call.arguments]))


def _radians(call: Apply) -> Field:
    return _plain(call.type, unit="rad" if known_of(call.arguments[0]).unit in (None, "deg") else None)


def _degrees(call: Apply) -> Field:
    return _plain(call.type, unit="deg" if known_of(call.arguments[0]).unit in (None, "rad") else None)


def _in_unit(call: Apply) -> Field:
    value, unit = call.arguments
    target = unit.value if isinstance(unit, Constant) else None
    return _plain(call.type, unit=str(target), ucd=known_of(value).ucd)


def _spectral(call: Apply) -> Field:
    unit = call.arguments[-1]
    target = str(unit.value) if isinstance(unit, Constant) else ""
    return _plain(call.type, unit=target, ucd=spectral_ucd(target))


def _coordinate(call: Apply) -> Field:
    return _plain(call.type, unit="deg", ucd=ucds.of_coordinate(known_of(call.arguments[-1]).ucd, int(call.name[-1])))


def _centroid(call: Apply) -> Field:
    return _plain(call.type, ucd=ucds.of_centroid(known_of(call.arguments[0]).ucd))


#: The functions of which more can be said than their entry in the table of functions tells.
_RULES: dict[str, Callable[[Apply], Field]] = {
    "COALESCE": _first_known,
    "COUNT": _count,
    "MIN": _statistic,
    "MAX": _statistic,
    "AVG": _statistic,
    "SUM": _sum,
    "LOWER": _cased,
    "UPPER": _cased,
    "SQRT": _root,
    "POWER": _power,
    "MOD": _remainder,
    "RADIANS": _radians,
    "DEGREES": _degrees,
    "IN_UNIT": _in_unit,
    "COORD1": _coordinate,
    "COORD2": _coordinate,
    "CENTROID": _centroid,
    "GAVO_SPECCONV": _spectral,
}

_KNOWN: dict[type, Callable[..., Field]] = {
    ColumnValue: _column,
    QueryValue: _query_value,
    Convert: _converted,
    Minus: _negative,
    Operators: _computed,
    Choice: _chosen,
    Apply: _called,
    Transformed: _transformed,
    Point: _written,
    Circle: _written,
    Polygon: _written,
}
