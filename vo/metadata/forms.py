"""How lists of plates write angles, times of day and dates: the words of ``mapping.toml`` for it (docs/mapping.md).

A packed form is its letters: ``hhmmt`` are two digits of hours, two of minutes and one of tenths of a minute. Here
forms are only taken apart and checked; :mod:`vo.ingest.readers.table_forms` reads values by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby, pairwise

#: Forms of angles and times of day that are words: decimal numbers, and numbers with anything between them.
ANGLE_WORDS = ("deg", "hours", "rad", "h m s", "d m s")
#: Forms of dates that are words.
DATE_WORDS = ("iso", "jd", "mjd", "year")

_PARTS = ("d", "h", "m", "s")
_PACKED = re.compile(r"(d{1,3}|h{1,2})?(mm)?(ss)?t*")
_DATE_PARTS = re.compile(r"yyyy|yy|mon|mm|m|dd\.d|dd|d|jjj|[^a-z]+")


@dataclass(frozen=True, slots=True)
class AngleForm:
    """A form of angles or times of day.

    ``groups`` are the letters of a packed form with the count of their digits, empty for words. ``is_hours`` tells
    whether the first letter counts hours.
    """

    text: str
    is_hours: bool
    groups: tuple[tuple[str, int], ...] = ()

    @property
    def width(self) -> int:
        """The digits of a packed form."""
        return sum(count for _, count in self.groups)


@dataclass(frozen=True, slots=True)
class DateForm:
    """A form of dates: ``parts`` are its letters and what stands between them, empty for words."""

    text: str
    parts: tuple[str, ...] = ()

    @property
    def has_short_year(self) -> bool:
        """Whether years have two digits."""
        return "yy" in self.parts

    @property
    def is_moment(self) -> bool:
        """Whether the form has the time of day within it, always or sometimes."""
        return self.text in DATE_WORDS or "dd.d" in self.parts


def parse_angle_form(text: str) -> AngleForm:
    """Take a form of angles or times of day apart; ``ValueError`` says what can be written."""
    if text in ANGLE_WORDS:
        return AngleForm(text, text.startswith("h"))
    match = _PACKED.fullmatch(text)
    if match is None or text.strip("t") == "":
        raise ValueError(
            f"{text!r} is no form of an angle or a time: write {', '.join(ANGLE_WORDS)}, or the digits as letters, "
            "such as hhmmt (hours, minutes, tenths of a minute), hhmmss, ddmm or dddmmss"
        )
    groups = tuple((letter, len(list(same))) for letter, same in groupby(text))
    letters = [letter for letter, _ in groups if letter != "t"]
    places = [_PARTS.index(letter) for letter in letters]
    if any(after - before != 1 for before, after in pairwise(places) if (before, after) != (0, 2)):
        raise ValueError(f"{text!r} leaves out the minutes or has its letters in another order than h m s or d m s")
    return AngleForm(text, letters[0] != "d", groups)


def parse_date_form(text: str) -> DateForm:
    """Take a form of dates apart; ``ValueError`` says what can be written."""
    if text in DATE_WORDS:
        return DateForm(text)
    parts: list[str] = []
    rest = text
    while rest:
        match = _DATE_PARTS.match(rest)
        if match is None:
            raise _no_date(text)
        parts.append(match[0])
        rest = rest[match.end() :]
    kinds = "".join(sorted(part[0] if part != "mon" else "m" for part in parts if part[0].isalpha()))
    if kinds not in ("y", "my", "dmy", "jy"):
        raise _no_date(text)
    return DateForm(text, tuple(parts))


def _no_date(text: str) -> ValueError:
    return ValueError(
        f"{text!r} is no form of a date: write {', '.join(DATE_WORDS)}, or letters such as yymmdd, yyyy-mm-dd, "
        "dd/mm/yy, dd mon yyyy (month by name), yyyy jjj (day of the year), yyyy mm dd.d (day with decimals)"
    )
