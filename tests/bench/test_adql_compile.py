"""How long ADQL takes on its way to SQL: all accepted fixtures, a fresh process, and the worst that the limits allow.

Times are of the process's own CPU, so that a busy machine matters little.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from adql import fixtures
from adql.tables import CATALOGUE

from vo.adql import Limits, compile_query
from vo.adql.syntax import lalr
from vo.errors import UsageFault
from vo.metadata.fields import Catalogue

#: Milliseconds.
MEDIAN, LATE = 1.0, 5.0
IMPORT, FIRST_QUERY = 150.0, 50.0
WORST = 2000.0

ACCEPTED = [
    case.query for path in fixtures.files() for case in fixtures.read(path) if not case.expected.startswith("!")
]


def say(text: str) -> None:
    sys.stderr.write(f"\n{text}")


def milliseconds(work: Callable[[], object], rounds: int = 7) -> float:
    """The median of some rounds."""
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return statistics.median(times) * 1000


def test_fixtures(benchmark):
    """Parse, resolve, rewrite and render every accepted fixture."""
    times = sorted(milliseconds(lambda query=query: compile_query(query, CATALOGUE)) for query in ACCEPTED)
    late = times[int(0.95 * len(times))]
    benchmark.extra_info |= {"queries": len(times), "median_ms": statistics.median(times), "late_ms": late}
    say(f"{len(times)} queries: median {statistics.median(times):.3f} ms, 95 of 100 within {late:.3f} ms")
    benchmark(lambda: [compile_query(query, CATALOGUE) for query in ACCEPTED])
    assert statistics.median(times) < MEDIAN
    assert late < LATE


def test_all_columns_of_obscore(benchmark, catalogue: Catalogue):
    query = (
        "SELECT * FROM ivoa.obscore WHERE t_min < 20000 AND t_max > 19000 AND (DISTANCE(s_ra, s_dec, 10, 20) < 0.1"
        " OR 1 = INTERSECTS(CIRCLE(10, 20, 0.1), s_region))"
    )
    benchmark(compile_query, query, catalogue)
    benchmark.extra_info["columns"] = len(compile_query(query, catalogue).fields)


_FRESH = """
import time
begin = time.process_time()
import vo.adql
imported = time.process_time()
from vo.adql.syntax.parse import parse
parse("SELECT a FROM t WHERE b = 1", vo.adql.Limits())
print((imported - begin) * 1000, (time.process_time() - imported) * 1000)
"""


def test_a_fresh_process(benchmark, tmp_path: Path):
    """The import, and the first query, with bytecode written as an installation has it."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}

    def fresh() -> tuple[float, float]:
        done = subprocess.run(
            [sys.executable, "-c", _FRESH], env=environment, capture_output=True, text=True, check=True
        )
        imported, first = map(float, done.stdout.split())
        return imported, first

    fresh()
    runs = [fresh() for _ in range(9)]
    imported, first = (statistics.median(times) for times in zip(*runs, strict=True))
    computed = milliseconds(lambda: lalr.compute(Path(lalr.GRAMMAR).read_text(encoding="utf-8")), rounds=3)
    benchmark.extra_info |= {"import_ms": imported, "first_query_ms": first, "tables_ms": computed}
    say(f"import {imported:.0f} ms, first query {first:.1f} ms (the tables alone would take {computed:.0f} ms)")
    benchmark.pedantic(fresh, rounds=5)
    assert imported < IMPORT
    assert first < FIRST_QUERY
    assert first < computed / 3


def _columns(count: int, text: str) -> str:
    return ", ".join(text.format(i=i) for i in range(count))


WORST_CASES = {
    "50,000 numbers in a list": "SELECT id FROM sky.plates WHERE id IN (" + ",".join(["123"] * 49_990) + ")",
    "24,000 texts in a list": "SELECT id FROM sky.plates WHERE name IN (" + ",".join(["'a''b'"] * 24_000) + ")",
    "12,000 terms of OR": "SELECT id FROM sky.plates WHERE " + " OR ".join(f"id={i}" for i in range(12_000)),
    "6,000 times": "SELECT id FROM sky.plates WHERE " + " OR ".join(["(t_min<5 AND t_max>3)"] * 6_000),
    "4,000 negated circles": "SELECT id FROM sky.plates WHERE NOT ("
    + " OR ".join(["1=CONTAINS(place,CIRCLE(1,2,3))"] * 4_000)
    + ")",
    "200 polygons of 99 points": "SELECT id FROM sky.plates WHERE "
    + " OR ".join(["1=CONTAINS(place,POLYGON(" + ",".join(f"{i},{i * i % 7 / 10}" for i in range(99)) + "))"] * 200),
    "150 joins": "SELECT * FROM lab.stars AS s0 "
    + " ".join(f"JOIN lab.stars AS s{i} ON s0.id = s{i}.id" for i in range(1, 150)),
    "80 joins of 18 columns": "SELECT * FROM sky.plates AS s0 "
    + " ".join(f"JOIN sky.plates AS s{i} ON s0.id = s{i}.id" for i in range(1, 80)),
    "150 natural joins": "SELECT * FROM lab.stars AS s0 "
    + " ".join(f"NATURAL JOIN lab.stars AS s{i}" for i in range(1, 150)),
    "60 full joins": "SELECT * FROM sky.stars AS s0 "
    + " ".join(f"FULL JOIN sky.stars AS s{i} USING (id)" for i in range(1, 60)),
    "8,000 tables": "SELECT s0.id FROM " + _columns(8_000, "lab.stars s{i}"),
    "1,400 columns of one name": "SELECT " + ", ".join(["id AS x"] * 1_400) + " FROM sky.plates",
    "700 keys to sort by": f"SELECT {_columns(700, 'id+{i} AS a{i}')} FROM sky.plates ORDER BY "
    + _columns(700, "id+{i}+0"),
    "700 keys to group by": f"SELECT {_columns(700, 'MAX(id)+{i}')} FROM sky.plates GROUP BY "
    + _columns(700, "id+{i}"),
    "1,000 unions": " UNION ALL ".join(["SELECT id FROM sky.plates"] * 1_000),
    "100 queries in WITH": "WITH c0 AS (SELECT id FROM sky.plates)"
    + "".join(f", c{i} AS (SELECT id FROM c{i - 1})" for i in range(1, 100))
    + " SELECT * FROM c99",
    "calls in calls": "SELECT " + "MOD(" * 95 + "1" + ", 2)" * 95 + " FROM sky.plates",
    "choices in choices": "SELECT " + "CASE " * 90 + "id" + " WHEN 1 THEN 1 END" * 90 + " FROM sky.plates",
    "queries in queries": "SELECT * FROM " + "(SELECT * FROM " * 30 + "sky.plates" + ") AS q" * 30,
    "boxes in boxes": "SELECT " + "COORD1(POINT(" * 30 + "ra" + ", dec))" * 30 + " FROM sky.plates",
    "a text without end": "SELECT id FROM sky.plates WHERE name = '" + "''" * 80_000,
    "a long text": "SELECT id FROM sky.plates WHERE name = '" + "a''" * 60_000 + "'",
    "a long name": "SELECT " + "a" * 199_000 + " FROM sky.plates",
    "a long number": "SELECT 1." + "1" * 190_000 + " FROM sky.plates",
    "a name of many parts": "SELECT " + ".".join(["a"] * 20_000) + " FROM sky.plates",
    "an unknown name, often": "SELECT id FROM sky.plates WHERE " + " OR ".join(f"xid={i}" for i in range(12_000)),
}


@pytest.mark.parametrize("name", WORST_CASES)
def test_worst_cases(benchmark, name):
    """Whatever the limits allow is answered or refused in bounded time and memory."""
    query = WORST_CASES[name]
    assert len(query) <= Limits().length

    def answer() -> None:
        try:
            compile_query(query, CATALOGUE)
        except UsageFault:
            return

    tracemalloc.start()
    answer()
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    took = milliseconds(answer, rounds=2)
    benchmark.extra_info |= {"ms": took, "memory_mb": memory}
    say(f"{name}: {took:.0f} ms, {memory:.0f} MB")
    benchmark.pedantic(answer, rounds=1)
    assert took < WORST
    assert memory < 200
