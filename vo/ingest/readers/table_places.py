"""Where an exposure looked: positions of a list's frame and equinox into ICRS, many at a time (astropy)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from astropy import units
from astropy.coordinates import FK4, FK5, Galactic, SkyCoord
from astropy.time import Time
from numpy.typing import NDArray

from vo.ingest.readers.table_forms import angle_reader
from vo.metadata.forms import parse_angle_form
from vo.metadata.mapping import PositionRules, read_equinox

#: Equinoxes of date are taken to a twentieth of a year, 2.5 arcsec of precession, so that many rows have the same.
_STEP = 0.05
_J2000 = 51544.5


class Place(NamedTuple):
    """A position as the list has it, in degrees.

    ``equinox`` is a year, None where the frame has none; ``epoch`` the MJD that an FK4 position holds for, if another.
    """

    lon: float
    lat: float
    equinox: float | None = None
    epoch: float | None = None


class Sky:
    """Reads the positions of a list by its rules."""

    def __init__(self, rules: PositionRules) -> None:
        self._rules = rules
        ra_form = parse_angle_form(rules.ra_form)
        self._factor = 15.0 if ra_form.is_hours else 1.0
        fixed = rules.equinox.value if rules.equinox is not None and not rules.equinox.columns else None
        self._fixed = None if fixed is None or fixed == "date" else read_equinox(fixed)
        self._ra, self._dec = angle_reader(ra_form), angle_reader(parse_angle_form(rules.dec_form))

    def place(self, ra: str, dec: str, equinox: str | None, date: float | None) -> tuple[Place, bool]:
        """A row's position, and whether 60 minutes or seconds were carried over in it.

        ``date`` (MJD) is the exposure's. ValueError with the reason.
        """
        lon, ra_carried = self._ra(ra)
        lat, dec_carried = self._dec(dec)
        lon *= self._factor
        if not (0.0 <= lon <= 360.0 and -90.0 <= lat <= 90.0):  # noqa: PLR2004 -- limits of the sphere
            raise ValueError(f"{ra.strip()!r} {dec.strip()!r} is not on the sky")
        place = Place(lon % 360.0, lat, self._equinox(equinox, date), self._epoch(date))
        return place, ra_carried or dec_carried

    def _equinox(self, text: str | None, date: float | None) -> float | None:
        if self._rules.equinox is None or self._fixed is not None:
            return self._fixed
        if text is None:
            raise ValueError("the position's equinox is not known")
        if text != "date":
            return read_equinox(text)
        if date is None:
            raise ValueError("the position is of the equinox of a date that is not known")
        return round((2000.0 + (date - _J2000) / 365.25) / _STEP) * _STEP

    def _epoch(self, date: float | None) -> float | None:
        if self._rules.epoch != "date":
            return None
        if date is None:
            raise ValueError("the position is of the epoch of a date that is not known")
        return date

    def icrs(self, places: Sequence[Place]) -> NDArray[np.float64]:
        """Right ascension and declination in ICRS degrees, shape [places, 2]."""
        lon = np.array([place.lon for place in places], dtype=np.float64)
        lat = np.array([place.lat for place in places], dtype=np.float64)
        if self._rules.frame == "ICRS":
            return np.stack([lon, lat], axis=1)
        found = np.empty((len(places), 2))
        for equinox in {place.equinox for place in places}:
            own = np.array([place.equinox == equinox for place in places])
            epochs = [place.epoch for place in places if place.equinox == equinox and place.epoch is not None]
            made = SkyCoord(lon[own] * units.deg, lat[own] * units.deg, frame=self._frame(equinox, epochs)).icrs
            found[own] = np.stack([made.ra.deg, made.dec.deg], axis=1)
        return np.round(found, 9)  # so that the company of other rows does not show in the last digit

    def _frame(self, equinox: float | None, epochs: Sequence[float]) -> FK4 | FK5 | Galactic:
        if equinox is None:
            return Galactic()
        if self._rules.frame == "FK5":
            return FK5(equinox=Time(equinox, format="jyear"))
        year = Time(equinox, format="byear")
        return FK4(equinox=year, obstime=Time(epochs, format="mjd") if epochs else year)
