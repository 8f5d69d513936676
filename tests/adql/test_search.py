"""Random queries, queries gone wrong, random conditions: a few of each here, for minutes by ``make fuzz``.

What a search finds is kept in ``found/`` and tried again by every run.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import psycopg
import pytest
from adql import fuzzing
from adql.plain_queries import plain_queries
from adql.queries import calls, conditions, queries
from hypothesis import HealthCheck, given, settings

from vo.adql import Compiled

BASES = fuzzing.accepted()

#: What is searched: random examples of each kind.
KINDS = {
    "queries": queries(),
    "calls": calls(),
    "mutations": fuzzing.mutations(BASES),
    "conditions": conditions(),
    "plain": plain_queries(),
}
#: Examples of each in the test suite, and how many of them are answered at least.
FEW = {
    "queries": (250, 80),
    "calls": (300, 100),
    "mutations": (300, 20),
    "conditions": (100, 50),
    "plain": (150, 80),
}


@pytest.fixture(scope="module", autouse=True)
def judges(connection: psycopg.Connection) -> Iterator[dict[str, Callable[[str], str]]]:
    """What the examples of each kind are judged by."""
    with contextlib.closing(fuzzing.small_tables(connection)) as sqlite:
        judge = partial(fuzzing.judge, connection)
        yield dict.fromkeys(KINDS, judge) | {
            "conditions": partial(fuzzing.judge_passes, connection),
            "plain": partial(fuzzing.judge_plain, connection, sqlite),
        }


@pytest.mark.parametrize("kind", KINDS)
def test_random_examples(judges, kind: str):
    outcomes: Counter[str] = Counter()
    examples, least = FEW[kind]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(KINDS[kind])
    def check(text: str) -> None:
        outcomes[judges[kind](text)] += 1

    check()
    assert outcomes["answered"] >= least, outcomes


@pytest.mark.parametrize("path", sorted(fuzzing.FOUND.glob("*.adql")), ids=lambda path: path.stem)
def test_what_was_found_once(judges, path):
    judges[path.stem.partition("-")[0]](path.read_bytes().decode("utf-8", "surrogatepass"))


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_search(judges, kind: str):
    if not fuzzing.searching():
        pytest.skip("`make fuzz` searches")
    failures = fuzzing.search(kind, KINDS[kind], judges[kind], fuzzing.searching() / len(KINDS))
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
