"""When an exposure was, of what a list says: civil, mean solar and sidereal times of a site into MJD (UTC).

Universal Time is taken for UTC (they differ by less than a second since 1972; before, there was no other), and
Greenwich mean sidereal time is that of IAU 2006 (Capitaine et al. 2003, A&A 412, 567, eq. 42) with UT in place of TT,
whose difference makes no microsecond.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo

from vo.ingest.dates import MJD_EPOCH, as_datetime
from vo.ingest.readers.table_forms import Day, angle_reader, date_reader
from vo.metadata.forms import parse_angle_form, parse_date_form
from vo.metadata.mapping import SiteRules, TimeRules

#: A sidereal day in days of UT.
SIDEREAL_DAY = 0.9972695663
_J2000 = 51544.5


class Moment(NamedTuple):
    """What a date and a time of day are: an instant, or all from ``mjd`` to ``end`` where no time of day is known.

    ``repairs`` and ``notes`` are pairs of a short phrase and the reason.
    """

    mjd: float
    end: float | None = None
    repairs: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


def sidereal_time(mjd: float, longitude: float) -> float:
    """Local mean sidereal time in degrees; longitude in degrees, positive to the east."""
    days = mjd - _J2000
    century = days / 36525.0
    rotation = 360.0 * (0.7790572732640 + 0.00273781191135448 * days + days % 1.0)
    precession = (0.014506 + century * (4612.156534 + century * (1.3915817 - century * 0.00000044))) / 3600.0
    return (rotation + precession + longitude) % 360.0


def sun_altitude(mjd: float, site: SiteRules) -> float:
    """The Sun's altitude in degrees, to a hundredth of one (Astronomical Almanac, low-precision formulas)."""
    days = mjd - _J2000
    anomaly = math.radians(357.528 + 0.9856003 * days)
    mean = 280.460 + 0.9856474 * days
    longitude = math.radians(mean + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.0000004 * days)
    ra = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    dec = math.asin(math.sin(tilt) * math.sin(longitude))
    hour = math.radians(sidereal_time(mjd, site.longitude)) - ra
    lat = math.radians(site.latitude)
    return math.degrees(math.asin(math.sin(lat) * math.sin(dec) + math.cos(lat) * math.cos(dec) * math.cos(hour)))


class Clock:
    """Reads the dates and times of a list by its rules."""

    def __init__(self, rules: TimeRules, sites: Mapping[str, SiteRules]) -> None:
        self._rules = rules
        self._sites = sites
        self._read_date = date_reader(parse_date_form(rules.date_form), rules.first_year)
        self._read_clock = angle_reader(parse_angle_form(rules.clock_form))
        self._until = (rules.astronomical_until - MJD_EPOCH.date()).days
        self._only_site = next(iter(sites.values())) if len(sites) == 1 else None
        self._zone = ZoneInfo(rules.zone) if isinstance(rules.zone, str) else None

    def site(self, name: str | None) -> SiteRules | None:
        """The site of a row; ValueError when it is none of the mapping's."""
        if self._rules.site is None:
            return self._only_site
        if name is None:
            return None
        if name not in self._sites:
            raise ValueError(f"site {name!r} is not described; mapping.toml has {', '.join(self._sites) or 'none'}")
        return self._sites[name]

    def moment(self, date: str, clock: str | None, site: SiteRules | None) -> Moment:
        """When this was; ValueError with the reason when it cannot be told."""
        day = self._read_date(date)
        if day.moment is not None:
            return Moment(day.moment)
        if site is None and self._rules.system in ("local mean", "sidereal"):
            raise ValueError(f"{self._rules.system} time of an unknown site")
        time, carried = day.fraction, day.carried
        if clock is not None and day.days == 1:
            hours, carried = self._read_clock(clock)
            if not 0.0 <= hours <= 24.0:  # noqa: PLR2004 -- hours of a day
                raise ValueError(f"{clock.strip()!r} is no time of day")
            time = hours / 24.0
        begin = self._begin(day, site)
        if time is None:
            return Moment(begin, begin + day.days)
        text = f"{date.strip()} {(clock or '').strip()}".strip()
        repairs = (("time of day carried over", f"60 in {text!r} is carried over"),) if carried else ()
        if self._rules.system == "sidereal" and site is not None:
            return self._of_sidereal(time, begin, site, text)._replace(repairs=repairs)
        return Moment(self._of_solar(day, time, begin, site), repairs=repairs)

    def _kind(self, day: Day) -> str:
        """What the date of a row means, its own day's for those until the astronomers' change."""
        if self._rules.day != "astronomical":
            return self._rules.day
        return "noon" if day.mjd < self._until else "midnight"

    def _begin(self, day: Day, site: SiteRules | None) -> float:
        """The first instant (MJD, UTC) that the date can mean."""
        kind = self._kind(day)
        if kind == "UT":
            return float(day.mjd)
        local = day.mjd + (0.0 if kind == "midnight" else 0.5)
        return local - self._offset(local, site)

    def _of_solar(self, day: Day, time: float, begin: float, site: SiteRules | None) -> float:
        kind = self._kind(day)
        if kind == "noon":
            local = day.mjd + 0.5 + time
        elif kind == "evening":
            local = day.mjd + time + (1.0 if time < 0.5 else 0.0)  # noqa: PLR2004 -- half a day: noon
        elif kind == "midnight":
            local = day.mjd + time
        else:
            return begin + (time - self._offset(begin + 0.5, site)) % 1.0
        return local - self._offset(local, site)

    def _of_sidereal(self, time: float, begin: float, site: SiteRules, text: str) -> Moment:
        ahead = (time * 360.0 - sidereal_time(begin, site.longitude)) % 360.0
        first = begin + ahead / 360.0 * SIDEREAL_DAY
        second = first + SIDEREAL_DAY
        if second >= begin + 1.0:
            return Moment(first)
        is_later = sun_altitude(first, site) > 0.0 > sun_altitude(second, site)
        said = f"sidereal time {text!r} comes twice on its date; the {'later' if is_later else 'earlier'} one is taken"
        return Moment(second if is_later else first, notes=(("sidereal time twice", said),))

    def _offset(self, local: float, site: SiteRules | None) -> float:
        """How far the clock is ahead of UT, in days."""
        if self._rules.system == "UT":
            return 0.0
        if self._zone is not None:
            return _zone_offset(local, self._zone)
        if isinstance(self._rules.zone, int | float):
            return self._rules.zone / 24.0
        # east of 180 degrees is west of the date line, as calendars have it
        return 0.0 if site is None else ((site.longitude + 180.0) % 360.0 - 180.0) / 360.0


def _zone_offset(local: float, zone: ZoneInfo) -> float:
    offset = as_datetime(local).replace(tzinfo=zone).utcoffset()
    return 0.0 if offset is None else offset / dt.timedelta(days=1)


#: What :func:`exposed` gives: start, end (MJD), and how well they are known.
Times = tuple[float, float, str]


def exposed(moment: Moment, exptime: float | None, means: str) -> Times:
    """Start and end of an exposure of so many seconds, whose moment is its start, middle or end."""
    if moment.end is not None:
        return moment.mjd, moment.end, "uncalibrated"
    length = (exptime or 0.0) / 86400.0
    start = moment.mjd - {"start": 0.0, "middle": 0.5, "end": 1.0}[means] * length
    return start, start + length, "calibrated" if exptime else "uncalibrated"
