"""Which columns a name can mean: tables, aliases, NATURAL and USING, and the queries around a query."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vo.adql.kinds import type_of
from vo.adql.plan import ColumnValue, Expression, Output, Relation, TimeRange
from vo.adql.syntax.tree import Name, Problem
from vo.metadata.fields import Table
from vo.metadata.words import as_typed


def table_relation(table: Table, alias: str, name: tuple[str, ...]) -> Relation:
    """A table of the catalogue."""
    columns = _columns_of(_Same(table))

    def find(text: str) -> tuple[Output, ...]:
        return columns.by_name.get(text.lower(), ())

    ranges = () if table.time_range is None else (TimeRange(*table.time_range),)
    return Relation(alias, name, find, lambda: columns.all, table, time_ranges=ranges)


class _Same:
    """A table that equals only itself: comparing two of them column by column would take too long."""

    __slots__ = ("table",)

    def __init__(self, table: Table) -> None:
        self.table = table

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.table is self.table

    def __hash__(self) -> int:
        return id(self.table)


@dataclass(frozen=True, slots=True)
class _Columns:
    """The outputs of a table, in order and by lower-case name (names may differ by their case only)."""

    all: tuple[Output, ...]
    by_name: dict[str, tuple[Output, ...]]


@functools.lru_cache(maxsize=256)
def _columns_of(same: _Same) -> _Columns:
    outputs = tuple(
        Output(c.name, c.stored or c.name, type_of(c.kind), c.field(), c.text_column, c.is_path, c)
        for c in same.table.columns
    )
    by_name: dict[str, tuple[Output, ...]] = {}
    for output in outputs:
        by_name[output.name.lower()] = (*by_name.get(output.name.lower(), ()), output)
    return _Columns(outputs, by_name)


def query_relation(
    outputs: tuple[Output, ...], alias: str, name: str, time_ranges: tuple[TimeRange, ...] = ()
) -> Relation:
    """A query that stands as a table; ``time_ranges`` are the hidden columns that it carries."""

    def find(text: str) -> tuple[Output, ...]:
        return tuple(output for output in outputs if output.name.lower() == text.lower())

    return Relation(alias, (name,), find, lambda: outputs, time_ranges=time_ranges)


@dataclass(frozen=True, slots=True)
class Visible:
    """A column as an unqualified name finds it: its name and what it stands for."""

    name: str
    value: Expression
    output: Output


@dataclass(frozen=True, slots=True)
class Leaf:
    """The columns of one relation."""

    relation: Relation

    def relations(self) -> Iterator[Relation]:
        """Every relation, from left to right."""
        yield self.relation

    def find(self, name: Name) -> list[Visible]:
        """The columns that an unqualified name can mean."""
        return [self._visible(output) for output in self.relation.find(name.text) if name.matches(output.name)]

    def all(self) -> Iterator[Visible]:
        """The columns of ``*``, in order."""
        return map(self._visible, self.relation.outputs())

    def names(self) -> Iterator[str]:
        """The names of the columns."""
        if self.relation.table is not None:
            return (column.name for column in self.relation.table.columns)
        return (output.name for output in self.relation.outputs())

    def _visible(self, output: Output) -> Visible:
        return Visible(output.name, ColumnValue(self.relation, output), output)


@dataclass(frozen=True, slots=True)
class Pair:
    """The columns of a join: those that NATURAL or USING merged come first (SQL-92, section 7.5)."""

    left: Namespace
    right: Namespace
    merged: tuple[Visible, ...] = ()

    def relations(self) -> Iterator[Relation]:
        """Every relation, from left to right."""
        yield from self.left.relations()
        yield from self.right.relations()

    def find(self, name: Name) -> list[Visible]:
        """The columns that an unqualified name can mean."""
        found = [visible for visible in self.merged if name.matches(visible.name)]
        return found or [*self.left.find(name), *self.right.find(name)]

    def all(self) -> Iterator[Visible]:
        """The columns of ``*``, in order."""
        yield from self.merged
        known = {visible.name.lower() for visible in self.merged}
        for side in (self.left, self.right):
            yield from (visible for visible in side.all() if visible.name.lower() not in known)

    def names(self) -> Iterator[str]:
        """The names of the columns."""
        known = {visible.name.lower() for visible in self.merged}
        yield from (visible.name for visible in self.merged)
        for side in (self.left, self.right):
            yield from (name for name in side.names() if name.lower() not in known)


Namespace = Leaf | Pair


@dataclass(frozen=True, slots=True)
class Link:
    """The way from a query out to the one around it; ``used`` collects the outer columns that were found there."""

    scope: Scope
    used: list[Expression] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scope:
    """All that names in one SELECT, or in one ON condition, can mean."""

    namespaces: tuple[Namespace, ...]
    parent: Link | None = None

    def relations(self) -> Iterator[Relation]:
        """Every relation, from left to right."""
        for namespace in self.namespaces:
            yield from namespace.relations()

    def all(self) -> Iterator[Visible]:
        """The columns of ``*``, in order."""
        for namespace in self.namespaces:
            yield from namespace.all()

    def column(self, parts: tuple[Name, ...]) -> Expression:
        """The column of this name, here or in the queries around; :class:`Problem` when none or several fit."""
        scope: Scope | None = self
        crossed: list[Link] = []
        while scope is not None:
            found = scope.find(parts)
            if found is not None:
                for link in crossed:
                    link.used.append(found)
                return found
            if scope.parent is None:
                break
            crossed.append(scope.parent)
            scope = scope.parent.scope
        raise self._unknown(parts)

    def has(self, name: Name) -> bool:
        """Whether an unqualified name means a column of this very scope."""
        return any(namespace.find(name) for namespace in self.namespaces)

    def relation(self, qualifier: tuple[Name, ...]) -> Relation:
        """The relation that a qualifier names."""
        found = self._relation(qualifier)
        if found is None:
            raise Problem(qualifier[0].at, self._no_table(qualifier))
        return found

    def find(self, parts: tuple[Name, ...]) -> Expression | None:
        """The column in this very scope, None when it has none of this name."""
        *qualifier, name = parts
        if not qualifier:
            found = [visible for namespace in self.namespaces for visible in namespace.find(name)]
            return _only(found, name) if found else None
        relation = self._relation(tuple(qualifier))
        if relation is None:
            return None
        inside = Leaf(relation).find(name)
        if not inside:
            near = nearest(name.text, Leaf(relation).names())
            raise Problem(name.at, f"the table {_dotted(qualifier)} has no column {name}{near}")
        return _only(inside, name)

    def _relation(self, qualifier: tuple[Name, ...]) -> Relation | None:
        fitting = [relation for relation in self.relations() if _qualifies(qualifier, relation)]
        exact = [relation for relation in fitting if relation.name[-1] == qualifier[-1].text]
        fitting = exact if len(exact) == 1 else fitting
        if len(fitting) > 1:
            names = ", ".join(".".join(relation.name) for relation in fitting)
            raise Problem(qualifier[0].at, f"the table name {_dotted(qualifier)} is ambiguous: {names}; give aliases")
        return fitting[0] if fitting else None

    def _chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent.scope if scope.parent else None

    def _unknown(self, parts: tuple[Name, ...]) -> Problem:
        *qualifier, name = parts
        if qualifier:
            return Problem(qualifier[0].at, self._no_table(tuple(qualifier)))
        around = [relation for scope in self._chain() for relation in scope.relations()]
        columns = [(text, relation) for relation in around for text in Leaf(relation).names()]
        near = nearest_of(name.text, [text for text, _ in columns])
        hint = ""
        if near is not None:
            owner = next(relation for text, relation in columns if text == near)
            hint = f"; did you mean {f'{owner.name[-1]}.' if len(around) > 1 else ''}{as_typed(near)}?"
        if name.delimited and any(name.text.lower() == text.lower() for text, _ in columns):
            hint = f"; names in double quotes are case-sensitive{hint}"
        elif name.delimited:
            hint = f"; texts stand in single quotes{hint}"
        return Problem(name.at, f"there is no column {name} in {_listed([r.name[-1] for r in around])}{hint}")

    def _no_table(self, qualifier: tuple[Name, ...]) -> str:
        around = [relation for scope in self._chain() for relation in scope.relations()]
        renamed = [
            relation
            for relation in around
            if relation.table is not None and len(relation.name) == 1 and qualifier[-1].matches(relation.table.name)
        ]
        if renamed:
            return f"the table {_dotted(qualifier)} is called {renamed[0].name[0]} in this query; use that name"
        names = [relation.name[-1] for relation in around]
        hint = nearest(qualifier[-1].text, names) or f"; it has {_listed(names)}"
        return f"there is no table {_dotted(qualifier)} in this query{hint}"


def _qualifies(qualifier: tuple[Name, ...], relation: Relation) -> bool:
    if len(qualifier) > len(relation.name):
        return False
    stored = relation.name[-len(qualifier) :]
    return all(name.matches(text) for name, text in zip(qualifier, stored, strict=True))


def _only(found: list[Visible], name: Name) -> Expression:
    if len(found) == 1:
        return found[0].value
    exact = [visible for visible in found if visible.name == name.text]
    if name.delimited and len(exact) == 1:
        return exact[0].value
    candidates = list(dict.fromkeys(_described(visible) for visible in found))
    if len(candidates) == 1:
        raise Problem(name.at, f"there are several columns {candidates[0]}; give them names of their own with AS")
    by_case = len({text.lower() for text in candidates}) == 1
    instead = "write the one you mean in double quotes" if by_case else "put a table's name or alias in front"
    raise Problem(name.at, f"the column {name} is ambiguous: {', '.join(candidates)}; {instead}")


def _described(visible: Visible) -> str:
    if isinstance(visible.value, ColumnValue):
        return f"{visible.value.relation.name[-1]}.{visible.name}"
    return visible.name


def _dotted(parts: Iterable[Name]) -> str:
    return ".".join(str(name) for name in parts)


#: More names than this are not listed.
_MOST_LISTED = 5


def _listed(names: list[str]) -> str:
    """``a, b or c``, and dots for many."""
    shown = list(dict.fromkeys(names))
    if len(shown) > _MOST_LISTED:
        return ", ".join(shown[:_MOST_LISTED]) + " ..."
    return ", ".join(shown[:-1]) + " or " + shown[-1] if len(shown) > 1 else "".join(shown)


def nearest_of(text: str, names: Iterable[str]) -> str | None:
    """The known name that is most like an unknown one, None when none is."""
    known = {name.lower(): name for name in reversed(list(names))}
    near = difflib.get_close_matches(text.lower(), known, n=1)
    return known[near[0]] if near else None


def nearest(text: str, names: Iterable[str]) -> str:
    """``; did you mean x?`` for the known name that is most like the unknown one."""
    near = nearest_of(text, names)
    return f"; did you mean {near}?" if near is not None else ""
