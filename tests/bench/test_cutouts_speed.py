"""Cutouts of 1000 x 1000 pixels from plates of 20,000 x 20,000 over HTTP, beside what reading those pixels takes.

The floors are a copy out of numpy's map of the plain file, and imagecodecs unpacking the same tiles, in this process.
Everything is warm: pages, headers, tables of tiles and solutions have been seen.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import imagecodecs
import large_plates
import measuring
import numpy as np
import pytest
import wire
from astropy.io import fits

from vo.db.connect import Database
from vo.ingest.load import ingest

pytestmark = pytest.mark.timeout(900)

#: DaCHS 2.7 cuts circles of 0.05, 0.2 and 1.0 degree out of a file of 96 MB (its own times).
PEER = "10 / 22 / 341 ms"
#: Milliseconds of one cutout through HTTP.
LIMITS = {"plain": 15.0, "squares": 30.0, "rows": 250.0}
TITLES = {"plain": "plain FITS", "squares": "Rice tiles of 256 x 256", "rows": "Rice tiles of one row"}
ROUNDS, CLIENTS, SECONDS = 25, 16, 6.0
#: A cutout beside 15 others may cost so many times the processor that it costs alone.
CROWD = 1.5
#: Memory of a cutout, in sizes of its pixels.
MEMORY = 4.0
#: Whose first pixel lies on no border of tiles: four columns and rows of tiles are touched, and a fifth at a corner.
LEFT, BOTTOM, SIZE = 9500, 9500, 1000


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, large_plates.LargePlate]:
    folder = tmp_path_factory.mktemp("plates")
    return {
        "plain": large_plates.write_plain(folder / "plain.fits"),
        "squares": large_plates.write_squares(folder / "squares.fits"),
        "rows": large_plates.write_rows(folder / "rows.fits"),
    }


@pytest.fixture(scope="module")
def archive(fresh_database, settings, plates) -> Database:
    """The plates, ingested as files are."""
    database = fresh_database()
    for plate in plates.values():
        ingest(database, settings, "samples", plate.path)
    return database


@pytest.fixture(scope="module")
def cutter(start, archive) -> Iterator:
    with start(archive) as service:
        yield service


def request(archive: Database, name: str, size: int = SIZE, *, keep: bool = False) -> bytes:
    """The request for a circle that ``size`` pixels enclose, in the middle of a plate."""
    with archive.read() as connection:
        row = connection.execute("SELECT publisher_did FROM archive.exposure WHERE plate_id = %s", [name]).fetchone()
    assert row is not None
    radius = (size / 2 - 0.5) * large_plates.SCALE
    circle = f"{large_plates.RA} {large_plates.DEC} {radius!r}"
    return wire.get(f"/soda/sync?{urlencode({'ID': row[0], 'CIRCLE': circle})}", keep=keep)


def floor(plate: large_plates.LargePlate, name: str) -> Callable[[], float]:
    """Seconds that reading the same pixels takes, at least."""
    work = _map(plate.path) if name == "plain" else _tiles(plate.path, name)

    def measured() -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    return measured


def _map(path: Path) -> Callable[[], object]:
    with fits.open(path) as opened:
        offset = opened[0]._data_offset
    shape = (large_plates.SIDE, large_plates.SIDE)

    def work() -> bytes:
        pixels = np.memmap(path, ">i2", "r", offset, shape)
        return pixels[BOTTOM : BOTTOM + SIZE, LEFT : LEFT + SIZE].tobytes()

    return work


def _tiles(path: Path, name: str) -> Callable[[], object]:
    with fits.open(path, disable_image_compression=True) as opened:
        head, begin = opened[1].header, opened[1]._data_offset
    table = np.memmap(path, ">i4", "r", begin, (head["NAXIS2"], 2))
    across = math.ceil(large_plates.SIDE / head["ZTILE1"])
    rows = range(BOTTOM // head["ZTILE2"], (BOTTOM + SIZE - 1) // head["ZTILE2"] + 1)
    columns = range(LEFT // head["ZTILE1"], (LEFT + SIZE - 1) // head["ZTILE1"] + 1)
    content = np.memmap(path, np.uint8, "r", begin + table.nbytes)
    numbers = [row * across + column for row in rows for column in columns]
    packed = [content[table[at, 1] : table[at, 1] + table[at, 0]].tobytes() for at in numbers]
    pixels = head["ZTILE1"] * head["ZTILE2"]
    assert name == "squares" or pixels == large_plates.SIDE

    def work() -> None:
        for one in packed:
            imagecodecs.rcomp_decode(one, shape=(pixels,), dtype=np.int16, nblock=32)

    return work


def test_the_pixels_are_the_plates(archive, cutter, plates):
    """What is measured below is right."""
    for name, plate in plates.items():
        reply = cutter.ask(request(archive, name))
        with fits.HDUList.fromstring(reply.body) as opened:
            truth = plate.truth(LEFT, LEFT + SIZE, BOTTOM, BOTTOM + SIZE)
            np.testing.assert_array_equal(opened[0].data, truth)


@pytest.mark.parametrize("name", LIMITS)
def test_a_cutout(archive, cutter, plates, lines, benchmark, name: str):
    asked = request(archive, name)
    least, ours = measuring.in_turn(floor(plates[name], name), lambda: wire.stream(cutter.port, asked).whole, ROUNDS)
    lines.add(
        f"cutout of 1000 x 1000: {TITLES[name]}",
        ours * 1000,
        "ms",
        most=LIMITS[name],
        detail=f"floor {measuring.amount(least * 1000, 'ms')}, {ours / least:.1f}x",
        peer=PEER if name == "plain" else "",
    )
    benchmark.pedantic(wire.stream, (cutter.port, asked), rounds=1)
    assert not lines.missed


@pytest.mark.parametrize("name", LIMITS)
def test_many_clients_cut_at_once(archive, cutter, lines, benchmark, name: str):
    asked = request(archive, name, keep=True)
    alone, alone_cost = _cuts(cutter, asked, 1)
    crowd, crowd_cost = _cuts(cutter, asked, CLIENTS)
    detail = (
        f"{alone_cost * 1000:.1f} ms of a core alone, {crowd_cost * 1000:.1f} ms; {alone:.0f} and {crowd:.0f} cutouts/s"
    )
    lines.add(
        f"{CLIENTS} clients cut at once: cost / one's: {TITLES[name]}",
        crowd_cost / alone_cost,
        "x",
        most=CROWD,
        detail=detail,
    )
    benchmark.pedantic(wire.stream, (cutter.port, request(archive, name)), rounds=1)
    assert not lines.missed


def _cuts(service, asked: bytes, clients: int) -> tuple[float, float]:
    """Cutouts a second, and seconds of a core that the server takes for one."""
    begin, used = time.perf_counter(), service.cpu
    told = wire.many(service.port, asked, clients, SECONDS)
    count = told["rate"] * (time.perf_counter() - begin)
    return told["rate"], (service.cpu - used) / count


@pytest.mark.parametrize("name", LIMITS)
def test_memory_of_a_cutout(start, archive, lines, benchmark, name: str):
    with start(archive) as fresh:
        wire.stream(fresh.port, request(archive, name, 100))  # what is loaded once for all
        for size in (1000, 4000):
            asked = request(archive, name, size)
            grown = statistics.median(
                fresh.growth(lambda asked=asked: wire.stream(fresh.port, asked)) for _ in range(3)
            )
            pixels = size * size * 2 / 1024**2
            lines.add(
                f"memory of a cutout / its pixels, {size} x {size}: {TITLES[name]}",
                grown / pixels,
                "x",
                most=MEMORY,
                detail=f"{measuring.amount(grown, 'MiB')}",
            )
        benchmark.pedantic(wire.stream, (fresh.port, request(archive, name)), rounds=1)
    assert not lines.missed
