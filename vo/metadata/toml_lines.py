"""Which line of a TOML file each key stands on, since tomllib tells values alone.

The scanner relies on tomllib having read the text: it finds where things are and judges nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Keys from the top of a file to a value; numbers count the elements of arrays from 0.
Path = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
#: Strings of several lines may end in up to two quotation marks of their own before the closing three.
_STRINGS = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}|"(?:[^"\\\n]|\\.)*"''' r"""|'''(?:[^']|'{1,2}(?!'))*'{3,5}|'[^'\n]*'""",
    re.DOTALL,
)
#: Numbers, dates (which may have a space in them) and words.
_BARE = re.compile(r"[^,\]}#\n]*")


def key_lines(text: str) -> Mapping[Path, int]:
    """The line, counted from 1, of every key and of every element of an array in a TOML text.

    A table that only others' names tell of (``a`` in ``[a.b]``) is where it is first named, any other where its own
    header or key is. The text must be TOML, or some places are left out.
    """
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


def find_line(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a key, or of the nearest thing around it that has one; 0 when only the whole file has."""
    for length in range(len(path), 0, -1):
        line = lines.get(path[:length])
        if line is not None:
            return line
    return 0


@dataclass(slots=True)
class _Scanner:
    """A text and how far it has been looked through; ``tables`` counts the elements of each array of tables."""

    text: str
    place: int = 0
    lines: dict[Path, int] = field(default_factory=dict)
    tables: dict[Path, int] = field(default_factory=dict)
    line: int = 1
    counted: int = 0

    def scan(self) -> None:
        """Go through the whole text."""
        table: Path = ()
        while True:
            self._skip(_BLANK_LINES)
            if self.place >= len(self.text):
                return
            before = self.place
            if self.text[self.place] == "[":
                table = self._header()
            else:
                self._key_and_value(table)
            if self.place == before:  # no TOML
                return

    def _header(self) -> Path:
        is_array = self.text.startswith("[[", self.place)
        self.place += 2 if is_array else 1
        line = self._line()
        *before, last = self._key()
        path: Path = ()
        for part in before:
            path = self._element((*path, part), line)
        path = (*path, last)
        if is_array:
            self.lines.setdefault(path, line)
            self.tables[path] = self.tables.get(path, -1) + 1
            path = (*path, self.tables[path])
        self.lines[path] = line
        self._skip(re.compile(r"[ \t]*\]{0,2}"))
        return path

    def _element(self, path: Path, line: int) -> Path:
        """A table on the way to another one: the last element, where it is an array of tables."""
        self.lines.setdefault(path, line)
        return (*path, self.tables[path]) if path in self.tables else path

    def _key_and_value(self, table: Path) -> None:
        line = self._line()
        keys = self._key()
        path = table
        for part in keys:
            path = (*path, part)
            self.lines.setdefault(path, line)
        if self.text.startswith("=", self.place):
            self.place += 1
            self._value(path)

    def _key(self) -> list[str]:
        """A dotted key, and what is blank around it."""
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            found = _KEY.match(self.text, self.place)
            if found is None:
                return parts or [""]
            self.place = found.end()
            parts.append(_plain(found[0]))
            self._skip(_BLANK)
            if not self.text.startswith(".", self.place):
                return parts
            self.place += 1

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        first = self.text[self.place : self.place + 1]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_STRINGS if first in "\"'" else _BARE)

    def _array(self, path: Path) -> None:
        self.place += 1
        index = 0
        while True:
            self._skip(_BLANK_LINES)
            if self.place >= len(self.text) or self._takes("]"):
                return
            before = self.place
            element = (*path, index)
            self.lines[element] = self._line()
            self._value(element)
            self._skip(_BLANK_LINES)
            self._takes(",")
            if self.place == before:  # no TOML
                return
            index += 1

    def _inline_table(self, path: Path) -> None:
        self.place += 1
        while True:
            self._skip(_BLANK_LINES)
            if self.place >= len(self.text) or self._takes("}"):
                return
            before = self.place
            self._key_and_value(path)
            self._skip(_BLANK_LINES)
            self._takes(",")
            if self.place == before:  # no TOML
                return

    def _takes(self, letter: str) -> bool:
        is_there = self.text.startswith(letter, self.place)
        self.place += is_there
        return is_there

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.place)
        if found is not None:
            self.place = found.end()

    def _line(self) -> int:
        """The line of this place; places only ever go forward."""
        self.line += self.text.count("\n", self.counted, self.place)
        self.counted = self.place
        return self.line


def _plain(key: str) -> str:
    """A key without its quotation marks and escapes."""
    if key[0] not in "\"'":
        return key
    try:
        return next(iter(tomllib.loads(f"{key} = 0")))
    except tomllib.TOMLDecodeError:
        return key[1:-1]
