"""How the columns of a table lie in a FITS binary table (FITS 4.0, section 7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.writing import nulls

#: Texts up to this length stand in the table, padded; longer ones too unless that makes more than this many times
#: their size. Others are in the heap, as arrays of varying length are; astropy reads those as arrays of characters.
WIDEST_TEXT = 256
_MOST_PADDING = 2

#: Heaps up to this size are addressed with 32 bits, which all readers know.
_LARGEST_32 = 2**31 - 1

#: TFORM's letter for each datatype, and the bytes of one item.
_CODES = {
    "boolean": ("L", 1),
    "bit": ("X", 1),
    "unsignedByte": ("B", 1),
    "short": ("I", 2),
    "int": ("J", 4),
    "long": ("K", 8),
    "float": ("E", 4),
    "double": ("D", 8),
    "floatComplex": ("C", 8),
    "doubleComplex": ("M", 16),
    "char": ("A", 1),
    "unicodeChar": ("A", 1),
}


@dataclass(frozen=True, slots=True)
class Extent:
    """What some rows of a column need: ``a | b`` is what both need.

    ``rows`` is their number, ``longest`` the number of items of the longest value and ``total`` the sum of their bytes,
    where the length varies. ``nulls`` counts nulls and null items of numbers, ``taken`` are the numbers that cannot
    stand for null. ``beyond_ascii`` counts characters that FITS cannot carry.
    """

    rows: int = 0
    longest: int = 0
    total: int = 0
    nulls: int = 0
    taken: frozenset[int] = frozenset()
    beyond_ascii: int = 0

    def __or__(self, other: Extent) -> Extent:
        return Extent(
            self.rows + other.rows,
            max(self.longest, other.longest),
            self.total + other.total,
            self.nulls + other.nulls,
            self.taken | other.taken,
            self.beyond_ascii + other.beyond_ascii,
        )


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it lies in the table.

    ``items`` is the number of items of every value, or of the longest one when they vary; ``null`` the number that
    stands for null. ``heap_size`` is the number of bytes in the heap, ``is_long`` says that the heap needs 64 bits.
    """

    field: Field
    extent: Extent
    items: int
    is_varying: bool
    null: int | None
    is_long: bool

    @property
    def descriptor(self) -> str:
        """The numpy type of the two numbers that say where in the heap a value is."""
        return ">i8" if self.is_long else ">i4"

    @property
    def heap_size(self) -> int:
        """Bytes in the heap."""
        return self.extent.total if self.is_varying else 0

    @property
    def width(self) -> int:
        """Bytes of a row."""
        if self.is_varying:
            return 16 if self.is_long else 8
        return (self.items + 7) // 8 if self.field.datatype == "bit" else self.items * _CODES[self.field.datatype][1]

    @property
    def tform(self) -> str:
        """The keyword TFORM's value."""
        code = _CODES[self.field.datatype][0]
        if self.is_varying:
            code = "L" if code == "X" else code  # astropy refuses a whole table for bits of varying number
            return f"1{'Q' if self.is_long else 'P'}{code}({self.items})"
        return f"{self.items}{code}"

    @property
    def tdim(self) -> str | None:
        """The keyword TDIM's value: the lengths of the dimensions, if there are several."""
        sizes = cols.dimensions(self.field)
        if len(sizes) < 2 or self.is_varying:  # noqa: PLR2004  one dimension needs no word
            return None
        known = [size for size in sizes if size is not None]
        last = self.items // int(np.prod(known))
        return f"({','.join(str(last if size is None else size) for size in sizes)})"

    @property
    def tnull(self) -> int | None:
        """The keyword TNULL's value; none when nothing is null."""
        return self.null if cols.is_integer(self.field) and self.extent.nulls else None

    def size(self, rows: int) -> int:
        """All bytes of the column."""
        return rows * self.width + self.heap_size


def measure(field: Field, column: Any) -> Extent:
    """Say what these values need."""
    if cols.is_text(field):
        lengths = pc.utf8_length(column)
        beyond = (
            0 if cols.is_ascii(column) else int(pc.sum(pc.count_substring_regex(column, cols.BEYOND_ASCII)).as_py())
        )
        return Extent(len(column), pc.max(lengths).as_py() or 0, pc.sum(lengths).as_py() or 0, beyond_ascii=beyond)
    if not cols.is_array(field):
        return Extent(len(column), nulls=column.null_count, taken=_taken(field, column))
    lengths = cols.list_lengths(column) // cols.parts(field)
    longest, total = int(lengths.max(initial=0)), int(lengths.sum()) * _CODES[field.datatype][1]
    items = column.flatten()
    missing = items.null_count
    if cols.fixed_length(field) is not None:  # where the length varies, null is an empty array
        missing += column.null_count
    return Extent(len(column), longest, total, missing, _taken(field, items))


def lay_out(fields: Sequence[Field], extents: Sequence[Extent]) -> list[Column]:
    """Decide how columns lie that need so much."""
    shapes = [_shape(field, extent) for field, extent in zip(fields, extents, strict=True)]
    heap = sum(extent.total for (_, is_varying), extent in zip(shapes, extents, strict=True) if is_varying)
    return [
        Column(field, extent, items, is_varying, _null(field, extent), is_long=heap > _LARGEST_32)
        for field, extent, (items, is_varying) in zip(fields, extents, shapes, strict=True)
    ]


def _shape(field: Field, extent: Extent) -> tuple[int, bool]:
    """The number of items of every value, or of the longest one, and whether the length varies."""
    fixed = cols.fixed_length(field)
    if not cols.is_text(field):
        return (extent.longest, True) if fixed is None else (fixed, False)
    unit = int(np.prod([size for size in cols.dimensions(field) if size is not None]))
    width = fixed or -(-max(extent.longest, 1) // unit) * unit
    is_wide = width > WIDEST_TEXT and extent.rows * width > _MOST_PADDING * extent.total
    return (extent.longest, True) if is_wide else (width, False)


def _taken(field: Field, items: Any) -> frozenset[int]:
    return nulls.taken(field, items) if cols.is_integer(field) else frozenset()


def _null(field: Field, extent: Extent) -> int | None:
    """The number that stands for null: one that no value has, if there is one."""
    if not cols.is_integer(field):
        return 0 if field.datatype == "boolean" else None
    number = nulls.free(field, extent.taken)
    return nulls.DEFAULT[field.datatype] if number is None else number
