"""From the tree to the plan: tables found, scopes opened, columns bound, outputs named and typed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from vo.adql.kinds import PLAIN, SHAPES, Type, common_type
from vo.adql.plan import (
    And,
    Apply,
    BodyPlan,
    ColumnValue,
    Compare,
    Expression,
    ItemPlan,
    JoinSource,
    Output,
    QueryPlan,
    QuerySource,
    SelectPlan,
    SetPlan,
    SortPlan,
    SourcePlan,
    TableSource,
    TimeRange,
    WithPlan,
    WithSource,
)
from vo.adql.resolve.calls import check_drawable
from vo.adql.resolve.carried import carry_time_ranges, is_plain
from vo.adql.resolve.convert import convert, typed
from vo.adql.resolve.expressions import Binder, has_aggregate
from vo.adql.resolve.fields import Side, Standing, field_of, merged, standing
from vo.adql.resolve.grouping import check_grouped
from vo.adql.resolve.naming import Names, proposed_name
from vo.adql.resolve.scope import Leaf, Link, Namespace, Pair, Scope, Visible, nearest, query_relation, table_relation
from vo.adql.sky.regions import text_form
from vo.adql.sky.spherical import OWN_ALIASES
from vo.adql.syntax import tree
from vo.adql.syntax.tree import Name, Problem
from vo.errors import LimitFault
from vo.metadata.fields import Catalogue, Table

Rewrite = Callable[[SelectPlan], SelectPlan]
AliasFinder = Callable[[Name], Expression | None]

#: PostgreSQL takes 1,664, and shapes bring their text along.
MOST_COLUMNS = 1500

#: PostgreSQL plans a chain of so many in 0.03 s, one of 800 in more than 20 s, and cannot be interrupted meanwhile.
MOST_WITH = 100

#: More columns than this are not listed in a fault.
_MOST_NAMED = 5

_SIMPLE = re.compile(r"[a-z_][a-z0-9_]{0,49}")


#: In percent; PostgreSQL reads the number as a REAL.
_SMALLEST_SAMPLE = 1e-6


class Resolver:
    """Resolves one query against a catalogue; ``rewrite`` gets each SELECT as soon as it is complete.

    ``schemas`` are, afterwards, those of the tables that were named.
    """

    def __init__(self, catalogue: Catalogue, rewrite: Rewrite) -> None:
        self._catalogue = catalogue
        self._rewrite = rewrite
        self.schemas: set[str] = set()
        self._with: dict[str, tuple[str, tuple[Output, ...], Name, tuple[TimeRange, ...]]] = {}
        self._aliases: set[str] = set(OWN_ALIASES)
        self._alias_numbers: dict[str, int] = {}
        self._uses: Counter[str] = Counter()

    def resolve(self, query: tree.Query) -> QueryPlan:
        """The plan of the outermost query."""
        if len(query.with_items) > MOST_WITH:
            raise LimitFault(f"WITH has more than {MOST_WITH} queries, the limit; write them as sub-queries")
        with_items = tuple(self._with_item(item) for item in query.with_items)
        plan = self._query(query, None, final=True)
        inlined = {item.name for item in with_items if self._uses[item.name] > 1 and is_plain(item.query)}
        return replace(plan, with_items=tuple(replace(item, inlined=item.name in inlined) for item in with_items))

    def _with_item(self, item: tree.WithItem) -> WithPlan:
        if item.name.text.lower() in self._with:
            raise Problem(item.name.at, f"WITH defines {item.name} twice")
        plan = self._query(item.query, None)
        outputs = plan.outputs
        if item.columns:
            if len(item.columns) != len(outputs):
                raise Problem(
                    item.columns[0].at, f"{item.name} has {len(item.columns)} names for {len(outputs)} columns"
                )
            outputs = tuple(
                replace(output, name=name.text, field=replace(output.field, name=name.text))
                for output, name in zip(outputs, item.columns, strict=True)
            )
        name = self._alias(item.name.text)
        plan, ranges = carry_time_ranges(plan)
        self._with[item.name.text.lower()] = (name, outputs, item.name, ranges)
        return WithPlan(name, plan)

    def _inner_query(self, query: tree.Query, parent: Link | None) -> QueryPlan:
        if query.with_items:
            raise Problem(query.with_items[0].at, "WITH can only stand at the beginning of the whole query")
        return self._query(query, parent)

    def _query(self, query: tree.Query, parent: Link | None, *, final: bool = False) -> QueryPlan:
        if isinstance(query.body, tree.Select):
            return self._plain_query(query, query.body, parent, final=final)
        body, outputs = self._body(query.body, parent, final=final)
        names = [output.name for output in outputs]
        order_by = tuple(SortPlan(_output_number(key, names, outputs), key.descending) for key in query.order_by)
        return QueryPlan(body, outputs, (), order_by, query.offset)

    def _plain_query(self, query: tree.Query, select: tree.Select, parent: Link | None, *, final: bool) -> QueryPlan:
        plan, scope, find_alias = self._select(select, parent, final=final)
        binder = Binder(scope, self._inner_query, "ORDER BY", aggregates=True, aliases=find_alias)
        grouped = bool(plan.group_by) or plan.having is not None or _any_aggregate(plan)
        keys = frozenset(plan.group_by)
        known = {item.expression: i for i, item in reversed(list(enumerate(plan.items, 1)))} if query.order_by else {}
        order_by = []
        for key in query.order_by:
            found = _sort_key(key, plan, binder, known)
            if not isinstance(found, int):
                if plan.distinct:
                    raise Problem(key.at, "with DISTINCT, ORDER BY can only name columns of the select list")
                if grouped or has_aggregate(found):
                    check_grouped(found, keys, scope, key.at)
            order_by.append(SortPlan(found, key.descending))
        if not grouped and any(not isinstance(key.key, int) and has_aggregate(key.key) for key in order_by):
            for item in plan.items:
                check_grouped(item.expression, frozenset(), scope, select.at)
        _check_count(len(plan.items) + len({key.key for key in order_by if not isinstance(key.key, int)}))
        outputs = tuple(item.output for item in plan.items)
        plan = self._rewrite(replace(plan, order_by=tuple(order_by), offset=query.offset))
        return QueryPlan(plan, outputs, (), plan.order_by, query.offset)

    def _body(self, body: tree.Body, parent: Link | None, *, final: bool) -> tuple[BodyPlan, tuple[Output, ...]]:
        if isinstance(body, tree.Query):
            if body.with_items:
                raise Problem(body.with_items[0].at, "WITH can only stand at the beginning of the whole query")
            plan = self._query(body, parent, final=final)
            return plan, plan.outputs
        if isinstance(body, tree.SetOperation):
            return self._set_operation(body, parent, final=final)
        select, _, _ = self._select(body, parent, final=final)
        return self._rewrite(select), tuple(item.output for item in select.items)

    def _set_operation(
        self, node: tree.SetOperation, parent: Link | None, *, final: bool
    ) -> tuple[SetPlan, tuple[Output, ...]]:
        first, outputs = self._body(node.first, parent, final=final)
        types = [output.type for output in outputs]
        texts = [output.text is not None for output in outputs]
        known = [[side] for side in _known(first, outputs)]
        rest = []
        for operator, every, operand in node.rest:
            body, others = self._body(operand, parent, final=final)
            if len(others) != len(outputs):
                raise Problem(
                    operand.at, f"{operator} needs as many columns on both sides: {len(outputs)} and {len(others)}"
                )
            for i, other in enumerate(others):
                common = common_type(types[i], other.type)
                if common is None:
                    raise Problem(
                        operand.at,
                        f"column {i + 1} of {operator} is of type {types[i]} on one side, {other.type} on the other",
                    )
                types[i] = common
                texts[i] = texts[i] and other.text is not None
                if common not in PLAIN and not final and (operator, every) != ("UNION", True):
                    raise Problem(operand.at, f"in a sub-query only UNION ALL can be used with values of type {common}")
            if operator == "UNION":  # the others only choose among the rows that are there
                for sides, side in zip(known, _known(body, others), strict=True):
                    sides.append(side)
            rest.append((operator, every, body))
        plan = SetPlan(first, tuple(rest), tuple(types), tuple(texts))
        return plan, tuple(map(_set_output, outputs, types, texts, known))

    # One SELECT

    def _select(self, node: tree.Select, parent: Link | None, *, final: bool) -> tuple[SelectPlan, Scope, AliasFinder]:
        sources, namespaces = self._sources(node.sources, parent)
        scope = Scope(namespaces, parent)
        where = None
        if node.where is not None:
            where = Binder(scope, self._inner_query, "WHERE", unusable=_aliases(node)).condition(node.where)
        items, nodes = self._items(node, scope)
        if node.distinct and not final:
            _check_distinct(items, nodes)
        find_alias = _alias_finder(items, nodes)
        grouping = Binder(scope, self._inner_query, "GROUP BY", aliases=find_alias)
        group_by = tuple(dict.fromkeys(_group_key(key, grouping, items) for key in node.group_by))
        having = None
        if node.having is not None:
            binder = Binder(scope, self._inner_query, "HAVING", aggregates=True, aliases=find_alias)
            having = binder.condition(node.having)
        plan = SelectPlan(node.distinct, node.top, tuple(items), sources, where, group_by, having)
        _check_count(len(items) + len(set(group_by).difference(item.expression for item in items)))
        if group_by or having is not None or _any_aggregate(plan):
            keys = frozenset(group_by)
            for item, item_node in zip(items, nodes, strict=True):
                check_grouped(item.expression, keys, scope, item_node.at)
            if having is not None and node.having is not None:
                check_grouped(having, keys, scope, node.having.at)
        return plan, scope, find_alias

    def _items(self, node: tree.Select, scope: Scope) -> tuple[list[ItemPlan], list[tree.Item | tree.Star]]:
        binder = Binder(scope, self._inner_query, "the select list", aggregates=True, unusable=_aliases(node))
        result_names, sql_names = Names(), Names(sql=True)
        items: list[ItemPlan] = []
        nodes: list[tree.Item | tree.Star] = []
        for item in node.items:
            for name, written, expression in _expanded(item, scope, binder):
                _check_count(len(items) + 1)
                unique = result_names.take(name)
                sql = sql_names.take(unique)
                text = None
                if text_form(expression) is not None:
                    text = sql_names.take(f"{sql}_text")
                found = expression.output.column if isinstance(expression, ColumnValue) else None
                known = written if written is not None else unique
                field = field_of(expression, unique, item.expression if isinstance(item, tree.Item) else None)
                items.append(ItemPlan(expression, Output(known, sql, expression.type, field, text, False, found)))
                nodes.append(item)
        return items, nodes

    # FROM

    def _sources(
        self, nodes: tuple[tree.Source, ...], parent: Link | None
    ) -> tuple[tuple[SourcePlan, ...], tuple[Namespace, ...]]:
        pairs = [self._source(node, parent) for node in nodes]
        _check_names(nodes, [namespace for _, namespace in pairs])
        return tuple(source for source, _ in pairs), tuple(namespace for _, namespace in pairs)

    def _source(self, node: tree.Source, parent: Link | None) -> tuple[SourcePlan, Namespace]:
        if isinstance(node, tree.TableName):
            return self._table(node)
        if isinstance(node, tree.Derived):
            plan, ranges = carry_time_ranges(self._inner_query(node.query, parent))
            relation = query_relation(plan.outputs, self._alias(node.alias.text), node.alias.text, ranges)
            return QuerySource(relation, plan), Leaf(relation)
        return self._join(node, parent)

    def _table(self, node: tree.TableName) -> tuple[SourcePlan, Namespace]:
        known = self._with.get(node.parts[0].text.lower()) if len(node.parts) == 1 else None
        if known is not None and node.parts[0].matches(known[2].text):
            if node.sample is not None:
                raise Problem(node.sample.at, f"TABLESAMPLE takes a table of this service, {node.parts[0]} is a query")
            name, outputs, written, ranges = known
            alias = node.alias.text if node.alias else written.text
            self._uses[name] += 1
            relation = query_relation(outputs, self._alias(alias), alias, ranges)
            return WithSource(relation, name), Leaf(relation)
        table = self._find_table(node.parts)
        self.schemas.add(table.schema)
        if node.alias is not None:
            relation = table_relation(table, self._alias(node.alias.text), (node.alias.text,))
        else:
            relation = table_relation(table, self._alias(table.name), (table.schema, table.name))
        return TableSource(relation, _sample(node, table)), Leaf(relation)

    def _find_table(self, parts: tuple[Name, ...]) -> Table:
        if len(parts) == 1:
            found = [table for table in self._catalogue.by_name.values() if parts[0].matches(table.name)]
            if len(found) > 1:
                names = ", ".join(table.qualified for table in found)
                raise Problem(parts[0].at, f"the table name {parts[0]} is ambiguous: {names}")
            if found:
                return found[0]
        elif len(parts) == 2:  # noqa: PLR2004 - schema and table
            table = self._catalogue.by_name.get(f"{parts[0].text}.{parts[1].text}".lower())
            if table is not None and parts[0].matches(table.schema) and parts[1].matches(table.name):
                return table
        written = ".".join(str(part) for part in parts)
        known = [table.qualified for table in self._catalogue.by_name.values()]
        hint = nearest(written, known) or nearest(parts[-1].text, [name.split(".")[-1] for name in known])
        if not hint and "tap_schema.tables" in known:
            hint = "; the table tap_schema.tables lists them"
        raise Problem(parts[0].at, f"there is no table {written}{hint}")

    def _join(self, node: tree.Join, parent: Link | None) -> tuple[SourcePlan, Namespace]:
        left, left_names = self._source(node.left, parent)
        right, right_names = self._source(node.right, parent)
        _check_join(node)
        if node.kind == "CROSS":
            return JoinSource("CROSS", left, right, None), Pair(left_names, right_names)
        if node.condition is not None:
            scope = Scope((left_names, right_names), parent)
            condition = Binder(scope, self._inner_query, "ON").condition(node.condition)
            merged: tuple[Visible, ...] = ()
        else:
            names = node.using or tuple(_common_names(node.at, left_names, right_names))
            pairs = [_merge(name, node, left_names, right_names) for name in names]
            if not pairs:
                # all rows of both sides fit each other
                return JoinSource(node.kind, left, right, None), Pair(left_names, right_names)
            merged = tuple(visible for visible, _ in pairs)
            terms = tuple(condition for _, condition in pairs)
            condition = terms[0] if len(terms) == 1 else And(terms)
        if node.kind == "FULL" and not _has_equality(condition, left_names, right_names):
            raise Problem(node.at, "a FULL JOIN needs a condition that sets a column of each side equal")
        return JoinSource(node.kind, left, right, condition), Pair(left_names, right_names, merged)

    def _alias(self, name: str) -> str:
        """An SQL alias that no other relation of the whole query has."""
        stem = name.lower() if _SIMPLE.fullmatch(name.lower()) else "t"
        alias = stem
        while alias in self._aliases:
            self._alias_numbers[stem] = self._alias_numbers.get(stem, 1) + 1
            alias = f"{stem}_{self._alias_numbers[stem]}"
        self._aliases.add(alias)
        return alias


def _sample(node: tree.TableName, table: Table) -> float | None:
    """The percentage of TABLESAMPLE."""
    if node.sample is None:
        return None
    if not _SMALLEST_SAMPLE <= node.sample.value <= 100:  # noqa: PLR2004 - all of it
        raise Problem(node.sample.at, f"TABLESAMPLE takes a percentage from {_SMALLEST_SAMPLE} to 100")
    if table.is_view and table.view_of is None:
        raise Problem(node.at, f"{table.qualified} is a view of which no sample can be taken; sample a table")
    return float(node.sample.value)


def _check_count(columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise LimitFault(
            f"a SELECT has more than {MOST_COLUMNS} columns, the limit, keys of GROUP BY and ORDER BY included;"
            " name those that you need"
        )


def _any_aggregate(plan: SelectPlan) -> bool:
    return any(has_aggregate(item.expression) for item in plan.items)


def _expanded(
    item: tree.Item | tree.Star, scope: Scope, binder: Binder
) -> Iterator[tuple[str, str | None, Expression]]:
    """For each output of an item: the name proposed, the name that was written for it, its expression."""
    if isinstance(item, tree.Item):
        expression = binder.value(item.expression)
        if expression.type is Type.RANGE:
            raise Problem(item.at, "vo_range can only be an argument of CONTAINS and INTERSECTS")
        check_drawable(expression, item.at)
        written = item.alias.text if item.alias else None
        if written is None and isinstance(item.expression, tree.ColumnName):
            written = item.expression.parts[-1].text
        yield written or proposed_name(expression), written, expression
        return
    visible = Leaf(scope.relation(item.qualifier)).all() if item.qualifier else scope.all()
    for column in visible:
        yield column.name, column.name, column.value


def _aliases(select: tree.Select) -> tuple[Name, ...]:
    """The aliases that the select list gives."""
    return tuple(item.alias for item in select.items if isinstance(item, tree.Item) and item.alias is not None)


def _alias_finder(items: list[ItemPlan], nodes: list[tree.Item | tree.Star]) -> AliasFinder:
    """Finds what an alias of the select list stands for."""
    aliased = [
        (written.alias, planned.expression)
        for written, planned in zip(nodes, items, strict=True)
        if isinstance(written, tree.Item) and written.alias is not None
    ]

    def find(name: Name) -> Expression | None:
        found = [expression for alias, expression in aliased if name.matches(alias.text)]
        if len(found) > 1:
            raise Problem(name.at, f"the alias {name} is given twice in the select list")
        return found[0] if found else None

    return find


def _ordinal(node: tree.Node, count: int) -> int | None:
    if not isinstance(node, tree.Number) or not isinstance(node.value, int):
        return None
    if not 1 <= node.value <= count:
        raise Problem(node.at, f"there is no column {node.value} in the select list; it has {count}")
    return node.value


def _group_key(node: tree.Node, binder: Binder, items: list[ItemPlan]) -> Expression:
    ordinal = _ordinal(node, len(items))
    key = binder.plain(node) if ordinal is None else items[ordinal - 1].expression
    if has_aggregate(key):
        raise Problem(node.at, "GROUP BY cannot use an aggregate")
    if key.type not in PLAIN:
        raise Problem(node.at, f"values of type {key.type} cannot be grouped by")
    return key


def _sort_key(key: tree.SortKey, plan: SelectPlan, binder: Binder, known: dict[Expression, int]) -> Expression | int:
    """The number of an output where the key is one, else its expression (outputs first, as in SQL).

    ``known`` are those of the outputs' expressions.
    """
    ordinal = _ordinal(key.expression, len(plan.items))
    found: Expression | int | None = ordinal
    if ordinal is None and isinstance(key.expression, tree.ColumnName) and len(key.expression.parts) == 1:
        name = key.expression.parts[0]
        numbers = [i for i, item in enumerate(plan.items, 1) if name.matches(item.output.name)]
        values = {id(plan.items[i - 1].expression): i for i in numbers}
        if len(values) > 1 and any(
            plan.items[i - 1].expression != plan.items[numbers[0] - 1].expression for i in numbers
        ):
            raise Problem(name.at, f"the name {name} is given twice in the select list; sort by its number")
        found = numbers[0] if numbers else None
    if found is None:
        expression = binder.plain(key.expression)
        found = known.get(expression, expression)
    if isinstance(found, int) and plan.items[found - 1].expression.type not in PLAIN:
        raise Problem(key.at, f"values of type {plan.items[found - 1].expression.type} cannot be sorted")
    return found


def _output_number(key: tree.SortKey, names: list[str], outputs: tuple[Output, ...]) -> int:
    number = _ordinal(key.expression, len(names))
    if number is None and isinstance(key.expression, tree.ColumnName) and len(key.expression.parts) == 1:
        name = key.expression.parts[0]
        fitting = [i for i, text in enumerate(names, 1) if name.matches(text)]
        number = fitting[0] if len(fitting) == 1 else None
    if number is None:
        known = ", ".join(dict.fromkeys(names[:_MOST_NAMED])) + (" ..." if len(names) > _MOST_NAMED else "")
        raise Problem(
            key.at,
            "after UNION, EXCEPT, INTERSECT and brackets, ORDER BY takes numbers of columns or names that the first"
            f" query gives: {known}",
        )
    if outputs[number - 1].type not in PLAIN:
        raise Problem(key.at, f"values of type {outputs[number - 1].type} cannot be sorted")
    return number


def _known(body: BodyPlan, outputs: tuple[Output, ...]) -> Iterator[Side]:
    """What is known of each output of an operand."""
    while isinstance(body, QueryPlan):
        body = body.body
    for i, output in enumerate(outputs):
        yield output.field, standing(body.items[i].expression) if isinstance(body, SelectPlan) else Standing.VALUE


def _set_output(output: Output, type_: Type, has_text: bool, sides: list[Side]) -> Output:  # noqa: FBT001 - used with map
    text = output.text if has_text else None
    field = output.field
    if output.type is not type_ or output.text != text or any(other != field for other, _ in sides):
        field = replace(merged(type_, sides, has_text=has_text), name=field.name)
    return replace(output, type=type_, text=text, column=None, field=field)


def _check_distinct(items: list[ItemPlan], nodes: list[tree.Item | tree.Star]) -> None:
    for item, node in zip(items, nodes, strict=True):
        if item.expression.type not in PLAIN:
            raise Problem(node.at, f"in a sub-query DISTINCT cannot be used with values of type {item.expression.type}")


def _check_names(nodes: tuple[tree.Source, ...], namespaces: list[Namespace]) -> None:
    seen: set[tuple[str, ...]] = set()
    for node, namespace in zip(nodes, namespaces, strict=True):
        for relation in namespace.relations():
            if relation.name in seen:
                raise Problem(node.at, f"the table {'.'.join(relation.name)} is named twice; give aliases")
            seen.add(relation.name)


def _check_join(node: tree.Join) -> None:
    specified = node.condition is not None or bool(node.using)
    if node.natural and (specified or node.kind == "CROSS"):
        raise Problem(node.at, "a NATURAL JOIN takes neither ON nor USING nor CROSS")
    if node.kind == "CROSS" and specified:
        raise Problem(node.at, "a CROSS JOIN takes neither ON nor USING")
    if node.kind != "CROSS" and not node.natural and not specified:
        raise Problem(node.right.at, "this JOIN needs ON or USING, or NATURAL in front of it")


def _common_names(at: int, left: Namespace, right: Namespace) -> Iterator[Name]:
    right_names = {name.lower() for name in right.names()}
    for name in left.names():
        if name.lower() in right_names:
            yield Name(at, name)


def _merge(name: Name, node: tree.Join, left: Namespace, right: Namespace) -> tuple[Visible, Expression]:
    """The column that NATURAL or USING makes of one on each side, and the condition that joins them."""
    sides = []
    for side in (left, right):
        found = side.find(name)
        if len(found) != 1:
            problem = "is ambiguous on one side of" if found else "is not on both sides of"
            raise Problem(name.at, f"the column {name} {problem} this join")
        sides.append(found[0])
    one, other = sides
    common = common_type(one.value.type, other.value.type)
    if common is None:
        raise Problem(name.at, f"the columns {name} are of types {one.value.type} and {other.value.type}")
    condition = Compare("=", typed(_comparable(one), common), typed(_comparable(other), common))
    if node.kind == "RIGHT":
        return Visible(one.name, other.value, other.output), condition
    if node.kind == "FULL":
        value = _first_of(typed(one.value, common), typed(other.value, common), common)
        return Visible(one.name, value, one.output), condition
    return one, condition


def _first_of(one: Expression, other: Expression, type_: Type) -> Expression:
    """The first of two that is not null; a chain of FULL JOINs makes one wide call, not a deep one."""
    values: tuple[Expression, ...] = (one,)
    if isinstance(one, Apply) and one.name == "COALESCE" and one.type is type_:
        values = one.arguments
    values = tuple(convert(value, type_) for value in (*values, other))
    places = ", ".join(f"{{{i}}}" for i in range(len(values)))
    return Apply("COALESCE", type_, f"coalesce({places})", values)


def _comparable(visible: Visible) -> Expression:
    """Shapes that have their text beside them are compared by it."""
    form = text_form(visible.value)
    return visible.value if form is None else form


def _has_equality(condition: Expression, left: Namespace, right: Namespace) -> bool:
    terms = condition.terms if isinstance(condition, And) else (condition,)
    sides = [{id(relation) for relation in side.relations()} for side in (left, right)]
    for term in terms:
        if isinstance(term, Compare) and term.operator == "=" and term.left.type not in SHAPES:
            used = [_relations(term.left), _relations(term.right)]
            if all(used) and any(a <= sides[0] and b <= sides[1] for a, b in (used, used[::-1])):
                return True
    return False


def _relations(expression: Expression) -> set[int]:
    if isinstance(expression, ColumnValue):
        return {id(expression.relation)}
    return {relation for part in expression.parts for relation in _relations(part)}
