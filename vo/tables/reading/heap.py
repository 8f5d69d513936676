"""Cells of FITS tables that are kept behind the rows (FITS standard 4.0 section 7.3.5).

Each row has the number of items and the place of such a cell. Nothing keeps a file from leading many rows to one large
cell, so that rows are taken only as many at a time as their cells fit into memory, and all cells together are counted
against the limit of a table's bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from vo.errors import LimitFault
from vo.tables.reading import values
from vo.tables.reading.columns import Column
from vo.tables.reading.table import BATCH_BYTES, BadCell, ReadLimits, cell_fault, cell_too_long

#: Cells that lie no farther apart are read at once, with what is between them.
_SPAN_BYTES = 2 * BATCH_BYTES


class Heap:
    """The heap of a table: ``size`` bytes of ``file`` from ``start``."""

    def __init__(self, file: BinaryIO, start: int, size: int, limits: ReadLimits) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._limits = limits
        self._total = 0

    def parts(
        self, records: values.Bytes, columns: Sequence[tuple[int, str | None, Column]], done: int
    ) -> Iterator[values.Bytes]:
        """Cut rows into parts whose cells can be held at once.

        ``columns`` has offset, descriptor and column of each. Raises a fault for cells that are not within the heap, or
        too large; ``done`` rows came before these.
        """
        sizes = np.zeros(len(records), dtype=np.int64)
        for offset, descriptor, column in columns:
            try:
                sizes += self._check(column, records, offset, str(descriptor))
            except BadCell as bad:
                raise cell_fault(bad, column.field, done + 1) from bad
        self._total += int(sizes.sum())
        if self._total > self._limits.table_bytes:
            raise LimitFault(f"the table's cells have more than {self._limits.table_bytes} bytes, the limit")
        begin = 0
        sums = np.cumsum(sizes)
        while begin < len(records):
            before = int(sums[begin - 1]) if begin else 0
            end = max(int(np.searchsorted(sums, before + BATCH_BYTES, side="right")), begin + 1)
            yield records[begin:end]
            begin = end

    def read(self, column: Column, records: values.Bytes, offset: int, descriptor: str) -> Any:
        """Read a column's cells of these rows, which :meth:`parts` has checked."""
        counts, places = _descriptors(records, offset, descriptor)
        counts = counts * column.parts
        sizes = (counts * column.item_bits + 7) >> 3
        starts = np.cumsum(sizes) - sizes
        return values.varying(column, self._gather(places, sizes), starts, counts, None)

    def _check(self, column: Column, records: values.Bytes, offset: int, descriptor: str) -> values.Numbers:
        counts, places = _descriptors(records, offset, descriptor)
        bits = column.item_bits * column.parts
        large = counts > (self._limits.cell_bytes * 8) // bits
        if large.any():
            index = int(np.argmax(large))
            raise cell_too_long(index, (int(counts[index]) * bits + 7) >> 3, self._limits)
        sizes = (counts * bits + 7) >> 3
        lost = (counts < 0) | ((counts > 0) & ((places < 0) | (places > self._size - sizes)))
        if lost.any():
            index = int(np.argmax(lost))
            raise BadCell(
                index, f"{counts[index]} items at {places[index]} are not within the heap of {self._size} bytes"
            )
        return sizes

    def _gather(self, places: values.Numbers, sizes: values.Numbers) -> values.Bytes:
        """The bytes of cells, one after the other."""
        filled = sizes > 0
        places, sizes = places[filled], sizes[filled]
        if len(places) == 0:
            return np.empty(0, np.uint8)
        first, last = int(places.min()), int((places + sizes).max())
        if last - first <= _SPAN_BYTES:
            span = np.frombuffer(self._read(first, last - first), np.uint8)
            within = np.arange(int(sizes.sum())) + np.repeat(places - first - (np.cumsum(sizes) - sizes), sizes)
            taken: values.Bytes = span[within]
            return taken
        pieces = [self._read(place, size) for place, size in zip(places.tolist(), sizes.tolist(), strict=True)]
        return np.frombuffer(b"".join(pieces), np.uint8)

    def _read(self, place: int, size: int) -> bytes:
        self._file.seek(self._start + place)
        return self._file.read(size)


def _descriptors(records: values.Bytes, offset: int, descriptor: str) -> tuple[values.Numbers, values.Numbers]:
    """The number of items and the place of each cell."""
    width = np.dtype(descriptor).itemsize
    pairs = np.ascontiguousarray(records[:, offset : offset + 2 * width]).view(descriptor).astype(np.int64)
    return pairs[:, 0], pairs[:, 1]
