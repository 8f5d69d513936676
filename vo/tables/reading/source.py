"""The bytes of a table that came in, unpacked when they came with gzip, counted against their limit."""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
import tempfile
import zlib
from typing import BinaryIO, cast

from vo.errors import LimitFault, TransientFault, UsageFault
from vo.tables.reading.table import ReadLimits

_GZIP = b"\x1f\x8b"
_COPY_BYTES = 1 << 18


class Source:
    """A file to read once from its beginning (:meth:`read`), or with jumps (:meth:`seekable`).

    Raises a LimitFault beyond ``limits.table_bytes`` of unpacked content, a UsageFault when gzip is damaged, a
    TransientFault when there is no room to unpack it.
    """

    def __init__(self, file: BinaryIO, limits: ReadLimits) -> None:
        self._unpacked: BinaryIO | None = None
        file.seek(0)
        self._file = file
        self.is_packed = file.read(2) == _GZIP
        file.seek(0)
        self._limit = limits.table_bytes
        self._count = 0
        self._stream = cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb")) if self.is_packed else file
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, which are read again afterwards."""
        if len(self._ahead) < size:
            self._ahead += self._read(size - len(self._ahead))
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size`` of them; none at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        return self._read(size)

    def seekable(self) -> BinaryIO:
        """The whole content as a file that can be read in any order: a temporary one when it came with gzip."""
        if not self.is_packed:
            size = self._file.seek(0, io.SEEK_END)
            self._check(size)
            self._file.seek(0)
            return self._file
        try:
            self._unpacked = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  close() ends it
            shutil.copyfileobj(cast("BinaryIO", self), self._unpacked, _COPY_BYTES)
            self._unpacked.seek(0)
        except OSError as error:
            raise TransientFault("this service has no room to unpack the table: send it without gzip") from error
        return self._unpacked

    def close(self) -> None:
        """Give up what was made here; the file that came in stays open."""
        if self._unpacked is not None:
            with contextlib.suppress(OSError):  # its last bytes may have found no room
                self._unpacked.close()

    def __del__(self) -> None:
        # A table may be given up before its first row is asked for.
        self.close()

    def _read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, zlib.error) as error:
            if not self.is_packed:
                raise
            raise UsageFault(f"the file is packed with gzip and damaged: {error}") from error
        self._count += len(data)
        self._check(self._count)
        return data

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise LimitFault(f"the table has more than {self._limit} bytes, the limit; send it in parts")
