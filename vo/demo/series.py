"""The invented series of the demo collection: telescopes that never stood, with the traits of real ones."""

from __future__ import annotations

from dataclasses import dataclass

NORTH = "Synthetic Observatory North Station"
SOUTH = "Synthetic Observatory South Station"


@dataclass(frozen=True, slots=True)
class Series:
    """Plates of one telescope.

    ``plate_scale`` in arcsec/mm, sizes in mm, ``em_min`` and ``em_max`` in m (what emulsion and filter let through),
    ``first`` and ``last`` the years of work, ``dec_min`` and ``dec_max`` the declinations in reach (degrees),
    ``share`` of the collection's plates, ``minutes`` the usual exposure.
    """

    code: str
    facility_name: str
    instrument_name: str
    plate_scale: float
    width_mm: float
    height_mm: float
    emulsion: str
    filter: str | None
    em_min: float
    em_max: float
    first: int
    last: int
    dec_min: float
    dec_max: float
    share: float
    minutes: float


SERIES: dict[str, Series] = {
    series.code: series
    for series in (
        Series("na", NORTH, "13-inch astrograph (synthetic)", 60.0, 160.0, 160.0, "Demo Blue O", None,
               3.5e-7, 5.0e-7, 1893, 1950, -25.0, 90.0, 0.20, 60.0),
        Series("nb", NORTH, "8-inch doublet (synthetic)", 163.3, 203.0, 254.0, "Demo Ordinary", None,
               3.5e-7, 5.0e-7, 1885, 1962, -30.0, 90.0, 0.30, 30.0),
        Series("sb", SOUTH, "10-inch triplet (synthetic)", 167.3, 203.0, 254.0, "Demo Blue O", None,
               3.5e-7, 5.0e-7, 1896, 1955, -90.0, 30.0, 0.25, 45.0),
        Series("ss", SOUTH, "48-inch Schmidt (synthetic)", 67.2, 356.0, 356.0, "Demo Red F", "Demo RG 630",
               6.3e-7, 7.0e-7, 1950, 1990, -90.0, 20.0, 0.15, 50.0),
        Series("pc", NORTH, "1.5-inch patrol camera (synthetic)", 600.0, 203.0, 254.0, "Demo Ortho", None,
               3.5e-7, 5.9e-7, 1928, 1955, -30.0, 90.0, 0.08, 90.0),
        Series("mc", SOUTH, "0.6-inch meteor camera (synthetic)", 1422.9, 203.0, 203.0, "Demo Pan", None,
               3.5e-7, 6.5e-7, 1936, 1952, -90.0, 30.0, 0.02, 120.0),
    )
}  # fmt: skip  # a table is read by its columns
