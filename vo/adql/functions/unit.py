"""Conversion of units (ADQL 2.1, section 4.9)."""

from __future__ import annotations

from vo.adql.functions.function import Function, Group, number, text
from vo.adql.kinds import Type
from vo.adql.plan import Apply, Constant, Expression
from vo.adql.resolve.units import UnitProblem, scaling
from vo.adql.sky.geometry import BadArgument


def _in_unit(arguments: tuple[Expression, ...]) -> Expression:
    """``IN_UNIT(value, 'unit')``: the value times a constant, refused where no unit is known."""
    from vo.adql.resolve.fields import is_literal, unit_of  # noqa: PLC0415  # late: it reads the table that holds this function

    value, unit = arguments
    if not isinstance(unit, Constant) or not isinstance(unit.value, str):
        raise BadArgument("IN_UNIT takes the unit as a literal text, such as 'arcsec'", 1)
    if is_literal(value):
        raise BadArgument("a literal has no unit that IN_UNIT could convert; it takes a column with a unit", 0)
    known = unit_of(value)
    if known is None:
        raise BadArgument(
            "no unit is known of this value: a column has that of TAP_SCHEMA.columns, a sum that of its terms when all"
            " have the same",
            0,
        )
    try:
        found = scaling(known, unit.value.strip())
    except UnitProblem as problem:
        raise BadArgument(problem.text, 1 if problem.is_target else 0) from None
    template = f"({{0:p}} {'/' if found.divides else '*'} {found.factor!r}::float8)" if found.factor != 1 else "{0:p}"
    return Apply("IN_UNIT", Type.DOUBLE, template, (value, Constant(Type.TEXT, unit.value.strip())))


UNITS = (
    Function(
        "IN_UNIT",
        (number("value"), text("unit")),
        Type.DOUBLE,
        description="The value in another unit of VOUnits, given as a literal text.",
        group=Group.UNIT,
        build=_in_unit,
    ),
)
