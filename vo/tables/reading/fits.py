"""FITS binary tables (FITS standard 4.0 section 7.3): the first BINTABLE of a file, by blocks of rows.

Kept are TTYPE, TUNIT, TDIM (as arraysize), TNULL, TSCAL and TZERO (applied), and by the convention of STIL and others
TUCD, TUTYP, TXTYP and TCOMM. Passed over is the rest: keywords of the table as a whole, TDISP, other extensions, STIL's
VOTable in the primary array, WCS of columns. Integers with TZERO for unsigned ones become the next wider type; other
scaled columns are double. Texts lose their trailing blanks, which mean nothing in FITS; an empty one is null. NaN stays
NaN.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.errors import UsageFault
from vo.metadata.fields import Field
from vo.tables.reading import values
from vo.tables.reading.cards import BLOCK, Card, read_header
from vo.tables.reading.columns import Column, make_column
from vo.tables.reading.heap import Heap
from vo.tables.reading.source import Source
from vo.tables.reading.table import (
    BATCH_BYTES,
    BATCH_ROWS,
    BadCell,
    IncomingTable,
    ReadLimits,
    cell_fault,
    cell_too_long,
    check_column_count,
    check_names,
    make_batch,
    row_too_long,
    shown,
)

_MOST_AXES = 999

_TFORM = re.compile(r"\s*([0-9]{0,10})([LXBIJKAEDCM]|[PQ]([LXBIJKAEDCM]))(\([0-9]*\))?\s*")
_TDIM = re.compile(r"\(\s*[0-9]+(\s*,\s*[0-9]+)*\s*\)")

_DATATYPES = {
    "L": "boolean",
    "X": "bit",
    "B": "unsignedByte",
    "I": "short",
    "J": "int",
    "K": "long",
    "A": "char",
    "E": "float",
    "D": "double",
    "C": "floatComplex",
    "M": "doubleComplex",
}

#: The TZEROs by which integers of the other sign are stored, and what these become (FITS standard 4.0 section 7.3.2).
_OTHER_SIGN = {("B", -128): "short", ("I", 1 << 15): "int", ("J", 1 << 31): "long", ("K", 1 << 63): "long"}


@dataclass(frozen=True, slots=True)
class _FitsColumn:
    """A column of the file: ``stored`` is how its bytes are read, ``field`` what they mean after scaling.

    ``descriptor`` is the numpy type of the pair that leads to a cell of the heap, None for cells in the row.
    """

    field: Field
    stored: Column
    offset: int
    width: int
    descriptor: str | None
    scale: float
    zero: float


@dataclass(frozen=True, slots=True)
class _Table:
    """Where the rows are: ``start`` in the file, ``count`` rows of ``width`` bytes."""

    start: int
    count: int
    width: int
    columns: tuple[_FitsColumn, ...]


def open_fits(source: Source, limits: ReadLimits) -> IncomingTable:
    """Read the headers up to the first binary table. A UsageFault when there is none."""
    file = source.seekable()
    header, start = _find_table(file)
    table = _read_layout(header, start, limits)
    size = file.seek(0, io.SEEK_END)
    heap_start = start + int(_number(header, "THEAP", table.count * table.width))
    heap = Heap(file, heap_start, min(size, start + _data_size(header)) - heap_start, limits)
    return IncomingTable(tuple(column.field for column in table.columns), _batches(file, table, heap))


def _find_table(file: BinaryIO) -> tuple[Mapping[str, Card], int]:
    """Give the header of the first binary table, and where its data starts."""
    at = 0
    is_first = True
    others: list[str] = []
    while True:
        file.seek(at)
        header = read_header(file)
        if header is None:
            break
        start = file.tell()
        kind = "primary array" if is_first else str(header.get("XTENSION", "")).strip()
        if kind in ("BINTABLE", "A3DTABLE") and header.get("ZIMAGE") is not True:
            if header.get("ZTABLE") is True:
                raise UsageFault("the FITS table is compressed by tiles (ZTABLE), which is not read here; unpack it")
            return header, start
        others.append("compressed image" if kind == "BINTABLE" else kind[:20])
        at = start + -(-_data_size(header) // BLOCK) * BLOCK
        is_first = False
    has_text_table = ", and TABLE, which is not read here; write it as BINTABLE" if "TABLE" in others else ""
    raise UsageFault(
        f"the FITS file has no binary table (BINTABLE extension), only {', '.join(others[:5])}{has_text_table}"
    )


def _data_size(header: Mapping[str, Card]) -> int:
    axes = int(_number(header, "NAXIS", 0))
    if not 0 <= axes <= _MOST_AXES:
        raise UsageFault(f"the FITS header has NAXIS {axes}")
    sizes = [int(_number(header, f"NAXIS{axis}", 0)) for axis in range(1, axes + 1)]
    if header.get("GROUPS") is True and sizes and sizes[0] == 0:
        sizes = sizes[1:]
    items = (math.prod(sizes) if sizes else 0) + int(_number(header, "PCOUNT", 0))
    size = abs(int(_number(header, "BITPIX", 8))) // 8 * items * int(_number(header, "GCOUNT", 1))
    if min([size, *sizes]) < 0:
        raise UsageFault("the FITS header has a negative size")
    return size


def _read_layout(header: Mapping[str, Card], start: int, limits: ReadLimits) -> _Table:
    count = int(_number(header, "TFIELDS", 0))
    check_column_count(count, limits)
    names = check_names([_text(header, f"TTYPE{number}") for number in range(1, count + 1)])
    columns: list[_FitsColumn] = []
    offset = 0
    for number, name in enumerate(names, start=1):
        column = _read_column(header, number, name, offset)
        if column.width > limits.cell_bytes:
            raise cell_fault(cell_too_long(0, column.width, limits), column.field, 1)
        columns.append(column)
        offset += column.width
    width, rows = int(_number(header, "NAXIS1", 0)), int(_number(header, "NAXIS2", 0))
    if width < offset:
        raise UsageFault(f"the FITS table's rows have {width} bytes (NAXIS1), but its columns need {offset}")
    if width > limits.row_bytes:
        raise row_too_long(1, limits)
    return _Table(start, rows, width, tuple(columns))


def _read_column(header: Mapping[str, Card], number: int, name: str, offset: int) -> _FitsColumn:
    form = _text(header, f"TFORM{number}") or ""
    match = _TFORM.fullmatch(form)
    if match is None:
        raise UsageFault(f"column {shown(name)} has TFORM {shown(form)}, which FITS does not know")
    letter = match[3] or match[2]
    repeat = int(match[1] or 1)
    field = Field(
        name=name,
        datatype=_DATATYPES[letter],
        arraysize="*" if match[3] else _arraysize(header, number, letter, repeat),
        xtype=_text(header, f"TXTYP{number}"),
        unit=_text(header, f"TUNIT{number}"),
        ucd=_text(header, f"TUCD{number}"),
        utype=_text(header, f"TUTYP{number}"),
        description=_text(header, f"TCOMM{number}"),
    )
    null = header.get(f"TNULL{number}")
    stored = make_column(field, str(null) if isinstance(null, int) and letter in "BIJK" else None)
    scale, zero = _number(header, f"TSCAL{number}", 1), _number(header, f"TZERO{number}", 0)
    if letter in "LXA" or (scale, zero) == (1, 0):
        scale, zero = 1, 0
    elif letter in "CM":
        raise UsageFault(f"column {shown(name)} is complex and scaled (TSCAL, TZERO), which is not read here")
    shown_field = stored.field
    if (scale, zero) != (1, 0):
        shown_field = replace(
            shown_field, datatype=_OTHER_SIGN.get((letter, int(zero)), "double") if scale == 1 else "double"
        )
    if letter == "A" and not match[3] and not stored.is_matrix_of_text:
        shown_field = replace(shown_field, arraysize=f"{repeat}*")
    descriptor = None if not match[3] else ">i4" if match[2][0] == "P" else ">i8"
    width = (
        stored.byte_count(stored.items or 0)
        if descriptor is None
        else 2 * np.dtype(descriptor).itemsize * min(repeat, 1)
    )
    return _FitsColumn(shown_field, stored, offset, width, descriptor, scale, zero)


def _arraysize(header: Mapping[str, Card], number: int, letter: str, repeat: int) -> str | None:
    if repeat == 1 and letter != "A":
        return None
    dimensions = _text(header, f"TDIM{number}") or ""
    if _TDIM.fullmatch(dimensions):
        sizes = [int(size) for size in re.findall("[0-9]+", dimensions)]
        if math.prod(sizes) == repeat and len(sizes) > 1:
            return "x".join(map(str, sizes))
    return str(repeat)


def _batches(file: BinaryIO, table: _Table, heap: Heap) -> Iterator[pa.RecordBatch]:
    fields = [column.field for column in table.columns]
    rows_at_once = max(1, min(BATCH_ROWS, BATCH_BYTES // max(table.width, 1)))
    done = 0
    while done < table.count:
        rows = min(rows_at_once, table.count - done)
        file.seek(table.start + done * table.width)
        data = file.read(rows * table.width)
        whole = len(data) // table.width if table.width else rows
        records = np.frombuffer(data, np.uint8, whole * table.width).reshape(whole, table.width)
        for part in heap.parts(
            records, [(c.offset, c.descriptor, c.stored) for c in table.columns if c.descriptor], done
        ):
            yield make_batch(fields, _arrays(table.columns, part, heap, done))
            done += len(part)
        if whole < rows:
            raise UsageFault(f"the FITS file ends within row {done + 1} of {table.count}")


def _arrays(columns: Sequence[_FitsColumn], records: values.Bytes, heap: Heap, done: int) -> list[Any]:
    arrays: list[Any] = []
    for column in columns:
        try:
            if column.descriptor is None:
                array = values.fixed(column.stored, records, column.offset, None)
            else:
                array = heap.read(column.stored, records, column.offset, column.descriptor)
            arrays.append(_meant(column, array))
        except BadCell as bad:
            raise cell_fault(bad, column.field, done + 1) from bad
    return arrays


def _meant(column: _FitsColumn, stored: Any) -> Any:
    """Give what the stored values mean."""
    if column.stored.is_text:
        if column.stored.is_matrix_of_text:
            return stored
        text = pc.utf8_rtrim(stored, " ")
        return pc.if_else(pc.equal(pc.binary_length(text), 0), pa.scalar(None, pa.string()), text)
    if (column.scale, column.zero) == (1, 0):
        return stored
    if not column.stored.is_list:
        return _scaled(column, stored, None)
    items = _scaled(column, stored.values, stored)
    return pa.ListArray.from_arrays(stored.offsets, items, mask=stored.is_null() if stored.null_count else None)


def _scaled(column: _FitsColumn, items: Any, lists: Any) -> Any:
    if column.field.datatype == "double":
        scaled = pc.multiply(items.cast(pa.float64(), safe=False), float(column.scale))
        return pc.add(scaled, float(column.zero))
    wide = items.cast(pa.int64())
    if column.stored.field.datatype != "long":
        return pc.add(wide, int(column.zero)).cast(make_column(column.field).item_type)
    # An unsigned integer of 64 bits is stored less 2^63; VOTable has the lower half of them.
    beyond = pc.fill_null(pc.greater_equal(wide, 0), False)
    if pc.any(beyond).as_py():
        index = pc.index(beyond, True).as_py()
        if lists is not None:
            index = int(np.searchsorted(lists.offsets.to_numpy(), index, side="right")) - 1
        raise BadCell(index, "an unsigned integer of 64 bits is beyond VOTable's long")
    return pc.add(pc.add(wide, 1 << 62), 1 << 62)


def _text(header: Mapping[str, Card], key: str) -> str | None:
    value = header.get(key)
    return value.strip() or None if isinstance(value, str) else None


def _number(header: Mapping[str, Card], key: str, default: float) -> float:
    value = header.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageFault(f"the FITS header has {key} {shown(str(value))}, which is no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageFault(f"the FITS header has {key} {value}, which is no number to reckon with")
    return value
