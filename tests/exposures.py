"""A generated archive as large as a real one: 500,000 narrow exposures of a century and 25,000 wide ones.

VO_BENCH_EXPOSURES gives the number of narrow ones. `make bench` asks for 500,000; other runs take a fifth, for which
the planner decides alike: the keys of their indexes take minutes. When speed is measured, the archive stands in a
cluster as ``vo serve`` makes it; VO_BENCH_DATA names a folder in which that one stays for the next time.

It stands in the project's own tables, with their indexes: all of it in dasch.plates, the narrow ones in ivoa.obscore
too. Footprints are 5 to 10 degrees wide (20 to 40 the wide ones), most with 4 corners, some with up to 24; one exposure
in a thousand lasts a year, one in a hundred has no times or no footprint. The schema tap_upload holds what people send:
ephemerides of a comet (epochs of a century) and a list of finds with errors.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from vo.db import ddl
from vo.db.cluster import Cluster
from vo.db.connect import Database, private
from vo.db.migrate import initialise
from vo.metadata.fields import Catalogue, Column, Index, Kind, Schema, Table
from vo.settings import Settings

NARROW = int(os.environ.get("VO_BENCH_EXPOSURES", "100000"))
WIDE = NARROW // 20
SHARE_OF_A_YEAR = 0.001
SHARE_UNKNOWN = 0.01
FIRST_DAY, LAST_DAY = 10_000.0, 48_600.0

#: How many corners of a footprint, and how often.
CORNERS = {4: 0.995, 8: 0.004, 12: 0.0007, 24: 0.0003}

PLATES = "dasch.plates"
OBSCORE = "ivoa.obscore"

#: What people mostly select.
TWELVE_COLUMNS = (
    "obs_publisher_did, obs_id, target_name, s_ra, s_dec, s_fov, s_region, t_min, t_max, t_exptime, calib_level, "
    "instrument_name"
)

Array = NDArray[np.float64]

_EPHEMERIS = tuple(Column(name, Kind.DOUBLE) for name in ("ra", "dec", "epoch"))
_FINDS = (Column("id", Kind.INTEGER), *_EPHEMERIS, Column("err", Kind.DOUBLE), Column("dt", Kind.DOUBLE))
UPLOADS = Schema(
    "tap_upload",
    (
        Table("tap_upload", "orbit", _EPHEMERIS),
        Table("tap_upload", "long_orbit", _EPHEMERIS),
        Table("tap_upload", "finds", _FINDS),
    ),
)
#: An ephemeris of so many epochs: eight times round the sky in a century, as some comets do.
_COMET = (
    "SELECT i * 2880.0 / {0}::float8 - 360 * floor(i * 8.0 / {0}), 25 * sin(i * 50.3 / {0}), 10000 + 38600.0 * i / {0}"
    " FROM generate_series(0, {0} - 1) AS i"
)
_ROWS = {
    "orbit": _COMET.format(1000),
    "long_orbit": _COMET.format(20_000),
    "finds": "SELECT i, mod(i * 137.508, 360), degrees(asin(2 * i / 1000.0 - 1)), 10000 + mod(i * 7919.3, 38600), "
    "0.02 + mod(i, 20) / 100.0, mod(i, 5) FROM generate_series(1, 999) AS i",
}

_STAGE = """
CREATE UNLOGGED TABLE vo.generated (
    n integer, lon float8, lat float8, fov float8, plate_scale float8, t_min float8, t_max float8,
    region spoly, region_text text
)
"""

#: What a column of the tables is made of; all others stay null.
_VALUES = {
    "obs_publisher_did": "'ivo://example/dasch?Plate' || n",
    "plate_id": "'mc' || lpad((n / 2)::text, 6, '0')",
    "obs_id": "'mc' || lpad((n / 2)::text, 6, '0')",
    "exposure_id": "'e' || n % 2",
    "series": "(ARRAY['a', 'b', 'mc', 'rb', 'rh', 'md', 'ma', 'bi'])[n % 8 + 1]",
    "plate_number": "n / 2",
    "n_exposures": "2",
    "instrument_name": "'Telescope ' || n % 50",
    "target_name": "'SA ' || n % 5000",
    "s_ra": "lon",
    "s_dec": "lat",
    "s_fov": "fov",
    "s_region": "region",
    "s_region_text": "region_text",
    "t_min": "t_min",
    "t_max": "t_max",
    "t_exptime": "(t_max - t_min) * 86400",
    "plate_scale": "plate_scale",
    "dataproduct_type": "'image'",
    "calib_level": "2",
    "obs_collection": "'DASCH'",
    "access_url": "'/datalink/links?ID=' || n",
    "access_format": "'application/x-votable+xml;content=datalink'",
    "has_imaging": "true",
}


@dataclass(frozen=True)
class Generated:
    """The exposures as arrays: centres (degrees), footprints (radians, one text each), times (MJD)."""

    lon: Array
    lat: Array
    fov: Array
    plate_scale: Array
    regions: list[str]
    texts: list[str]
    t_min: Array
    t_max: Array

    def rows(self, part: slice) -> Iterator[str]:
        """Lines of COPY's text format; NaN is null."""
        numbers = np.arange(len(self.lon))[part]
        columns = (self.lon, self.lat, self.fov, self.plate_scale, self.t_min, self.t_max)
        lists = [column[part].tolist() for column in columns]
        for n, lon, lat, fov, scale, begin, end in zip(numbers.tolist(), *lists, strict=True):
            region, text = self.regions[n], self.texts[n]
            times = f"{begin!r}\t{end!r}" if not math.isnan(begin) else "\\N\t\\N"
            yield f"{n}\t{lon!r}\t{lat!r}\t{fov!r}\t{scale!r}\t{times}\t{region}\t{text}\n"


def generate(narrow: int = NARROW, wide: int = WIDE, seed: int = 3) -> Generated:
    """Make exposures; the wide ones have a plate scale above 400 arcsec/mm."""
    count = narrow + wide
    rng = np.random.default_rng(seed)
    is_wide = np.arange(count) >= narrow
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    lon = rng.uniform(0, 360, count)
    order = np.lexsort((_cells(lon, lat), is_wide))
    lon, lat = lon[order], lat[order]
    size = np.where(is_wide, 4.0, 1.0)[:, None] * rng.uniform(5, 10, (count, 2))
    begin = rng.uniform(FIRST_DAY, LAST_DAY, count)
    lasting = rng.lognormal(np.log(45 / 1440), 0.8, count)
    lasting[rng.uniform(size=count) < SHARE_OF_A_YEAR] = 365
    begin[rng.uniform(size=count) < SHARE_UNKNOWN] = np.nan
    regions, texts = _footprints(lon, lat, size, rng)
    for i in np.flatnonzero(rng.uniform(size=count) < SHARE_UNKNOWN):
        regions[i] = texts[i] = r"\N"
    scale = np.where(is_wide, rng.uniform(401, 900, count), rng.uniform(60, 400, count))
    return Generated(lon, lat, np.hypot(*size.T), scale, regions, texts, begin, begin + lasting)


def _cells(lon: Array, lat: Array) -> NDArray[np.uint64]:
    """HEALPix cells: ingest writes in their order, too, so that neighbours on the sky share pages."""
    import astropy.units as u  # what runs without the archive should not wait for astropy
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix.nested import lonlat_to_healpix

    return lonlat_to_healpix(Longitude(lon, u.deg), Latitude(lat, u.deg), 8)


def _footprints(lon: Array, lat: Array, size: Array, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    count = len(lon)
    corners = rng.choice(list(CORNERS), count, p=list(CORNERS.values()))
    turned = rng.uniform(0, 2 * np.pi, count)
    regions, texts = [""] * count, [""] * count
    for n in CORNERS:
        these = np.flatnonzero(corners == n)
        x, y = _outline(n)
        degrees = _on_sky(lon[these], lat[these], size[these], turned[these], x, y)
        radians = np.radians(degrees)
        form = "{" + ",".join(["(%.12f,%.12f)"] * n) + "}"
        words = "POLYGON ICRS" + " %.8f" * (2 * n)
        for i, a, b in zip(these.tolist(), radians.tolist(), degrees.tolist(), strict=True):
            regions[i], texts[i] = form % tuple(a), words % tuple(b)
    return regions, texts


def _outline(corners: int) -> tuple[Array, Array]:
    """A rectangle of 1 by 1, its sides bent outward where it has more than four corners."""
    t = np.linspace(-1, 1, corners // 4, endpoint=False)
    bulge = 1 + 0.05 * (1 - t**2)
    side = np.stack([t, -bulge])
    sides = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ side for a in np.radians([0, 90, 180, 270])]
    x, y = np.concatenate(sides, axis=1) / 2
    return x, y


def _on_sky(lon: Array, lat: Array, size: Array, turned: Array, x: Array, y: Array) -> Array:
    """Longitudes and latitudes in turn, degrees, of points on tangent planes; shape (rows, 2 * points)."""
    width, height = np.tan(np.radians(size / 2)).T * 2
    px, py = width[:, None] * x, height[:, None] * y
    east = np.cos(turned)[:, None] * px - np.sin(turned)[:, None] * py
    north = np.sin(turned)[:, None] * px + np.cos(turned)[:, None] * py
    a, d = np.radians(lon)[:, None], np.radians(lat)[:, None]
    depth = np.cos(d) - north * np.sin(d)
    ra = a + np.arctan2(east, depth)
    dec = np.arctan2(np.sin(d) + north * np.cos(d), np.hypot(east, depth))
    return np.stack([np.degrees(ra) % 360, np.degrees(dec)], -1).reshape(len(lon), -1)


def load(database: Database, catalogue: Catalogue, generated: Generated) -> None:
    """Fill dasch.plates and ivoa.obscore; their indexes are made afterwards, two at a time."""
    tables = [catalogue.by_name[PLATES], catalogue.by_name[OBSCORE]]
    count = len(generated.lon)
    halves = [slice(0, count // 2), slice(count // 2, count)]
    _run(database, [_STAGE, *(f"DROP INDEX {one.schema}.{index.name}" for one in tables for index in one.indexes)])
    _run(database, [f"ALTER TABLE {one.qualified} DROP CONSTRAINT {one.name}_pkey" for one in tables])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: _copy(database, generated.rows(part)), halves))
        list(pool.map(lambda table: _run(database, [_insert(table)]), tables))
        list(pool.map(lambda statements: _run(database, statements), _index_statements(tables)))
        _run(database, ["DROP TABLE vo.generated"])
        list(pool.map(lambda table: _vacuum(database, table), tables))
    upload(database)


def upload(database: Database) -> None:
    """Make the tables of the upload schema, as large as their names say; they are analysed, as uploads will be."""
    statements = [f"CREATE SCHEMA {UPLOADS.name}", f"GRANT USAGE ON SCHEMA {UPLOADS.name} TO vo_query"]
    for table in UPLOADS.tables:
        columns = ", ".join(f"{column.name} {column.kind.value}" for column in table.columns)
        statements += [
            f"CREATE TABLE {table.qualified} ({columns})",
            f"INSERT INTO {table.qualified} {_ROWS[table.name]}",
            f"GRANT SELECT ON {table.qualified} TO vo_query",
            f"ANALYZE {table.qualified}",
        ]
    _run(database, statements)


def with_uploads(catalogue: Catalogue) -> Catalogue:
    """What a query of one's own uploads may name."""
    return Catalogue((*catalogue.schemas, UPLOADS))


def _copy(database: Database, rows: Iterable[str]) -> None:
    with database.owner() as connection, connection.cursor().copy("COPY vo.generated FROM STDIN") as copy:
        block: list[str] = []
        for row in rows:
            block.append(row)
            if len(block) == 1000:
                copy.write("".join(block))
                block.clear()
        copy.write("".join(block))


def _insert(table: Table) -> bytes:
    names = [name for name, _ in ddl.stored_columns(table) if name in _VALUES]
    required = {column.name for column in table.columns if not column.nullable}
    assert required <= set(names), required - set(names)
    only = "" if table.qualified == PLATES else " WHERE plate_scale <= 400"
    values = ", ".join(_VALUES[name] for name in names)
    return f"INSERT INTO {table.qualified} ({', '.join(names)}) SELECT {values} FROM vo.generated{only}".encode()


def _index_statements(tables: Sequence[Table]) -> list[list[str]]:
    """What one connection does after another; footprints first, which take long, so that both end together.

    Those of a table that promise the same stay in their order: PostgreSQL takes the one made last.
    """
    long = [[ddl.create_index(one, index)] for one in tables for index in one.indexes if _is_long(index)]
    short = [[ddl.create_index(one, index) for index in one.indexes if not _is_long(index)] for one in tables]
    keys = [[f"ALTER TABLE {one.qualified} ADD PRIMARY KEY ({', '.join(one.primary_key)})"] for one in tables]
    return [*long, *short, *keys]


def _is_long(index: Index) -> bool:
    return "s_region" in index.parts


def _run(database: Database, statements: Iterable[str | bytes]) -> None:
    with database.owner() as connection:
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        for statement in statements:
            connection.execute(statement if isinstance(statement, bytes) else statement.encode())


def _vacuum(database: Database, table: Table) -> None:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute(f"VACUUM ANALYZE {table.qualified}".encode())


@pytest.fixture(scope="session")
def exposures(request: pytest.FixtureRequest, settings: Settings, catalogue: Catalogue) -> Iterator[Database]:
    """A database of its own with the large archive."""
    is_measured = request.config.getoption("benchmark_enable") and "VO_TEST_DSN" not in os.environ
    opened = _as_served(settings, catalogue) if is_measured else _among_tests(request, catalogue)
    with opened as database:
        yield database


@contextmanager
def _among_tests(request: pytest.FixtureRequest, catalogue: Catalogue) -> Iterator[Database]:
    postgres = request.getfixturevalue("postgres")
    name = f"vo_exposures_{os.getpid()}"
    postgres.create(name, request.getfixturevalue("template"))
    database = postgres.open(name)
    initialise(database, catalogue)
    load(database, catalogue, generate())
    yield database
    database.close()
    postgres.drop(name)


@contextmanager
def _as_served(settings: Settings, catalogue: Catalogue) -> Iterator[Database]:
    """What is measured stands in a cluster with the configuration, and the durability, that operators get."""
    kept = os.environ.get("VO_BENCH_DATA")
    folder = Path(kept or tempfile.mkdtemp(prefix="vo-bench-"))
    folder.mkdir(exist_ok=True, parents=True)
    folder.chmod(0o755)
    try:
        with Cluster(folder, {"max_connections": "100"}) as cluster:
            database = private(cluster, settings)
            initialise(database, catalogue)
            _fill(database, catalogue)
            yield database
            database.close()
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def _fill(database: Database, catalogue: Catalogue) -> None:
    with database.owner() as connection:
        (held,) = connection.execute(f"SELECT count(*) FROM {OBSCORE}").fetchone() or (0,)
    if not held:
        load(database, catalogue, generate())
    elif held != NARROW:
        pytest.fail(f"VO_BENCH_DATA has {held} exposures, not {NARROW}: name another folder, or set VO_BENCH_EXPOSURES")
