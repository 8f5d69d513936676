"""The plan as SQL for PostgreSQL with pgSphere.

Columns of the final result are made fit for Arrow: boolean, int2/4/8, float4/8, text and float8[] (docs/design.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vo.adql.kinds import SHAPES, Type
from vo.adql.plan import (
    BodyPlan,
    ColumnValue,
    Constant,
    Convert,
    Expression,
    ItemPlan,
    JoinSource,
    Minus,
    Output,
    QueryPlan,
    QuerySource,
    SelectPlan,
    SetPlan,
    SortPlan,
    SourcePlan,
    TableSource,
    WithPlan,
    WithSource,
)
from vo.adql.render.quoting import identifier
from vo.adql.render.values import Values, iso_text
from vo.adql.sky.regions import text_form


def render(plan: QueryPlan, *, base_url: str = "", max_rows: int | None = None) -> str:
    """SQL of the outermost query; at most ``max_rows`` rows are asked for."""
    return Renderer(base_url).final(plan, max_rows)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the columns of a SELECT must look like: the final result, or one operand of a set operation."""

    final: bool
    types: tuple[Type, ...] | None = None
    texts: tuple[bool, ...] | None = None


class Renderer:
    """Writes one query."""

    def __init__(self, base_url: str) -> None:
        self._values = Values(self._bare, base_url)

    def final(self, plan: QueryPlan, max_rows: int | None) -> str:
        """The outermost query."""
        return self._query(plan, _Shape(final=True), max_rows)

    def _inner(self, plan: QueryPlan) -> str:
        return self._query(plan, _Shape(final=False))

    def _bare(self, plan: QueryPlan) -> str:
        """A query inside an expression: without hidden columns, as it may stand for one value."""
        return self._query(plan, _Shape(final=False, texts=(False,) * len(plan.outputs)))

    def _query(self, plan: QueryPlan, shape: _Shape, max_rows: int | None = None) -> str:
        parts = []
        if plan.with_items:
            parts.append("WITH " + ", ".join(map(self._with_item, plan.with_items)))
        body = plan.body
        limit = max_rows
        if isinstance(body, SelectPlan):
            parts.append(self._select(body, shape))
            limit = body.top if max_rows is None else max_rows if body.top is None else min(body.top, max_rows)
        elif isinstance(body, QueryPlan):
            # PostgreSQL takes no second ORDER BY or LIMIT behind brackets
            parts.append(f"SELECT * FROM ({self._query(body, shape)}) AS vo_query")
        else:
            parts.append(self._set(body, shape))
        if plan.order_by:
            parts.append("ORDER BY " + ", ".join(map(self._sort_key, plan.order_by)))
        if limit is not None:
            parts.append(f"LIMIT {limit}")
        if plan.offset:
            parts.append(f"OFFSET {plan.offset}")
        return " ".join(parts)

    def _with_item(self, item: WithPlan) -> str:
        # PostgreSQL would make a table of what is named twice, and no index serves that
        how = "NOT MATERIALIZED " if item.inlined else ""
        return f"{identifier(item.name)} AS {how}({self._inner(item.query)})"

    def _sort_key(self, key: SortPlan) -> str:
        text = str(key.key) if isinstance(key.key, int) else self._key(key.key)
        return f"{text} DESC" if key.descending else text

    def _key(self, expression: Expression) -> str:
        """A sort or group key; a bare number would mean a column of that number."""
        text = self._values.value(expression)
        return f"({text})::{expression.type.sql}" if isinstance(expression, Constant | Minus) else text

    def _set(self, plan: SetPlan, shape: _Shape) -> str:
        types = shape.types or plan.types
        texts = shape.texts or plan.texts
        inner = _Shape(shape.final, types, texts)
        parts = [self._set_operand(plan.first, inner)]
        for operator, every, body in plan.rest:
            parts.append(f"{operator}{' ALL' if every else ''} {self._set_operand(body, inner)}")
        return " ".join(parts)

    def _set_operand(self, body: BodyPlan, shape: _Shape) -> str:
        if isinstance(body, QueryPlan):
            return f"({self._query(body, shape)})"
        if isinstance(body, SetPlan):
            return f"({self._set(body, shape)})"
        text = self._select(body, shape)
        return text if body.top is None else f"({text} LIMIT {body.top})"

    def _select(self, plan: SelectPlan, shape: _Shape) -> str:
        columns, texts = [], []
        for i, item in enumerate(plan.items):
            type_ = item.output.type if shape.types is None else shape.types[i]
            has_text = shape.texts[i] if shape.texts is not None else item.output.text is not None
            column, *text = self._columns(item, type_, has_text=has_text, final=shape.final)
            columns.append(column)
            texts += text
        # hidden columns come last, so that an output's number is that of its column: ORDER BY counts on it
        parts = [f"SELECT {'DISTINCT ' if plan.distinct else ''}{', '.join(columns + texts)}"]
        parts.append("FROM " + ", ".join(map(self._source, plan.sources)))
        if plan.where is not None:
            parts.append(f"WHERE {self._values.condition(plan.where)}")
        if plan.group_by:
            parts.append("GROUP BY " + ", ".join(map(self._key, plan.group_by)))
        if plan.having is not None:
            parts.append(f"HAVING {self._values.condition(plan.having)}")
        return " ".join(parts)

    # Columns

    def _columns(self, item: ItemPlan, type_: Type, *, has_text: bool, final: bool) -> list[str]:
        expression = item.expression
        if expression.type is not type_:
            expression = Constant(type_, None) if expression.type is Type.NULL else Convert(type_, expression)
        if final:
            return [f"{self._result(expression, has_text=has_text)} AS {_quoted(item.output)}"]
        columns = [f"{self._values.value(expression)} AS {identifier(item.output.sql)}"]
        form = text_form(expression) if has_text and item.output.text is not None else None
        if form is not None and item.output.text is not None:
            columns.append(f"{self._values.value(form)} AS {identifier(item.output.text)}")
        return columns

    def _result(self, expression: Expression, *, has_text: bool) -> str:
        """The value as Arrow can carry it."""
        kind = expression.type
        if (original := _original(expression)) is not None:
            return self._values.value(original)
        if kind in SHAPES:
            form = text_form(expression) if has_text else None
            return self._values.coordinates(expression) if form is None else self._values.value(form)
        if kind is Type.TIMESTAMP:
            return iso_text(self._values.value(expression))
        if kind is Type.MOC:
            return f"{self._values.operand(expression)}::text"
        return self._values.value(expression)

    # FROM

    def _source(self, source: SourcePlan) -> str:
        if isinstance(source, TableSource):
            return _table(source)
        if isinstance(source, WithSource):
            return f"{identifier(source.name)} AS {identifier(source.relation.alias)}"
        if isinstance(source, QuerySource):
            return f"({self._inner(source.query)}) AS {identifier(source.relation.alias)}"
        return self._join(source)

    def _join(self, source: JoinSource) -> str:
        left, right = self._source(source.left), self._source(source.right)
        if isinstance(source.right, JoinSource):
            right = f"({right})"
        if source.condition is None:
            if source.kind in ("CROSS", "INNER"):
                return f"{left} CROSS JOIN {right}"
            return f"{left} {source.kind} JOIN {right} ON true"
        return f"{left} {source.kind} JOIN {right} ON {self._values.condition(source.condition)}"


def _original(expression: Expression) -> Expression | None:
    """The hidden column with what was uploaded, where a column of an uploaded table is selected plainly."""
    if not isinstance(expression, ColumnValue) or expression.output.column is None:
        return None
    if expression.output.column.original is None or expression.relation.table is None:
        return None
    return ColumnValue(expression.relation, replace(expression.output, sql=expression.output.column.original))


def _table(source: TableSource) -> str:
    table = source.relation.table
    if table is None:  # pragma: no cover - such a relation always has one
        raise TypeError(source)
    schema, name = table.stored or (table.schema, table.name)
    named, alias = f"{identifier(schema)}.{identifier(name)}", identifier(source.relation.alias)
    if source.sample is None:
        return f"{named} AS {alias}"
    sampled = f"TABLESAMPLE SYSTEM ({source.sample!r})"
    if not table.is_view:
        return f"{named} AS {alias} {sampled}"
    # PostgreSQL samples no views: the same rows of a sample of its table, with the hidden columns
    stored = f"{identifier(schema)}.{identifier(table.view_of or '')}"
    return f"(SELECT * FROM {stored} {sampled} WHERE {table.view_condition or 'true'}) AS {alias}"


def _quoted(output: Output) -> str:
    return '"' + output.field.name.replace('"', '""') + '"'
