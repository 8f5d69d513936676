"""Arrow columns in the shape that a FIELD promises, and their text.

Every writer begins here: :func:`conform` gives one of a few Arrow types, :func:`cells` turns them into text.
No value is touched one by one in Python; numpy and Arrow's kernels do the work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.metadata.fields import Field

#: Rows that are encoded at a time: small enough for the processor's cache, large enough to forget Python.
BLOCK_ROWS = 8192

#: VOTable's datatypes that are read and written here, as Arrow has them.
ARROW_TYPES: dict[str, Any] = {
    "boolean": pa.bool_(),
    "unsignedByte": pa.uint8(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "unicodeChar": pa.string(),
}

_ARRAYSIZE = re.compile(r"[0-9]+\*?|\*")


def is_text(field: Field) -> bool:
    """Whether values are strings: their arraysize is a length, not a number of values."""
    return field.datatype in ("char", "unicodeChar")


def fixed_length(field: Field) -> int | None:
    """The number of items every value has (1 for a scalar), None when it varies."""
    if field.arraysize is None:
        return 1
    if not _ARRAYSIZE.fullmatch(field.arraysize):
        raise ValueError(f"column {field.name}: arraysize {field.arraysize!r} is not written here")
    return None if field.arraysize.endswith("*") else int(field.arraysize)


def is_array(field: Field) -> bool:
    """Whether values are arrays of numbers."""
    return field.arraysize is not None and not is_text(field)


def arrow_type(field: Field) -> Any:
    """The Arrow type in which this field's values are handled: a list type for arrays of numbers."""
    if field.datatype not in ARROW_TYPES:
        raise ValueError(f"column {field.name}: datatype {field.datatype!r} is not written here")
    base = ARROW_TYPES[field.datatype]
    return pa.list_(base) if is_array(field) else base


def blocks(fields: Sequence[Field], batch: Any) -> Iterator[list[Any]]:
    """Cut a record batch into blocks of rows, each a list of conformed columns, one a field.

    Raises ValueError when the batch has another number of columns, pyarrow.ArrowInvalid when a value
    does not fit its field.
    """
    if batch.num_columns != len(fields):
        raise ValueError(f"{batch.num_columns} columns of data for {len(fields)} fields")
    columns = [conform(field, column) for field, column in zip(fields, batch.columns, strict=True)]
    for start in range(0, batch.num_rows, BLOCK_ROWS):
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
    rows = pc.binary_join_element_wise(*pieces, pa.scalar(b"", pa.binary()))
    if len(rows) == 0:
        return b""
    _, offsets, data = rows.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[rows.offset : rows.offset + len(rows) + 1]
    return data.slice(int(bounds[0]), int(bounds[-1] - bounds[0])).to_pybytes()  # type: ignore[no-any-return]


def text_bytes(column: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Give the UTF-8 bytes of all strings of a column, one after the other."""
    _, offsets, data = column.buffers()
    if data is None or len(column) == 0:
        return np.empty(0, dtype=np.uint8)
    bounds = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]]


def is_ascii(column: Any) -> bool:
    """Whether all strings of a column are plain ASCII."""
    data = text_bytes(column)
    return data.size == 0 or int(data.max()) < 0x80  # noqa: PLR2004  ASCII ends there


def cells(field: Field, column: Any, *, infinity: tuple[str, str]) -> Any:
    """Give a column as strings; null stays null, strings come back as they are.

    Numbers are the shortest text that reads back the same; the parts of an array are separated by blanks.
    ``infinity`` is how infinite numbers are written, the positive one first.
    """
    if is_text(field):
        return column
    if is_array(field):
        items = _numbers_text(column.flatten(), infinity)
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        lists = pa.ListArray.from_arrays(pa.array(offsets), pc.fill_null(items, "NaN"))
        return pc.if_else(column.is_valid(), pc.binary_join(lists, " "), pa.scalar(None, pa.string()))
    return _numbers_text(column, infinity)


def _numbers_text(column: Any, infinity: tuple[str, str]) -> Any:
    text = column.cast(pa.string())
    if not pa.types.is_floating(column.type) or bool(pc.all(pc.is_finite(column)).as_py() is not False):
        return text
    text = pc.if_else(pc.fill_null(pc.is_nan(column), False), "NaN", text)
    infinite = pc.fill_null(pc.is_inf(column), False)
    sign = pc.if_else(pc.greater(column, 0), infinity[0], infinity[1])
    return pc.if_else(infinite, sign, text)
