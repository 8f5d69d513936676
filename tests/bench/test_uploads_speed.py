"""Tables that clients send: joins with an ephemeris as people write them, and uploads alone."""

from __future__ import annotations

import io
import statistics
import time

import numpy as np
import pyarrow as pa
import pytest
import wire
from astropy.table import Table
from exposures import FIRST_DAY

from vo.metadata.fields import Field
from vo.tables import formats
from vo.tables.votable import Document

pytestmark = pytest.mark.timeout(900)

VOTABLE = "application/x-votable+xml"
CENTURY = 38_600.0
ROUNDS = 7

#: As the archive's own help has it, and as docs/examples/comet.py asks.
JOINS = {
    "comet": (
        "SELECT * FROM dasch.narrow_plates JOIN TAP_UPLOAD.orbit ON (1=CONTAINS(POINT(ra, dec), s_region))"
        " WHERE t_min<epoch AND t_max>epoch"
    ),
    "comet.py": (
        "SELECT e.epoch, o.obs_publisher_did, o.obs_id, o.t_min, o.t_max, o.t_exptime, o.access_url, o.access_format"
        " FROM TAP_UPLOAD.orbit AS e JOIN ivoa.obscore AS o ON 1 = CONTAINS(POINT(e.ra, e.dec), o.s_region)"
        " AND o.t_min < e.till AND o.t_max > e.since"
    ),
}
#: Seconds by the number of rows, and what the peer takes.
JOIN_SECONDS = {1_000: (0.15, "71 s"), 20_000: (1.5, "fails at 300 s")}
UPLOAD_SECONDS = {20_000: 0.3, 1_000_000: 6.0}
MEMORY_MIB = 200.0
COUNT = "SELECT COUNT(*) FROM TAP_UPLOAD.t"


def ephemeris(rows: int) -> Table:
    """A comet that goes eight times round the sky in a century; each place holds for the time to the next."""
    steps = np.arange(rows)
    epoch = FIRST_DAY + CENTURY * steps / rows
    half = min(0.5, CENTURY / rows / 2)
    return Table(
        {
            "epoch": epoch,
            "since": epoch - half,
            "till": epoch + half,
            "ra": steps * 2880 / rows % 360,
            "dec": 25 * np.sin(steps * 50.3 / rows),
        }
    )


def as_people_send(table: Table, serialisation: str) -> bytes:
    """A VOTable as astropy writes it, and hence pyVO."""
    file = io.BytesIO()
    table.write(file, format="votable", tabledata_format=serialisation)
    return file.getvalue()


def large_table(rows: int) -> bytes:
    """A VOTable in BINARY2 with an integer and three doubles a row; astropy would take a minute for it."""
    rng = np.random.default_rng(7)
    fields = (Field("id", "int"), *(Field(name, "double") for name in ("ra", "dec", "epoch")))
    arrays = [np.arange(rows, dtype="i4"), *(rng.uniform(0, 360, rows) for _ in range(3))]
    batch = pa.RecordBatch.from_arrays([pa.array(array) for array in arrays], [field.name for field in fields])
    batches = [batch.slice(start, 20_000) for start in range(0, rows, 20_000)]
    return b"".join(formats.find("votable/b2").write(Document(fields), batches, rows))


def seconds(service, request: bytes) -> float:
    begin = time.perf_counter()
    wire.stream(service.port, request.replace(b"keep-alive", b"close", 1))
    return time.perf_counter() - begin


def medians(service, request: bytes) -> float:
    """The median of some rounds, after one that warms the caches."""
    seconds(service, request)
    return statistics.median(seconds(service, request) for _ in range(ROUNDS))


@pytest.mark.parametrize("rows", JOIN_SECONDS)
@pytest.mark.parametrize("serialisation", ["tabledata", "binary2"])
@pytest.mark.parametrize("name", JOINS)
def test_a_comet_is_joined(service, lines, benchmark, name: str, serialisation: str, rows: int):
    table = as_people_send(ephemeris(rows), serialisation)
    request = wire.upload_query(JOINS[name], "orbit", table, VOTABLE, MAXREC=1_000_000)
    taken = medians(service, request)
    most, peer = JOIN_SECONDS[rows]
    title = f"{name}: join of {rows:,} rows, {serialisation.upper()}"
    lines.add(title, taken, "s", most=most, peer=peer, detail=f"{len(table) / 1e6:.2f} MB sent")
    benchmark.pedantic(seconds, (service, request), rounds=1)
    assert not lines.missed


@pytest.mark.parametrize("serialisation", ["tabledata", "binary2"])
def test_an_upload_alone(service, lines, benchmark, serialisation: str):
    rows = 20_000
    table = as_people_send(ephemeris(rows), serialisation)
    request = wire.upload_query(COUNT, "t", table, VOTABLE)
    taken = medians(service, request)
    lines.add(f"upload alone, {rows:,} rows, {serialisation.upper()}", taken, "s", most=UPLOAD_SECONDS[rows])
    benchmark.pedantic(seconds, (service, request), rounds=1)
    assert not lines.missed


def test_a_large_upload_alone(service, serve, lines, benchmark):
    rows = 1_000_000
    table = large_table(rows)
    request = wire.upload_query(COUNT, "t", table, VOTABLE)
    taken = statistics.median(seconds(service, request) for _ in range(3))
    detail = f"{len(table) / 1e6:.0f} MB sent"
    lines.add(f"upload alone, {rows:,} rows, BINARY2", taken, "s", most=UPLOAD_SECONDS[rows], detail=detail)
    with serve() as fresh:
        growth = fresh.growth(lambda: seconds(fresh, request))
    lines.add("the same: growth of memory", growth, "MiB", most=MEMORY_MIB)
    benchmark.pedantic(seconds, (service, request), rounds=1)
    assert not lines.missed
