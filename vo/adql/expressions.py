"""Values and conditions: names bound, types checked and made to fit, functions looked up in their table."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from vo.adql import tree
from vo.adql.functions import FUNCTIONS, Function, Parameter, Result
from vo.adql.geometry import WIDEST_CIRCLE, BadArgument, check_frame, is_wide
from vo.adql.kinds import INTEGERS, NUMBERS, PLAIN, Type, common_type, described, numeric_result
from vo.adql.plan import (
    AmongRows,
    AmongValues,
    And,
    Apply,
    ColumnValue,
    Compare,
    Constant,
    Convert,
    Expression,
    HasRows,
    IsNull,
    Like,
    Minus,
    Not,
    Operators,
    Or,
    QueryPlan,
    QueryValue,
    Truth,
    Within,
)
from vo.adql.scope import Link, Scope, nearest
from vo.adql.tree import Problem

_SMALLEST, _LARGEST = -(2**31), 2**31 - 1
_LARGEST_BIG = 2**63 - 1


#: What resolves a query inside a query; the link leads to the columns around it.
QueryResolver = Callable[[tree.Query, Link], QueryPlan]


def _columns(expression: Expression) -> list[ColumnValue]:
    if isinstance(expression, ColumnValue):
        return [expression]
    return [column for part in expression.parts for column in _columns(part)]


def has_aggregate(expression: Expression) -> bool:
    """Whether the value is computed from a group of rows."""
    if isinstance(expression, Apply) and expression.aggregate:
        return True
    return any(has_aggregate(part) for part in expression.parts)


def to_timestamp(value: str) -> str | None:
    """A DALI timestamp (1.1, section 3.3.3) as PostgreSQL reads it, None when the text is none."""
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)\d*Z?)?", value.strip())
    if match is None:
        return None
    written = f"{match[1]} {match[2] or '00:00:00'}"
    try:
        dt.datetime.fromisoformat(written.split(".", maxsplit=1)[0])
    except ValueError:
        return None
    return written


def convert(expression: Expression, target: Type) -> Expression:
    """The value as another type; constants are converted at once."""
    if expression.type is target:
        return expression
    if isinstance(expression, Constant):
        value = expression.value
        if value is None:
            return Constant(target, None)
        if target in (Type.DOUBLE, Type.REAL) and isinstance(value, int | float):
            return Constant(target, float(value))
    if isinstance(expression, Minus) and isinstance(expression.operand, Constant) and target is Type.DOUBLE:
        return Minus(convert(expression.operand, target))
    return Convert(target, expression)


@dataclass(frozen=True, slots=True)
class Binder:
    """Turns the tree of one clause into expressions.

    ``clause`` names it in faults, ``aggregates`` says whether COUNT and its like may stand there, ``aliases`` are
    outputs of the select list that the clause may use by their names.
    """

    scope: Scope
    resolve_query: QueryResolver
    clause: str
    aggregates: bool = False
    aliases: Callable[[tree.Name], Expression | None] | None = None

    def value(self, node: tree.Node) -> Expression:
        """A value; :class:`Problem` for a condition."""
        expression = self._BINDERS[type(node)](self, node)
        if expression.type is Type.CONDITION:
            raise Problem(node.at, "a condition stands where a value is expected")
        return expression

    def condition(self, node: tree.Node) -> Expression:
        """A condition; :class:`Problem` for a value."""
        expression = self._BINDERS[type(node)](self, node)
        if expression.type is not Type.CONDITION:
            hint = "; compare it, as in ... = 1" if isinstance(expression, Truth) else ""
            raise Problem(node.at, f"{self.clause} needs a condition, this is a value of type {expression.type}{hint}")
        return expression

    def plain(self, node: tree.Node) -> Expression:
        """A value that can be compared and sorted."""
        expression = self.value(node)
        if expression.type not in PLAIN:
            raise Problem(
                node.at,
                f"values of type {expression.type} cannot be compared or sorted; use CONTAINS, INTERSECTS or DISTANCE",
            )
        return expression

    # Values

    def _number(self, node: tree.Number) -> Expression:
        value = node.value
        if isinstance(value, int) and value <= _LARGEST_BIG:
            return Constant(Type.INTEGER if value <= _LARGEST else Type.BIGINT, value)
        if not math.isfinite(value):
            raise Problem(node.at, "this number is too large for a DOUBLE PRECISION")
        return Constant(Type.DOUBLE, float(value))

    def _string(self, node: tree.String) -> Expression:
        return Constant(Type.TEXT, node.value)

    def _null(self, _node: tree.Null) -> Expression:
        return Constant(Type.NULL, None)

    def _column(self, node: tree.ColumnName) -> Expression:
        if self.aliases is not None and len(node.parts) == 1 and not self.scope.has(node.parts[0]):
            found = self.aliases(node.parts[0])
            if found is not None:
                return found
        return self.scope.column(node.parts)

    def _signed(self, node: tree.Signed) -> Expression:
        operand = self._numeric_value(node.operand)
        return operand if node.sign == "+" or operand.type is Type.NULL else Minus(operand)

    def _chain(self, node: tree.Chain) -> Expression:
        total = self.value(node.first)
        before = node.first
        done: list[tuple[str, Expression]] = []
        first, type_ = total, total.type
        for operator, operand in node.rest:
            right = self.value(operand)
            wanted = frozenset({Type.TEXT}) if operator == "||" else NUMBERS
            for side, at in ((type_, before.at), (right.type, operand.at)):
                if side is not Type.NULL and side not in wanted:
                    raise Problem(at, _bad_operand(operator, type_, right.type))
            type_ = Type.TEXT if operator == "||" else _numeric(type_, right.type)
            done.append((operator, right))
            before = operand
        return Operators(
            type_, _typed(first, type_), tuple((operator, _typed(right, type_)) for operator, right in done)
        )

    def _call(self, node: tree.Call) -> Expression:
        overloads = FUNCTIONS.get(node.name.upper())
        if overloads is None:
            raise Problem(node.at, f"there is no function {node.name}{nearest(node.name, FUNCTIONS)}")
        if overloads[0].aggregate:
            self._check_aggregate(node.at, node.name)
        inner = replace(self, aggregates=False, clause="an aggregate") if overloads[0].aggregate else self
        arguments = [inner.value(argument) for argument in node.arguments]
        nodes = list(node.arguments)
        if overloads[0].has_frame and arguments and arguments[0].type in (Type.TEXT, Type.NULL):
            self._check_frame(nodes[0], arguments[0])
            arguments, nodes = arguments[1:], nodes[1:]
        function, converted = _choose(node, overloads, arguments, nodes)
        expression = _apply(function, converted, node, nodes)
        if function.aggregate:
            self._check_level(node.at, expression)
        return expression

    def _check_frame(self, node: tree.Node, argument: Expression) -> None:
        if not isinstance(argument, Constant):
            raise Problem(node.at, "the coordinate system must be a literal text such as 'ICRS'")
        try:
            check_frame(argument.value if isinstance(argument.value, str) else "")
        except BadArgument as fault:
            raise Problem(node.at, fault.text) from None

    def _aggregate(self, node: tree.AggregateCall) -> Expression:
        self._check_aggregate(node.at, node.name)
        if node.argument is None:
            if node.name != "COUNT":
                raise Problem(node.at, f"{node.name}(*) has no meaning; * is for COUNT")
            return Apply("COUNT", Type.BIGINT, "count(*)", (), aggregate=True)
        argument = replace(self, aggregates=False, clause="an aggregate").value(node.argument)
        expression = _aggregate(node, argument)
        self._check_level(node.at, expression)
        return expression

    def _check_aggregate(self, at: int, name: str) -> None:
        if not self.aggregates:
            raise Problem(at, f"{name.upper()} cannot stand in {self.clause}; conditions on groups stand in HAVING")

    def _check_level(self, at: int, expression: Expression) -> None:
        here = {id(relation) for relation in self.scope.relations()}
        columns = _columns(expression)
        if columns and all(id(column.relation) not in here for column in columns):
            raise Problem(at, "an aggregate in a sub-query needs a column of that sub-query's own tables")

    def _cast(self, node: tree.CastTo) -> Expression:
        operand = self.value(node.operand)
        target = _CASTS[node.type]
        text = node.type in ("CHAR", "VARCHAR")
        if node.length is not None and not text:
            raise Problem(node.at, f"{node.type} takes no length")
        if node.length is not None and not 1 <= node.length <= _LONGEST_TEXT:
            raise Problem(node.at, f"the length of a text runs from 1 to {_LONGEST_TEXT}")
        if isinstance(operand, Constant) and isinstance(operand.value, str) and target is Type.TIMESTAMP:
            return _timestamp(node.operand.at, operand.value)
        if operand.type is not Type.NULL and not (operand.type in PLAIN and target in _CASTABLE[operand.type]):
            raise Problem(node.at, f"values of type {operand.type} cannot be cast to {node.type}")
        length = 1 if node.type == "CHAR" and node.length is None else node.length
        return Convert(target, operand, length, padded=node.type == "CHAR")

    def _scalar(self, node: tree.ScalarSubquery) -> Expression:
        plan, link = self._query(node.query)
        output = _only_output(node.at, plan)
        return QueryValue(output.type, plan, tuple(link.used))

    def _query(self, query: tree.Query) -> tuple[QueryPlan, Link]:
        link = Link(self.scope)
        return self.resolve_query(query, link), link

    def _numeric_value(self, node: tree.Node) -> Expression:
        expression = self.value(node)
        if expression.type not in NUMBERS and expression.type is not Type.NULL:
            raise Problem(node.at, f"a number is expected, this is of type {expression.type}")
        return expression

    def _text(self, node: tree.Node) -> Expression:
        expression = self.value(node)
        if expression.type is Type.NULL:
            return Constant(Type.TEXT, None)
        if expression.type is not Type.TEXT:
            raise Problem(node.at, f"LIKE compares texts, this is of type {expression.type}; use CAST(.. AS VARCHAR)")
        return expression

    # Conditions

    def _comparison(self, node: tree.Comparison) -> Expression:
        left, right = self._fitting(node.left, node.right)
        return Compare(node.operator, left, right)

    def _between(self, node: tree.Between) -> Expression:
        operand, low = self._fitting(node.operand, node.low)
        operand_again, high = self._fitting(node.operand, node.high)
        if operand.type is not operand_again.type:
            raise Problem(node.at, f"BETWEEN mixes {low.type} and {high.type}")
        return _negated(Within(operand, low, high), negated=node.negated)

    def _in_items(self, node: tree.InItems) -> Expression:
        operand = self.plain(node.operand)
        items = []
        for item in node.items:
            operand, fitted = _fit(node.operand, operand, item, self.plain(item))
            items.append(fitted)
        return _negated(AmongValues(operand, tuple(items)), negated=node.negated)

    def _in_query(self, node: tree.InSubquery) -> Expression:
        operand = self.plain(node.operand)
        plan, link = self._query(node.query)
        output = _only_output(node.query.at, plan)
        if output.type not in PLAIN or common_type(operand.type, output.type) is None:
            raise Problem(node.at, f"{operand.type} cannot be compared with {output.type}")
        if operand.type is Type.NULL:
            operand = Constant(output.type, None)
        return _negated(AmongRows(operand, plan, tuple(link.used)), negated=node.negated)

    def _matches(self, node: tree.Matches) -> Expression:
        like = Like(self._text(node.operand), self._text(node.pattern), node.any_case)
        return _negated(like, negated=node.negated)

    def _null_test(self, node: tree.NullTest) -> Expression:
        return IsNull(self.value(node.operand), node.negated)

    def _exists(self, node: tree.ExistsTest) -> Expression:
        plan, link = self._query(node.query)
        return HasRows(plan, tuple(link.used))

    def _negation(self, node: tree.Negation) -> Expression:
        return Not(self.condition(node.operand))

    def _all_of(self, node: tree.AllOf) -> Expression:
        return And(tuple(self.condition(term) for term in node.terms))

    def _any_of(self, node: tree.AnyOf) -> Expression:
        return Or(tuple(self.condition(term) for term in node.terms))

    def _fitting(self, left: tree.Node, right: tree.Node) -> tuple[Expression, Expression]:
        return _fit(left, self.plain(left), right, self.plain(right))

    _BINDERS: ClassVar[dict[type, Callable[..., Expression]]] = {
        tree.Number: _number,
        tree.String: _string,
        tree.Null: _null,
        tree.ColumnName: _column,
        tree.Signed: _signed,
        tree.Chain: _chain,
        tree.Call: _call,
        tree.AggregateCall: _aggregate,
        tree.CastTo: _cast,
        tree.ScalarSubquery: _scalar,
        tree.Comparison: _comparison,
        tree.Between: _between,
        tree.InItems: _in_items,
        tree.InSubquery: _in_query,
        tree.Matches: _matches,
        tree.NullTest: _null_test,
        tree.ExistsTest: _exists,
        tree.Negation: _negation,
        tree.AllOf: _all_of,
        tree.AnyOf: _any_of,
    }


_CASTS = {
    "SMALLINT": Type.SMALLINT,
    "INTEGER": Type.INTEGER,
    "BIGINT": Type.BIGINT,
    "REAL": Type.REAL,
    "DOUBLE PRECISION": Type.DOUBLE,
    "CHAR": Type.TEXT,
    "VARCHAR": Type.TEXT,
    "TIMESTAMP": Type.TIMESTAMP,
}
_LONGEST_TEXT = 10_000_000
_NUMBERS_AND_TEXT = NUMBERS | {Type.TEXT}
_CASTABLE: dict[Type, frozenset[Type]] = {
    **dict.fromkeys(NUMBERS, _NUMBERS_AND_TEXT),
    Type.TEXT: _NUMBERS_AND_TEXT | {Type.TIMESTAMP},
    Type.TIMESTAMP: frozenset({Type.TEXT, Type.TIMESTAMP}),
    Type.BOOLEAN: frozenset({Type.TEXT, Type.INTEGER}),
}


def _negated(condition: Expression, *, negated: bool) -> Expression:
    return Not(condition) if negated else condition


def _numeric(left: Type, right: Type) -> Type:
    if left is Type.NULL:
        return right if right is not Type.NULL else Type.DOUBLE
    return left if right is Type.NULL else numeric_result(left, right)


def _typed(expression: Expression, type_: Type) -> Expression:
    """A bare NULL takes the type of what surrounds it."""
    return Constant(type_, None) if expression.type is Type.NULL else expression


def _bad_operand(operator: str, left: Type, right: Type) -> str:
    if operator == "||":
        return f"|| joins texts, not {left} and {right}; use CAST(.. AS VARCHAR)"
    return f"{operator} works on numbers, not on {left} and {right}"


def _only_output(at: int, plan: QueryPlan) -> Expression:
    if len(plan.outputs) != 1:
        raise Problem(at, f"this sub-query must yield one column, it yields {len(plan.outputs)}")
    return Constant(plan.outputs[0].type, None)


def _timestamp(at: int, text: str) -> Constant:
    value = to_timestamp(text)
    if value is None:
        raise Problem(at, f"{text!r} is no timestamp; write 'YYYY-MM-DDThh:mm:ss'")
    return Constant(Type.TIMESTAMP, value)


def _fit(
    left: tree.Node, left_value: Expression, right: tree.Node, right_value: Expression
) -> tuple[Expression, Expression]:
    """Two values of a comparison with types that PostgreSQL compares as ADQL means it."""
    a, b = left_value, right_value
    if a.type is Type.NULL or b.type is Type.NULL:
        return _typed(a, b.type if b.type is not Type.NULL else Type.TEXT), _typed(
            b, a.type if a.type is not Type.NULL else Type.TEXT
        )
    if a.type is b.type or (a.type in NUMBERS and b.type in NUMBERS):
        return a, b
    if a.type in (Type.TIMESTAMP, Type.BOOLEAN):
        fitted = _literal_as(right.at, b, a.type)
        if fitted is not None:
            return a, fitted
    if b.type in (Type.TIMESTAMP, Type.BOOLEAN):
        fitted = _literal_as(left.at, a, b.type)
        if fitted is not None:
            return fitted, b
    raise Problem(left.at, f"{a.type} cannot be compared with {b.type}{_cast_hint(a.type, b.type)}")


def _cast_hint(left: Type, right: Type) -> str:
    pair = {left, right}
    if Type.TEXT in pair and pair & NUMBERS:
        return "; write numbers without quotes, or use CAST"
    if pair == {Type.TEXT, Type.TIMESTAMP}:
        return "; use CAST(.. AS TIMESTAMP)"
    return ""


_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _literal_as(at: int, literal: Expression, target: Type) -> Constant | None:
    """A literal text as timestamp; a literal text or number as boolean."""
    if not isinstance(literal, Constant):
        return None
    if target is Type.TIMESTAMP:
        return _timestamp(at, literal.value) if isinstance(literal.value, str) else None
    truth = _TRUTHS.get(str(literal.value).strip().lower())
    return None if truth is None else Constant(Type.BOOLEAN, truth)


def _aggregate(node: tree.AggregateCall, argument: Expression) -> Expression:
    distinct = "DISTINCT " if node.distinct else ""
    kind = argument.type
    if node.name == "COUNT":
        if node.distinct and kind not in PLAIN:
            raise Problem(node.at, f"values of type {kind} cannot be told apart; count another column")
        return Apply("COUNT", Type.BIGINT, f"count({distinct}{{0}})", (argument,), aggregate=True)
    if node.name in ("MIN", "MAX"):
        if kind not in PLAIN or kind is Type.BOOLEAN:
            raise Problem(node.at, f"{node.name} needs a number, a text or a timestamp, this is of type {kind}")
        value = _typed(argument, Type.TEXT)
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


def _choose(
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
            problem = _counting(node, overloads, len(arguments))
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
    if any(function.repeats for function in overloads):
        pairs = " numbers in pairs, or as many points" if overloads[0].repeats > 1 else ""
        wanted = f"{known[-1]} or more{pairs}"
    return Problem(node.at, f"{node.name} takes {wanted} argument{'' if wanted == '1' else 's'}, not {count}")


def _convert_argument(parameter: Parameter, argument: Expression, node: tree.Node) -> Expression:
    target = parameter.becomes
    if argument.type is Type.NULL and Type.NULL in parameter.takes and target is None:
        return argument
    if argument.type is Type.NULL:
        return Constant(target or min(parameter.takes, key=lambda type_: type_.name), None)
    if target is Type.TIMESTAMP and isinstance(argument, Constant) and isinstance(argument.value, str):
        return argument if argument.type is target else _timestamp(node.at, argument.value)
    return argument if target is None else convert(argument, target)


_TAKING_WIDE_CIRCLES = ("CONTAINS", "INTERSECTS")


def check_drawable(expression: Expression, at: int) -> None:
    """Refuse a circle that pgSphere cannot hold where it is not just asked about."""
    if is_wide(expression):
        raise Problem(
            at, f"a circle of more than {WIDEST_CIRCLE:g} degrees can only be an argument of CONTAINS or INTERSECTS"
        )


def _apply(
    function: Function, arguments: tuple[Expression, ...], node: tree.Call, nodes: list[tree.Node]
) -> Expression:
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
