"""Calls: which way of calling a function is meant, its arguments made to fit, and what it becomes."""

from __future__ import annotations

from collections.abc import Sequence

from vo.adql.functions import Function, Parameter, Result
from vo.adql.kinds import INTEGERS, NUMBERS, PLAIN, Type, described, numeric_result
from vo.adql.plan import Apply, Constant, Expression, Truth
from vo.adql.resolve.convert import convert, timestamp, typed
from vo.adql.sky.geometry import WIDEST_CIRCLE, BadArgument, is_wide
from vo.adql.syntax import tree
from vo.adql.syntax.tree import Problem


def make_aggregate(node: tree.AggregateCall, argument: Expression) -> Expression:
    """AVG, COUNT, MAX, MIN or SUM of a value, in a type that Arrow can carry."""
    distinct = "DISTINCT " if node.distinct else ""
    kind = argument.type
    if node.name == "COUNT":
        if node.distinct and kind not in PLAIN:
            raise Problem(node.at, f"values of type {kind} cannot be told apart; count another column")
        return Apply("COUNT", Type.BIGINT, f"count({distinct}{{0}})", (argument,), aggregate=True)
    if node.name in ("MIN", "MAX"):
        if kind not in PLAIN or kind is Type.BOOLEAN:
            raise Problem(node.at, f"{node.name} needs a number, a text or a timestamp, this is of type {kind}")
        value = typed(argument, Type.TEXT)
        return Apply(node.name, value.type, f"{node.name.lower()}({distinct}{{0}})", (value,), aggregate=True)
    if kind not in NUMBERS and kind is not Type.NULL:
        raise Problem(node.at, f"{node.name} needs a number, this is of type {kind}")
    if node.name == "SUM" and kind in INTEGERS:
        cast = "::int8" if kind is Type.BIGINT else ""
        return Apply("SUM", Type.BIGINT, f"sum({distinct}{{0}}){cast}", (argument,), aggregate=True)
    value = convert(argument, Type.DOUBLE)
    return Apply(node.name, Type.DOUBLE, f"{node.name.lower()}({distinct}{{0}})", (value,), aggregate=True)


def _accepts(parameter: Parameter, argument: Expression) -> bool:
    if argument.type is Type.NULL or argument.type in parameter.takes:
        return True
    return (
        Type.TIMESTAMP in parameter.takes
        and isinstance(argument, Constant)
        and isinstance(argument.value, str)
        and Type.TEXT not in parameter.takes
    )


def _parameters(function: Function, count: int) -> tuple[Parameter, ...] | None:
    """The parameters for so many arguments, None when the number does not fit."""
    size = len(function.parameters)
    if not function.repeats:
        return function.parameters if size == count else None
    times, rest = divmod(count, size)
    return function.parameters * times if rest == 0 and times >= function.repeats else None


def choose(
    node: tree.Call, overloads: Sequence[Function], arguments: list[Expression], nodes: list[tree.Node]
) -> tuple[Function, tuple[Expression, ...]]:
    """The first way to call the function that takes these arguments, with the arguments converted for it."""
    worst: tuple[int, Problem] | None = None
    for function in overloads:
        size = len(function.parameters)
        wrong = [i for i, a in enumerate(arguments) if not size or not _accepts(function.parameters[i % size], a)]
        fits = _fits(function, len(arguments))
        if fits and not wrong:
            parameters = function.parameters * (len(arguments) // size) if size else ()
            pairs = zip(parameters, arguments, nodes, strict=True)
            return function, tuple(_convert_argument(*pair) for pair in pairs)
        # the overload that accepts most of the arguments is the one that was meant
        accepted = wrong[0] if wrong else len(arguments)
        if worst is None or accepted > worst[0] or (accepted == worst[0] and fits):
            others = [function] if any(_fits(one, len(arguments)) for one in overloads) else overloads
            problem = _counting(node, others, len(arguments))
            if fits:
                problem = _mistyped(node, function, wrong[0], arguments[wrong[0]], nodes[wrong[0]])
            worst = (accepted, problem)
    raise worst[1] if worst is not None else Problem(node.at, f"{node.name} cannot be called")


def _fits(function: Function, count: int) -> bool:
    """Whether a function takes so many arguments."""
    size = len(function.parameters)
    if not function.repeats:
        return size == count
    # all parameters again and again
    return count % size == 0 and count >= size * function.repeats


def _mistyped(node: tree.Call, function: Function, index: int, argument: Expression, at: tree.Node) -> Problem:
    wanted = described(function.parameters[index % len(function.parameters)].takes)
    return Problem(at.at, f"argument {index + 1} of {node.name} is of type {argument.type}; it takes {wanted}")


def _counting(node: tree.Call, overloads: Sequence[Function], count: int) -> Problem:
    known = sorted({len(f.parameters) * (f.repeats or 1) for f in overloads})
    wanted = " or ".join(map(str, known))
    least = max(function.repeats for function in overloads)
    if least > 1:
        text = f"{node.name} takes {least} or more points, or as many pairs of numbers, not {count} arguments"
        return Problem(node.at, text)
    if least:
        wanted = f"{known[-1]} or more"
    return Problem(node.at, f"{node.name} takes {wanted} argument{'' if wanted == '1' else 's'}, not {count}")


def _convert_argument(parameter: Parameter, argument: Expression, node: tree.Node) -> Expression:
    target = parameter.becomes
    if argument.type is Type.NULL and Type.NULL in parameter.takes and target is None:
        return argument
    if argument.type is Type.NULL:
        return Constant(target or min(parameter.takes, key=lambda type_: type_.name), None)
    if target is Type.TIMESTAMP and isinstance(argument, Constant) and isinstance(argument.value, str):
        return argument if argument.type is target else timestamp(node.at, argument.value)
    return argument if target is None else convert(argument, target)


_TAKING_WIDE_CIRCLES = ("AREA", "CENTROID", "CONTAINS", "INTERSECTS", "MOC", "ivo_geom_transform", "gavo_transform")


def check_drawable(expression: Expression, at: int) -> None:
    """Refuse a circle that pgSphere cannot hold where it is not just asked about."""
    if is_wide(expression):
        raise Problem(
            at,
            f"a circle of more than {WIDEST_CIRCLE:g} degrees can only be an argument of CONTAINS, INTERSECTS,"
            " AREA, CENTROID or MOC",
        )


def apply(function: Function, arguments: tuple[Expression, ...], node: tree.Call, nodes: list[tree.Node]) -> Expression:
    """The call of a function with arguments that fit."""
    if function.name not in _TAKING_WIDE_CIRCLES:
        for argument, argument_node in zip(arguments, nodes, strict=True):
            check_drawable(argument, argument_node.at)
    if function.build is not None:
        try:
            return function.build(arguments)
        except BadArgument as fault:
            at = node.at if fault.index is None else nodes[fault.index].at
            raise Problem(at, fault.text) from None
    name = function.name.upper()
    if function.is_test:
        return Truth(Apply(name, Type.CONDITION, function.template, arguments))
    result = function.result
    if result is Result.FIRST:
        type_ = arguments[0].type
    elif isinstance(result, Result):
        type_ = numeric_result(arguments[0].type, arguments[1].type)
    else:
        type_ = result
    return Apply(name, type_, function.template, arguments, aggregate=function.aggregate, volatile=function.volatile)
