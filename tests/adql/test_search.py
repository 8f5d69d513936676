"""Random queries, queries gone wrong, random conditions: a few of each here, for minutes by ``make fuzz``.

What a search finds is kept in ``found/`` and tried again by every run.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import psycopg
import pytest
from adql import fuzzing
from adql.queries import conditions, queries
from hypothesis import HealthCheck, given, settings

from vo.adql import Compiled

BASES = fuzzing.accepted()

#: What is searched: random examples, and what they are judged by.
KINDS = {
    "queries": (queries(), fuzzing.judge),
    "mutations": (fuzzing.mutations(BASES), fuzzing.judge),
    "conditions": (conditions(), fuzzing.judge_passes),
}
#: Examples of each in the test suite.
FEW = {"queries": 250, "mutations": 300, "conditions": 100}


@pytest.fixture(scope="module", autouse=True)
def rows(connection: psycopg.Connection) -> None:
    fuzzing.small_tables(connection)


@pytest.mark.parametrize("kind", KINDS)
def test_random_examples(connection: psycopg.Connection, kind: str):
    strategy, test = KINDS[kind]
    outcomes: Counter[str] = Counter()

    @settings(max_examples=FEW[kind], deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def check(text: str) -> None:
        outcomes[test(connection, text)] += 1

    check()
    assert outcomes["answered"] > (20 if kind == "mutations" else FEW[kind] / 3), outcomes


@pytest.mark.parametrize("path", sorted(fuzzing.FOUND.glob("*.adql")), ids=lambda path: path.stem)
def test_what_was_found_once(connection: psycopg.Connection, path):
    kind = path.stem.partition("-")[0]
    _, test = KINDS[kind]
    test(connection, path.read_bytes().decode("utf-8", "surrogatepass"))


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_search(connection: psycopg.Connection, kind: str):
    if not fuzzing.searching():
        pytest.skip("`make fuzz` searches")
    strategy, test = KINDS[kind]
    failures = fuzzing.search(kind, strategy, lambda text: test(connection, text), fuzzing.searching())
    assert not failures, "\n".join(failures)


def test_the_judges_are_strict(connection: psycopg.Connection, monkeypatch):
    """A judge that accepts anything would prove nothing."""
    good = "p.t_min < 5 AND p.id > 3"
    assert fuzzing.judge_passes(connection, good) == "answered"
    monkeypatch.setattr(fuzzing, "PASSES", (*fuzzing.PASSES, lambda select: replace(select, where=None)))
    with pytest.raises(AssertionError):
        fuzzing.judge_passes(connection, good)

    for sql in (
        "SELECT no_such_column",
        "SELECT FROM FROM",
        "SELECT no_such_function(1)",
        "SELECT 1 FROM no_such_table",
    ):
        monkeypatch.setattr(fuzzing, "compile_query", lambda *_, sql=sql, **__: Compiled(sql, (), None))
        with pytest.raises(AssertionError):
            fuzzing.judge(connection, "any")
    monkeypatch.setattr(fuzzing, "compile_query", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fuzzing.judge(connection, "any")
