"""Request parameters, as DALI 1.1 section 2 and 3 has them: names in any case, values as they are."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable
from typing import BinaryIO

from vo.errors import MultiValuedParamNotSupportedFault, UsageFault
from vo.settings import Settings

_INTEGER = re.compile(r"[+-]?[0-9]+")
_LONGEST_INTEGER = 30

#: Files of one request, and parameters beside the IDs of Datalink: a million of them in 2 MB would keep the event loop
#: for a second.
MOST_FILES = 100
_MOST_PARAMETERS = 10_000


class Part:
    """A file that came in a multipart request; what UPLOAD=name,param:<part> points to (DALI 1.1 section 3.4.5).

    ``file`` is open for reading at its start and is closed when the part is no longer needed.
    """

    def __init__(self, name: str, filename: str, content_type: str | None, file: BinaryIO) -> None:
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.file = file
        weakref.finalize(self, file.close)


class Parameters:
    """The parameters of one request, in the order in which they came.

    Names are matched in any case (DALI-01). An empty value counts as an absent one: Aladin sends ``TIME=&BAND=``.
    Unknown parameters do no harm (DALI-04). ``parts`` holds uploaded files by part name.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], parts: Iterable[Part] = ()) -> None:
        self._pairs = tuple(pairs)
        self._values: dict[str, list[str]] = {}
        for name, value in self._pairs:
            if value.strip():
                self._values.setdefault(name.upper(), []).append(value)
        self.parts = {part.name: part for part in parts}

    def one(self, name: str) -> str | None:
        """The value of a parameter that takes one, None when absent.

        Repeating it with another value is a MultiValuedParamNotSupportedFault (DALI-03); the same value again
        (in the address and in the body) is harmless.
        """
        values = self.many(name)
        if len(set(values)) > 1:
            raise MultiValuedParamNotSupportedFault(f"{name} takes one value and came with {len(values)}; send it once")
        return values[0] if values else None

    def many(self, name: str) -> tuple[str, ...]:
        """All values of a parameter, in the order in which they came; empty when absent."""
        return tuple(self._values.get(name.upper(), ()))

    def integer(self, name: str, low: int | None = None, high: int | None = None) -> int | None:
        """The value of a parameter that takes one whole number from ``low`` to ``high``; None when absent."""
        text = self.one(name)
        if text is None:
            return None
        word = text.strip()
        if not _INTEGER.fullmatch(word) or len(word) > _LONGEST_INTEGER:
            raise UsageFault(f"{name}={text[:40]!r} is not a whole number; {_bounds_text(name, low, high)}")
        value = int(word)
        if (low is not None and value < low) or (high is not None and value > high):
            raise UsageFault(f"{name}={value} is out of range; {_bounds_text(name, low, high)}")
        return value

    def names(self) -> tuple[str, ...]:
        """The names of all parameters that have a value, in upper case."""
        return tuple(self._values)

    def items(self) -> tuple[tuple[str, str], ...]:
        """Every parameter as it came, empty ones too: what an answer echoes."""
        return self._pairs


def most_parameters(settings: Settings) -> int:
    """How many parameters a request may have."""
    return _MOST_PARAMETERS + settings.ids_per_call


def maxrec(parameters: Parameters, settings: Settings) -> int:
    """How many rows to send: MAXREC or the default, never more than the hard limit (DALI 1.1 section 3.4.4)."""
    asked = parameters.integer("MAXREC", low=0)
    return min(settings.maxrec_default if asked is None else asked, settings.maxrec_hard)


def overflow_text(rows: int, settings: Settings) -> str:
    """What an answer says that was cut after so many rows: which limit it was, and what to do."""
    if rows >= settings.maxrec_hard:
        return f"Cut after {rows} rows, the most this service sends at a time; split the question to get the rest."
    return f"Cut after {rows} rows (MAXREC); ask with a larger MAXREC, up to {settings.maxrec_hard}, to get more."


def response_format(parameters: Parameters, *, format_too: bool = False) -> str | None:
    """The value of RESPONSEFORMAT (DALI-05); with ``format_too`` FORMAT means the same, as in TAP (TAP-08)."""
    asked = parameters.one("RESPONSEFORMAT")
    if asked is None and format_too:
        asked = parameters.one("FORMAT")
    return asked


def _bounds_text(name: str, low: int | None, high: int | None) -> str:
    match low, high:
        case None, None:
            return f"write {name} as a whole number"
        case _, None:
            return f"write {name} as a whole number, {low} or more"
        case None, _:
            return f"write {name} as a whole number, {high} or less"
        case _, _:
            return f"write {name} as a whole number from {low} to {high}"
