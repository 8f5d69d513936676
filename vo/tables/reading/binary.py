"""Rows of VOTable's BINARY and BINARY2 serialisations (VOTable 1.4 sections 5.3, 5.4 and 6).

A row is laid out once for a table: stretches of fixed width, and between them cells that begin with their number of
items. Where all rows are of one width they are read as a matrix; else a loop finds where the varying cells of each row
begin, and columns are read whole from there.

The number before a cell of arraysize 2x* counts its numbers, as the standard says and STILTS writes.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from vo.errors import UsageFault
from vo.tables.reading import values
from vo.tables.reading.columns import Column
from vo.tables.reading.table import (
    BATCH_BYTES,
    BATCH_ROWS,
    BadCell,
    ReadLimits,
    cell_fault,
    cell_too_long,
    make_batch,
    row_too_long,
    shown,
)

_COUNT = struct.Struct(">i")
_BLANKS = b" \t\r\n"


class Base64:
    """Base64 that comes in pieces, with blanks anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_padded = False

    def decode(self, text: str) -> bytes:
        """The bytes that are complete with this piece. A UsageFault for what is no base64."""
        try:
            data = self._rest + text.encode("ascii").translate(None, _BLANKS)
            whole = len(data) & ~3
            self._rest = data[whole:]
            if whole == 0:
                return b""
            if self._is_padded:
                raise UsageFault("the base64 of the STREAM goes on behind its end (=); encode it in one piece")
            self._is_padded = data[whole - 1] == ord("=")
            return binascii.a2b_base64(memoryview(data)[:whole], strict_mode=True)
        except (UnicodeEncodeError, binascii.Error) as error:
            raise UsageFault(f"the STREAM is no base64: {error}") from error

    def finish(self) -> None:
        """A UsageFault when something is missing at the end."""
        if self._rest:
            raise UsageFault("the base64 of the STREAM is cut off: its length is no multiple of four")


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A column within a stretch of fixed width."""

    stretch: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Varying:
    """A column of varying cells, by its place among them."""

    place: int


class Rows:
    """A table's rows from its bytes, as they come.

    ``has_flags`` is BINARY2. Raises a LimitFault at once when a row's fixed cells are more than limits allow.
    """

    def __init__(self, columns: Sequence[Column], limits: ReadLimits, *, has_flags: bool) -> None:
        self._columns = columns
        self._fields = [column.field for column in columns]
        self._limits = limits
        self._flag_bytes = (len(columns) + 7) // 8 if has_flags else 0
        self._stretches = [self._flag_bytes]
        self._varying: list[Column] = []
        self._places: list[_Fixed | _Varying] = []
        for column in columns:
            self._places.append(self._place(column))
        if sum(self._stretches) > limits.row_bytes:
            raise row_too_long(1, limits)
        self._pending: list[bytes] = []
        self._size = 0
        self.count = 0

    def _place(self, column: Column) -> _Fixed | _Varying:
        if column.items is None:
            self._varying.append(column)
            self._stretches.append(0)
            return _Varying(len(self._varying) - 1)
        width = column.byte_count(column.items)
        if width > self._limits.cell_bytes:
            raise cell_fault(cell_too_long(0, width, self._limits), column.field, 1)
        self._stretches[-1] += width
        return _Fixed(len(self._stretches) - 1, self._stretches[-1] - width)

    def feed(self, data: bytes) -> Iterator[pa.RecordBatch]:
        """Take the next bytes; give batches when there is enough for one."""
        self._pending.append(data)
        self._size += len(data)
        enough = min(max(sum(self._stretches), 1) * BATCH_ROWS, BATCH_BYTES)
        if self._size >= enough:
            yield from self._batches()

    def finish(self) -> Iterator[pa.RecordBatch]:
        """Give what is left; a UsageFault when a row is not complete."""
        yield from self._batches()
        if self._size:
            raise UsageFault(f"the data ends within row {self.count + 1}, after {self._size} bytes of it")

    def _batches(self) -> Iterator[pa.RecordBatch]:
        data = np.frombuffer(b"".join(self._pending), np.uint8)
        used = 0
        if self._varying:
            starts, counts, ends = self._find_cells(data.data)
            if len(ends):
                used = int(ends[-1])
                yield self._read(data, ends, starts, counts)
        else:
            width = self._stretches[0]
            rows = len(data) // width if width else 0
            used = rows * width
            if rows:
                yield self._read_matrix(data[:used].reshape(rows, width))
        rest = data[used:].tobytes()
        self._pending, self._size = [rest], len(rest)
        if self._size > self._limits.row_bytes:
            raise row_too_long(self.count + 1, self._limits)

    def _find_cells(self, data: memoryview) -> tuple[list[values.Numbers], list[values.Numbers], values.Numbers]:
        """Find the varying cells of all complete rows: their starts, their numbers of items, the ends of the rows."""
        # Complex numbers are counted whole.
        steps = [
            (stretch, column.item_bits * column.parts)
            for stretch, column in zip(self._stretches, self._varying, strict=False)
        ]
        tail = self._stretches[-1]
        unpack = _COUNT.unpack_from
        found: list[int] = []  # start and count of each cell, then the row's end
        add = found.append
        size = len(data)
        most = self._limits.cell_bytes
        begin = 0
        complete = 0
        while True:
            at = begin
            for stretch, bits in steps:
                at += stretch + 4
                if at > size:
                    break
                count = unpack(data, at - 4)[0]
                width = (count * bits + 7) >> 3
                if count < 0 or width > most:
                    self._refuse_count(count, width, len(found) - complete)
                add(at)
                add(count)
                at += width
            at += tail
            # A break leaves at beyond the end, too: a row is complete, or its rest is to come.
            if at > size:
                break
            add(at)
            begin = at
            complete = len(found)
            self.count += 1
        table = np.array(found[:complete], dtype=np.int64).reshape(-1, 2 * len(steps) + 1)
        self.count -= len(table)  # counted up for the fault only
        starts = [table[:, 2 * i] for i in range(len(steps))]
        counts = [table[:, 2 * i + 1] * column.parts for i, column in enumerate(self._varying)]
        return starts, counts, table[:, -1]

    def _refuse_count(self, count: int, width: int, found: int) -> None:
        field = self._varying[found // 2].field
        if count < 0:
            raise cell_fault(BadCell(0, f"{count} is no number of items"), field, self.count + 1)
        raise cell_fault(cell_too_long(0, width, self._limits), field, self.count + 1)

    def _read(
        self, data: values.Bytes, ends: values.Numbers, starts: list[values.Numbers], counts: list[values.Numbers]
    ) -> pa.RecordBatch:
        begins = [np.concatenate(([0], ends[:-1]))]
        for column, start, count in zip(self._varying, starts, counts, strict=True):
            begins.append(start + ((count * column.item_bits + 7) >> 3))
        stretches = [
            values.gather(data, begin, begin + width).reshape(len(ends), width)
            for begin, width in zip(begins, self._stretches, strict=True)
        ]
        return self._assemble(stretches, data, starts, counts)

    def _read_matrix(self, records: values.Bytes) -> pa.RecordBatch:
        return self._assemble([records], records, [], [])

    def _assemble(
        self,
        stretches: list[values.Bytes],
        data: values.Bytes,
        starts: list[values.Numbers],
        counts: list[values.Numbers],
    ) -> pa.RecordBatch:
        arrays: list[Any] = []
        for index, (column, place) in enumerate(zip(self._columns, self._places, strict=True)):
            nulls = self._flags(stretches[0], index)
            try:
                if isinstance(place, _Fixed):
                    arrays.append(values.fixed(column, stretches[place.stretch], place.offset, nulls))
                    continue
                _check_counts(column, counts[place.place], nulls)
                arrays.append(values.varying(column, data, starts[place.place], counts[place.place], nulls))
            except BadCell as bad:
                raise cell_fault(bad, column.field, self.count + 1) from bad
        self.count += len(stretches[0])
        return make_batch(self._fields, arrays)

    def _flags(self, records: values.Bytes, index: int) -> values.Mask | None:
        if not self._flag_bytes:
            return None
        flags: values.Mask = (records[:, index // 8] & (0x80 >> index % 8)) != 0
        return flags


def _check_counts(column: Column, counts: values.Numbers, nulls: values.Mask | None) -> None:
    if column.multiple == 1 or column.is_text:
        return
    wrong = counts % column.multiple != 0
    if nulls is not None:
        wrong &= ~nulls
    if wrong.any():
        index = int(np.argmax(wrong))
        raise BadCell(
            index,
            f"{counts[index]} items do not fill arraysize {shown(column.field.arraysize or 'of complex numbers')}",
        )
