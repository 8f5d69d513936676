"""Arrow columns in the shape that a FIELD promises, and their text.

Every writer begins here: :func:`conform` gives one of a few Arrow types, :func:`cells` turns them into text.
No value is touched one by one in Python; numpy and Arrow's kernels do the work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.metadata.fields import Field

#: Rows that are encoded at a time: small enough for the processor's cache, large enough to forget Python.
BLOCK_ROWS = 8192

#: VOTable's datatypes, as Arrow has one item of them; a complex number is two items.
ARROW_TYPES: dict[str, Any] = {
    "boolean": pa.bool_(),
    "bit": pa.bool_(),
    "unsignedByte": pa.uint8(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "unicodeChar": pa.string(),
    "floatComplex": pa.float32(),
    "doubleComplex": pa.float64(),
}

INTEGERS = frozenset({"unsignedByte", "short", "int", "long"})
FLOATS = frozenset({"float", "double", "floatComplex", "doubleComplex"})

#: What finds the characters of a text that are not ASCII.
BEYOND_ASCII = r"[^\x00-\x7F]"

_ARRAYSIZE = re.compile(r"([0-9]+x)*([0-9]+\*?|\*)")


def is_text(field: Field) -> bool:
    """Whether values are strings: their arraysize is a length, not a number of values."""
    return field.datatype in ("char", "unicodeChar")


def is_complex(field: Field) -> bool:
    """Whether values are complex numbers, which Arrow has as lists: real part, imaginary part."""
    return field.datatype in ("floatComplex", "doubleComplex")


def dimensions(field: Field) -> tuple[int | None, ...]:
    """The lengths of a value's dimensions, the fastest first; None for one that varies; () for a scalar.

    A bound on a dimension that varies (``10*``) is not told. ValueError when the arraysize is not VOTable's.
    """
    if field.arraysize is None:
        return ()
    if not _ARRAYSIZE.fullmatch(field.arraysize):
        raise ValueError(f"column {field.name}: arraysize {field.arraysize!r} is not written here")
    return tuple(None if size.endswith("*") else int(size) for size in field.arraysize.split("x"))


def fixed_length(field: Field) -> int | None:
    """The number of VOTable's items that every value has (1 for a scalar), None when it varies."""
    length = 1
    for size in dimensions(field):
        if size is None:
            return None
        length *= size
    return length


def parts(field: Field) -> int:
    """How many numbers an item is: two for a complex number."""
    return 2 if is_complex(field) else 1


def is_array(field: Field) -> bool:
    """Whether values are lists of numbers, complex numbers among them."""
    return (field.arraysize is not None and not is_text(field)) or is_complex(field)


def is_integer(field: Field) -> bool:
    """Whether values, or the items of arrays, are integers."""
    return field.datatype in INTEGERS


def arrow_type(field: Field) -> Any:
    """The Arrow type in which this field's values are handled: a flat list type for arrays of any dimension."""
    if field.datatype not in ARROW_TYPES:
        raise ValueError(f"column {field.name}: datatype {field.datatype!r} is not written here")
    base = ARROW_TYPES[field.datatype]
    return pa.list_(base) if is_array(field) else base


def conformed(fields: Sequence[Field], batch: Any) -> list[Any]:
    """Give a record batch as columns that fit their fields, one a field.

    Raises ValueError when the batch has another number of columns, pyarrow.ArrowInvalid when a value
    does not fit its field.
    """
    if batch.num_columns != len(fields):
        raise ValueError(f"{batch.num_columns} columns of data for {len(fields)} fields")
    return [conform(field, column) for field, column in zip(fields, batch.columns, strict=True)]


def blocks(columns: Sequence[Any]) -> Iterator[list[Any]]:
    """Cut conformed columns into blocks of rows."""
    if len(columns[0]) <= BLOCK_ROWS:
        yield list(columns)
        return
    for start in range(0, len(columns[0]), BLOCK_ROWS):
        yield [column.slice(start, BLOCK_ROWS) for column in columns]


def conform(field: Field, column: Any) -> Any:
    """Cast a column to its field's Arrow type; nothing is copied when it has that type already."""
    wanted = arrow_type(field)
    return column if column.type == wanted else column.cast(wanted)


def null_mask(column: Any) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Where a column is null; None when it is nowhere."""
    return None if column.null_count == 0 else column.is_null().to_numpy(zero_copy_only=False)


def filled(column: Any, value: object) -> np.ndarray[Any, Any]:
    """Give the values of a column of scalars with another value in place of null."""
    if column.null_count:
        column = pc.fill_null(column, value)
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]  # pyarrow ships no types


def from_offsets(offsets: np.ndarray[Any, Any], data: np.ndarray[Any, Any]) -> Any:
    """Build a binary array of ``data``'s bytes, cut at the n+1 ``offsets``, without a copy."""
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data.view(np.uint8))]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def joined(pieces: Sequence[Any]) -> bytes:
    """Put pieces together row by row: binary arrays without nulls, and constants."""
    return text_bytes(pc.binary_join_element_wise(*pieces, pa.scalar(b"", pa.binary()))).tobytes()


def lines(cells: Sequence[Any], start: str, separator: str, end: str, null: str = "") -> bytes:
    """Put columns of strings together to rows: ``start``, the cells with ``separator`` between them, ``end``.

    ``null`` is what stands for null.
    """
    if len(cells[0]) == 0:
        return b""
    # Arrow puts one separator between two pieces; the end of one row and the start of the next go with the last cell.
    last = _join((cells[-1], pa.scalar(end + start)), "", null)
    rows = text_bytes(_join((*cells[:-1], last), separator, null))
    return b"".join((start.encode(), rows.data[: rows.size - len(start.encode())]))


def _join(pieces: Sequence[Any], separator: str, null: str) -> Any:
    return pc.binary_join_element_wise(*pieces, pa.scalar(separator), null_handling="replace", null_replacement=null)


def text_bytes(column: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Give the bytes of all strings of a column, one after the other, in UTF-8."""
    data = column.buffers()[2]
    if data is None or len(column) == 0:
        return np.empty(0, dtype=np.uint8)
    bounds = text_bounds(column)
    return np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]]


def text_bounds(column: Any) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Where each string of a column that is not empty begins, and where the last one ends, in its buffer."""
    return np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]


def holds(column: Any, characters: bytes, *, controls: bool = False) -> bool:
    """Whether any string has one of these bytes, or, with ``controls``, a byte below 0x20."""
    data = text_bytes(column)
    if data.size == 0:
        return False
    text = data.tobytes()  # bytes are searched at the speed of memory
    return (controls and int(data.min()) < 0x20) or any(one in text for one in characters)  # noqa: PLR2004  blank


def is_ascii(column: Any) -> bool:
    """Whether all strings of a column are plain ASCII."""
    data = text_bytes(column)
    return data.size == 0 or int(data.max()) < 0x80  # noqa: PLR2004  ASCII ends there


def list_lengths(column: Any) -> np.ndarray[Any, Any]:
    """Give the number of items of each list, 0 for null."""
    lengths: np.ndarray[Any, Any] = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    return lengths


@dataclass(frozen=True, slots=True)
class Words:
    """How a form writes what is no plain number.

    ``null_item`` is what an array has for an item that is null; None: NaN among floats, "null" among others.
    """

    nan: str = "NaN"
    infinity: str = "Infinity"
    minus_infinity: str = "-Infinity"
    null_item: str | None = None
    separator: str = " "


def cells(field: Field, column: Any, words: Words) -> Any:
    """Give a column as strings; null stays null, strings come back as they are.

    Numbers are the shortest text that reads back the same, bits are 0 and 1; arrays are their items in a row.
    """
    if is_text(field):
        return column
    if not is_array(field):
        return _items_text(field, column, words)
    null_item = words.null_item or (words.nan if field.datatype in FLOATS else "null")
    items = pc.fill_null(_items_text(field, column.flatten(), words), null_item)
    text = pc.binary_join(lists(column, items), words.separator)
    return pc.if_else(column.is_valid(), text, pa.scalar(None, pa.string()))


def lists(column: Any, items: Any) -> Any:
    """Cut other items, as many as a column of lists has, into lists of the same lengths; null becomes an empty list."""
    offsets = np.concatenate(([0], np.cumsum(list_lengths(column)))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), items)


def _items_text(field: Field, column: Any, words: Words) -> Any:
    if field.datatype == "bit":
        return column.cast(pa.uint8()).cast(pa.string())
    text = column.cast(pa.string())
    if field.datatype not in FLOATS or all_finite(column):
        return text
    text = pc.if_else(pc.fill_null(pc.is_nan(column), False), words.nan, text)
    infinite = pc.fill_null(pc.is_inf(column), False)
    sign = pc.if_else(pc.greater(column, 0), words.infinity, words.minus_infinity)
    return pc.if_else(infinite, sign, text)


def all_finite(column: Any) -> bool:
    """Whether a column of floating point numbers has neither NaN nor infinity; nulls do not count."""
    return pc.all(pc.is_finite(column)).as_py() is not False
