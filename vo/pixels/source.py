"""Where the bytes of a file come from: this machine's disk, an open file, or a store far away.

Images are read through this alone, so that what reads tiles or rows need not know where they are.
"""

from __future__ import annotations

import io
import itertools
import mmap
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import numpy as np

from vo.errors import OperatorFault

#: A part of a file: its first byte and its length.
Range = tuple[int, int]

#: Rows that lie apart are copied out of a map in strips of so many bytes of the file: pages that were looked at are in
#: this process' memory until they are let go of.
_STRIP_BYTES = 4_000_000
#: Ranges side by side are read together up to so many bytes; a system call reads no more than the second number.
_RUN_BYTES, _MOST_AT_ONCE = 8_000_000, 1 << 30
_numbers = itertools.count(1)


class ByteSource(Protocol):
    """A file whose parts can be read in any order, from any thread."""

    @property
    def name(self) -> str:
        """What faults call it; nobody learns from it where the file is."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    @property
    def version(self) -> str:
        """Changes when the bytes do: what is remembered of a file is kept under it. Unique among all sources."""

    def read(self, ranges: Sequence[Range]) -> Sequence[bytes | memoryview]:
        """The bytes of each range, in their order.

        Faults: OperatorFault when the file ends before a range does, TransientFault when its store is away.
        """


class LocalFile:
    """A file of this machine, which is closed when nobody holds this any more.

    Parts are read by system calls, during which other threads go on, and a disk that fails gives a fault. Many short
    rows are copied out of a memory map, which takes a fifth of the time. OperatorFault when it cannot be opened.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.name = name or path.name
        try:
            self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            weakref.finalize(self, os.close, self._file)
            status = os.fstat(self._file)
            os.pread(self._file, 0, 0)  # a folder opens, but cannot be read
        except OSError as error:
            raise OperatorFault(f"{self.name} cannot be read here ({error.strerror})") from error
        self.size = status.st_size
        self.version = f"{path}:{status.st_ino}:{status.st_mtime_ns}:{status.st_size}"

    def read(self, ranges: Sequence[Range]) -> Sequence[memoryview]:
        """The bytes of each range; ranges side by side are read at once."""
        check_ranges(self.name, self.size, ranges)
        parts: list[memoryview] = []
        for start, lengths in _side_by_side(ranges):
            whole = memoryview(self._read(start, sum(lengths)))
            at = 0
            for length in lengths:
                parts.append(whole[at : at + length])
                at += length
        return parts

    def read_rows(self, start: int, length: int, stride: int, count: int) -> bytes:
        """``count`` parts of ``length`` bytes, each ``stride`` bytes behind the one before, copied behind each other.

        A thousand short rows take half a millisecond, and nothing of Python runs meanwhile: others may. Pages of the
        map are let go of as it proceeds.
        """
        if not count:
            return b""
        check_ranges(self.name, self.size, [(start, (count - 1) * stride + length)])
        if length == stride:
            return self._read(start, length * count)
        self._check_size()
        with mmap.mmap(self._file, 0, access=mmap.ACCESS_READ) as mapped:
            rows = np.empty((count, length), dtype=np.uint8)
            step = max(1, _STRIP_BYTES // stride)
            for first in range(0, count, step):
                number = min(step, count - first)
                begin = start + first * stride
                rows[first : first + number] = np.ndarray((number, length), np.uint8, mapped, begin, (stride, 1))
                _let_go(mapped, begin, (number - 1) * stride + length)
        return rows.tobytes()

    def _read(self, start: int, length: int) -> bytes:
        pieces: list[bytes] = []
        while length:
            try:
                piece = os.pread(self._file, min(length, _MOST_AT_ONCE), start)
            except OSError as error:
                raise OperatorFault(f"{self.name} cannot be read here ({error.strerror})") from error
            if not piece:
                raise too_short(self.name)
            pieces.append(piece)
            start, length = start + len(piece), length - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _check_size(self) -> None:
        """A file that somebody has cut off since it was opened must not be looked at through a map."""
        if os.fstat(self._file).st_size < self.size:
            raise too_short(self.name)


def _side_by_side(ranges: Sequence[Range]) -> Iterator[tuple[int, list[int]]]:
    """Runs of ranges each of which begins where the one before ends: where they begin, and their lengths."""
    begin, end, lengths = 0, -1, list[int]()
    for start, length in ranges:
        if start != end or length + end - begin > _RUN_BYTES:
            if lengths:
                yield begin, lengths
            begin, lengths = start, []
        lengths.append(length)
        end = start + length
    if lengths:
        yield begin, lengths


def _let_go(mapped: mmap.mmap, start: int, length: int) -> None:
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    page = start - start % mmap.PAGESIZE
    mapped.madvise(mmap.MADV_DONTNEED, page, start + length - page)


class OpenFile:
    """A file that is open for reading bytes, which stays open: its parts are read one after another."""

    def __init__(self, file: BinaryIO, name: str = "the file") -> None:
        self.name = name
        self._file = file
        self._lock = threading.Lock()
        with self._lock:
            self.size = file.seek(0, io.SEEK_END)
        self.version = f"open file {next(_numbers)}"

    def read(self, ranges: Sequence[Range]) -> Sequence[bytes]:
        """The bytes of each range."""
        check_ranges(self.name, self.size, ranges)
        parts = []
        with self._lock:
            for start, length in ranges:
                self._file.seek(start)
                parts.append(self._file.read(length))
        if [len(part) for part in parts] != [length for _, length in ranges]:
            raise too_short(self.name)
        return parts


Source = Path | BinaryIO | ByteSource


def as_source(source: Source) -> ByteSource:
    """What bytes are read from: paths and open files become sources of their own; OperatorFault as LocalFile."""
    if isinstance(source, Path):
        return LocalFile(source)
    if hasattr(source, "seek"):
        return OpenFile(cast("BinaryIO", source))
    return source


def check_ranges(name: str, size: int, ranges: Sequence[Range]) -> None:
    """OperatorFault when a range is not within a file of this size."""
    for start, length in ranges:
        if start < 0 or length < 0 or start + length > size:
            raise too_short(name)


def too_short(name: str) -> OperatorFault:
    """A file ends before it should."""
    return OperatorFault(f"{name} is shorter than its header says; the copy here is damaged")
