"""What random queries are judged by: a fault of ours, or SQL that the database answers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
from adql import fixtures, truth
from adql.tables import CATALOGUE
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vo.adql import Compiled, compile_query
from vo.adql.rewrite import PASSES, Pass
from vo.db import faults
from vo.errors import ADQLFault, LimitFault, TimeLimitFault, UsageFault

FOUND = Path(__file__).parent / "found"
#: Most seconds of CPU for one query; a tenth of that is normal for the longest.
BOUND = 5.0
#: Seconds that the database may take; what takes longer is left alone.
PATIENCE = 2
#: Seconds to look for a simpler example that fails.
SHRINKING = 20

#: SQLSTATEs that no query may lead to: wrong names, types and numbers of columns.
_OURS = ("42", "54011", "54023")

MOST_ROWS = 1000

Rows = list[tuple[object, ...]]


def small_tables(connection: psycopg.Connection) -> sqlite3.Connection:
    """A few rows with nulls, shapes and MOCs, so that joins of joins end; the plain ones in sqlite, too."""
    truth.fill_postgres(connection)
    sqlite = truth.fill_sqlite()
    for statement in (
        "DELETE FROM sky.plates WHERE id > 24",
        "DELETE FROM sky.stars WHERE id > 16",
        "DELETE FROM lab.series WHERE name = 'a' OR n > 4",
        "DELETE FROM lab.stars WHERE id > 100",
    ):
        connection.execute(statement)
        sqlite.execute(statement)
    connection.execute(
        """
        UPDATE sky.plates SET shape = '{(0d,0d),(10d,0d),(10d,10d)}', shape_text = 'POLYGON ICRS 0 0 10 0 10 10',
            hull = '{(9d,9d),(12d,9d),(10d,20d)}' WHERE id % 3 = 1;
        INSERT INTO rr.stc_spatial VALUES ('ivo://a/b', '3/1-4', 'ICRS'), (NULL, '0/0-11', NULL), ('ivo://c', NULL, '');
        INSERT INTO rr.moc VALUES (1, '1/0 2/5', 1), (2, NULL, NULL)
        """
    )
    connection.execute(f"SET statement_timeout = '{PATIENCE}s'".encode())
    return sqlite


def compiled(query: str, passes: tuple[Pass, ...] = PASSES) -> Compiled | UsageFault:
    """The translation or its fault, which must be one of ours and say where."""
    try:
        return compile_query(query, CATALOGUE, max_rows=MOST_ROWS, passes=passes)
    except UsageFault as caught:
        fault = caught
    assert fault.text
    if isinstance(fault, ADQLFault):
        assert fault.line == 0 or fault.text.startswith(f"line {fault.line}, column {fault.column}: ")
    else:
        assert isinstance(fault, LimitFault)
        assert "limit" in fault.text or "at most" in fault.text or "more than" in fault.text
    return fault


def rows(connection: psycopg.Connection, sql: str) -> Rows | UsageFault | None:
    """The answer, the fault for what is in the data, or None when it takes too long."""
    try:
        return connection.execute(sql.encode()).fetchall()
    except psycopg.Error as error:
        state, said = error.sqlstate or "", str(error)
    fault = faults.translate(state, said, seconds=PATIENCE)
    if isinstance(fault, TimeLimitFault):
        return None
    # SQL with the wrong types is our mistake, whatever the user is told
    assert isinstance(fault, UsageFault), f"{said}\n{sql}"
    assert not state.startswith(_OURS), f"{said}\n{sql}"
    return fault


def judge(connection: psycopg.Connection, query: str) -> str:
    """What became of a query, in a word; an assertion fails when it is nothing good."""
    begin = time.process_time()
    translation = compiled(query)
    took = time.process_time() - begin
    if searching():
        assert took < BOUND, f"{took:.1f} s"
    if isinstance(translation, UsageFault):
        return "refused"
    answer = rows(connection, translation.sql)
    if answer is None:
        return "too long"
    return "data fault" if isinstance(answer, UsageFault) else "answered"


def judge_passes(connection: psycopg.Connection, condition: str) -> str:
    """The rows that fulfil a condition must not depend on the passes of the rewriter."""
    query = f"SELECT p.id FROM sky.plates AS p WHERE {condition}"
    without = tuple(tuple(one for one in PASSES if one is not left_out) for left_out in PASSES)
    answers: list[set[object]] = []
    for passes in (PASSES, (), *without):
        translation = compiled(query, passes)
        if isinstance(translation, UsageFault):
            return "refused"
        answer = rows(connection, translation.sql)
        # whether a fault of the data is met depends on the order of evaluation
        if isinstance(answer, list):
            answers.append({row[0] for row in answer})
    assert all(answer == answers[0] for answer in answers), query
    return "answered" if answers else "data fault"


def judge_plain(connection: psycopg.Connection, sqlite: sqlite3.Connection, query: str) -> str:
    """Plain queries answer as sqlite does."""
    translation = compiled(query)
    if isinstance(translation, UsageFault):
        return "refused"
    answer = rows(connection, translation.sql)
    if not isinstance(answer, list):
        # sqlite divides by zero, and knows no largest integer
        return "data fault"
    wanted = sqlite.execute(f"{query} LIMIT {MOST_ROWS}").fetchall()
    assert len(answer) == len(wanted), query
    if len(wanted) < MOST_ROWS:
        pairs = zip(sorted(answer, key=truth.key), sorted(wanted, key=truth.key), strict=True)
        assert all(truth.key(mine) == truth.key(theirs) for mine, theirs in pairs), query
    return "answered"


# Mutations


def accepted() -> list[str]:
    """The queries of the fixtures that are accepted."""
    return [c.query for path in fixtures.files() for c in fixtures.read(path) if not c.expected.startswith("!")]


_TOKENS = re.compile(r"\w+|\s+|'[^']*'|\"[^\"]*\"|.", re.DOTALL)
_ODD = [
    *"'\"()[]{};,.*+-/|<>=!%_\\\0\t\n\r\f\v #$&?@^`~:0",
    *("--", "/*", "*/", "''", '""', "||", "0x", "1e", "1e999", "9" * 40),
    *("\u2018", "\u00a0", "\u200b", "\ufeff", "\u0130", "\u017f", "\u212a", "\U0001f52d", "\ud800"),
    *("SELECT", "(SELECT 1 FROM sky.stars)", "NOT ", "- ", "NULL", "CASE WHEN"),
]


@st.composite
def mutations(draw: Callable, bases: list[str]) -> str:
    """A query that was good: cut, doubled, swapped, with odd characters, deep brackets, very long tokens."""
    text = draw(st.sampled_from(bases))
    for _ in range(draw(st.integers(1, 4))):
        tokens = _TOKENS.findall(text) or [""]
        at = draw(st.integers(0, len(tokens) - 1))
        to = draw(st.integers(at, min(len(tokens), at + 12)))
        match draw(st.sampled_from(["cut", "double", "swap", "odd", "byte", "deep", "long", "graft"])):
            case "cut":
                del tokens[at:to]
            case "double":
                tokens[at:at] = tokens[at:to] * draw(st.sampled_from([1, 2, 40]))
            case "swap":
                other = draw(st.integers(0, len(tokens) - 1))
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case "odd":
                tokens.insert(at, draw(st.sampled_from(_ODD)))
            case "byte":
                tokens.insert(at, draw(st.characters()))
            case "deep":
                times = draw(st.sampled_from([1, 30, 99, 101, 3000]))
                opening, closing = draw(
                    st.sampled_from(
                        [("(", ")"), ("- ", ""), ("NOT ", ""), ("ABS(", ")"), ("CASE WHEN 1=1 THEN ", " END")]
                    )
                )
                tokens[at:to] = [opening * times, *tokens[at:to], closing * times]
            case "long":
                tokens[at] *= draw(st.sampled_from([3, 300, 20_000]))
            case _:
                grafts = _TOKENS.findall(draw(st.sampled_from(bases)))
                start = draw(st.integers(0, len(grafts) - 1))
                tokens[at:to] = grafts[start : start + draw(st.integers(1, 12))]
        text = "".join(tokens)[:250_000]
    return text


# Searching


def searching() -> float:
    """The seconds that ``make fuzz`` searches, 0 in the test suite."""
    return 60 * float(os.environ.get("FUZZ_MINUTES", "0"))


class _Attempt:
    """Tries examples until one fails, then simpler ones for a while."""

    def __init__(self, test: Callable[[str], str], outcomes: Counter[str]) -> None:
        self._test = test
        self._outcomes = outcomes
        self._until = 0.0
        self.failing: str | None = None
        self.why = ""

    def __call__(self, text: str) -> None:
        if self.failing not in (None, text) and time.monotonic() > self._until:
            return
        try:
            self._outcomes[self._test(text)] += 1
        except Exception as fault:
            if self.failing is None:
                self._until = time.monotonic() + SHRINKING
            self.failing = text
            self.why = f"{type(fault).__name__}: {str(fault)[:2000]}"
            raise


def _look(strategy: st.SearchStrategy[str], attempt: _Attempt) -> None:
    rounds = settings(
        max_examples=200,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    with contextlib.suppress(Exception):  # the attempt knows what failed
        rounds(given(strategy)(attempt.__call__))()


def search(name: str, strategy: st.SearchStrategy[str], test: Callable[[str], str], seconds: float) -> list[str]:
    """Look for examples that fail, for so long; each is made small, kept in a file of :data:`FOUND`, and returned."""
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    end = time.monotonic() + seconds
    shown = time.monotonic()
    while time.monotonic() < end and len(failures) < 20:
        attempt = _Attempt(test, outcomes)
        _look(strategy, attempt)
        if attempt.failing is not None:
            failures.append(f"{keep(name, attempt.failing)}: {attempt.why}")
        if time.monotonic() > shown + 15 or failures:
            shown = time.monotonic()
            told = ", ".join(f"{count} {word}" for word, count in outcomes.most_common())
            sys.stderr.write(f"{name}: {told}; {len(failures)} found, {max(0, end - shown):.0f} s to go\n")
    return failures


def keep(name: str, text: str) -> str:
    """Write an example to a file, so that it is tried for ever; its name."""
    FOUND.mkdir(exist_ok=True)
    data = text.encode("utf-8", "surrogatepass")
    path = FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:10]}.adql"
    path.write_bytes(data)
    return path.name
