"""A source of bytes that counts what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vo.pixels.source import LocalFile, Range


class Counting:
    """A file read as one far away is: ``calls`` holds the ranges of each call."""

    def __init__(self, path: Path, version: str | None = None) -> None:
        self._file = LocalFile(path)
        self.name = path.name
        self.size = self._file.size
        self.version = version or f"counted {self._file.version}"
        self.calls: list[list[Range]] = []

    def read(self, ranges: Sequence[Range]) -> Sequence[bytes]:
        """The bytes of each range."""
        self.calls.append(list(ranges))
        return [bytes(part) for part in self._file.read(ranges)]

    @property
    def taken(self) -> int:
        """All bytes that were asked for."""
        return sum(length for call in self.calls for _, length in call)
