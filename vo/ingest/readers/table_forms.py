"""Angles, times of day and dates read by the forms of a mapping (:mod:`vo.metadata.forms`, docs/mapping.md)."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from vo.ingest.dates import MJD_EPOCH, mjd_of_jd, parse_date
from vo.metadata.forms import AngleForm, DateForm

#: What an angle or time of day is: degrees or hours, and whether 60 minutes or seconds were carried over.
Reader = Callable[[str], tuple[float, bool]]

#: Texts that are remembered with their values: telescopes are pointed at the same fields, and times are to the minute.
_REMEMBERED = 8192

_BETWEEN = r"(?:-|[\s:;_°º'\"′″’”hHdDmMsS/]+)"  # noqa: RUF001 -- the signs that people write for minutes and seconds
_NUMBER = r"(\d+(?:[.,]\d*)?)"
_LOOSE = re.compile(rf"([+-])?\s*{_NUMBER}(?:{_BETWEEN}{_NUMBER})?(?:{_BETWEEN}{_NUMBER})?(?:{_BETWEEN})?", re.ASCII)
_MINUS = str.maketrans("−–", "--")  # noqa: RUF001 -- minus signs of typesetters
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november"),
    "december",
)


class Day(NamedTuple):
    """A date that was read: the MJD of its midnight, of how many days it may be one, and the time of day if it has one.

    ``moment`` is the whole instead where that is an instant of UT by itself (Julian dates).
    """

    mjd: int
    days: int = 1
    fraction: float | None = None
    moment: float | None = None
    carried: bool = False


def angle_reader(form: AngleForm) -> Reader:
    """Make the function that reads texts of a form; it raises ValueError with the reason.

    Forms that count hours give hours, all others degrees. The sign counts for zero, too.
    """
    if form.groups:
        return lru_cache(_REMEMBERED)(_packed_reader(form))
    if form.text in ("deg", "hours"):
        return lambda text: (_number(text), False)
    if form.text == "rad":
        return lambda text: (math.degrees(_number(text)), False)
    return lru_cache(_REMEMBERED)(_loose)


def _number(text: str) -> float:
    try:
        value = float(text.strip().translate(_MINUS))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()!r} is not a number")
    return value


def _loose(text: str) -> tuple[float, bool]:
    match = _LOOSE.fullmatch(text.strip().translate(_MINUS))
    if match is None:
        raise ValueError(f"{text.strip()!r} is not hours or degrees, minutes and seconds")
    sign, *parts = match.groups()
    given = [part.replace(",", ".") for part in parts if part is not None]
    if any("." in part for part in given[:-1]):
        raise ValueError(f"{text.strip()!r} has decimals before its last number")
    return _sum(sign, [float(part) for part in given], text)


def _sum(sign: str | None, parts: list[float], text: str) -> tuple[float, bool]:
    whole, minutes, seconds = (*parts, 0.0, 0.0)[:3]
    if minutes >= 61.0 or seconds >= 61.0:  # noqa: PLR2004 -- 60 is what roundings make
        raise ValueError(f"{text.strip()!r} has more than 60 minutes or seconds")
    value = whole + minutes / 60.0 + seconds / 3600.0
    carried = minutes >= 60.0 or seconds >= 60.0  # noqa: PLR2004 -- the same
    return (-value if sign == "-" else value), carried


def _packed_reader(form: AngleForm) -> Reader:
    width = form.width
    cuts: list[tuple[int, int, int]] = []  # which of whole, minutes, seconds; from; up to, decimals included
    digits: list[int] = []  # how many of these are decimals
    place = 0
    for letter, count in form.groups:
        if letter == "t":
            part, start, end = cuts[-1]
            cuts[-1] = (part, start, end + count)
            digits[-1] = count
        else:
            cuts.append((("m", "s").index(letter) + 1 if letter in "ms" else 0, place, place + count))
            digits.append(0)
        place += count

    def read(text: str) -> tuple[float, bool]:
        sign, body = _digits(text.translate(_MINUS), width)
        if len(body) != width or not (body.isascii() and body.isdigit()):
            raise ValueError(f"{text.strip()!r} is not written as {form.text}")
        parts = [0.0, 0.0, 0.0]
        for (part, start, end), decimals in zip(cuts, digits, strict=True):
            parts[part] = int(body[start:end]) / 10.0**decimals
        return _sum(sign, parts, text)

    return read


def _digits(text: str, width: int) -> tuple[str, str]:
    """Sign and digits of a packed text; blanks are zeros, and those that were cut off in front come back."""
    if len(text) == width + 1 and text[0] in "+- ":
        return text[0], text[1:].replace(" ", "0")
    if len(text) != width or text[0] in "+-":
        text = text.strip()
        if text[:1] in ("+", "-"):
            return text[0], text[1:].rjust(width).replace(" ", "0")
        text = text.rjust(width)
    return "", text.replace(" ", "0")


# ------------------------------------------------------------------------------------------------- dates


def date_reader(form: DateForm, first_year: int | None) -> Callable[[str], Day]:
    """Make the function that reads dates of a form; it raises ValueError with the reason.

    ``first_year`` begins the hundred years that years of two digits are of.
    """
    if form.text == "iso":
        return _iso
    if form.text == "jd":
        return lambda text: _moment(mjd_of_jd(_number(text)))
    if form.text == "mjd":
        return lambda text: _moment(_number(text))
    if form.text == "year":
        return _decimal_year
    pattern = re.compile("".join(_part_pattern(form, place) for place in range(len(form.parts))), re.ASCII)
    names = [part for part in form.parts if part[0].isalpha()]
    is_packed = not {"mon", "dd.d"} & set(names) and len(names) == len(form.parts)

    def read(text: str) -> Day:
        match = pattern.fullmatch(text.strip())
        if match is None and is_packed:  # blanks are zeros there
            match = pattern.fullmatch(text.strip().rjust(len(form.text)).replace(" ", "0"))
        if match is None:
            raise ValueError(f"{text.strip()!r} is not written as {form.text}")
        return _day(dict(zip(names, match.groups(), strict=True)), first_year, text)

    return read


def _part_pattern(form: DateForm, place: int) -> str:
    part = form.parts[place]
    if not part[0].isalpha():
        return r"\s+" if part.isspace() else re.escape(part)
    fixed = {"yyyy": r"(\d{4})", "yy": r"(\d{2})", "mon": r"([A-Za-z]{3,9})\.?", "dd.d": r"(\d{1,2}(?:\.\d*)?)"}
    if part in fixed:
        return fixed[part]
    beside = form.parts[max(place - 1, 0) : place + 2]
    alone = sum(one[0].isalpha() and one != "mon" for one in beside) == 1  # only numbers run into each other
    most = 3 if part == "jjj" else 2
    return rf"(\d{{1,{most}}})" if alone else rf"(\d{{{most}}})"


def _day(found: dict[str, str], first_year: int | None, text: str) -> Day:
    year = int(found.get("yyyy") or found["yy"])
    if "yy" in found and first_year is not None:
        year += (first_year - year + 99) // 100 * 100
    try:
        if "jjj" in found:
            return _day_of_year(year, int(found["jjj"]))
        month = _month(found)
        if month is None:
            return _span(dt.datetime(year, 1, 1), dt.datetime(year + 1, 1, 1))  # noqa: DTZ001 -- days have no zone
        day = found.get("dd.d") or found.get("dd") or found.get("d")
        if day is None:
            after = (year + month // 12, month % 12 + 1)
            return _span(dt.datetime(year, month, 1), dt.datetime(*after, 1))  # noqa: DTZ001 -- the same
        whole, _, decimals = day.partition(".")
        start = _span(dt.datetime(year, month, int(whole)))  # noqa: DTZ001 -- the same
    except ValueError as error:
        raise ValueError(f"{text.strip()!r} is not a date: {error}") from error
    return start._replace(fraction=float(f"0.{decimals}")) if decimals else start


def _month(found: dict[str, str]) -> int | None:
    if "mon" in found:
        name = found["mon"].lower()
        numbers = [number for number, known in enumerate(_MONTHS, start=1) if known.startswith(name)]
        if len(numbers) != 1:
            raise ValueError(f"{found['mon']!r} is no month")
        return numbers[0]
    month = found.get("mm") or found.get("m")
    return None if month is None else int(month)


def _span(start: dt.datetime, end: dt.datetime | None = None) -> Day:
    return Day((start - MJD_EPOCH).days, 1 if end is None else (end - start).days)


def _day_of_year(year: int, number: int) -> Day:
    first = dt.datetime(year, 1, 1)  # noqa: DTZ001 -- days have no zone
    days = (dt.datetime(year + 1, 1, 1) - first).days  # noqa: DTZ001 -- the same
    if not 1 <= number <= days:
        raise ValueError(f"{year} has {days} days")
    return Day((first - MJD_EPOCH).days + number - 1)


def _moment(mjd: float) -> Day:
    return Day(math.floor(mjd), moment=mjd)


def _decimal_year(text: str) -> Day:
    value = _number(text)
    year = math.floor(value)
    if not dt.MINYEAR <= year < dt.MAXYEAR:
        raise ValueError(f"{text.strip()!r} is no year")
    year_span = _span(dt.datetime(year, 1, 1), dt.datetime(year + 1, 1, 1))  # noqa: DTZ001 -- days have no zone
    return _moment(year_span.mjd + (value - year) * year_span.days)


def _iso(text: str) -> Day:
    date = parse_date(text)
    day = math.floor(date.mjd)
    return Day(day, fraction=date.mjd - day if date.has_time else None, carried=date.repair is not None)
