"""What is looked for, as people write it: a place, a time, a wavelength.

Places are ICRS. Global discovery asks services for one circle, one span of time and one wavelength; each may be left
out, but not place and time both.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from vo.errors import UsageFault

#: Larger circles are no question about a place any more, and every service would answer with all it has.
MOST_RADIUS = 10.0
USUAL_RADIUS = 0.1

#: Speed of light in m/s, Planck's constant in J s, the electron's charge in C: exact since the SI of 2019.
_LIGHT = 299_792_458.0
_PLANCK = 6.62607015e-34
_CHARGE = 1.602176634e-19

_PHOTON = _LIGHT * _PLANCK / _CHARGE  # wavelength in m of 1 eV

#: Each unit, as the form shows it, and how a number in it becomes metres in vacuum.
UNITS: dict[str, tuple[str, Callable[[float], float]]] = {
    "nm": ("nm", lambda value: value * 1e-9),
    "angstrom": ("\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", lambda value: value * 1e-10),
    "um": ("\N{GREEK SMALL LETTER MU}m", lambda value: value * 1e-6),
    "mm": ("mm", lambda value: value * 1e-3),
    "m": ("m", lambda value: value),
    "eV": ("eV", lambda value: _PHOTON / value),
    "keV": ("keV", lambda value: _PHOTON / (value * 1e3)),
    "MeV": ("MeV", lambda value: _PHOTON / (value * 1e6)),
    "MHz": ("MHz", lambda value: _LIGHT / (value * 1e6)),
    "GHz": ("GHz", lambda value: _LIGHT / (value * 1e9)),
}

FIELDS = ("place", "radius", "time", "wavelength", "unit", "inclusive")

_MJD_ZERO = dt.date(1858, 11, 17)
_FIRST_YEAR, _LAST_YEAR = 1800, 2100
#: The days of 1800-01-01 and 2101-01-01.
_FIRST_DAY = float((dt.date(_FIRST_YEAR, 1, 1) - _MJD_ZERO).days)
_LAST_DAY = float((dt.date(_LAST_YEAR + 1, 1, 1) - _MJD_ZERO).days)
_JULIAN = 2_000_000.0
#: A bare number below this is a year or a slip, not a day: MJD 10000 is in 1886, and none of these plates is older.
_LEAST_BARE_DAY = 10_000.0

_LONGEST = 200
_SHOWN = 60

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Question:
    """What services are asked: ``space`` is (ra, dec, radius) in degrees ICRS, ``time`` a span of MJD (UTC).

    ``spectrum`` is a wavelength in vacuum in metres. With ``inclusive`` services are asked, too, that do not say in the
    registry where on the sky, when and at what wavelengths they have images.
    """

    space: tuple[float, float, float] | None = None
    time: tuple[float, float] | None = None
    spectrum: float | None = None
    inclusive: bool = False


class FormFault(UsageFault):
    """A form that cannot be read; ``fields`` has what is wrong by the name of the field."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in fields.items()))
        self.fields = dict(fields)


def read_question(values: Mapping[str, str]) -> Question:
    """Read the form's fields (:data:`FIELDS`); raises :class:`FormFault` with everything that is wrong at once."""
    wrong: dict[str, str] = {}

    def read(name: str, parse: Callable[[str], _T]) -> _T | None:
        text = values.get(name, "").strip()
        if not text:
            return None
        try:
            if len(text) > _LONGEST:
                raise UsageFault(f"this is longer than {_LONGEST} characters")  # noqa: TRY301  told beside the field
            return parse(text)
        except UsageFault as fault:
            wrong[name] = fault.text
            return None

    place = read("place", parse_place)
    radius = read("radius", parse_radius)
    time = read("time", parse_time)
    unit = values.get("unit", "").strip() or "nm"
    if unit not in UNITS:
        wrong["wavelength"] = f"{unit[:_SHOWN]!r} is no unit known here; choose one of {', '.join(UNITS)}"
        unit = "nm"
    spectrum = read("wavelength", lambda text: parse_wavelength(text, unit))
    if not wrong and place is None and time is None:
        wrong["place"] = "give a place or a time; otherwise every archive would answer with all it has"
    if wrong:
        raise FormFault(wrong)
    space = None if place is None else (*place, USUAL_RADIUS if radius is None else radius)
    return Question(space, time, spectrum, inclusive=values.get("inclusive", "") not in ("", "0", "false", "no"))


# -- places

_SIGNS = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{DEGREE SIGN}": "d",
        "\N{PRIME}": "m",
        "\N{RIGHT SINGLE QUOTATION MARK}": "m",
        "'": "m",
        "\N{DOUBLE PRIME}": "s",
        "\N{RIGHT DOUBLE QUOTATION MARK}": "s",
        '"': "s",
        ":": " ",
        ";": ",",
        "\N{NO-BREAK SPACE}": " ",
        "\t": " ",
    }
)
_NUMBER = r"\d{1,3}(?:\.\d*)?|\.\d+"
_HALF = re.compile(rf"([-+]?) ?({_NUMBER}) ?([dh]?)(?: ?(\d{{1,2}}(?:\.\d*)?) ?m?(?: ?(\d{{1,2}}(?:\.\d*)?) ?s?)?)?")
_PLACE_FORMS = "degrees such as 214.62 28.41, or hours and degrees such as 14 18 28.8 +28 24 36"


def parse_place(text: str) -> tuple[float, float]:
    """Read right ascension and declination (ICRS), in degrees or sexagesimal; gives degrees.

    Sexagesimal right ascensions are hours unless they say degrees.
    """
    halves = _split(text.lower().translate(_SIGNS))
    matches = [_HALF.fullmatch(half.strip()) for half in halves]
    if len(matches) != 2 or not all(matches):  # noqa: PLR2004  two coordinates
        raise UsageFault(f"{text[:_SHOWN]!r} cannot be read as a place; write {_PLACE_FORMS}")
    ra_match, dec_match = matches
    if ra_match is None or dec_match is None or dec_match[3] == "h":
        raise UsageFault(f"{text[:_SHOWN]!r} cannot be read as a place; write {_PLACE_FORMS}")
    is_sexagesimal = ra_match[4] is not None
    in_hours = ra_match[3] == "h" or (is_sexagesimal and ra_match[3] != "d")
    ra = _angle(ra_match, text) * (15.0 if in_hours else 1.0)
    dec = _angle(dec_match, text)
    if not 0.0 <= ra <= 360.0:  # noqa: PLR2004  degrees
        raise UsageFault(f"the right ascension {ra:g} does not lie between 0 and 360 degrees (0 and 24 hours)")
    if not -90.0 <= dec <= 90.0:  # noqa: PLR2004  degrees
        raise UsageFault(f"the declination {dec:g} does not lie between -90 and 90 degrees")
    return ra % 360.0, dec


def _split(text: str) -> list[str]:
    """The two coordinates: apart at a comma, else before the second's sign, else in the middle."""
    if "," in text:
        return text.split(",")
    sign = re.search(r"(?<=[\ddhms. ])[-+]", text)
    if sign is not None:
        return [text[: sign.start()], text[sign.start() :]]
    unit = re.search(r"(?<=s) |(?<=d) (?=[^ ]+d)", text)
    if unit is not None:
        return [text[: unit.start()], text[unit.start() :]]
    words = text.split()
    middle = len(words) // 2
    return [" ".join(words[:middle]), " ".join(words[middle:])] if len(words) % 2 == 0 else [text]


def _angle(match: re.Match[str], text: str) -> float:
    sign, whole, _, minutes, seconds = match.groups()
    if (minutes is not None and "." in whole) or (seconds is not None and "." in minutes):
        raise UsageFault(f"{text[:_SHOWN]!r}: only the last number of a coordinate may have a fraction")
    parts = (float(minutes or 0.0), float(seconds or 0.0))
    if not all(part < 60.0 for part in parts):  # noqa: PLR2004  sexagesimal
        raise UsageFault(f"{text[:_SHOWN]!r}: minutes and seconds are less than 60")
    value = float(whole) + parts[0] / 60.0 + parts[1] / 3600.0
    return -value if sign == "-" else value


def parse_radius(text: str) -> float:
    """Read the radius of the circle, in degrees."""
    radius = _number(text.removesuffix("deg").removesuffix("\N{DEGREE SIGN}"))
    if radius is None:
        raise UsageFault(f"{text[:_SHOWN]!r} is no number; write the radius in degrees, such as 0.1")
    if not 0.0 < radius <= MOST_RADIUS:
        raise UsageFault(f"the radius must be more than 0 and at most {MOST_RADIUS:g} degrees")
    return radius


# -- times

_TIME_FORMS = (
    "a date such as 1941-02-03, a moment such as 1941-02-03T02:00, a year such as 1941, a Modified Julian Date such as "
    "30028.08, or two of these with .. between them"
)
_RANGE = re.compile(r"\s*(?:\.\.+|/|\N{HORIZONTAL ELLIPSIS}|\bto\b|\N{EN DASH})\s*")
_DATE = re.compile(
    r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?)?)?)?Z?", re.IGNORECASE
)


def parse_time(text: str) -> tuple[float, float]:
    """Read a span of time as MJD (UTC): a date is the whole day, a year the whole year, two of them all between."""
    parts = _RANGE.split(text)
    if len(parts) > 2 or not all(parts):  # noqa: PLR2004  the two ends
        raise UsageFault(f"{text[:_SHOWN]!r} cannot be read as a time; write {_TIME_FORMS}")
    begin, end = _span(parts[0], text)[0], _span(parts[-1], text)[1]
    if end < begin:
        raise UsageFault("the second time lies before the first; write the earlier one first")
    if begin < _FIRST_DAY or end > _LAST_DAY:
        raise UsageFault(f"only times between the years {_FIRST_YEAR} and {_LAST_YEAR} are looked for")
    return begin, end


def _span(text: str, whole: str) -> tuple[float, float]:
    match = _DATE.fullmatch(text)
    if match is not None:
        return _dates(match, text)
    is_told = text[:3].upper() == "MJD"
    value = _number(text[3:] if is_told else text)
    if value is None:
        raise UsageFault(f"{whole[:_SHOWN]!r} cannot be read as a time; write {_TIME_FORMS}")
    if value > _JULIAN:
        day = value - 2_400_000.5
        raise UsageFault(f"{text[:_SHOWN]} is a Julian Date; write the Modified Julian Date, {day:.6f}")
    if value < _LEAST_BARE_DAY and not is_told:
        raise UsageFault(f"{text[:_SHOWN]!r} is neither a year nor a day of a plate; write {_TIME_FORMS}")
    return value, value


def _dates(match: re.Match[str], text: str) -> tuple[float, float]:
    year, month, day, hour, minute, second = match.groups()
    try:
        first = dt.date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        raise UsageFault(f"{text[:_SHOWN]!r} is no date of the calendar; write year-month-day") from None
    begin = float((first - _MJD_ZERO).days)
    if hour is not None:
        at = begin + _fraction(int(hour), int(minute), float(second or 0.0), text)
        return at, at
    if day is not None:
        return begin, begin + 1.0
    if month is not None:
        return begin, begin + calendar.monthrange(first.year, first.month)[1]
    return begin, begin + (366.0 if calendar.isleap(first.year) else 365.0)


def _fraction(hour: int, minute: int, second: float, text: str) -> float:
    if hour > 23 or minute > 59 or second >= 60.0:  # noqa: PLR2004  of a clock
        raise UsageFault(f"{text[:_SHOWN]!r} has a time of day that no clock shows")
    return (hour * 3600.0 + minute * 60.0 + second) / 86_400.0


# -- wavelengths


def parse_wavelength(text: str, unit: str) -> float:
    """Read a wavelength, frequency or photon's energy in one of :data:`UNITS`; gives metres in vacuum."""
    value = _number(text)
    if value is None or value <= 0.0:
        raise UsageFault(f"{text[:_SHOWN]!r} is no number above 0; write such as 440 and choose the unit beside it")
    metres = UNITS[unit][1](value)
    if not 1e-20 <= metres <= 1e6:  # noqa: PLR2004  beyond gamma rays and longest waves
        raise UsageFault("no telescope sees this; look at the unit")
    return metres


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
