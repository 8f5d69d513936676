"""Small queries over HTTP: one row, a point within footprints, many clients."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import exposures as large
import measuring
import numpy as np
import psycopg
import pytest
import wire

from vo.adql import compile_query
from vo.metadata.fields import Catalogue

pytestmark = pytest.mark.timeout(600)

TOP_1 = "SELECT TOP 1 * FROM ivoa.obscore"
TOP_1_COLUMN = "SELECT TOP 1 obs_id FROM ivoa.obscore"
POINT = "1 = CONTAINS(POINT({ra:.6f}, {dec:.6f}), s_region)"
COUNT = f"SELECT COUNT(*) FROM ivoa.obscore WHERE {POINT}"
AROUND = f"SELECT {large.TWELVE_COLUMNS} FROM ivoa.obscore WHERE {POINT}"
WITHIN_A_YEAR = f"{AROUND} AND t_min < {{till:.3f}} AND t_max > {{since:.3f}}"
TOP_100 = f"SELECT TOP 100 * FROM ivoa.obscore WHERE {POINT}"

TOP_1_MS, YEAR_MS = 6.0, 10.0
REQUESTS_A_SECOND = 400.0
COUNT_TIMES = 1.3
CLIENTS, CLIENT_SECONDS = 16, 5.0
POINTS = 200


def places(count: int, seed: int = 5) -> Iterator[dict[str, float]]:
    """Points anywhere on the sky, each with a year of the archive's."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        since = rng.uniform(large.FIRST_DAY, large.LAST_DAY - 365)
        yield {
            "ra": rng.uniform(0, 360),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, 1))),
            "since": since,
            "till": since + 365,
        }


def milliseconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def _p95(times: list[float]) -> str:
    return f"p95 {measuring.amount(measuring.percentile(times, 0.95), 'ms')}"


@pytest.mark.parametrize(
    ("query", "title"), [(TOP_1, "TOP 1, all columns"), (TOP_1_COLUMN, "TOP 1, one column")], ids=["all", "one"]
)
def test_one_row(service, lines, benchmark, query: str, title: str):
    request = wire.query(query)
    with wire.Connection(service.port) as connection:
        kept = [milliseconds(lambda: connection.ask(request)) for _ in range(300)]
    new = [milliseconds(lambda: service.ask(request)) for _ in range(300)]
    lines.add(f"{title}: p50", statistics.median(kept), "ms", most=TOP_1_MS, detail=_p95(kept), peer="64 ms")
    lines.add(
        f"{title}, new connections: p50", statistics.median(new), "ms", most=TOP_1_MS, detail=_p95(new), peer="20 ms"
    )
    benchmark.pedantic(service.ask, (request,), rounds=10)
    assert not lines.missed


@pytest.mark.parametrize(
    ("query", "title", "least", "peer"),
    [
        (TOP_1, "TOP 1", REQUESTS_A_SECOND, "26.5 /s, p95 932 ms"),
        (TOP_100, "point, TOP 100", None, "21.3 /s, p95 969 ms"),
        (COUNT, "point, COUNT", None, "11.1 /s, p95 1,879 ms"),
    ],
    ids=["one row", "a hundred rows", "a count"],
)
def test_many_clients(service, lines, benchmark, query: str, title: str, least: float | None, peer: str):
    request = wire.query(query.format(**next(places(1))))
    wire.many(service.port, request, CLIENTS, 1.0)
    seen = wire.many(service.port, request, CLIENTS, CLIENT_SECONDS)
    detail = f"p50 {seen['p50']:.0f} ms, p95 {seen['p95']:.0f} ms; the clients take {seen['client']:.2f} ms each"
    lines.add(f"{CLIENTS} clients, {title}", seen["rate"], "/s", least=least, detail=detail, peer=peer)
    benchmark.pedantic(service.ask, (request,), rounds=1)
    assert not lines.missed


def test_a_point_within_a_year(service, lines, benchmark):
    requests = [wire.query(WITHIN_A_YEAR.format(**place), MAXREC=100_000) for place in places(POINTS)]
    with wire.Connection(service.port) as connection:
        connection.ask(requests[0])
        times = [milliseconds(lambda request=request: connection.ask(request)) for request in requests]
    median = statistics.median(times)
    lines.add("point in footprint within a year: p50", median, "ms", most=YEAR_MS, detail=_p95(times))
    benchmark.pedantic(service.ask, (requests[0],), rounds=10)
    assert not lines.missed


def test_a_point_counted_over_all_times(service, catalogue: Catalogue, lines, benchmark):
    queries = [COUNT.format(**place) for place in places(POINTS)]
    pairs = [(wire.query(query), compile_query(query, catalogue, max_rows=20_001).sql.encode()) for query in queries]
    plain, ours = [], []
    dsn = service.database.service_dsn
    with wire.Connection(service.port) as connection, psycopg.connect(dsn, autocommit=True) as database:
        for request, sql in pairs:  # once before, so that both find the pages in memory
            connection.ask(request)
            database.execute(sql)
        for request, sql in pairs:
            plain.append(milliseconds(lambda sql=sql: database.execute(sql).fetchall()))
            ours.append(milliseconds(lambda request=request: connection.ask(request)))
    one, other = statistics.median(ours), statistics.median(plain)
    detail = f"{measuring.amount(one, 'ms')}, SQL {measuring.amount(other, 'ms')}"
    lines.add(
        "point COUNT over all times: p50 / SQL's", one / other, "x", most=COUNT_TIMES, detail=detail, peer="174 ms"
    )
    benchmark.pedantic(service.ask, (pairs[0][0],), rounds=10)
    assert not lines.missed


def test_all_rows_of_a_point(service, lines, benchmark):
    requests = [wire.query(AROUND.format(**place), keep=False, MAXREC=100_000) for place in places(20)]
    times = [wire.stream(service.port, request).whole * 1000 for request in requests]
    lines.add("point, all rows, 12 columns: p50", statistics.median(times), "ms", detail=_p95(times), peer="596 ms")
    benchmark.pedantic(wire.stream, (service.port, requests[0]), rounds=1)
