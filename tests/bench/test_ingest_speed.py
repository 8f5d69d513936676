"""How long an exposure list of a whole archive takes to load, beside the least that its published tables can take.

The limit is measured in the same run: the same rows of both tables by COPY in PostgreSQL's text form, then the same
indexes, two at a time; no source is read, no archive written. VO_BENCH_EXPOSURES asks for another number of exposures.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sources

from vo.db.connect import Database
from vo.ingest.load import ingest
from vo.settings import Settings

pytestmark = pytest.mark.timeout(7200)

EXPOSURES = int(os.environ.get("VO_BENCH_EXPOSURES", sources.EXPOSURES))
#: Seconds for 500,000 exposures on two cores that nobody else uses.
SECONDS = 120.0
TIMES_THE_LIMIT = 2.0
TABLES = ("dasch.plates", "ivoa.obscore")


def test_an_exposure_list(fresh_database: Callable[[], Database], settings: Settings, lines, benchmark, tmp_path: Path):
    path = tmp_path / "exposures.ecsv"
    sources.write(path, EXPOSURES)
    database = fresh_database()
    stages: dict[str, float] = {}
    began = time.perf_counter()

    def tell(stage: str, _done: int, _total: int) -> None:
        stages.setdefault(stage, time.perf_counter() - began)

    summary = benchmark.pedantic(
        ingest, (database, settings, "dasch", path), {"progress": tell}, rounds=1, warmup_rounds=0
    )
    taken = time.perf_counter() - began
    assert summary.exposures == EXPOSURES
    again = time.perf_counter()
    if EXPOSURES <= sources.EXPOSURES:
        assert ingest(database, settings, "dasch", path).changed == 0
    again = time.perf_counter() - again
    least = limit(database, tmp_path)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    load = os.getloadavg()[0]
    benchmark.extra_info |= {"limit_seconds": least, "memory_MiB": memory, "load": load, **stages}
    sys.stderr.write(
        f"\n{EXPOSURES} exposures: {taken:.1f} s (indexes from {stages['indexing']:.1f} s on), the same again "
        f"{again:.1f} s, limit {least:.1f} s, {taken / least:.2f} times, {memory:.0f} MiB, load {load:.1f}"
    )
    most = SECONDS * EXPOSURES / sources.EXPOSURES
    lines.add(f"ingest of {EXPOSURES:,} exposures", taken, "s", most=most, peer="186 s")
    lines.add("the same / COPY and CREATE INDEX of its tables", taken / least, "x", most=TIMES_THE_LIMIT)
    assert not lines.missed


def limit(database: Database, folder: Path) -> float:
    """Seconds that COPY and CREATE INDEX of the rows at hand take."""
    for table in TABLES:
        _run(database, [f"CREATE TABLE {_copy_of(table)} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)"])
        with (
            database.owner() as connection,
            (folder / table).open("wb") as file,
            connection.cursor().copy(f"COPY (SELECT {_columns(database, table)} FROM {table}) TO STDOUT") as copy,
        ):
            for block in copy:
                file.write(block)
    indexes = [_index_statements(database, table) for table in TABLES]
    long = [[one] for own in indexes for one in own if "s_region" in one]
    short = [[one for one in own if "s_region" not in one] for own in indexes]
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda table: _fill(database, table, folder / table), TABLES))
        list(pool.map(lambda statements: _run(database, statements), [*long, *short]))
    return time.perf_counter() - began


def _copy_of(table: str) -> str:
    return f"vo.limit_{table.replace('.', '_')}"


def _columns(database: Database, table: str) -> str:
    with database.owner() as connection:
        found = connection.execute(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            (table,),
        ).fetchone()
    assert found is not None
    return str(found[0])


def _index_statements(database: Database, table: str) -> list[str]:
    with database.owner() as connection:
        found = connection.execute(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass ORDER BY indexrelid",
            (table,),
        ).fetchall()
    return [f"CREATE INDEX ON {_copy_of(table)} USING {text.partition(' USING ')[2]}" for (text,) in found]


def _fill(database: Database, table: str, path: Path) -> None:
    names = _columns(database, table)
    with (
        database.owner() as connection,
        path.open("rb") as file,
        connection.cursor().copy(f"COPY {_copy_of(table)} ({names}) FROM STDIN") as copy,
    ):
        while block := file.read(1 << 20):
            copy.write(block)


def _run(database: Database, statements: Sequence[str]) -> None:
    with database.owner() as connection:
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        for statement in statements:
            connection.execute(statement)
