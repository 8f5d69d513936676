"""Values and conditions: names bound, types checked and made to fit, functions looked up in their table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from vo.adql.functions import FUNCTIONS
from vo.adql.functions.function import Group
from vo.adql.kinds import ARRAYS, NUMBERS, PLAIN, Type, common_type, numeric_result
from vo.adql.plan import (
    AmongRows,
    AmongValues,
    And,
    Apply,
    Choice,
    ColumnValue,
    Compare,
    Constant,
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
from vo.adql.resolve.calls import apply, check_drawable, choose, make_aggregate
from vo.adql.resolve.casting import cast
from vo.adql.resolve.convert import convert, timestamp, to_timestamp, typed
from vo.adql.resolve.scope import Link, Scope, nearest
from vo.adql.sky.frames import ICRS, Frame
from vo.adql.sky.geometry import BadArgument, in_icrs, read_frame
from vo.adql.syntax import tree
from vo.adql.syntax.habits import advice
from vo.adql.syntax.tree import Problem

#: Functions as they are written in faults.
_KNOWN = (*(ways[0].name for ways in FUNCTIONS.values()), "AVG", "COUNT", "MAX", "MIN", "SUM")

_LARGEST = 2**31 - 1
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


@dataclass(frozen=True, slots=True)
class Binder:
    """Turns the tree of one clause into expressions.

    ``clause`` names it in faults, ``aggregates`` says whether COUNT and its like may stand there, ``aliases`` are
    outputs of the select list that the clause may use by their names, ``unusable`` the names of those that it may not.
    """

    scope: Scope
    resolve_query: QueryResolver
    clause: str
    aggregates: bool = False
    aliases: Callable[[tree.Name], Expression | None] | None = None
    unusable: tuple[tree.Name, ...] = ()

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
            is_truth = isinstance(expression, Truth) or expression.type is Type.BOOLEAN
            hint = "; compare it, as in ... = 1" if is_truth else ""
            raise Problem(node.at, f"{self.clause} needs a condition, this is a value of type {expression.type}{hint}")
        return expression

    def plain(self, node: tree.Node) -> Expression:
        """A value that can be compared and sorted."""
        expression = self.value(node)
        if expression.type not in PLAIN:
            hint = "" if expression.type in ARRAYS else "; use CONTAINS, INTERSECTS or DISTANCE"
            raise Problem(node.at, f"values of type {expression.type} cannot be compared or sorted{hint}")
        return expression

    # Values

    def _number(self, node: tree.Number) -> Expression:
        value = node.value
        if isinstance(value, int) and value <= _LARGEST_BIG:
            return Constant(Type.INTEGER if value <= _LARGEST else Type.BIGINT, value)
        if not -sys.float_info.max <= value <= sys.float_info.max:
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
        try:
            return self.scope.column(node.parts)
        except Problem:
            (name, *further) = node.parts
            is_alias = not further and any(name.matches(alias.text) for alias in self.unusable)
            if is_alias and not self.scope.has(name):
                raise Problem(
                    node.at,
                    f"{name} is an alias of the select list, which {self.clause} cannot use;"
                    " repeat its expression, or select from a sub-query",
                ) from None
            raise

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
        return Operators(type_, typed(first, type_), tuple((operator, typed(right, type_)) for operator, right in done))

    def _call(self, node: tree.Call) -> Expression:
        overloads = FUNCTIONS.get(node.name.upper())
        if overloads is None:
            instead = advice(node.name)
            hint = nearest(node.name, _KNOWN) if instead is None else f"; {instead}"
            raise Problem(node.at, f"there is no function {node.name}{hint}")
        if overloads[0].aggregate:
            self._check_aggregate(node.at, node.name)
        inner = replace(self, aggregates=False, clause="an aggregate") if overloads[0].aggregate else self
        arguments = [inner.value(argument) for argument in node.arguments]
        nodes = list(node.arguments)
        frame = ICRS
        if overloads[0].has_frame and arguments and arguments[0].type is Type.TEXT:
            frame = self._frame(nodes[0], arguments[0])
            arguments, nodes = arguments[1:], nodes[1:]
            self._check_numbers(node, frame, arguments)
        if overloads[0].group is Group.CONDITIONAL:
            arguments = _read_literals(nodes, arguments)
        function, converted = choose(node, overloads, arguments, nodes)
        expression = in_icrs(apply(function, converted, node, nodes), frame)
        if function.aggregate:
            self._check_level(node.at, expression)
        return expression

    def _frame(self, node: tree.Node, argument: Expression) -> Frame:
        if not isinstance(argument, Constant):
            raise Problem(node.at, "the coordinate system must be a literal text such as 'ICRS'")
        try:
            return read_frame(argument.value if isinstance(argument.value, str) else "")
        except BadArgument as fault:
            raise Problem(node.at, fault.text) from None

    def _check_numbers(self, node: tree.Call, frame: Frame, arguments: list[Expression]) -> None:
        """A frame is that of numbers; points have brought their own."""
        if frame is not ICRS and arguments and arguments[0].type is Type.POINT:
            raise Problem(
                node.arguments[0].at,
                f"{frame.name} would be the frame of numbers, but {node.name} has points: leave it out here and"
                f" write POINT('{frame.name}', ..)",
            )

    def _aggregate(self, node: tree.AggregateCall) -> Expression:
        self._check_aggregate(node.at, node.name)
        if node.argument is None:
            if node.name != "COUNT":
                raise Problem(node.at, f"{node.name}(*) has no meaning; * is for COUNT")
            return Apply("COUNT", Type.BIGINT, "count(*)", (), aggregate=True)
        argument = replace(self, aggregates=False, clause="an aggregate").value(node.argument)
        expression = make_aggregate(node, argument)
        self._check_level(node.at, expression)
        return expression

    def _check_aggregate(self, at: int, name: str) -> None:
        if not self.aggregates:
            raise Problem(at, f"{name.upper()} cannot stand in {self.clause}; conditions on groups stand in HAVING")

    def _check_level(self, at: int, expression: Expression) -> None:
        if any(map(has_aggregate, expression.parts)):
            raise Problem(at, "an aggregate cannot stand in an aggregate; take the inner one in a sub-query")
        here = {id(relation) for relation in self.scope.relations()}
        columns = _columns(expression)
        if columns and all(id(column.relation) not in here for column in columns):
            raise Problem(at, "an aggregate in a sub-query needs a column of that sub-query's own tables")

    def _cast(self, node: tree.CastTo) -> Expression:
        operand = self.value(node.operand)
        check_drawable(operand, node.operand.at)
        return cast(node, operand)

    def _case(self, node: tree.Case) -> Expression:
        operand, tests = self._tests(node)
        nodes = [value for _, value in node.branches]
        if node.otherwise is not None:
            nodes.append(node.otherwise)
        values = self._alike(nodes)
        otherwise = values.pop() if node.otherwise is not None else Constant(values[0].type, None)
        return Choice(values[0].type, operand, tests, tuple(values), otherwise)

    def _tests(self, node: tree.Case) -> tuple[Expression | None, tuple[Expression, ...]]:
        """What stands after CASE, and what stands after each WHEN, with types that can be compared."""
        if node.operand is None:
            binder = replace(self, clause="CASE WHEN")
            return None, tuple(binder.condition(test) for test, _ in node.branches)
        operand, *tests = self._fitting(node.operand, *(test for test, _ in node.branches))
        return operand, tuple(tests)

    def _alike(self, nodes: list[tree.Node]) -> list[Expression]:
        """The values that CASE chooses from, all in one type."""
        values = _read_literals(nodes, [self.value(node) for node in nodes])
        target = Type.NULL
        for i, node in enumerate(nodes):
            check_drawable(values[i], node.at)
            if values[i].type is Type.RANGE:
                raise Problem(node.at, "vo_range can only be an argument of CONTAINS and INTERSECTS")
            common = common_type(target, values[i].type)
            if common is None:
                raise Problem(node.at, f"CASE cannot choose between {target} and {values[i].type}")
            target = common
        return [convert(typed(value, target), target) for value in values]

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
        # each is resolved once: in a BETWEEN in a CASE in a BETWEEN ... twice would double at each step
        operand, low, high = self._fitting(node.operand, node.low, node.high)
        return _negated(Within(operand, low, high), negated=node.negated)

    def _in_items(self, node: tree.InItems) -> Expression:
        operand, *items = self._fitting(node.operand, *node.items)
        return _negated(AmongValues(operand, tuple(items)), negated=node.negated)

    def _in_query(self, node: tree.InSubquery) -> Expression:
        operand = self.plain(node.operand)
        plan, link = self._query(node.query)
        output = _only_output(node.query.at, plan)
        if output.type not in PLAIN or common_type(operand.type, output.type) is None:
            raise Problem(node.at, f"{operand.type} cannot be compared with {output.type}")
        if operand.type is Type.NULL:
            operand = Constant(output.type, None)
        elif output.type is Type.NULL:
            # a column of bare NULLs is one of texts
            operand = convert(operand, Type.TEXT)
        return _negated(AmongRows(operand, plan, tuple(link.used)), negated=node.negated)

    def _matches(self, node: tree.Matches) -> Expression:
        like = Like(self._text(node.operand), self._text(node.pattern), node.any_case)
        return _negated(like, negated=node.negated)

    def _null_test(self, node: tree.NullTest) -> Expression:
        operand = self.value(node.operand)
        check_drawable(operand, node.at)
        return IsNull(operand, node.negated)

    def _exists(self, node: tree.ExistsTest) -> Expression:
        plan, link = self._query(node.query)
        return HasRows(plan, tuple(link.used))

    def _negation(self, node: tree.Negation) -> Expression:
        return Not(self.condition(node.operand))

    def _all_of(self, node: tree.AllOf) -> Expression:
        return And(tuple(self.condition(term) for term in node.terms))

    def _any_of(self, node: tree.AnyOf) -> Expression:
        return Or(tuple(self.condition(term) for term in node.terms))

    def _fitting(self, *nodes: tree.Node) -> list[Expression]:
        """Values that are compared with one another, with types that PostgreSQL compares as ADQL means it."""
        values = _read_literals(nodes, [self.plain(node) for node in nodes])
        first = next((value for value in values if value.type is not Type.NULL), Constant(Type.TEXT, None))
        for value in values:
            if {first.type, value.type} <= NUMBERS or value.type in (first.type, Type.NULL):
                continue
            hint = _cast_hint(first, value) or _cast_hint(value, first)
            raise Problem(nodes[0].at, f"{first.type} cannot be compared with {value.type}{hint}")
        return [typed(value, first.type) for value in values]

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
        tree.Case: _case,
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


def _negated(condition: Expression, *, negated: bool) -> Expression:
    return Not(condition) if negated else condition


def _numeric(left: Type, right: Type) -> Type:
    if left is Type.NULL:
        return right if right is not Type.NULL else Type.DOUBLE
    return left if right is Type.NULL else numeric_result(left, right)


def _bad_operand(operator: str, left: Type, right: Type) -> str:
    if operator == "||":
        return f"|| joins texts, not {left} and {right}; use CAST(.. AS VARCHAR)"
    hint = "; || joins texts" if operator == "+" and left is right is Type.TEXT else ""
    return f"{operator} works on numbers, not on {left} and {right}{hint}"


def _only_output(at: int, plan: QueryPlan) -> Expression:
    if len(plan.outputs) != 1:
        raise Problem(at, f"this sub-query must yield one column, it yields {len(plan.outputs)}")
    return Constant(plan.outputs[0].type, None)


def _cast_hint(value: Expression, other: Expression) -> str:
    """What to write instead of a comparison of these types, the first of them one of texts or truth values."""
    if value.type is Type.BOOLEAN:
        return "; a BOOLEAN is compared with 1 or 0"
    if value.type is not Type.TEXT:
        return ""
    if other.type is Type.TIMESTAMP:
        return "; use CAST(.. AS TIMESTAMP)"
    if isinstance(value, Constant) and isinstance(value.value, str) and to_timestamp(value.value) is not None:
        return f"; ivo_to_mjd('{value.value}') and ivo_to_jd('{value.value}') make days of a timestamp"
    return "; write numbers without quotes, or use CAST" if other.type in NUMBERS else ""


_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _read_literals(nodes: Sequence[tree.Node], values: list[Expression]) -> list[Expression]:
    """The values, with literals read as timestamps or truth values where such stand beside them."""
    target = next((value.type for value in values if value.type in (Type.TIMESTAMP, Type.BOOLEAN)), None)
    known = (target, Type.NULL)
    if target is None or any(value.type not in known and not isinstance(value, Constant) for value in values):
        return values
    return [
        value if value.type in known else _literal_as(node.at, value, target) or value
        for node, value in zip(nodes, values, strict=True)
    ]


def _literal_as(at: int, literal: Expression, target: Type) -> Constant | None:
    """A literal text as timestamp; a literal text or number as boolean."""
    if not isinstance(literal, Constant):
        return None
    if target is Type.TIMESTAMP:
        return timestamp(at, literal.value) if isinstance(literal.value, str) else None
    truth = _TRUTHS.get(str(literal.value).strip().lower())
    return None if truth is None else Constant(Type.BOOLEAN, truth)
