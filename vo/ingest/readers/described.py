"""From the cards of a FITS header to plate, scan and exposure, by the rules of the collection's descriptor."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from astropy import units
from astropy.coordinates import Angle, SkyCoord

from vo.db.records import Exposure, Plate, Scan
from vo.ingest.bands import COLOURS, bounds
from vo.ingest.dates import Date, as_datetime, is_possible, parse_date
from vo.ingest.series import Series
from vo.metadata.collection import Collection, FitsRules
from vo.obscore.identifiers import publisher_did

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_FK4_UNTIL = 1984.0  # FITS 4.0, table 24: without RADESYS, EQUINOX tells FK4 from FK5


@dataclass(slots=True)
class Told:
    """What was repaired or is missing, as pairs of a short phrase and the reason."""

    repairs: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Described:
    """What the header of one file says of its plate."""

    header: Mapping[str, object]
    file_name: str
    collection: Collection
    authority: str
    told: Told
    series: Mapping[str, Series] = field(default_factory=dict)

    @property
    def rules(self) -> FitsRules:
        """The rules of the collection."""
        return self.collection.fits

    def find(self, name: str) -> str | None:
        """The value that the rule of this name gives."""
        found: str | None = getattr(self.rules, name).find(self.header, self.file_name)
        if found is None:
            return None
        # PostgreSQL holds neither NUL nor halves of characters in a text.
        return found.replace("\0", "").encode(errors="replace").decode()

    def plate_id(self) -> str:
        """The plate's name, ValueError when no rule gives one."""
        found = self.find("plate_id")
        if found is None:
            raise ValueError(
                f"no name of the plate: neither the cards {', '.join(self.rules.plate_id.keywords) or '(none)'} nor "
                "the file's name gives one; see [fits] plate_id in collection.toml"
            )
        return found

    def plate(self) -> Plate:
        """The plate; what the header does not say comes from its series, then from the descriptor."""
        defaults, outline = self.collection.defaults, self.collection.footprint
        series = self.find("series")
        number = self.find("plate_number")
        known = self.series.get((series or "").lower(), Series(""))
        place = known.facility(int(number)) if number is not None and number.isdecimal() else known.facility_name
        emulsion = self.find("emulsion") or defaults.emulsion
        filter_name = self.find("filter") or defaults.filter
        band = self._band(emulsion, filter_name, known)
        return Plate(
            self.collection.name,
            self.plate_id(),
            series=series,
            plate_number=number,
            facility_name=self.find("facility_name") or place or self.collection.facility_name,
            instrument_name=self.find("instrument_name") or known.instrument_name or self.collection.instrument_name,
            emulsion=emulsion,
            filter=filter_name,
            em_min=band[0] if band else None,
            em_max=band[1] if band else None,
            plate_scale=self._number("plate_scale") or known.plate_scale or outline.plate_scale,
            width_mm=known.width_mm or outline.width_mm,
            height_mm=known.height_mm or outline.height_mm,
            comment=self.find("comment"),
        )

    def _band(self, emulsion: str | None, filter_name: str | None, known: Series) -> tuple[float, float] | None:
        """Wavelengths of emulsion and filter, else of the series' colour, else the collection's."""
        defaults = self.collection.defaults
        if band := bounds(emulsion, filter_name):
            return band
        if known.name:
            return COLOURS.get(known.colour)
        if defaults.em_min is not None and defaults.em_max is not None:
            return defaults.em_min, defaults.em_max
        reason = "no emulsion is told" if emulsion is None else f"emulsion {emulsion!r} is not known here"
        self.told.notes.append(("unknown wavelengths", f"{reason}: the plate is not found by BAND"))
        return None

    def scan(self, width: int, height: int, pixel_scale: float | None) -> Scan:
        """The scan; ``width``, ``height`` (pixels) and ``pixel_scale`` (arcsec) of the full image."""
        return Scan(
            self.collection.name,
            self.plate_id(),
            self.scan_id(),
            width=width,
            height=height,
            pixel_scale=pixel_scale,
            scan_date=self._scan_date(),
        )

    def scan_id(self) -> str:
        """The scan's name on its plate."""
        return self.find("scan_id") or "0"

    def exposure(self, exposure_id: str, *, found: bool) -> Exposure:
        """An exposure with times, target and the logged position, if any; ``found``: known by its solution."""
        start, end, exptime, status = self._times()
        position = None if found else self._position()
        return Exposure(
            self.collection.name,
            self.plate_id(),
            exposure_id,
            publisher_did(self.authority, self.collection.name, self.plate_id(), exposure_id),
            origin="found",
            ra=position[0] if position else None,
            dec=position[1] if position else None,
            position_origin="logbook" if position else None,
            t_min=start,
            t_max=end,
            exptime=exptime,
            t_calib_status=status,
            target_name=self.find("target_name"),
            observer=self.find("observer"),
            scan_id=self.scan_id(),
            has_imaging=True,
            repair="; ".join(reason for _, reason in self.told.repairs) or None,
        )

    # --------------------------------------------------------------------------------------------- single values

    def _number(self, name: str) -> float | None:
        text = self.find(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.told.notes.append(("value not understood", f"{name} is {text!r}, not a number; left empty"))
            return None
        return value

    def _times(self) -> tuple[float | None, float | None, float | None, str | None]:
        """Start, end (MJD), seconds of open shutter, and how well the time is known.

        With a date and no time of day the whole UT day is given.
        """
        exptime = self._exptime()
        date = self._date()
        if date is None:
            return None, None, exptime, None
        if not date.has_time:
            return date.mjd, date.mjd + 1.0, exptime, "uncalibrated"
        length = (exptime or 0.0) / 86400.0
        start = date.mjd if self.rules.date_is_start else date.mjd - length / 2.0
        return start, start + length, exptime, "calibrated" if exptime else "uncalibrated"

    def _exptime(self) -> float | None:
        value = self._number("exptime")
        if value is None:
            return None
        if value <= 0:
            kind = "zero exposure time" if value == 0 else "negative exposure time"
            self.told.repairs.append((kind, f"exposure time {value:g} {self.rules.exptime_unit} is left empty"))
            return None
        return value * _SECONDS[self.rules.exptime_unit]

    def _date(self) -> Date | None:
        text = self.find("date")
        date = None
        if text is not None:
            try:
                date = parse_date(text, self.find("time_of_day"))
            except ValueError as error:
                self.told.notes.append(("date not understood", f"{error}; left empty"))
        if date is not None and not is_possible(date.mjd):
            self.told.notes.append(("date not understood", f"{text!r} is no date of a plate; left empty"))
            date = None
        if date is not None and date.repair:
            self.told.repairs.append(("time of day carried over", date.repair))
        mjd = self.header.get("MJD-OBS")
        if (date is None or not date.has_time) and isinstance(mjd, int | float) and is_possible(mjd):
            return Date(float(mjd), has_time=True)
        if date is None and text is None:
            self.told.notes.append(("unknown date", "no card gives a date"))
        return date

    def _scan_date(self) -> dt.datetime | None:
        text = self.find("scan_date")
        if text is None:
            return None
        try:
            return as_datetime(parse_date(text).mjd)
        except ValueError as error:
            self.told.notes.append(("date not understood", f"date of the scan: {error}; left empty"))
            return None

    def _position(self) -> tuple[float, float] | None:
        """The logged position in ICRS degrees, brought from the equinox it is written in."""
        ra, dec = self.find("ra"), self.find("dec")
        if ra is None or dec is None:
            return None
        try:
            sexagesimal = any(mark in ra.strip() for mark in ": ")
            lon = Angle(ra, unit=units.hourangle if sexagesimal else units.deg)
            lat = Angle(dec, unit=units.deg)
            equinox = float((self.find("equinox") or "2000").lstrip("JB"))
            frame = "fk4" if equinox < _FK4_UNTIL else "fk5"
            year = f"{'B' if frame == 'fk4' else 'J'}{equinox}"
            place = SkyCoord(lon, lat, frame=frame, equinox=year).icrs
        except ValueError as error:
            self.told.notes.append(("position not understood", f"{ra!r} {dec!r}: {error}; left empty"))
            return None
        return float(place.ra.deg), float(place.dec.deg)
