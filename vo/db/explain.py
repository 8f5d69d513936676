"""What the database means to do with a query: its plan, and the large tables that it would read whole.

PostgreSQL's estimates (``EXPLAIN``) are read; nothing is run unless times are asked for. :mod:`vo.db.advice` says in
plain words what would be faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from vo.db.faults import translate

#: Planning alone is a matter of milliseconds.
_PLANNING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a plan.

    ``what`` is PostgreSQL's name for it, ``role`` its place in the node above (Outer, Inner, SubPlan, InitPlan ...).
    ``table`` is ``schema.name``. ``condition`` is what an index or a join by keys answers, ``filter`` what is tested
    row by row. ``cost`` is the database's measure of all the work up to here, ``rows`` what it expects each time.
    Where the query was run, ``found`` is the mean number of rows that came and ``milliseconds`` the time of all
    ``loops``, the work below included (and that of all processes together, where several worked).
    """

    what: str
    role: str
    steps: tuple[Step, ...]
    cost: float
    rows: int
    table: str | None = None
    alias: str | None = None
    index: str | None = None
    condition: str | None = None
    filter: str | None = None
    found: float | None = None
    milliseconds: float | None = None
    loops: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan with its times in milliseconds; ``execution`` is None where the query was not run."""

    root: Step
    planning: float
    execution: float | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """A large table that is read row by row, though a condition asks for some of its rows only.

    ``rows`` is the table's size as the database last counted it, ``columns`` those of its columns that the condition
    names, ``others`` the number of rows from elsewhere that each row is compared with (1 outside of joins).
    """

    table: str
    rows: int
    columns: tuple[str, ...]
    others: int = 1


# Plans


def explain(connection: Connection[TupleRow], sql: str, *, seconds: float, analyze: bool = False) -> Plan:
    """Plan a SELECT, for at most ``seconds``; with ``analyze`` run it, too, and measure.

    It is planned as users' queries are (:mod:`vo.db.stream`). Faults are as theirs: planning computes what is constant,
    so that a division by zero may show without running.
    """
    options = "FORMAT JSON, VERBOSE, SUMMARY" + (", ANALYZE" if analyze else "")
    try:
        connection.execute(f"SET LOCAL jit = off; SET LOCAL statement_timeout = {round(seconds * 1000)}".encode())
        row = connection.execute(f"EXPLAIN ({options}) {sql}".encode()).fetchone()
    except psycopg.Error as error:
        raise translate(error.sqlstate, str(error), seconds=seconds) from error
    if row is None:  # pragma: no cover - EXPLAIN always answers
        raise TypeError(sql)
    answer = row[0][0]
    return Plan(_step(answer["Plan"]), answer["Planning Time"], answer.get("Execution Time"))


#: Keys of a JSON plan for what an index or a join answers, and for what is tested row by row.
_CONDITIONS = ("Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond")
_FILTERS = ("Join Filter", "Filter", "One-Time Filter")


def _step(node: Mapping[str, Any]) -> Step:
    kinds = [node.get("Join Type", "Inner"), node.get("Strategy", "Plain"), node.get("Command", "")]
    said = ", ".join(kind.lower() for kind in kinds if kind not in ("Inner", "Plain", ""))
    table, loops = node.get("Relation Name"), node.get("Actual Loops")
    return Step(
        what=("Parallel " if node.get("Parallel Aware") else "") + node["Node Type"] + (f" ({said})" if said else ""),
        role=node.get("Parent Relationship", ""),
        steps=tuple(_step(inner) for inner in node.get("Plans", ())),
        cost=node["Total Cost"],
        rows=node["Plan Rows"],
        table=f"{node['Schema']}.{table}" if table else None,
        alias=node.get("Alias"),
        index=node.get("Index Name"),
        condition=" AND ".join(node[key] for key in _CONDITIONS if key in node) or None,
        filter=" AND ".join(node[key] for key in _FILTERS if key in node) or None,
        found=node.get("Actual Rows"),
        milliseconds=None if loops is None else node["Actual Total Time"] * loops,
        loops=loops,
    )


def steps_below(step: Step) -> Iterator[Step]:
    """The step itself and all below it."""
    yield step
    for inner in step.steps:
        yield from steps_below(inner)


def draw_plan(plan: Plan) -> str:
    """The plan as an indented drawing: a line for each step, below it what the index answers and what is tested."""
    lines: list[str] = []
    _draw(plan.root, "", "", lines)
    lines.append(f"planned in {plan.planning:.1f} ms")
    if plan.execution is not None:
        lines[-1] += f", run in {plan.execution:.1f} ms"
    return "\n".join(lines)


def _draw(step: Step, first: str, further: str, lines: list[str]) -> None:
    lines.append(first + _line(step))
    bar = "│  " if step.steps else "   "
    if step.condition:
        lines.append(f"{further}{bar}by: {step.condition}")
    if step.filter:
        lines.append(f"{further}{bar}test: {step.filter}")
    for inner in step.steps:
        is_last = inner is step.steps[-1]
        _draw(inner, further + ("└─ " if is_last else "├─ "), further + ("   " if is_last else "│  "), lines)


def _line(step: Step) -> str:
    words = [step.what]
    if step.table:
        named = step.alias and step.alias != step.table.split(".")[-1]
        words.append(f"of {step.table}" + (f" AS {step.alias}" if named else ""))
    if step.index:
        words.append(f"by index {step.index}")
    if step.role in ("SubPlan", "InitPlan"):
        words.append("(sub-query)")
    words.append(f"  cost {step.cost:,.0f}, rows {step.rows:,}")
    if step.loops == 0:
        words.append("  never run")
    elif step.milliseconds is not None and step.found is not None:
        times = (
            f" in {step.loops:,} loops of {step.found:,.0f} rows" if step.loops != 1 else f", rows {step.found:,.0f}"
        )
        words.append(f"  took {step.milliseconds:,.1f} ms{times}")
    return " ".join(words)


# Scans


def find_scans(connection: Connection[TupleRow], sql: str, least_rows: int) -> tuple[Scan, ...]:
    """The tables that a query reads row by row where that means more than ``least_rows`` rows or pairs of rows.

    A scan without a condition is what was asked for, one below a LIMIT counts only as far as it will be read, one that
    keeps a fifth of its table or more would not be helped by an index. Faults as in :func:`explain`.
    """
    return scans_of(explain(connection, sql, seconds=_PLANNING_SECONDS), connection, least_rows)


def scans_of(plan: Plan, connection: Connection[TupleRow], least_rows: int) -> tuple[Scan, ...]:
    """The same for a plan that is at hand; ``connection`` tells the sizes of tables."""
    suspects = list(_suspects(plan.root, 1.0))
    if not suspects:
        return ()
    sizes = _sizes(connection, {suspect.table for suspect in suspects})
    worst: dict[str, Scan] = {}
    for suspect in suspects:
        scan = suspect.judged(*sizes[suspect.table], least_rows)
        # a join is laid at the door of its largest table
        if scan is not None and (suspect.test not in worst or worst[suspect.test].rows < scan.rows):
            worst[suspect.test] = scan
    return tuple(dict.fromkeys(worst.values()))


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A scan, or a table's part in a join of all with all, and the test that is made for each row or pair.

    ``times`` is how often it is run as far as LIMITs will ask for its rows, ``kept`` how many rows a scan lets pass,
    ``pairs`` and ``others`` how many pairs a join compares, and how many each row.
    """

    table: str
    alias: str
    test: str
    times: float
    kept: float = 0
    pairs: float | None = None
    others: float = 1

    def judged(self, rows: int, columns: tuple[str, ...], least_rows: int) -> Scan | None:
        """The scan that it is by the table's size and columns; None where it is small or an index of no help."""
        if self.times * (rows if self.pairs is None else self.pairs) <= least_rows:
            return None
        if self.pairs is None and self.kept >= rows * _LARGE_PART and not _CALL.search(self.test):
            return None
        named = set(re.findall(rf'\b{re.escape(self.alias)}\."?(\w+)', self.test))
        others = self.others if self.pairs is not None else self.times
        return Scan(self.table, rows, tuple(column for column in columns if column in named), max(1, round(others)))


#: From this part of a table on, reading all of it is quicker than an index.
_LARGE_PART = 0.2
#: A function in a condition: what the database expects of it is a guess.
_CALL = re.compile(r"\w\(")


def _suspects(step: Step, times: float) -> Iterator[_Suspect]:
    """Scans with a condition and joins of all with all below a step, which is run so many times.

    Below a LIMIT that is less than once when the rows will come before all are read.
    """
    if step.what == "Limit" and step.steps:
        times *= min(1.0, step.cost / max(step.steps[0].cost, 1e-9))
    if step.table and step.filter and _reads_all(step):
        yield _Suspect(step.table, step.alias or "", step.filter, times, kept=step.rows)
    is_loop = step.what.startswith("Nested Loop")
    for inner in step.steps:
        inner_times = times
        if inner.role == "SubPlan":
            # the cost of a correlated sub-query is in the cost above once for each row
            others = sum(one.cost for one in step.steps if one.role != "SubPlan")
            inner_times *= max(1.0, (step.cost - others) / max(inner.cost, 1e-9))
        elif is_loop and inner.role == "Inner" and inner.what != "Materialize":
            inner_times *= max(1, step.steps[0].rows)
        yield from _suspects(inner, inner_times)
    if is_loop and step.filter and _is_repeated_whole(step.steps[1]):
        yield from _pairs(step, times)


def _reads_all(step: Step) -> bool:
    return "Seq Scan" in step.what or (step.index is not None and step.condition is None and not step.steps)


def _is_repeated_whole(inner: Step) -> bool:
    """Whether the inner side of a nested loop gives all its rows each time, and not those that an index finds."""
    return inner.what == "Materialize" or not any(step.index and step.condition for step in steps_below(inner))


def _pairs(join: Step, times: float) -> Iterator[_Suspect]:
    """A join that compares every row of one side with every row of the other, once for each table that has a part."""
    outer, inner = join.steps[:2]
    for side, other in ((outer, inner), (inner, outer)):
        for step in steps_below(side):
            if step.table and join.filter:
                pairs = float(outer.rows) * inner.rows
                yield _Suspect(step.table, step.alias or "", join.filter, times, pairs=pairs, others=other.rows)


def _sizes(connection: Connection[TupleRow], tables: set[str]) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Rows and columns of tables; a table that was never analysed counts as empty."""
    rows = connection.execute(
        "SELECT n.nspname || '.' || c.relname, greatest(c.reltuples, 0)::bigint, array_agg(a.attname::text ORDER BY"
        " a.attnum) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid ="
        " c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE n.nspname || '.' || c.relname = ANY (%s)"
        " AND c.relkind IN ('r', 'p', 'm', 'f') GROUP BY 1, 2",
        [sorted(tables)],
    )
    return {"".join(name): (size, tuple(columns)) for name, size, columns in rows}
