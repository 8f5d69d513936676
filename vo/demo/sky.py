"""The demo's stars: one invented catalogue of the whole sky, the same every time.

Plates that overlap show the same stars, as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SEED = 18850101
COUNT = 2_500_000
FAINTEST = 15.5

#: Star counts grow tenfold per 1/SLOPE magnitudes; 0.6 would be a sky without dust or edge.
SLOPE = 0.45


@dataclass(frozen=True, slots=True)
class Stars:
    """Positions in ICRS degrees and magnitudes, brightest first; three arrays of one length."""

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    magnitude: NDArray[np.float64]


@cache
def catalogue() -> Stars:
    """All stars: even over the sphere, magnitudes by a power law down to :data:`FAINTEST`."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    draws = generator.random((3, COUNT))
    ra = 360.0 * draws[0]
    dec = np.degrees(np.arcsin(2.0 * draws[1] - 1.0))
    magnitude = FAINTEST + np.log10(1.0 - draws[2]) / SLOPE
    order = np.argsort(magnitude, kind="stable")
    return Stars(ra[order], dec[order], magnitude[order])


def brightest_within(ra: float, dec: float, radius: float, count: int) -> Stars:
    """At most ``count`` stars within ``radius`` degrees of an ICRS position (degrees), brightest first."""
    stars = catalogue()
    lon, lat = np.radians(ra), np.radians(dec)
    centre = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    chosen = np.flatnonzero(centre @ _directions() >= np.cos(np.radians(radius)))[:count]
    return Stars(stars.ra[chosen], stars.dec[chosen], stars.magnitude[chosen])


@cache
def _directions() -> NDArray[np.float64]:
    """Unit vectors of all stars, float64[3, n]."""
    stars = catalogue()
    lon, lat = np.radians(stars.ra), np.radians(stars.dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
