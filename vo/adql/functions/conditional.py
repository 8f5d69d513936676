"""Functions that choose between values (ADQL 2.1, section 4.8)."""

from __future__ import annotations

from vo.adql.functions.function import Function, Group, Parameter, Result
from vo.adql.kinds import PLAIN, Type, common_type
from vo.adql.plan import Apply, Expression
from vo.adql.resolve.convert import convert
from vo.adql.sky.geometry import BadArgument


def _coalesce(arguments: tuple[Expression, ...]) -> Expression:
    target = Type.NULL
    for index, argument in enumerate(arguments):
        common = common_type(target, argument.type)
        if common is None:
            raise BadArgument(f"COALESCE cannot mix {target} and {argument.type}", index)
        target = common
    values = tuple(convert(value, target) for value in arguments)
    places = ", ".join(f"{{{i}}}" for i in range(len(values)))
    return Apply("COALESCE", target, f"coalesce({places})", values)


CONDITIONAL = (
    Function(
        "COALESCE",
        (Parameter("value", PLAIN | {Type.POINT, Type.CIRCLE, Type.POLYGON, Type.MOC}, None, "ANY TYPE"),),
        Result.COMMON,
        description="The first of its arguments that is not null.",
        group=Group.CONDITIONAL,
        build=_coalesce,
        repeats=1,
    ),
)
