"""What exposures cover on the sky, in time and in energy, as registry records say it (VODataService 1.2, section 3.3).

All three are made outward: whoever asks the registry for a place, a time or an energy finds every collection that has
an exposure there, and a few that just have none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from astropy import constants, units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix
from mocpy import MOC
from numpy.typing import NDArray
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from vo.registry.cells import ORDER, touched

Array = NDArray[np.float64]
Intervals = tuple[tuple[float, float], ...]

#: No axis has more intervals; of the gaps the largest stay.
MOST_INTERVALS = 20
#: Gaps in time that are shorter are filled, in days.
SHORTEST_GAP = 365.25
#: The Sun's light time and UTC's offset from TDB make ten minutes; records are as exact as half an hour (VDS-06).
_HALF_AN_HOUR = 1.0 / 48.0
#: Times are written in hundredths of a day.
_TIME_STEPS = 100.0
#: Energies are written with six digits.
_DIGITS = 6
#: h c in J m (CODATA 2018 in astropy): an energy is this divided by the wavelength in vacuum (VDS-07).
HC = float((constants.h * constants.c).si.value)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage on each axis; an axis of which nothing is known has None or no interval.

    ``spatial`` is an ASCII MOC in ICRS, of order 6, normalised, with blanks, ending with ``6/`` or cells of that order
    (VDS-05; MOC 2.0 section 4.3.2). ``temporal`` has MJD (VDS-06), ``spectral`` joule (VDS-07); low and high,
    ascending, low below high, with gaps between them.
    """

    spatial: str | None = None
    temporal: Intervals = ()
    spectral: Intervals = ()


def read_coverage(connection: Connection[TupleRow], collection: str | None) -> Coverage:
    """The coverage of all exposures of a collection, scanned or not; None: of all of ivoa.obscore.

    An exposure with a position and no footprint covers the cell of its position. What has no position, no date or no
    wavelengths at all adds nothing to that axis.
    """
    table = sql.Identifier("ivoa", "obscore") if collection is None else sql.Identifier(collection, "plates")
    return Coverage(
        spatial=_read_spatial(connection, table),
        temporal=temporal_intervals(_read_pairs(connection, table, _TIMES)),
        spectral=spectral_intervals(_read_pairs(connection, table, _WAVELENGTHS)),
    )


# one of two ends alone is an instant of which we know
_TIMES = (
    "SELECT DISTINCT coalesce(t_min, t_max), coalesce(t_max, t_min) FROM {} WHERE coalesce(t_min, t_max) IS NOT NULL"
)
_WAVELENGTHS = "SELECT DISTINCT em_min, em_max FROM {} WHERE em_min > 0 AND em_max > 0"
_FOOTPRINTS = "SELECT DISTINCT s_region_text FROM {} WHERE s_region_text IS NOT NULL"
_POSITIONS = (
    "SELECT DISTINCT s_ra, s_dec FROM {} WHERE s_region_text IS NULL AND s_ra IS NOT NULL AND s_dec IS NOT NULL"
)


def _read_spatial(connection: Connection[TupleRow], table: sql.Identifier) -> str | None:
    with connection.cursor() as cursor:
        texts = [text for (text,) in cursor.execute(sql.SQL(_FOOTPRINTS).format(table))]
    positions = _read_pairs(connection, table, _POSITIONS)
    if not texts and not len(positions):
        return None
    return spatial_text(map(_vertices, texts), positions)


def _read_pairs(connection: Connection[TupleRow], table: sql.Identifier, query: str) -> Array:
    """Pairs of numbers, shape [rows, 2]."""
    rows = connection.execute(sql.SQL(query).format(table)).fetchall()
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _vertices(text: str) -> Array:
    """The corners of ``POLYGON ICRS ra dec ...``, shape [corners, 2]."""
    return np.array(text.split()[2:], dtype=np.float64).reshape(-1, 2)


def spatial_text(polygons: Iterable[Array], positions: Array) -> str:
    """The MOC of polygons (:func:`vo.registry.cells.touched`) and of the cells of positions [n, 2] in degrees."""
    found = touched(polygons)
    if len(positions):
        lon, lat = Longitude(positions[:, 0], units.deg), Latitude(positions[:, 1], units.deg)
        found[lonlat_to_healpix(lon, lat, ORDER)] = True
    return write_cells(np.flatnonzero(found))


def write_cells(cells: NDArray[np.int64]) -> str:
    """Cells of order 6 as an ASCII MOC in one line, four siblings as the cell that they make (STANDARDS 17.3)."""
    depth = np.full(len(cells), ORDER, dtype=np.uint8)
    moc = MOC.from_healpix_cells(cells.astype(np.uint64), depth, max_depth=ORDER)
    return " ".join(str(moc.to_string(format="ascii")).split())


def temporal_intervals(times: Array) -> Intervals:
    """Few intervals in MJD that hold all of ``times`` [n, 2] (begin and end, MJD UTC), padded by half an hour.

    Gaps of a year and less are filled: a question that falls into one is rather asked in vain.
    """
    padded = np.sort(times, axis=1) + np.array([-_HALF_AN_HOUR, _HALF_AN_HOUR])
    lows, highs = np.floor(padded[:, 0] * _TIME_STEPS), np.ceil(padded[:, 1] * _TIME_STEPS)
    return tuple(merge(zip((lows / _TIME_STEPS).tolist(), (highs / _TIME_STEPS).tolist(), strict=True), SHORTEST_GAP))


def spectral_intervals(wavelengths: Array) -> Intervals:
    """Few intervals in joule that hold the photons of all ``wavelengths`` [n, 2] (metres, vacuum), rounded outward."""
    energies = HC / np.sort(wavelengths, axis=1)[:, ::-1]
    rounded = [(_round(low, upward=False), _round(high, upward=True)) for low, high in energies.tolist()]
    return tuple(merge(rounded, 0.0))


def _round(energy: float, *, upward: bool) -> float:
    """The energy with six digits, rounded up or down; and then by another digit, so that an interval has a width."""
    unit = 10.0 ** (math.floor(math.log10(energy)) - _DIGITS + 1)
    steps = math.ceil(energy / unit) + 1 if upward else math.floor(energy / unit) - 1
    return float(f"{steps * unit:.{_DIGITS}e}")


def merge(intervals: Iterable[tuple[float, float]], gap: float) -> Iterator[tuple[float, float]]:
    """Intervals that overlap, or lie no farther apart than ``gap``, as one; at most :data:`MOST_INTERVALS`."""
    ordered = sorted(intervals)
    if not ordered:
        return
    values = np.array(ordered)
    # where a gap begins: all that began before has ended
    ends = np.maximum.accumulate(values[:, 1])
    gaps = values[1:, 0] - ends[:-1]
    largest = np.argsort(-gaps, kind="stable")[: MOST_INTERVALS - 1]
    cuts = sorted(largest[gaps[largest] > gap].tolist())
    starts = [0, *(cut + 1 for cut in cuts)]
    stops = [*cuts, len(values) - 1]
    yield from ((float(values[start, 0]), float(ends[stop])) for start, stop in zip(starts, stops, strict=True))
