"""Random queries: everything that the grammar has, every function of the table, types that mostly fit.

A new function is called here without being named: its signature says how.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adql.tables import CATALOGUE
from hypothesis import strategies as st

from vo.adql.functions import ALL_FUNCTIONS, Function, Result
from vo.adql.kinds import INTEGERS, NUMBERS, Type, type_of
from vo.metadata.words import as_typed, is_regular

#: What a value is, as far as a random query cares.
SORTS = ("integer", "number", "text", "time", "flag", "point", "circle", "polygon", "moc")
PLAIN = ("integer", "number", "text", "time")
_SORT_OF = {
    **dict.fromkeys(INTEGERS, "integer"),
    **dict.fromkeys(NUMBERS - INTEGERS, "number"),
    Type.TEXT: "text",
    Type.TIMESTAMP: "time",
    Type.BOOLEAN: "flag",
    Type.POINT: "point",
    Type.CIRCLE: "circle",
    Type.POLYGON: "polygon",
    Type.RANGE: "range",
    Type.MOC: "moc",
}

LITERALS = {
    "integer": ["1", "0", "2", "-3", "7", "0x1F", "29", "180", "2147483648", "NULL"],
    "number": ["1.5", "0.0", "10", "-20.25", "1e3", "359.9", "90.0", "1e-300", "1e300", "2459000.123456789", "NULL"],
    "text": ["'a'", "''", "'it''s'", r"'\'", "'%_%'", "'2000-01-01'", "'1'", "'\u00e9\U0001f52d'", "NULL"],
    "time": ["CAST('1999-12-31T23:59:59' AS TIMESTAMP)", "CAST('1910-12-31' AS TIMESTAMP)", "NULL"],
    "flag": ["1", "0", "'true'"],
    "point": ["POINT(10, 20)", "POINT('ICRS', 0.0, -90)", "POINT('GALACTIC', 359.9, 89)"],
    "circle": ["CIRCLE(10, 20, 0.5)", "CIRCLE('', 0, 90, 90)", "CAST('1 2 3' AS CIRCLE)"],
    "polygon": ["POLYGON(0, 0, 10, 0, 10, 10)", "BOX(0, 89, 3, 4)", "REGION('BOX ICRS 1 2 3 4')"],
    "moc": ["MOC('3/1-4,7 5/100')", "MOC(4, CIRCLE(10, 20, 1))", "MOC(0, POINT(0, -90))"],
    "range": ["vo_range(350, 10, -5, 5)", "vo_range(0, 360, 60, 90)"],
}

#: Texts that a parameter of this name can do something with.
_WORDS = {
    "unit": ["'deg'", "'m/s'", "'mag'"],
    "dest_unit": ["'deg'", "'Angstrom'", "'eV'"],
    "expr_unit": ["'Hz'", "'nm'"],
    "from_sys": ["'ICRS'", "'GALACTIC'"],
    "to_sys": ["'FK4'", "'ICRS'"],
    "ascii": ["'3/1-4'", "'0/0-11'", "'29/5'"],
    "stc_s": ["'POSITION ICRS 1 2'", "'POLYGON 0 0 1 0 1 1'", "'BOX ICRS 1 2 3 4'"],
    "dms": ["'-12 30 15.5'", "'+00:00:01'"],
    "hms": ["'23 59 59.9'", "'1:2:3'"],
}


def _sorts(types: frozenset[Type]) -> list[str]:
    return sorted({_SORT_OF[type_] for type_ in types if type_ in _SORT_OF})


def _results(function: Function) -> list[str]:
    if isinstance(function.result, Type):
        found = _SORT_OF.get(function.result)
        return [found] if found else []
    return ["integer"] if function.result is Result.WIDEST else _sorts(function.parameters[0].takes)


def _by_result() -> dict[str, list[Function]]:
    table: dict[str, list[Function]] = {sort: [] for sort in (*SORTS, "range")}
    for function in ALL_FUNCTIONS:
        for sort in _results(function):
            table[sort].append(function)
    return table


_FUNCTIONS = _by_result()
_TABLES = {
    table.qualified: {column.name: _SORT_OF[type_of(column.kind)] for column in table.columns}
    for table in CATALOGUE.tables
}
_CASTS = {
    "integer": ["INTEGER", "BIGINT", "SMALLINT"],
    "number": ["DOUBLE PRECISION", "REAL"],
    "text": ["VARCHAR", "CHAR(5)", "VARCHAR(3)", "CHAR"],
    "time": ["TIMESTAMP"],
    "point": ["POINT"],
    "circle": ["CIRCLE"],
    "polygon": ["POLYGON"],
}
_CASTABLE = {
    "integer": ["number", "text", "integer"],
    "number": ["integer", "text"],
    "text": ["integer", "number", "time", "point", "circle", "polygon", "moc", "flag"],
    "time": ["text"],
    "point": ["text"],
    "circle": ["text"],
    "polygon": ["text"],
}


#: Texts that can be cast to values of a sort.
_CAST_TEXTS = {
    "integer": ["'12'", "'-3'"],
    "number": ["'1e3'", "'-0.5'", "'NaN'"],
    "text": ["'a'"],
    "time": ["'2000-01-01'", "'1910-12-31T06:00:00.25'"],
    "point": ["'1 -2'"],
    "circle": ["'1 2 3'"],
    "polygon": ["'0 0 1 0 1 1'"],
}


@dataclass(frozen=True)
class Relation:
    """A table under its alias, or a query: its columns and their sorts."""

    alias: str
    columns: dict[str, str]


@dataclass(frozen=True)
class Scope:
    """What values may use: relations, and whether aggregates may stand there."""

    relations: tuple[Relation, ...]
    aggregates: bool = False


@dataclass
class Writer:
    """Writes one query; ``draw`` decides. ``repeatable`` leaves out what differs from call to call."""

    draw: Callable[[st.SearchStrategy], object]
    repeatable: bool = False
    _count: int = 0
    _with: dict[str, dict[str, str]] = field(default_factory=dict)

    def pick(self, options: Sequence):
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        # shrinks to no
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def _alias(self) -> str:
        self._count += 1
        return f"a{self._count}"

    # Values

    def value(self, sort: str, scope: Scope, depth: int) -> str:
        """A value of this sort, with at most ``depth`` calls in calls."""
        if depth <= 0 or self.chance(30):
            return self._leaf(sort, scope)
        ways = [self._call, self._call, self._call, self._case, self._bracket]
        if sort in _CASTS:
            ways.append(self._cast)
        if sort in ("integer", "number"):
            ways += [self._arithmetic, self._arithmetic, self._signed]
        if sort == "text":
            ways.append(self._concatenation)
        if sort != "range":
            ways.append(self._scalar_query)
        if scope.aggregates and sort in PLAIN:
            ways += [self._aggregate, self._aggregate]
        return self.pick(ways)(sort, scope, depth - 1)

    def _leaf(self, sort: str, scope: Scope) -> str:
        columns = [
            f"{relation.alias}.{as_typed(name)}"
            for relation in scope.relations
            for name, found in relation.columns.items()
            if found == sort
        ]
        if scope.aggregates and sort in PLAIN and columns:
            return f"{self.pick(['MAX', 'MIN'])}({self.pick(columns)})"
        return self.pick(columns if columns and self.chance(70) else LITERALS[sort])

    def _call(self, sort: str, scope: Scope, depth: int) -> str:
        functions = [f for f in _FUNCTIONS[sort] if scope.aggregates or not f.aggregate]
        if self.repeatable:
            functions = [f for f in functions if not f.volatile]
        return self.call(self.pick(functions), sort, scope, depth) if functions else self._leaf(sort, scope)

    def call(self, function: Function, sort: str, scope: Scope, depth: int) -> str:
        """A call of this function, whose result is to be of this sort."""
        inner = Scope(scope.relations) if function.aggregate else scope
        times = function.repeats + self.pick([0, 1]) if function.repeats else 1
        arguments = []
        for parameter in function.parameters * times:
            if parameter.name in _WORDS and self.chance(85):
                arguments.append(self.pick(_WORDS[parameter.name]))
                continue
            sorts = _sorts(parameter.takes)
            # functions of any type want one type throughout
            arguments.append(self.value(sort if function.repeats and sort in sorts else self.pick(sorts), inner, depth))
        if function.has_frame and self.chance(20):
            arguments.insert(0, self.pick(["'ICRS'", "''", "'GALACTIC'", "'FK4'"]))
        return f"{function.name}({', '.join(arguments)})"

    def _case(self, sort: str, scope: Scope, depth: int) -> str:
        otherwise = f" ELSE {self.value(sort, scope, depth)}" if self.chance(60) else ""
        if self.chance(50):
            kind = self.pick(PLAIN)
            operand, found = self.value(kind, scope, depth), self.value(kind, scope, depth)
            return f"CASE {operand} WHEN {found} THEN {self.value(sort, scope, depth)}{otherwise} END"
        return f"CASE WHEN {self.condition(scope, depth)} THEN {self.value(sort, scope, depth)}{otherwise} END"

    def _bracket(self, sort: str, scope: Scope, depth: int) -> str:
        return f"({self.value(sort, scope, depth)})"

    def _cast(self, sort: str, scope: Scope, depth: int) -> str:
        target = self.pick(_CASTS[sort])
        if sort != "text" and self.chance(50):
            return f"CAST({self.pick(_CAST_TEXTS[sort])} AS {target})"
        return f"CAST({self.value(self.pick(_CASTABLE[sort]), scope, depth)} AS {target})"

    def _arithmetic(self, sort: str, scope: Scope, depth: int) -> str:
        terms = [self.value(sort, scope, depth) for _ in range(self.pick([2, 2, 3]))]
        return self.pick([" + ", " - ", " * ", " / "]).join(terms)

    def _signed(self, sort: str, scope: Scope, depth: int) -> str:
        return f"{self.pick(['- ', '+ ', '-'])}{self.value(sort, scope, depth)}".replace("--", "- -")

    def _concatenation(self, sort: str, scope: Scope, depth: int) -> str:
        return f"{self.value(sort, scope, depth)} || {self.value(sort, scope, depth)}"

    def _aggregate(self, sort: str, scope: Scope, depth: int) -> str:
        inner = Scope(scope.relations)
        if sort == "integer" and self.chance(30):
            return "COUNT(*)"
        if sort == "integer":
            return f"COUNT({self.pick(['', 'DISTINCT ', 'ALL '])}{self.value(self.pick(PLAIN), inner, depth)})"
        names = ["AVG", "SUM", "MAX", "MIN"] if sort == "number" else ["MAX", "MIN"]
        return f"{self.pick(names)}({self.pick(['', 'DISTINCT '])}{self.value(sort, inner, depth)})"

    def _scalar_query(self, sort: str, scope: Scope, depth: int) -> str:
        if scope.aggregates:
            # what stands outside need not be grouped
            scope = Scope(())
        source, relations = self._source(depth - 1)
        inner = Scope((*relations, *scope.relations))
        if sort in PLAIN:
            return f"(SELECT MAX({self.value(sort, Scope(relations), depth)}) FROM {source}{self._where(inner, depth)})"
        return f"(SELECT TOP 1 {self.value(sort, Scope(relations), depth)} FROM {source}{self._where(inner, depth)})"

    # Conditions

    def condition(self, scope: Scope, depth: int) -> str:
        """A condition."""
        if depth > 0 and self.chance(40):
            way = self.pick(["AND", "OR", "NOT", "()"])
            if way == "NOT":
                return f"NOT ({self.condition(scope, depth - 1)})"
            if way == "()":
                return f"({self.condition(scope, depth - 1)})"
            return f"{self.condition(scope, depth - 1)} {way} {self.condition(scope, depth - 1)}"
        ways = [self._comparison, self._shapes, self._shapes, self._times, self._between, self._among, self._like]
        ways += [self._null, self._distance]
        if depth > 0:
            ways += [self._among_rows, self._exists]
        return self.pick(ways)(scope, depth - 1)

    def _operator(self) -> str:
        return self.pick(["=", "<>", "!=", "<", ">", "<=", ">="])

    def _comparison(self, scope: Scope, depth: int) -> str:
        sort = self.pick([*PLAIN, "number"])
        return f"{self.value(sort, scope, depth)} {self._operator()} {self.value(sort, scope, depth)}"

    def _shapes(self, scope: Scope, depth: int) -> str:
        if scope.aggregates:
            return self._comparison(scope, depth)
        sorts = ["point", "circle", "polygon", "moc", "range"]
        name = self.pick(["CONTAINS", "INTERSECTS"])
        first = self.value(self.pick(sorts), scope, depth)
        second = self.value(self.pick(sorts[1:]), scope, depth) if self.chance(80) else "CIRCLE(1, 2, 120)"
        call = f"{name}({first}, {second})"
        return self.pick(["1 = {}", "{} = 1", "0 = {}", "{} <> 0", "{} > 0", "{} < 1", "{} = 2"]).format(call)

    def _distance(self, scope: Scope, depth: int) -> str:
        if scope.aggregates:
            return self._comparison(scope, depth)
        distance = f"DISTANCE({self.value('point', scope, depth)}, {self.value('point', scope, depth)})"
        radius = self.pick(["1.5", "0.1", "90.0", "120.0", self.value("number", scope, depth)])
        return f"{distance} {self._operator()} {radius}"

    def _times(self, scope: Scope, depth: int) -> str:
        ranged = [relation.alias for relation in scope.relations if "t_min" in relation.columns]
        if not ranged or scope.aggregates:
            return self._comparison(scope, depth)
        alias = self.pick(ranged)
        low, high = self.value("number", scope, depth), self.value("number", scope, depth)
        form = self.pick(
            [
                "{x} BETWEEN {a}.t_min AND {a}.t_max",
                "{a}.t_min <= {x} AND {a}.t_max >= {y}",
                "{a}.t_min > {x} AND {a}.t_max < {y}",
                "{x} < {a}.t_max AND {y} > {a}.t_min",
                "NOT ({a}.t_min > {x} OR {a}.t_max < {y})",
                "({a}.t_min + {a}.t_max) / 2 BETWEEN {x} AND {y}",
                "ABS({a}.t_min - {x}) < {y}",
            ]
        )
        return form.format(a=alias, x=low, y=high)

    def _between(self, scope: Scope, depth: int) -> str:
        sort = self.pick(PLAIN)
        values = [self.value(sort, scope, depth) for _ in range(3)]
        return f"{values[0]} {self.pick(['', 'NOT '])}BETWEEN {values[1]} AND {values[2]}"

    def _among(self, scope: Scope, depth: int) -> str:
        sort = self.pick(PLAIN)
        items = ", ".join(self.value(sort, scope, depth) for _ in range(self.pick([1, 2, 3])))
        return f"{self.value(sort, scope, depth)} {self.pick(['', 'NOT '])}IN ({items})"

    def _like(self, scope: Scope, depth: int) -> str:
        word = self.pick(["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"])
        return f"{self.value('text', scope, depth)} {word} {self.value('text', scope, depth)}"

    def _null(self, scope: Scope, depth: int) -> str:
        sort = self.pick(PLAIN if scope.aggregates else SORTS)
        return f"{self.value(sort, scope, depth)} IS {self.pick(['', 'NOT '])}NULL"

    def _among_rows(self, scope: Scope, depth: int) -> str:
        sort = self.pick(PLAIN)
        source, relations = self._source(depth)
        query = (
            f"SELECT {self.value(sort, Scope(relations), depth)} FROM {source}{self._where(Scope(relations), depth)}"
        )
        return f"{self.value(sort, scope, depth)} {self.pick(['', 'NOT '])}IN ({query})"

    def _exists(self, scope: Scope, depth: int) -> str:
        if self.chance(10):
            return f"EXISTS ({self._join(depth)[0]})"
        source, relations = self._source(depth)
        around = () if scope.aggregates else scope.relations
        return f"EXISTS (SELECT 1 FROM {source}{self._where(Scope((*relations, *around)), depth)})"

    def _where(self, scope: Scope, depth: int) -> str:
        return f" WHERE {self.condition(scope, depth)}" if self.chance(60) else ""

    # Tables

    def _source(self, depth: int) -> tuple[str, tuple[Relation, ...]]:
        if depth > 0 and self.chance(30):
            return self._join(depth - 1)
        text, relation = self._relation(depth)
        if depth > 0 and self.chance(10):
            other, second = self._relation(depth - 1)
            return f"{text}, {other}", (relation, second)
        return text, (relation,)

    def _relation(self, depth: int) -> tuple[str, Relation]:
        alias = self._alias()
        word = self.pick(["", "AS "])
        if depth > 0 and self.chance(10):
            text, relations = self._join(depth - 1)
            # under one name, columns that both sides have are ambiguous
            names = [name for relation in relations for name in relation.columns]
            single = {n: s for relation in relations for n, s in relation.columns.items() if names.count(n) == 1}
            return f"({text}) {word}{alias}", Relation(alias, single)
        if depth > 0 and self.chance(25):
            sorts = [self.pick(SORTS) for _ in range(self.pick([1, 2, 3]))]
            query, columns = self.query(depth - 1, sorts)
            return f"{self.pick(['({})', '(({}))']).format(query)} {word}{alias}", Relation(alias, columns)
        if self._with and self.chance(40):
            name = self.pick(sorted(self._with))
            return f"{name} {word}{alias}", Relation(alias, self._with[name])
        table = self.pick(["sky.plates", *_TABLES])
        sample = f" TABLESAMPLE({self.pick(['50', '99.5', '100'])})" if not self.repeatable and self.chance(10) else ""
        named = f"{sample} {word}{alias}" if self.chance(50) else f" {word}{alias}{sample}"
        return f"{table}{named}", Relation(alias, _TABLES[table])

    def _join(self, depth: int) -> tuple[str, tuple[Relation, ...]]:
        text, relations = self._bare_join(depth)
        return (f"({text})", relations) if self.chance(15) else (text, relations)

    def _bare_join(self, depth: int) -> tuple[str, tuple[Relation, ...]]:
        if self.chance(25) and depth > 0:
            left, left_relations = self._join(depth - 1)
        else:
            left, first = self._relation(depth)
            left_relations = (first,)
        right, relation = self._relation(depth)
        relations = (*left_relations, relation)
        way = self.pick(["ON", "ON", "USING", "NATURAL", "CROSS", "FULL"])
        kind = self.pick(["", "INNER ", "LEFT ", "LEFT OUTER ", "RIGHT "])
        if way == "CROSS":
            return f"{left} CROSS JOIN {right}", relations
        if way == "NATURAL":
            return f"{left} NATURAL {kind}JOIN {right}", relations
        shared = [n for n in left_relations[0].columns if n in relation.columns and is_regular(n)]
        if way == "USING" and shared and len(left_relations) == 1:
            return f"{left} {kind}JOIN {right} USING ({self.pick(shared)})", relations
        if way == "FULL":
            sides = [self._leaf_of("integer", one) for one in (left_relations[0], relation)]
            if all(sides):
                return f"{left} FULL JOIN {right} ON {' = '.join(map(str, sides))}", relations
        return f"{left} {kind}JOIN {right} ON {self.condition(Scope(relations), depth)}", relations

    def _leaf_of(self, sort: str, relation: Relation) -> str | None:
        found = [name for name, kind in relation.columns.items() if kind == sort and is_regular(name)]
        return f"{relation.alias}.{self.pick(found)}" if found else None

    # Queries

    def query(self, depth: int, sorts: Sequence[str]) -> tuple[str, dict[str, str]]:
        """A query with columns of these sorts, and their names."""
        names = {f"c{i}": sort for i, sort in enumerate(sorts, 1)}
        if depth > 0 and self.chance(20) and all(sort in PLAIN for sort in sorts):
            return self._set(depth - 1, sorts), names
        grouped = self.chance(25) and all(sort in PLAIN for sort in sorts)
        return (self._grouped if grouped else self._select)(depth, sorts), names

    def _set(self, depth: int, sorts: Sequence[str]) -> str:
        parts = [self._operand(depth, sorts)]
        for _ in range(self.pick([1, 1, 2])):
            parts += [
                self.pick(["UNION", "UNION ALL", "EXCEPT", "INTERSECT", "INTERSECT ALL"]),
                self._operand(depth, sorts),
            ]
        order = " ORDER BY 1 DESC" if self.chance(40) else ""
        return " ".join(parts) + order + self._offset()

    def _operand(self, depth: int, sorts: Sequence[str]) -> str:
        if self.chance(30):
            return f"({self.query(depth, sorts)[0]})"
        return self._bare_select(depth, sorts)

    def _bare_select(self, depth: int, sorts: Sequence[str]) -> str:
        source, relations = self._source(depth)
        scope = Scope(relations)
        distinct = self.pick(["", "", "ALL ", "DISTINCT "]) if all(sort in PLAIN for sort in sorts) else ""
        top = f"TOP {self.pick([3, 0, 1000])} " if self.chance(25) else ""
        items = ", ".join(f"{self.value(sort, scope, depth)} AS c{i}" for i, sort in enumerate(sorts, 1))
        return f"SELECT {distinct}{top}{items} FROM {source}{self._where(scope, depth)}"

    def _select(self, depth: int, sorts: Sequence[str]) -> str:
        keys = [f"c{i}" for i, sort in enumerate(sorts, 1) if sort in PLAIN]
        text = self._bare_select(depth, sorts)
        if self.chance(10):
            text = f"({text})"
        if keys and self.chance(40):
            keys = [f"{self.pick(keys)}{self.pick(['', ' DESC', ' ASC'])}" for _ in range(self.pick([1, 2]))]
            text += f" ORDER BY {', '.join(keys)}"
        return text + self._offset()

    def _grouped(self, depth: int, sorts: Sequence[str]) -> str:
        source, relations = self._source(depth)
        over = Scope(relations, aggregates=True)
        key = self.value(self.pick(PLAIN), Scope(relations), depth)
        items = ", ".join(f"{self.value(sort, over, depth)} AS c{i}" for i, sort in enumerate(sorts, 1))
        group = f" GROUP BY {key}" if self.chance(60) else ""
        having = f" HAVING {self.condition(over, depth)}" if self.chance(30) else ""
        where = self._where(Scope(relations), depth)
        order = " ORDER BY 1" if self.chance(30) else ""
        return f"SELECT {items} FROM {source}{where}{group}{having}{order}{self._offset()}"

    def _offset(self) -> str:
        return f" OFFSET {self.pick([1, 0])}" if self.chance(10) else ""

    def whole(self, depth: int) -> str:
        """A query as a user sends it."""
        start = ""
        if self.chance(20):
            items = []
            for name in ("w1", "w2")[: self.pick([1, 2])]:
                sorts = [self.pick(SORTS) for _ in range(self.pick([1, 2]))]
                text, columns = self.query(depth - 1, sorts)
                if self.chance(40):
                    columns = {f"k{i}": sort for i, sort in enumerate(columns.values())}
                    items.append(f"{name} ({', '.join(columns)}) AS ({text})")
                else:
                    items.append(f"{name} AS ({text})")
                self._with[name] = columns
            start = f"WITH {', '.join(items)} "
        if self.chance(10):
            text, relation = self._relation(depth)
            return f"{start}SELECT {self.pick(['*', f'{relation.alias}.*', f'*, {relation.alias}.*'])} FROM {text}"
        if self.chance(30):
            function = self.pick(ALL_FUNCTIONS)
            text, relation = self._relation(0)
            call = self.call(function, (_results(function) or ["number"])[0], Scope((relation,)), depth - 1)
            return f"{start}SELECT {call} AS c1 FROM {text}"
        sorts = [self.pick(SORTS) for _ in range(self.pick([1, 2, 3]))]
        return start + self.query(depth, sorts)[0]


@st.composite
def queries(draw, depth: int = 3) -> str:
    """Queries of every kind."""
    return Writer(draw).whole(depth)


@st.composite
def conditions(draw, depth: int = 3) -> str:
    """Conditions on sky.plates as p, the same at each evaluation."""
    return Writer(draw, repeatable=True).condition(Scope((Relation("p", _TABLES["sky.plates"]),)), depth)


@st.composite
def calls(draw, depth: int = 1) -> str:
    """Calls of one function, with simple arguments."""
    function = draw(st.sampled_from(ALL_FUNCTIONS))
    scope = Scope((Relation("p", _TABLES["sky.plates"]), Relation("m", _TABLES["rr.moc"])))
    call = Writer(draw).call(function, (_results(function) or ["number"])[0], scope, depth)
    where = draw(st.sampled_from(["", f" WHERE {call} IS NOT NULL"]))
    return f"SELECT {call} AS c1 FROM sky.plates AS p, rr.moc AS m{where}"
