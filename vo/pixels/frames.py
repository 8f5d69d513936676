"""From the celestial frame of a FITS header to ICRS and back (FITS WCS paper II, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from astropy import units
from astropy.coordinates import (
    FK4,
    FK5,
    ICRS,
    BarycentricMeanEcliptic,
    FK4NoETerms,
    Galactic,
    SkyCoord,
    Supergalactic,
    UnitSphericalRepresentation,
)
from astropy.time import Time
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """A celestial frame by its FITS name: RADESYS for equatorial axes, else the axis type (GLON, ELON, SLON).

    ``equinox`` is in years (Besselian for FK4); ``mjd`` the time of observation, which FK4
    needs because it rotates slowly.
    """

    name: str
    equinox: float
    mjd: float | None = None

    def to_icrs(self, lon: Array, lat: Array) -> tuple[Array, Array]:
        """ICRS right ascension and declination of positions in this frame; all in degrees, NaN stays NaN."""
        if self.name == "ICRS":
            return lon % 360.0, lat
        if self.name.startswith("FK4"):
            return _through_astropy(lon, lat, _astropy_frame(self), ICRS())
        return lonlat(unit(lon, lat) @ _matrix(self).T)

    def from_icrs(self, ra: Array, dec: Array) -> tuple[Array, Array]:
        """Positions in this frame of ICRS ones; all in degrees, NaN stays NaN."""
        if self.name == "ICRS":
            return ra % 360.0, dec
        if self.name.startswith("FK4"):
            return _through_astropy(ra, dec, ICRS(), _astropy_frame(self))
        return lonlat(unit(ra, dec) @ _matrix(self))


#: What RADESYS may say for equatorial axes; GAPPT (apparent places) is no frame of a catalogue.
EQUATORIAL = ("ICRS", "FK5", "FK4", "FK4-NO-E")
#: Longitude axes other than RA that have a place on the sky.
OTHER = ("GLON", "ELON", "SLON")


def unit(lon: Array, lat: Array) -> Array:
    """Unit vectors (..., 3) of directions in degrees."""
    phi, theta = np.radians(lon), np.radians(lat)
    cos = np.cos(theta)
    return np.stack([cos * np.cos(phi), cos * np.sin(phi), np.sin(theta)], axis=-1)


def direction(lon: float, lat: float) -> Array:
    """The unit vector (3) of one direction in degrees."""
    return unit(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))


def apart(one: Array, two: Array) -> Array:
    """Angles between unit vectors (..., 3), in radians; exact for small and large ones.

    Written out, since numpy's functions for vectors take four times as long for a few dozen of them.
    """
    ax, ay, az = one[..., 0], one[..., 1], one[..., 2]
    bx, by, bz = two[..., 0], two[..., 1], two[..., 2]
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return np.asarray(np.arctan2(np.sqrt(x * x + y * y + z * z), ax * bx + ay * by + az * bz))


def separation(one: tuple[float, float], two: tuple[float, float]) -> float:
    """Degrees between two places on the sky (longitude, latitude in degrees)."""
    return float(np.degrees(apart(direction(*one), direction(*two))))


def lonlat(vectors: Array) -> tuple[Array, Array]:
    """Longitude in [0, 360) and latitude in degrees of vectors (..., 3) of any length."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    lon = np.degrees(np.arctan2(y, x)) % 360.0
    return np.where(lon == 360.0, 0.0, lon), np.degrees(np.arctan2(z, np.hypot(x, y)))  # noqa: PLR2004  a full turn


@lru_cache(maxsize=64)
def _matrix(frame: Frame) -> Array:
    """The rotation from a frame to ICRS."""
    axes = UnitSphericalRepresentation([0.0, 90.0, 0.0] * units.deg, [0.0, 0.0, 90.0] * units.deg)
    return np.asarray(SkyCoord(axes, frame=_astropy_frame(frame)).icrs.cartesian.xyz.value, dtype=np.float64)


def _astropy_frame(frame: Frame) -> Any:
    julian = Time(frame.equinox, format="jyear", scale="tt")
    match frame.name:
        case "FK5":
            return FK5(equinox=julian)
        case "GLON":
            return Galactic()
        case "SLON":
            return Supergalactic()
        case "ELON":
            return BarycentricMeanEcliptic(equinox=julian)
        case _:
            equinox = Time(frame.equinox, format="byear", scale="tt")
            observed = equinox if frame.mjd is None else Time(frame.mjd, format="mjd", scale="tt")
            made = FK4 if frame.name == "FK4" else FK4NoETerms
            return made(equinox=equinox, obstime=observed)


def _through_astropy(lon: Array, lat: Array, origin: Any, target: Any) -> tuple[Array, Array]:
    """FK4 is no rotation away from ICRS (its places hold the E-terms of aberration), so astropy does it."""
    known = np.isfinite(lon) & np.isfinite(lat)
    out_lon, out_lat = np.full(lon.shape, np.nan), np.full(lat.shape, np.nan)
    if known.any():
        found = SkyCoord(lon[known], lat[known], unit="deg", frame=origin).transform_to(target).spherical
        out_lon[known], out_lat[known] = found.lon.deg % 360.0, found.lat.deg
    return out_lon, out_lat
