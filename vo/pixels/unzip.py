"""FITS files that were gzipped as a whole.

Such a file can be read from its beginning only. What that costs: the first time all of it is unzipped, to learn how
long it is and where its images are; later each cutout unzips what lies before its last row. A plate of 800 MB takes
some seconds of one core. Store scans plain or compressed in tiles where they are cut often.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence

from isal import igzip

from vo.errors import OperatorFault
from vo.pixels.source import ByteSource, Range, check_ranges, too_short

GZIP = b"\x1f\x8b"
#: More than any plate has; a file that unzips to more is not read to its end.
_MOST_BYTES = 16 * 2**30
_STEP = 1_000_000
_DAMAGES = (EOFError, OSError, ValueError, igzip.BadGzipFile)


class Unzipped:
    """What is in a gzipped file, as a source of its own; ``size`` is asked of :func:`measure` once.

    Ranges that follow each other are read on the way; one that lies before what was read last begins anew. Memory
    does not grow with the file. OperatorFault for a damaged file.
    """

    def __init__(self, zipped: ByteSource, size: int) -> None:
        self.name = zipped.name
        self.size = size
        self.version = f"unzipped {zipped.version}"
        self._zipped = zipped
        self._lock = threading.Lock()
        self._file = _opened(zipped)
        self._at = 0

    def read(self, ranges: Sequence[Range]) -> Sequence[bytes]:
        """The bytes of each range."""
        check_ranges(self.name, self.size, ranges)
        parts: dict[int, bytes] = {}
        with self._lock:
            for number in sorted(range(len(ranges)), key=lambda number: ranges[number]):
                parts[number] = self._read(*ranges[number])
        return [parts[number] for number in range(len(ranges))]

    def _read(self, start: int, length: int) -> bytes:
        if start < self._at:
            self._file, self._at = _opened(self._zipped), 0
        while self._at < start:
            self._take(min(_STEP, start - self._at))
        out = io.BytesIO()
        while (left := length - out.tell()) > 0:
            out.write(self._take(min(_STEP, left)))
        return out.getvalue()

    def _take(self, length: int) -> bytes:
        piece = _unzip(self._file, length, self.name)
        if not piece:
            raise too_short(self.name)
        self._at += len(piece)
        return piece


def measure(zipped: ByteSource) -> int:
    """How many bytes a gzipped file has when it is unzipped, which is done to count them."""
    file = _opened(zipped)
    size = 0
    while piece := _unzip(file, _STEP, zipped.name):
        size += len(piece)
        if size > _MOST_BYTES:
            raise OperatorFault(f"{zipped.name} unzips to more than {_MOST_BYTES:,} bytes, which no image here has")
    return size


def _opened(zipped: ByteSource) -> io.BufferedIOBase:
    file: io.BufferedIOBase = igzip.IGzipFile(  # type: ignore[no-untyped-call]  # it ships no types
        fileobj=io.BufferedReader(_Raw(zipped), _STEP), mode="rb"
    )
    return file


def _unzip(file: io.BufferedIOBase, length: int, name: str) -> bytes:
    try:
        return file.read(length)
    except _DAMAGES as error:
        raise OperatorFault(f"{name} cannot be unzipped ({error}); the copy here is damaged") from error


class _Raw(io.RawIOBase):
    """A source as a file that is read from its beginning to its end."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands in
        (part,) = self._source.read([(self._at, min(len(buffer), self._source.size - self._at))])
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)
