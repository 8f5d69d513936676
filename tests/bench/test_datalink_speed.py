"""Datalink documents over HTTP: the links of one exposure, of a hundred, of a thousand in one request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import exposures as large
import measuring
import psycopg
import pytest
import wire

from vo.db.archive import analyse, merge_records
from vo.db.connect import Database
from vo.db.records import KEYS, Exposure, Plate, Product, Record, Scan, Solution
from vo.obscore.identifiers import links_path

pytestmark = pytest.mark.timeout(600)

IDS = 1000
ROUNDS = 7
HUNDRED_MS = 100.0

#: A header as pipelines write it, with 80 coefficients.
HEADER = "\n".join(
    [f"{name:8}= {value:>20}" for name, value in (("CTYPE1", "'RA---TPV'"), ("CTYPE2", "'DEC--TPV'"), ("CRVAL1", 10.5))]
    + [f"{f'PV{axis}_{term}':8}= {term * 1.25e-7:>20.13E}" for axis in (1, 2) for term in range(40)]
)
FILES = (
    *(("fits", "a.fits"), ("fits_binned", "a_bin16.fits"), ("preview", "a.jpg"), ("thumbnail", "a_thumb.jpg")),
    *(("plate_photo", "plate.jpg"), ("jacket_photo", "jacket.jpg"), ("logbook", "page_1.jpg")),
    *(("logbook", "page_2.jpg"), ("calibration", "a.asdf")),
)


@pytest.fixture(scope="module")
def dids(exposures: Database, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Exposures of a thousand plates of the large archive, with all the records that plates of DASCH have."""
    folder = tmp_path_factory.mktemp("files")
    for _, name in FILES:
        (folder / name).write_bytes(b"x" * 2880)
    with exposures.owner() as connection:
        rows = connection.execute(
            f"SELECT DISTINCT ON (plate_id) plate_id, exposure_id, obs_publisher_did FROM {large.PLATES} "
            "WHERE s_region_text IS NOT NULL ORDER BY plate_id LIMIT %s",
            (IDS,),
        ).fetchall()
        merge_records(connection, (record for row in rows for record in _records(*row, folder)))
        analyse(connection)
    return [did for _, _, did in rows]


def _records(plate_id: str, exposure_id: str, did: str, folder: Path) -> Iterator[Record]:
    at = ("dasch", plate_id)
    yield Plate(*at, series="mc", instrument_name="Telescope", emulsion="I", plate_scale=98.0)
    yield Scan(*at, "0", width=20000, height=16000)
    yield Exposure(*at, exposure_id, did, exposure_number=0, target_name="SA 1", scan_id="0", has_imaging=True)
    for version in (1, 2):
        size = {"width": 20000, "height": 16000, "is_current": version == 2}
        yield Solution(*at, "0", "0", version, exposure_id, HEADER, " ", **size, pipeline="bench", residual=0.4)
    for role, name in FILES:
        factor = 16 if role == "fits_binned" else 1
        size = {"width": 20000 // factor, "height": 16000 // factor} if "fits" in role else {}
        location = (folder / name).as_uri()
        yield Product(
            f"dasch/{plate_id}/{name}", *at, role, "image/x", "0", location=location, bin_factor=factor, **size
        )


def test_links_of_many_exposures(service, dids: list[str], lines, benchmark):
    with wire.Connection(service.port) as connection, psycopg.connect(service.database.service_dsn) as floor:
        for count, most in ((1, None), (100, HUNDRED_MS), (IDS, None)):
            request = _post(dids[:count])

            def answered(request: bytes = request) -> float:
                begin = time.perf_counter()
                assert connection.ask(request).status == 200
                return time.perf_counter() - begin

            plain, ours = measuring.in_turn(lambda count=count: _read(floor, dids[:count]), answered, ROUNDS)
            detail = f"{ours / plain:.1f} times as long as their rows take psycopg, table by table"
            lines.add(f"Datalink: links of {count:,} exposures", ours * 1000, "ms", most=most, detail=detail)
        benchmark.pedantic(connection.ask, (_post(dids[:1]),), rounds=5)
    assert not lines.missed


def test_a_row_of_a_result_leads_to_its_links(service, dids: list[str], lines, benchmark):
    request = wire.get(links_path(dids[0]))
    with wire.Connection(service.port) as connection:
        times = []
        for _ in range(100):
            begin = time.perf_counter()
            assert connection.ask(request).status == 200
            times.append((time.perf_counter() - begin) * 1000)
        benchmark.pedantic(connection.ask, (request,), rounds=5)
    p95 = measuring.amount(measuring.percentile(times, 0.95), "ms")
    lines.add("Datalink: access_url of an exposure: p50", measuring.percentile(times, 0.5), "ms", detail=f"p95 {p95}")


def _post(dids: list[str]) -> bytes:
    return wire.post("/datalink/links", {"ID": dids})


def _read(connection: psycopg.Connection, dids: list[str]) -> float:
    """Seconds that the rows of these plates take, each table by itself and as plain tuples."""
    begin = time.perf_counter()
    plates = "SELECT collection, plate_id FROM archive.exposure WHERE lower(publisher_did) = ANY(%s)"
    lowered = [did.lower() for did in dids]
    for table, _ in KEYS.values():
        connection.execute(
            f"SELECT * FROM archive.{table} JOIN ({plates}) AS k USING (collection, plate_id)", (lowered,)
        ).fetchall()
    return time.perf_counter() - begin
