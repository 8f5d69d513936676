"""Dates as plate archives write them, into MJD (UTC).

Read are ISO 8601 as FITS has it (FITS 4.0, section 9.1.1), the old ``DD/MM/YY`` of the twentieth century (section
4.4.2.1) with the time of day in a card of its own, and DASCH's form with hyphens in the time. Minutes, seconds and
hours that a rounding pushed to 60 or 24 are carried over, which the caller reports.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

MJD_EPOCH = dt.datetime(1858, 11, 17)  # noqa: DTZ001 -- all times here are UTC
JD_OF_MJD = 2400000.5
#: 1839 and 2100.
_FIRST, _LAST = -7260.0, 88069.0

_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2})[:-](\d{1,2})(?:[:-](\d{1,2}(?:\.\d*)?))?\s*(?:Z|\+00:00)?)?"
)
_PLAIN = re.compile(r"(\d{4})(\d{2})(\d{2})")
_OLD = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d*)?))?")


@dataclass(frozen=True, slots=True)
class Date:
    """A date that was read: ``mjd`` (UTC), whether a time of day was given, and what was repaired."""

    mjd: float
    has_time: bool
    repair: str | None = None


def parse_date(text: str, time_of_day: str | None = None) -> Date:
    """Read a date; ``time_of_day`` (``hh:mm:ss``) is used when the text has none.

    Two-digit years are of the twentieth century, as FITS says. Raises ValueError with the reason.
    """
    text = text.strip()
    if match := _ISO.fullmatch(text):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
        clock = (match[4], match[5], match[6]) if match[4] else None
    elif match := _PLAIN.fullmatch(text):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
        clock = None
    elif match := _OLD.fullmatch(text):
        year, month, day = 1900 + int(match[3]), int(match[2]), int(match[1])
        clock = None
    else:
        raise ValueError(f"{text!r} is not a date (YYYY-MM-DD[Thh:mm:ss] or DD/MM/YY)")
    if clock is None and time_of_day and (match := _TIME.fullmatch(time_of_day.strip())):
        clock = (match[1], match[2], match[3])
    try:
        midnight = dt.datetime(year, month, day)  # noqa: DTZ001 -- all times here are UTC
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date: {error}") from error
    start = float((midnight - MJD_EPOCH).days)
    if clock is None:
        return Date(start, has_time=False)
    hours, minutes, seconds = int(clock[0]), int(clock[1]), float(clock[2] or 0.0)
    if hours > 24 or minutes > 60 or seconds >= 61:  # noqa: PLR2004 -- limits of a clock
        raise ValueError(f"{text!r} has no possible time of day")
    carried = hours == 24 or minutes == 60 or seconds >= 60  # noqa: PLR2004 -- limits of a clock
    repair = f"the time of {text!r} is carried over to the next minute, hour or day" if carried else None
    return Date(start + (hours * 3600 + minutes * 60 + seconds) / 86400.0, has_time=True, repair=repair)


def is_possible(mjd: float) -> bool:
    """Whether a plate can be of this date: from the first photographs to the end of this century; 0 means unknown."""
    return _FIRST <= mjd <= _LAST and mjd != 0.0


def mjd_of_jd(julian_date: float) -> float:
    """MJD of a Julian date."""
    return julian_date - JD_OF_MJD


def as_datetime(mjd: float) -> dt.datetime:
    """Give the UTC calendar date and time, without a time zone; ValueError beyond the calendar's years 1 to 9999."""
    try:
        return MJD_EPOCH + dt.timedelta(days=mjd)
    except OverflowError as error:
        raise ValueError(f"MJD {mjd:g} is beyond the calendar") from error
