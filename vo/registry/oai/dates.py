"""Moments as OAI-PMH writes them: UTC, to the second or to the day (OAI-PMH 2.0, section 3.3).

Here they are :class:`datetime.datetime` without a zone, as the database has them.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_SECONDS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DAYS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LAST_OF_DAY = dt.timedelta(hours=23, minutes=59, seconds=59)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one argument means: from ``first`` to ``last``, both included: a second, or a day when ``is_day``."""

    first: dt.datetime
    last: dt.datetime
    is_day: bool


def now() -> dt.datetime:
    """The second that it is."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0, tzinfo=None)


def written(moment: dt.datetime) -> str:
    """A moment to the second, as answers have it."""
    # strftime writes years before 1000 with fewer than four digits.
    return f"{moment.year:04}{moment.strftime(_FORM.removeprefix('%Y'))}"


def read(text: str) -> Stretch | None:
    """The stretch of time that an argument names; None when it is written in neither of the two ways."""
    try:
        if _SECONDS.fullmatch(text):
            moment = dt.datetime.fromisoformat(text.removesuffix("Z"))
            return Stretch(moment, moment, is_day=False)
        if _DAYS.fullmatch(text):
            day = dt.datetime.fromisoformat(text)
            return Stretch(day, day + _LAST_OF_DAY, is_day=True)
    except ValueError:  # February 30
        pass
    return None
