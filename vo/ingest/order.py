"""The order in which rows are written: in the order of the sky questions of position are answered from fewer pages."""

from __future__ import annotations

from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

_DEPTH = 12


def sky_order(centres: Mapping[str, tuple[float, float] | None]) -> list[str]:
    """Plates by the HEALPix cell (nested) of their centre (ICRS degrees); those without one, by name, at the end."""
    placed = [(name, centre) for name, centre in centres.items() if centre is not None]
    rest = sorted(name for name, centre in centres.items() if centre is None)
    if not placed:
        return rest
    positions = np.array([centre for _, centre in placed])
    lon, lat = Longitude(positions[:, 0], u.deg), Latitude(positions[:, 1], u.deg)
    cells = lonlat_to_healpix(lon, lat, _DEPTH)
    return [placed[index][0] for index in np.argsort(cells, kind="stable")] + rest
