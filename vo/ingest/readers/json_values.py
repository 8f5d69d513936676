"""Values out of JSON documents that others write: what is null or missing is None, what is of another kind is told."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

#: Longer documents are no description of a plate (its headers take some 20 KB).
LONGEST = 64_000_000
#: What PostgreSQL's integers hold.
_LARGEST = 2**31 - 1
#: Above this a float skips whole numbers.
_EXACT = 2**53
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Values:
    """An object of a JSON document; ``place`` is how faults call it, ``read`` gathers the keys that were asked for."""

    values: Mapping[str, object]
    place: str
    read: set[str] = field(default_factory=set)

    def text(self, name: str) -> str | None:
        """A text that is not empty; ValueError when it is none, or when PostgreSQL cannot hold it."""
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._wrong(name, value, "a text")
        if "\0" in value or (not value.isascii() and value.encode(errors="replace").decode() != value):
            raise ValueError(f"{self._path(name)} holds a character that is no text")
        return value.strip() or None

    def integer(self, name: str) -> int | None:
        """A whole number, also written as text or with a point; ValueError when it is none."""
        value = self.number(name)
        if value is None:
            return None
        if not value.is_integer() or abs(value) > _EXACT:
            raise self._wrong(name, self.values.get(name), "a whole number")
        return int(value)

    def small(self, name: str) -> int | None:
        """A whole number that fits a column of integers."""
        value = self.integer(name)
        if value is not None and abs(value) > _LARGEST:
            raise self._wrong(name, value, f"a number up to {_LARGEST}")
        return value

    def number(self, name: str) -> float | None:
        """A finite number, also written as text."""
        value = self._get(name)
        if value is None:
            return None
        try:
            found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
        except (ValueError, OverflowError):
            found = math.nan
        if not math.isfinite(found):
            raise self._wrong(name, value, "a number")
        return found

    def flag(self, name: str) -> bool:
        """Whether it is true; null and missing are not."""
        value = self._get(name)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return bool(value)

    def part(self, name: str) -> Self | None:
        """An object within this one."""
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(name, value, "an object")
        return type(self)(value, self._path(name))

    def parts(self, name: str) -> tuple[Self | None, ...]:
        """A list of objects, of which some may be null."""
        value = self._get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list")
        return tuple(self._item(name, number, one) for number, one in enumerate(value))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, without the empty ones."""
        value = self._get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list")
        held = type(self)({str(number): one for number, one in enumerate(value)}, self._path(name))
        return tuple(text for number in held.values if (text := held.text(number)) is not None)

    def pass_over(self, *names: str) -> None:
        """Keys that are known and of no use here."""
        self.read.update(names)

    def unread(self) -> Iterator[str]:
        """The keys that nobody asked for."""
        yield from sorted(name for name in self.values if name not in self.read)

    def _item(self, name: str, number: int, value: object) -> Self | None:
        place = f"{self._path(name)}[{number}]"
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ValueError(f"{place} is {_shown(value)}, not an object")  # noqa: TRY004 -- of a source, not of a call
        return type(self)(value, place)

    def _get(self, name: str) -> object:
        self.read.add(name)
        return self.values.get(name)

    def _path(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def _wrong(self, name: str, value: object, wanted: str) -> ValueError:
        return ValueError(f"{self._path(name)} is {_shown(value)}, not {wanted}")


def load(path: Path) -> object:
    """What a JSON file holds; ValueError when it is none, or too long for the description of a plate."""
    size = path.stat().st_size
    if size > LONGEST:
        raise ValueError(f"{size:,} bytes are too many for the description of a plate ({LONGEST:,} at most)")
    try:
        return json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("not JSON that anybody writes: it is nested too deeply") from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
