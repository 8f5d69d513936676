"""What a reader has to know of a column: how many items a cell has, of which type, what stands for null.

The Arrow forms are those of :data:`vo.tables.columns.ARROW_TYPES`: arrays are flat lists whatever their dimensions,
complex numbers lists of two numbers an item, scalars too. A text array of more dimensions is one string.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vo.errors import UsageFault
from vo.metadata.fields import Field
from vo.tables.columns import ARROW_TYPES, is_array, is_text, parts

#: Numpy's type of an item of VOTable's datatypes (VOTable 1.4 section 2.1) in BINARY (section 6); bits are unpacked.
_DTYPES = {
    "boolean": "u1",
    "bit": "u1",
    "unsignedByte": "u1",
    "short": ">i2",
    "int": ">i4",
    "long": ">i8",
    "float": ">f4",
    "double": ">f8",
    "floatComplex": ">f4",
    "doubleComplex": ">f8",
    "char": "u1",
    "unicodeChar": ">u2",
}

# "12", "*", "12*", and the same behind fixed dimensions: "2x3x*" (VOTable 1.4 section 2.2).
_ARRAYSIZE = re.compile(r"((?:[0-9]{1,10}x)*)([0-9]{0,10})(\*?)")
_MOST_ITEMS = 1 << 40


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is read.

    ``items`` is the number of characters, or of numbers of a list, in each cell (a complex number is two); None when
    it varies. Varying numbers of items are multiples of ``multiple``. ``null`` is VALUES' null.
    """

    field: Field
    items: int | None
    multiple: int = 1
    null: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether cells are strings."""
        return is_text(self.field)

    @property
    def is_list(self) -> bool:
        """Whether cells are lists."""
        return is_array(self.field)

    @property
    def is_matrix_of_text(self) -> bool:
        """Whether a cell's string is made of several ones of one length, each padded to it."""
        return self.is_text and "x" in (self.field.arraysize or "")

    @property
    def item_type(self) -> Any:
        """The Arrow type of a cell, of an item of it for lists."""
        return ARROW_TYPES[self.field.datatype]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Numpy's type of an item in BINARY."""
        return np.dtype(_DTYPES[self.field.datatype])

    @property
    def item_bits(self) -> int:
        """The bits in BINARY of an item as :attr:`items` counts them, half a complex number."""
        return 1 if self.field.datatype == "bit" else self.dtype.itemsize * 8

    @property
    def parts(self) -> int:
        """The numbers that one of VOTable's items is: two of a complex one."""
        return parts(self.field)

    def byte_count(self, items: int) -> int:
        """The bytes that this many items take in BINARY; bits fill the last byte."""
        return (items * self.item_bits + 7) >> 3


def make_column(field: Field, null: str | None = None) -> Column:
    """Work out a column from what its FIELD says; a UsageFault names what VOTable does not know.

    An arraysize of 1 is no array; a text without one is of one character (VOTable 1.4 section 4.1; erratum 3 of 1.3).
    """
    if field.datatype not in ARROW_TYPES:
        raise UsageFault(
            f'column "{field.name[:60]}" has datatype "{field.datatype[:40]}"; VOTable knows {", ".join(ARROW_TYPES)}'
        )
    arraysize = re.sub(r"\s", "", field.arraysize or "") or None
    if arraysize == "1":
        arraysize = None
    count, multiple = _counts(field, arraysize)
    numbers = parts(field)
    return Column(
        replace(field, arraysize=arraysize),
        items=None if count is None else count * numbers,
        multiple=multiple * numbers,
        null=None if null == "" else null,
    )


def as_tabledata(column: Column, *, has_size: bool) -> Column:
    """How a column is read from TABLEDATA, where texts need not keep to their arraysize.

    Many documents say char without arraysize and mean texts of any length, which STIL takes, too; a text may be
    shorter than its size. So "12" becomes "12*" and none becomes "*".
    """
    if not column.is_text or column.items is None or column.is_matrix_of_text:
        return column
    size = f"{column.field.arraysize or 1}*" if has_size else "*"
    return replace(column, field=replace(column.field, arraysize=size), items=None)


def _counts(field: Field, arraysize: str | None) -> tuple[int | None, int]:
    """Give the number of items (None when it varies), and what a varying number is a multiple of."""
    if arraysize is None:
        return 1, 1
    match = _ARRAYSIZE.fullmatch(arraysize)
    if match is None or not (match[2] or match[3]):
        raise UsageFault(
            f'column "{field.name[:60]}" has arraysize "{arraysize[:40]}"; write a number, *, or both as in 2x3 or 2x*'
        )
    before = math.prod(int(size) for size in match[1].split("x")[:-1])
    count = None if match[3] else before * int(match[2])
    if max(before, count or 0) > _MOST_ITEMS:
        raise UsageFault(f'column "{field.name[:60]}" has arraysize "{arraysize[:40]}", more than any cell can have')
    return count, before
