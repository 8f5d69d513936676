"""How long it takes to make the registry records of a whole archive, and to list them (acceptance: 60 s, 300 ms).

The archive is real: DASCH's exposures around one field, POSS-I's red plates, the UK Schmidt's list, and the demo
beside them.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

import pytest
from registering import publish
from serving import running

from vo.db.connect import Database
from vo.demo import load_demo
from vo.settings import Settings

pytestmark = pytest.mark.timeout(7200)

BASE = "https://plates.example"
LISTINGS = 20


@pytest.fixture
def archive(real_database: Callable[[], Database], settings: Settings) -> Database:
    database = real_database()
    load_demo(database, settings)
    return database


def test_records_of_everything(archive: Database, settings: Settings, lines, benchmark):
    stages: dict[str, float] = {}
    began = time.perf_counter()

    def tell(stage: str, done: int, _total: int) -> None:
        if done:
            stages[stage] = time.perf_counter() - began

    worked = time.process_time()
    published = benchmark.pedantic(publish, (settings, archive, BASE), {"progress": tell}, rounds=1, warmup_rounds=0)
    taken, worked = time.perf_counter() - began, time.process_time() - worked
    assert published.count("new") == len(published.outcomes)
    again = time.perf_counter()
    assert publish(settings, archive, BASE).count("unchanged") == len(published.outcomes)
    again = time.perf_counter() - again
    listing = list_records(archive, settings, len(published.outcomes))
    told = f"{worked:.1f} s of a processor; {', '.join(f'{one} until {end:.1f} s' for one, end in stages.items())}"
    load = os.getloadavg()[0]
    sys.stderr.write(
        f"\n{len(published.outcomes)} records: {taken:.1f} s ({told}), again {again:.1f} s, load {load:.1f}"
    )
    lines.add("registry records of everything", taken, "s", most=60.0, detail=f"{told}; again {again:.1f} s")
    lines.add(
        "OAI-PMH: ListRecords, p50", listing * 1000, "ms", most=300.0, detail=f"{len(published.outcomes)} records"
    )
    assert not lines.missed


def list_records(database: Database, settings: Settings, count: int) -> float:
    """Seconds that all records take over HTTP, in the median."""
    taken = []
    with running(settings.model_copy(update={"host": "127.0.0.1", "port": 0}), database) as server:
        for _ in range(LISTINGS):
            began = time.perf_counter()
            answer = server.get("/oai", verb="ListRecords", metadataPrefix="ivo_vor")
            taken.append(time.perf_counter() - began)
            assert answer.text.count("<ri:Resource") == count
    return statistics.median(taken)
