"""Asynchronous queries in their client's view: from the request that creates a job to its completion."""

from __future__ import annotations

import statistics
import time

import exposures as large
import measuring
import pytest
import wire

pytestmark = pytest.mark.timeout(600)

SMALL = {"LANG": "ADQL", "QUERY": "SELECT TOP 1 * FROM ivoa.obscore", "PHASE": "RUN"}
HEAVY_QUERY = f"SELECT {large.TWELVE_COLUMNS} FROM ivoa.obscore"
COMPLETED_MS, DOCUMENT_MS = 150.0, 50.0
HEAVY = 8
JOBS, LOOKS = 40, 200


def run_job(connection: wire.Connection) -> str:
    """Create a job, wait for its end and give its path."""
    created = connection.ask(wire.post("/tap/async", SMALL))
    assert created.status == 303, created
    while True:
        # A document that waits for a change comes at once when there has been one.
        shown = connection.ask(wire.get(f"{created.location}?WAIT=10"))
        assert b"ERROR" not in shown.body, shown.body
        if b"COMPLETED" in shown.body:
            return created.location


def test_a_job_is_completed(service, lines, benchmark):
    times = []
    with wire.Connection(service.port) as connection:
        run_job(connection)
        for _ in range(JOBS):
            begin = time.perf_counter()
            run_job(connection)
            times.append((time.perf_counter() - begin) * 1000)
        detail = f"p95 {measuring.amount(measuring.percentile(times, 0.95), 'ms')}"
        median = statistics.median(times)
        lines.add("job created to COMPLETED: p50", median, "ms", most=COMPLETED_MS, detail=detail, peer="1.44 s")
        benchmark.pedantic(run_job, (connection,), rounds=1)
    assert not lines.missed


def test_a_job_is_shown_under_load(service, lines, benchmark):
    with wire.Connection(service.port) as connection:
        job = run_job(connection)
        idle = looks(connection, job)
        heavy = wire.query(HEAVY_QUERY, keep=False, MAXREC=500_000)
        with wire.beside("readers", service.port, heavy, HEAVY):
            busy = looks(connection, job)
        benchmark.pedantic(connection.ask, (wire.get(job),), rounds=10)
    late = measuring.percentile(busy, 0.95)
    detail = f"p50 {measuring.amount(statistics.median(busy), 'ms')}; idle p95 "
    detail += measuring.amount(measuring.percentile(idle, 0.95), "ms")
    title = f"job document beside {HEAVY} queries that stream: p95"
    lines.add(title, late, "ms", most=DOCUMENT_MS, detail=detail)
    assert not lines.missed


def looks(connection: wire.Connection, job: str) -> list[float]:
    """Milliseconds that the job's document takes, one look every 20 ms."""
    times = []
    for _ in range(LOOKS):
        begin = time.perf_counter()
        assert connection.ask(wire.get(job)).status == 200
        times.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.02)
    return times
