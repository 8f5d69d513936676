"""Random queries that ADQL and sqlite understand alike: no shapes, no TOP, no casts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

_COLUMNS = {
    "sky.plates": {
        "integer": ["id", "n", "size_kb", '"size"', '"Odd Name"'],
        "number": ["ra", "dec", "t_min", "t_max"],
        "text": ["name", "link"],
    },
    "sky.stars": {"integer": ["id", "plate_id"], "number": ["ra", "dec", "epoch"], "text": ["name"]},
    "lab.series": {"integer": ["n"], "number": [], "text": ["name"]},
}
_LITERALS = {
    "integer": ["0", "1", "-3", "7", "40", "NULL"],
    "number": ["0.5", "-2.25", "100.0", "1e3", "NULL"],
    "text": ["'a'", "'B'", "''", "'it''s'", "'plate'", "NULL"],
}
_PATTERNS = ["'a%'", "'_'", "'%e'", "'%'", "''", "'P_a%'"]
#: Columns that can be used, by sort.
Columns = dict[str, list[str]]

_SORTS = ("integer", "number", "text")


@dataclass
class PlainWriter:
    """Writes one query; ``draw`` decides."""

    draw: Callable[[st.SearchStrategy], object]
    _count: int = 0

    def pick(self, options: Sequence):
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def _source(self) -> tuple[str, Columns]:
        """A table under a new alias, and its columns by sort."""
        self._count += 1
        alias, table = f"a{self._count}", self.pick(list(_COLUMNS))
        columns = {sort: [f"{alias}.{name}" for name in names] for sort, names in _COLUMNS[table].items()}
        return f"{table} AS {alias}", columns

    def value(self, sort: str, columns: Columns, depth: int) -> str:
        if depth <= 0 or self.chance(35):
            return self.pick(columns[sort] if columns[sort] and self.chance(70) else _LITERALS[sort])
        ways = [self._case, self._coalesce, self._query]
        ways += [self._letters] if sort == "text" else [self._arithmetic, self._arithmetic, self._absolute]
        return self.pick(ways)(sort, columns, depth - 1)

    def _case(self, sort: str, columns: Columns, depth: int) -> str:
        then, otherwise = self.value(sort, columns, depth), self.value(sort, columns, depth)
        if self.chance(40):
            kind = self.pick(_SORTS)
            operand, found = self.value(kind, columns, depth), self.value(kind, columns, depth)
            return f"CASE {operand} WHEN {found} THEN {then} ELSE {otherwise} END"
        return f"CASE WHEN {self.condition(columns, depth)} THEN {then} ELSE {otherwise} END"

    def _coalesce(self, sort: str, columns: Columns, depth: int) -> str:
        return f"COALESCE({self.value(sort, columns, depth)}, {self.value(sort, columns, depth)})"

    def _query(self, sort: str, columns: Columns, depth: int) -> str:
        source, own = self._source()
        both = {kind: [*own[kind], *columns[kind]] for kind in _SORTS}
        return f"(SELECT MAX({self.value(sort, own, depth)}) FROM {source} WHERE {self.condition(both, depth)})"

    def _letters(self, sort: str, columns: Columns, depth: int) -> str:
        text = self.value(sort, columns, depth)
        return self.pick([f"UPPER({text})", f"LOWER({text})", f"({text} || {self.value(sort, columns, depth)})"])

    def _arithmetic(self, sort: str, columns: Columns, depth: int) -> str:
        terms = [self.value(sort, columns, depth) for _ in range(2)]
        return f"({self.pick([' + ', ' - ', ' * ', ' / ']).join(terms)})"

    def _absolute(self, sort: str, columns: Columns, depth: int) -> str:
        return f"{self.pick(['ABS', '- ', '+ '])}({self.value(sort, columns, depth)})"

    def condition(self, columns: Columns, depth: int) -> str:
        if depth > 0 and self.chance(45):
            way = self.pick(["AND", "OR", "NOT"])
            first = self.condition(columns, depth - 1)
            return f"NOT ({first})" if way == "NOT" else f"({first}) {way} ({self.condition(columns, depth - 1)})"
        ways = [
            self._compare,
            self._compare,
            self._between,
            self._list,
            self._null,
            self._like,
            self._rows,
            self._exists,
        ]
        return self.pick(ways)(self.pick(_SORTS), columns, depth - 1)

    def _compare(self, sort: str, columns: Columns, depth: int) -> str:
        operator = self.pick(["=", "<>", "<", ">", "<=", ">="])
        return f"{self.value(sort, columns, depth)} {operator} {self.value(sort, columns, depth)}"

    def _no(self) -> str:
        return self.pick(["", "NOT "])

    def _between(self, sort: str, columns: Columns, depth: int) -> str:
        values = [self.value(sort, columns, depth) for _ in range(3)]
        return f"{values[0]} {self._no()}BETWEEN {values[1]} AND {values[2]}"

    def _list(self, sort: str, columns: Columns, depth: int) -> str:
        items = ", ".join(self.value(sort, columns, depth) for _ in range(self.pick([1, 3])))
        return f"{self.value(sort, columns, depth)} {self._no()}IN ({items})"

    def _null(self, sort: str, columns: Columns, depth: int) -> str:
        return f"{self.value(sort, columns, depth)} IS {self._no()}NULL"

    def _like(self, _sort: str, columns: Columns, depth: int) -> str:
        pattern = self.pick(_PATTERNS) if self.chance(70) else self.value("text", columns, 0)
        return f"{self.value('text', columns, depth)} {self._no()}LIKE {pattern}"

    def _rows(self, sort: str, columns: Columns, depth: int) -> str:
        source, own = self._source()
        return (
            f"{self.value(sort, columns, depth)} {self._no()}IN (SELECT {self.value(sort, own, depth)} FROM {source})"
        )

    def _exists(self, _sort: str, columns: Columns, depth: int) -> str:
        source, own = self._source()
        both = {kind: [*own[kind], *columns[kind]] for kind in _SORTS}
        return f"EXISTS (SELECT 1 FROM {source} WHERE {self.condition(both, depth)})"

    def query(self, depth: int) -> str:
        if self.chance(20):
            sorts = [self.pick(_SORTS) for _ in range(self.pick([1, 2]))]
            word = self.pick(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"])
            return f"{self.select(depth, sorts)} {word} {self.select(depth, sorts)}"
        return self.grouped(depth) if self.chance(30) else self.select(depth, list(_SORTS))

    def select(self, depth: int, sorts: list[str]) -> str:
        """Some rows of a table, or of two."""
        source, columns = self._source()
        if self.chance(40):
            other, more = self._source()
            columns = {sort: [*columns[sort], *more[sort]] for sort in _SORTS}
            kind = self.pick(["JOIN", "LEFT JOIN"])
            source = f"{source} {kind} {other} ON {self.condition(columns, depth - 1)}"
        items = ", ".join(f"{self.value(sort, columns, depth)} AS c{i}" for i, sort in enumerate(sorts, 1))
        distinct = self.pick(["", "DISTINCT "])
        return f"SELECT {distinct}{items} FROM {source} WHERE {self.condition(columns, depth)}"

    def grouped(self, depth: int) -> str:
        """Groups by a key; sums are of columns, whose order of adding does not show."""
        source, columns = self._source()
        key = self.value(self.pick(_SORTS), columns, depth - 1)
        of = self.pick(columns["integer"])
        items = [
            f"COUNT({of})",
            f"SUM({of})",
            f"AVG({of})",
            f"MIN({self.value('text', columns, depth - 1)})",
            "COUNT(*)",
        ]
        items += [f"COUNT(DISTINCT {of})", f"MAX({self.value('number', columns, depth - 1)})"]
        having = f" HAVING COUNT(*) {self.pick(['>', '<='])} {self.pick(['1', '3'])}" if self.chance(40) else ""
        where = self.condition(columns, depth)
        return f"SELECT {key} AS k, {', '.join(items)} FROM {source} WHERE {where} GROUP BY k{having}"


@st.composite
def plain_queries(draw, depth: int = 2) -> str:
    """Queries that sqlite answers, too."""
    return PlainWriter(draw).query(depth)
