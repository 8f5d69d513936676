"""The registry with as many records as the whole Virtual Observatory has: storing them, and pyVO's questions."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import documents_by_hand as by_hand
import measuring
import pytest
import pyvo
from astropy import units as u
from pyvo import registry
from serving import running

from vo.registry.store import store

pytestmark = pytest.mark.timeout(1800)

RECORDS, AT_ONCE = 30_000, 1000
STORE_PER_SECOND, SEARCH_MS = 50.0, 1000.0
WORDS = [f"word{number}" for number in range(20_000)]
SUBJECTS = [f"concept-{number}-of-astronomy" for number in range(2000)]
UCDS = ["pos.eq.ra;meta.main", "phot.mag;em.opt.B", "src.redshift", "time.epoch", "meta.id", "stat.error;phot.mag"]

SEARCHES = {
    "a keyword that few have": lambda: {"keywords": "word7"},
    "two keywords": lambda: {"keywords": ["word7", "word8"]},
    "a place and a keyword": lambda: {"spatial": (10.0, 20.0), "keywords": "word7"},
    "a cone, a time and a wavelength": lambda: {
        "spatial": (10.0, 20.0, 1.0), "temporal": 45_000.0, "spectral": 500 * u.nm, "servicetype": "sia2",
    },
    "an author": lambda: {"author": "%Author 77,%"},
    "a UCD": lambda: {"ucd": "src.redshift%", "servicetype": "sia2"},
    "the ObsCore tables for a cone, inclusive": lambda: {
        "datamodel": "obscore_new",
        "spatial": registry.Spatial((10.0, 20.0, 1.0), inclusive=True),
    },
}  # fmt: skip


def documents() -> Iterator[str]:
    """Records as long and as different as those of real registries; a tenth of them are services."""
    draw = random.Random(9)  # noqa: S311 - the same records each time
    for number in range(RECORDS):
        url = f"http://127.0.0.1:1/{number}"
        columns = "".join(by_hand.column(f"c{index}", draw.choice(UCDS), "deg") for index in range(20))
        cells = " ".join(str(draw.randrange(49_152)) for _ in range(draw.choice([5, 50, 500])))
        start = draw.uniform(10_000, 60_000)
        inner = (
            by_hand.capability("ivo://ivoa.net/std/TAP#aux", url)
            + by_hand.coverage(f"6/{cells}" if number % 3 else "", f"{start} {start + 900}", by_hand.BLUE, "Optical")
            + by_hand.tables(f"s{number}", "main", columns=columns)
        )
        if number % 10 == 0:
            inner = by_hand.capability("ivo://ivoa.net/std/SIA#query-2.0", url, version="2.0") + inner
        yield by_hand.resource(
            "vs:CatalogService" if number % 10 == 0 else "vs:CatalogResource",
            f"ivo://authority{number % 50}.example/r{number}",
            " ".join(draw.choices(WORDS, k=8)), inner,
            description=" ".join(draw.choices(WORDS, k=150)), subject=draw.choice(SUBJECTS),
            creator=f"Author {number % 5000}, A.", relation=by_hand.relation("IsServedBy", "ivo://authority0.example/r0"),
        )  # fmt: skip


def test_a_registry_of_the_whole_vo(fresh_database, settings, lines: measuring.Lines, benchmark):
    database = fresh_database()
    seconds = 0.0
    batch = []
    for number, document in enumerate(documents(), 1):
        batch.append(by_hand.record(document, source="http://127.0.0.1:1/oai"))
        if number % AT_ONCE == 0:
            begin = time.perf_counter()
            with database.owner() as connection:
                store(connection, batch)
            seconds += time.perf_counter() - begin
            batch = []
    lines.add("RegTAP: records stored", RECORDS / seconds, "1/s", least=STORE_PER_SECOND, detail=f"{RECORDS} records")
    before = registry.get_RegTAP_service_url()
    with running(settings.model_copy(update={"port": 0}), database) as server:
        registry.choose_RegTAP_service(f"{server.url}/tap")
        service = pyvo.dal.TAPService(f"{server.url}/tap")
        benchmark.pedantic(lambda: service.search("SELECT TOP 1 ivoid FROM rr.resource"))
        for what, made in SEARCHES.items():
            asked = made()
            constraint = asked.pop("spatial", None)
            if isinstance(constraint, registry.Spatial):
                adql = registry.get_RegTAP_query(constraint, **asked)
            else:
                adql = registry.get_RegTAP_query(**asked, **({} if constraint is None else {"spatial": constraint}))
            times = []
            for _ in range(3):
                begin = time.perf_counter()
                found = service.search(adql)
                times.append(1000 * (time.perf_counter() - begin))
            lines.add(f"RegTAP: {what}", min(times), "ms", most=SEARCH_MS, detail=f"{len(found)} records")
    registry.choose_RegTAP_service(before)
    assert lines.missed == []
