"""The mathematical and trigonometric functions of ADQL 2.1 (section 4.1)."""

from __future__ import annotations

from vo.adql.functions.function import Function, Parameter, Result, any_number, integer, number
from vo.adql.kinds import INTEGERS, Type


def _double(name: str, template: str, *parameters: Parameter, description: str, keeps_unit: bool = False) -> Function:
    """A mathematical function with a DOUBLE result."""
    unit = {"DEGREES": "deg", "RADIANS": "rad", "ACOS": "rad", "ASIN": "rad", "ATAN": "rad", "ATAN2": "rad"}.get(name)
    return Function(name, parameters, Type.DOUBLE, template, description, keeps_unit=keeps_unit, unit=unit)


# PostgreSQL turns a double into numeric with 15 digits only; by way of text it keeps all that identify it
MATHEMATICAL = (
    Function("ABS", (any_number(),), Result.FIRST, "abs({0})", "Absolute value.", keeps_unit=True),
    _double("CEILING", "ceil({0})", number(), description="Smallest whole number not below x.", keeps_unit=True),
    _double("DEGREES", "degrees({0})", number(), description="Radians to degrees."),
    _double("EXP", "exp({0})", number(), description="e to the power of x."),
    _double("FLOOR", "floor({0})", number(), description="Largest whole number not above x.", keeps_unit=True),
    _double("LOG", "ln({0})", number(), description="Natural logarithm."),
    _double("LOG10", "log10({0})", number(), description="Logarithm to base 10."),
    Function(
        "MOD",
        (Parameter("x", INTEGERS, None, "INTEGER"), Parameter("y", INTEGERS, None, "INTEGER")),
        Result.WIDEST,
        "mod({0}, {1})",
        "Remainder of x / y, with the sign of x.",
    ),
    _double(
        "MOD",
        "mod({0:p}::text::numeric, {1:p}::text::numeric)::float8",
        number("x"),
        number("y"),
        description="Remainder of x / y, with the sign of x.",
    ),
    _double("PI", "pi()", description="The number pi."),
    _double("POWER", "power({0}, {1})", number("x"), number("y"), description="x to the power of y."),
    _double("RADIANS", "radians({0})", number(), description="Degrees to radians."),
    Function("RAND", (), Type.DOUBLE, "random()", "Random number from 0 to 1.", volatile=True),
    Function(
        "RAND",
        (any_number("seed"),),
        Type.DOUBLE,
        "random()",
        "Random number from 0 to 1; the seed has no effect (ADQL 2.1 leaves its meaning open).",
        volatile=True,
    ),
    _double(
        "ROUND", "round({0:p}::text::numeric)::float8", number(), description="Nearest whole number.", keeps_unit=True
    ),
    _double(
        "ROUND",
        "round({0:p}::text::numeric, {1})::float8",
        number(),
        integer(),
        description="Nearest number with n decimals; a half is rounded away from zero.",
        keeps_unit=True,
    ),
    _double("SQRT", "sqrt({0})", number(), description="Square root."),
    _double("TRUNCATE", "trunc({0})", number(), description="x without its decimals.", keeps_unit=True),
    _double(
        "TRUNCATE",
        "trunc({0:p}::text::numeric, {1})::float8",
        number(),
        integer(),
        description="x cut after n decimals.",
        keeps_unit=True,
    ),
    _double("ACOS", "acos({0})", number(), description="Arc cosine, radians."),
    _double("ASIN", "asin({0})", number(), description="Arc sine, radians."),
    _double("ATAN", "atan({0})", number(), description="Arc tangent, radians."),
    _double("ATAN2", "atan2({0}, {1})", number("y"), number("x"), description="Arc tangent of y / x, radians."),
    _double("COS", "cos({0})", number(), description="Cosine of x radians."),
    _double("COT", "cot({0})", number(), description="Cotangent of x radians."),
    _double("SIN", "sin({0})", number(), description="Sine of x radians."),
    _double("TAN", "tan({0})", number(), description="Tangent of x radians."),
)
