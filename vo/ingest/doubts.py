"""What of a source looks wrong although it can be read: units and frames taken for others, years that cannot be."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass

from vo.ingest.trial import Seen, Trial
from vo.metadata.collection import Collection
from vo.metadata.mapping import MAPPING, has_mapping
from vo.metadata.mistakes import Mistake
from vo.metadata.toml_file import read_toml

_MJD_EPOCH = dt.date(1858, 11, 17)
#: Astronomers' plates begin with those of 1850 (Harvard's daguerreotype of Vega); few were taken after 2010.
_FIRST_YEAR = 1850
#: Hours: below, all right ascensions of a list would be; with fewer rows it may be so by chance.
_HOURS, _ENOUGH = 24.0, 20
#: Seconds of exposure times: shortest that an archive's plates have, and a whole night.
_SHORTEST, _NIGHT = 0.01, 50_000.0
#: A usual exposure is longer than this; minutes taken for seconds are not.
_USUAL = 2.0
#: arcsec/mm: the longest refractors have some 10, meteor cameras some 4000.
_FINEST, _COARSEST = 2.0, 20_000.0
#: m in vacuum, what emulsions on glass can see.
_BLUEST, _REDDEST = 1e-8, 1.3e-6
_WIDEST = 120.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that looks wrong: ``column`` of the published table, what was found, what may be the reason."""

    column: str
    text: str
    advice: str


def find_rule(doubt: Doubt, collection: Collection) -> Mistake | None:
    """The place in the collection's mapping that a doubt is about; None when no mapping has a rule for it."""
    if not has_mapping(collection):
        return None
    file = read_toml(collection.folder / MAPPING)
    for column in doubt.column.split(", "):
        section, key = _RULES.get(column, ("", ""))
        if key in file.values.get(section, {}):
            return file.mistake((section, key), doubt.text, doubt.advice)
    return None


def find_doubts(trial: Trial) -> tuple[Doubt, ...]:
    """What of a trial looks wrong; an empty answer does not say that all is right."""
    return tuple(_doubts(trial))


def as_date(mjd: float) -> str:
    """The day of an MJD, year, month, day; empty where no calendar reaches."""
    try:
        return (_MJD_EPOCH + dt.timedelta(days=math.floor(mjd))).isoformat()
    except (OverflowError, ValueError):
        return ""


def _doubts(trial: Trial) -> Iterator[Doubt]:
    if not trial.exposures:
        return
    seen = {name: trial.seen.get(name, Seen()) for name in _LOOKS}
    if not seen["s_ra"].count:
        yield Doubt("s_ra, s_dec", "no exposure has a position", "say where positions are, and in which frame")
    elif not seen["s_fov"].count:
        yield Doubt("s_region", "no exposure has a footprint", "give plate_scale and width_mm under [footprint]")
    if not seen["t_min"].count:
        yield Doubt("t_min", "no exposure has a date", "say where dates are, and how they are written")
    if not seen["em_min"].count:
        yield Doubt(
            "em_min", "no exposure has wavelengths", "name emulsions, or give em_min and em_max under [defaults]"
        )
    for name, look in _LOOKS.items():
        if seen[name].count:
            yield from look(seen[name])


def _ra(seen: Seen) -> Iterator[Doubt]:
    if seen.count >= _ENOUGH and max(seen.numbers) <= _HOURS:
        yield Doubt("s_ra", f"no right ascension is above {max(seen.numbers):.1f} degrees", "are they hours?")


def _dec(seen: Seen) -> Iterator[Doubt]:
    if seen.count >= _ENOUGH and max(map(abs, seen.numbers)) <= 1.6:  # noqa: PLR2004 - a right angle in radians
        yield Doubt("s_dec", "no declination is further than 1.6 degrees from the equator", "are they radians?")


def _fov(seen: Seen) -> Iterator[Doubt]:
    if max(seen.numbers) > _WIDEST:
        yield Doubt("s_fov", f"a field is {max(seen.numbers):.0f} degrees wide", "check plate scale and plate size")


def _t_min(seen: Seen) -> Iterator[Doubt]:
    if _year(min(seen.numbers)) < _FIRST_YEAR:
        yield Doubt("t_min", f"the first exposure is of {_year(min(seen.numbers))}", "check how years are written")


def _t_max(seen: Seen) -> Iterator[Doubt]:
    today = dt.datetime.now(dt.UTC).date()
    if max(seen.numbers) > (today - _MJD_EPOCH).days + 1:
        advice = "check how years are written; of two-digit years first_year tells the century"
        yield Doubt("t_max", f"the last exposure is of {_year(max(seen.numbers))}, which is yet to come", advice)


def _exptime(seen: Seen) -> Iterator[Doubt]:
    middle = seen.middle
    if max(seen.numbers) > _NIGHT:
        text = f"an exposure lasted {max(seen.numbers) / 3600.0:.1f} hours"
        yield Doubt("t_exptime", text, "check the unit of exposure times; most: in a mapping leaves large ones out")
    if min(seen.numbers) < _SHORTEST or (seen.count >= _ENOUGH and middle < _USUAL):
        text = f"half of the exposures lasted {middle:g} s or less, the shortest {min(seen.numbers):g} s"
        yield Doubt("t_exptime", text, "are exposure times in minutes?")


def _scale(seen: Seen) -> Iterator[Doubt]:
    least, most = min(seen.numbers), max(seen.numbers)
    if least < _FINEST or most > _COARSEST:
        yield Doubt("plate_scale", f"plate scales are {least:g} to {most:g} arcsec/mm", "check the unit")


def _wavelength(seen: Seen) -> Iterator[Doubt]:
    least, most = min(seen.numbers), max(seen.numbers)
    if least < _BLUEST or most > _REDDEST:
        yield Doubt(
            "em_min, em_max", f"there is a wavelength of {least if least < _BLUEST else most:g} m", "check the unit"
        )


def _year(mjd: float) -> int:
    return round(1858.87 + mjd / 365.25 - 0.5)


#: Where a mapping says how columns are read.
_RULES = {
    "s_ra": ("position", "ra"),
    "s_dec": ("position", "dec"),
    "t_min": ("time", "date"),
    "t_max": ("time", "date"),
    "t_exptime": ("exposure", "exptime"),
    "plate_scale": ("plate", "plate_scale"),
    "em_min": ("plate", "em_min"),
    "em_max": ("plate", "em_max"),
}

_LOOKS = {
    "s_ra": _ra,
    "s_dec": _dec,
    "s_fov": _fov,
    "t_min": _t_min,
    "t_max": _t_max,
    "t_exptime": _exptime,
    "plate_scale": _scale,
    "em_min": _wavelength,
    "em_max": _wavelength,
}
