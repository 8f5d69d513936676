"""OAI-PMH over HTTP: a part of a list that is as long as one comes, of large records."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import registering
import wire

from vo.db.registry import Record, read_records
from vo.registry.store import store

pytestmark = pytest.mark.timeout(1800)

ROUNDS = 7
PART = 100


@pytest.fixture(scope="module")
def published(service) -> Iterator[list[Record]]:
    """The records of the large archive."""
    registering.publish(service.database.settings, service.database, f"http://127.0.0.1:{service.port}")
    with service.database.read() as connection:
        records = list(read_records(connection))
    yield records
    with service.database.owner() as connection:
        connection.execute("DELETE FROM registry.record WHERE ivoid LIKE %s", ("%/copy-%",))


def asked(service, prefix: str) -> tuple[float, int]:
    """Milliseconds in the median, and the size of the answer."""
    request = wire.get(f"/oai?verb=ListRecords&metadataPrefix={prefix}")
    times = []
    with wire.Connection(service.port) as connection:
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            reply = connection.ask(request)
            times.append((time.perf_counter() - begin) * 1000)
            assert reply.status == 200
            assert b"</ListRecords>" in reply.body
    return statistics.median(times), len(reply.body)


def test_a_full_part_of_large_records(service, published, lines, benchmark):
    """Copies of the largest record, with all tables in it."""
    largest = max(published, key=lambda one: len(one.document or ""))
    copies = [replace(largest, identifier=f"ivo://vo-plates.example/copy-{n}", ivoid="") for n in range(PART)]
    documents = [
        replace(one, document=(one.document or "").replace(largest.identifier, one.identifier)) for one in copies
    ]
    with service.database.owner() as connection:
        store(connection, documents)
    for prefix in ("ivo_vor", "oai_dc"):
        ours, size = asked(service, prefix)
        detail = f"{PART} of {len(largest.document or '') / 1e3:.0f} kB, {size / 1e6:.1f} MB"
        lines.add(f"OAI-PMH: a part of {PART} large records, {prefix}", ours, "ms", detail=detail)
    benchmark.pedantic(asked, (service, "ivo_vor"), rounds=1)
