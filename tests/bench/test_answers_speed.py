"""Large answers over HTTP beside PostgreSQL's own COPY of the same rows, and what they leave to everybody else."""

from __future__ import annotations

import shutil
import subprocess
import time

import exposures as large
import measuring
import pytest
import wire

from vo.adql import compile_query
from vo.metadata.fields import Catalogue

pytestmark = pytest.mark.timeout(1800)

ROWS = min(large.NARROW, 500_000)
QUERY = f"SELECT {large.TWELVE_COLUMNS} FROM ivoa.obscore"
SMALL = "SELECT TOP 1 obs_id FROM ivoa.obscore"
#: Three rows for each exposure.
CROSSED = f"{QUERY}, (SELECT TOP 3 t_min AS other FROM dasch.plates) AS three"
ROUNDS = 5

#: How many times the wall time of COPY an answer may take; without a limit it is told only.
LIMITS: dict[str, tuple[str, float | None, str]] = {
    "votable/b2": ("BINARY2", 2.0, "22,600 rows/s, first byte after 3.7 s"),
    "csv": ("CSV", 2.0, "22,400 rows/s"),
    "parquet": ("Parquet", 2.5, ""),
    "votable/td": ("TABLEDATA", 3.0, "19,300 rows/s"),
    "votable/b": ("BINARY", None, "21,000 rows/s"),
    "fits": ("FITS", None, ""),
    "json": ("JSON", None, ""),
    "arrow": ("Arrow", None, ""),
}
FIRST_BYTE_MS = 150.0
MEMORY_MIB = 150.0
FAIR = 3.0
SLOW_BYTES = 2_000_000


def _request(query: str, name: str, rows: int = ROWS) -> bytes:
    return wire.query(query, keep=False, MAXREC=rows, RESPONSEFORMAT=name)


@pytest.mark.parametrize("name", LIMITS)
def test_an_answer_keeps_pace_with_copy(service, catalogue: Catalogue, lines, benchmark, name: str):
    title, most, peer = LIMITS[name]
    sql = compile_query(QUERY, catalogue, max_rows=ROWS + 1).sql
    request = _request(QUERY, name)
    seen: list[wire.Streamed] = []

    def answered() -> float:
        seen.append(wire.stream(service.port, request))
        return seen[-1].whole

    plain, ours = measuring.in_turn(lambda: _copied(service.database.service_dsn, sql), answered, ROUNDS)
    seconds = f"{ours:.2f} s, COPY {plain:.2f} s, {ROWS / ours:,.0f} rows/s, {seen[-1].size / 1e6:.0f} MB"
    lines.add(f"{ROWS:,} rows x 12: {title} / COPY", ours / plain, "x", most=most, detail=seconds, peer=peer)
    if name != "fits":  # whose head has the number of rows
        first = measuring.percentile([one.first for one in seen], 0.5) * 1000
        lines.add(f"{title}: first byte", first, "ms", most=FIRST_BYTE_MS)
    benchmark.pedantic(answered, rounds=1)
    assert not lines.missed


def _copied(dsn: str, sql: str) -> float:
    """Seconds that psql takes to copy the rows of a query to nowhere."""
    psql = shutil.which("psql")
    assert psql is not None, "psql is not installed"
    begin = time.perf_counter()
    command = [psql, "-X", "-q", dsn, "-c", f"COPY ({sql}) TO STDOUT (FORMAT BINARY)"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


@pytest.mark.parametrize("name", ["votable/b2", "votable/td", "csv", "parquet", "fits"])
def test_memory_does_not_grow_with_the_answer(serve, lines, benchmark, name: str):
    title, crossed = LIMITS[name][0], 3 * ROWS
    with serve() as fresh:
        growth = fresh.growth(lambda: wire.stream(fresh.port, _request(QUERY, name)))
        more = fresh.growth(lambda: wire.stream(fresh.port, _request(CROSSED, name, crossed)))
        benchmark.pedantic(wire.stream, (fresh.port, _request(QUERY, name, 1000)), rounds=1)
    peer = "844 MiB" if name == "votable/b2" else ""
    lines.add(f"{title}: growth of memory, {ROWS:,} rows", growth, "MiB", most=MEMORY_MIB, peer=peer)
    lines.add(f"{title}: the same, {crossed:,} rows", max(growth, growth + more), "MiB", most=MEMORY_MIB)
    assert not lines.missed


def test_small_queries_go_on_beside_a_slow_reader(service, lines, benchmark):
    idle = _small(service.port)
    with wire.beside("slow", service.port, _request(QUERY, "votable/b2"), SLOW_BYTES):
        busy = _small(service.port)
    lines.add(
        f"beside a reader of {SLOW_BYTES / 1e6:.0f} MB/s: small queries, p95 / idle",
        measuring.percentile(busy, 0.95) / measuring.percentile(idle, 0.95),
        "x",
        most=FAIR,
        detail=f"p95 {_p95(busy)}, idle {_p95(idle)}; p50 {_p50(busy)}, idle {_p50(idle)}",
    )
    with wire.beside("readers", service.port, _request(QUERY, "votable/b2"), 1):
        fast = _small(service.port)
    lines.add(
        "beside a fast reader: the same",
        measuring.percentile(fast, 0.95) / measuring.percentile(idle, 0.95),
        "x",
        detail=f"p95 {_p95(fast)}; p50 {_p50(fast)}",
    )
    benchmark.pedantic(_small, (service.port, 10), rounds=1)
    assert not lines.missed


def _small(port: int, count: int = 500) -> list[float]:
    """Milliseconds that small queries take, one after another on one connection."""
    times = []
    with wire.Connection(port) as connection:
        for _ in range(count):
            begin = time.perf_counter()
            assert connection.ask(wire.query(SMALL)).status == 200
            times.append((time.perf_counter() - begin) * 1000)
    return times


def _p50(times: list[float]) -> str:
    return measuring.amount(measuring.percentile(times, 0.5), "ms")


def _p95(times: list[float]) -> str:
    return measuring.amount(measuring.percentile(times, 0.95), "ms")
