"""Values written as text (VOTable 1.4 section 6, TABLEDATA) to Arrow columns.

An empty cell, and for all but texts one of blanks, is null. An empty text cannot be told apart from null in TABLEDATA;
it is read as null since that is what writers mean by it, ours and STILTS among them. NaN is a number.

Integers are decimal or hexadecimal; 0xFFFF in a short is its bits, -1. A boolean is T, t, 1 or true, F, f, 0 or false,
null is also ``?``. Bits are 0 and 1 with or without blanks. Texts keep all their characters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.tables.columns import text_bytes
from vo.tables.reading.columns import Column
from vo.tables.reading.table import BadCell, ReadLimits, cell_too_long, shown
from vo.tables.reading.values import null_number

_TRUE = pa.array(["t", "true", "1"])
_FALSE = pa.array(["f", "false", "0"])
_UNKNOWN = pa.array(["?", ""])
_BLANKS = " \t\n\r"

_RANGES = {
    "unsignedByte": "an integer from 0 to 255",
    "short": "an integer from -32768 to 32767",
    "int": "an integer from -2147483648 to 2147483647",
    "long": "an integer of 64 bits",
    "float": "a number",
    "double": "a number",
    "floatComplex": "two numbers",
    "doubleComplex": "two numbers",
    "boolean": "T, F or ?",
    "bit": "0 or 1",
}


def read_column(column: Column, cells: Any, limits: ReadLimits) -> Any:
    """Read a string array without nulls as a column; raises :class:`BadCell` for the first cell that is no value."""
    lengths = pc.binary_length(cells)
    longest = pc.max(lengths).as_py() or 0
    if longest > limits.cell_bytes:
        raise cell_too_long(pc.index(lengths, longest).as_py(), longest, limits)
    if column.is_text:
        return _nulled(cells, pc.equal(lengths, 0))
    if column.null is not None:
        cells = pc.if_else(pc.equal(pc.utf8_trim(cells, _BLANKS), column.null.strip()), "", cells)
    try:
        return _read(column, cells)
    except pa.ArrowInvalid:
        raise _first_bad(column, cells) from None


def _read(column: Column, cells: Any) -> Any:
    """As :func:`read_column`, but raises ArrowInvalid, without a place, for what is no number."""
    if not column.is_list:
        return _items(column, cells)
    cells = pc.utf8_trim(cells, _BLANKS)
    nulls = pc.equal(pc.binary_length(cells), 0)
    if column.field.datatype == "bit":
        words = _bits(cells)
        counts = pc.binary_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
        items = _bit_values(words)
    else:
        lists = pc.ascii_split_whitespace(_nulled(cells, nulls))
        counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
        items = _items(column, lists.flatten())
    _check_counts(column, counts, nulls.to_numpy(zero_copy_only=False))
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, items, mask=nulls if pc.any(nulls).as_py() else None)


def _items(column: Column, cells: Any) -> Any:
    if column.field.datatype == "bit":
        words = _bits(cells)
        counts = pc.binary_length(words).to_numpy(zero_copy_only=False)
        if (counts > 1).any():
            raise pa.ArrowInvalid("more than one bit")
        filled = _bit_values(pc.if_else(pc.equal(pc.binary_length(words), 0), "0", words))
        return _nulled(filled, pa.array(counts == 0))
    if column.field.datatype == "boolean":
        return _booleans(cells)
    return _null_numbers(column, numbers(cells, column.item_type))


def numbers(cells: Any, item_type: Any) -> Any:
    """Cast strings to numbers; empty ones and blanks are null. Raises ArrowInvalid for what is no number."""
    empty = pc.equal(pc.binary_length(cells), 0)
    if pc.any(empty).as_py():
        cells = _nulled(cells, empty)
    try:
        return cells.cast(item_type)
    except pa.ArrowInvalid:
        trimmed = pc.utf8_trim(cells, _BLANKS)
        trimmed = _nulled(trimmed, pc.equal(pc.binary_length(trimmed), 0))
        return pc.replace_substring_regex(trimmed, r"^\+([0-9])", r"\1").cast(item_type)


def _null_numbers(column: Column, items: Any) -> Any:
    null = null_number(column)
    if null is None:
        return items
    if null != null:  # noqa: PLR0124  NaN alone differs from itself
        return _nulled(items, pc.fill_null(pc.is_nan(items), False))
    try:
        value = pa.scalar(null, column.item_type)
    except (pa.ArrowInvalid, OverflowError):
        return items
    return _nulled(items, pc.fill_null(pc.equal(items, value), False))


def _booleans(cells: Any) -> Any:
    words = pc.ascii_lower(pc.utf8_trim(cells, _BLANKS))
    true = pc.is_in(words, _TRUE)
    known = pc.or_(pc.or_(true, pc.is_in(words, _FALSE)), pc.is_in(words, _UNKNOWN))
    if pc.any(pc.invert(known)).as_py():
        raise pa.ArrowInvalid("not a boolean")
    return _nulled(true, pc.is_in(words, _UNKNOWN))


def _bits(cells: Any) -> Any:
    """Cells of 0 and 1 without blanks."""
    words = pc.replace_substring_regex(cells, r"\s", "")
    if pc.any(pc.match_substring_regex(words, "[^01]")).as_py():
        raise pa.ArrowInvalid("not a bit")
    return words


def _bit_values(words: Any) -> Any:
    return pa.array(text_bytes(words) == ord("1"))


def _nulled(cells: Any, nulls: Any) -> Any:
    return pc.if_else(nulls, pa.scalar(None, cells.type), cells)


def _check_counts(column: Column, counts: Any, nulls: Any) -> None:
    wrong = counts != column.items if column.items is not None else counts % column.multiple != 0
    wrong &= ~nulls
    if wrong.any():
        index = int(np.argmax(wrong))
        wanted = f"arraysize {shown(column.field.arraysize)}" if column.field.arraysize else "a complex number"
        raise BadCell(index, f"{counts[index]} numbers do not make {wanted}")


def _first_bad(column: Column, cells: Any) -> BadCell:
    """The first cell that cannot be read, found by halves."""
    index = first_failing(lambda part: _read(column, part), cells)
    word = cells[index].as_py()
    wanted = _RANGES[column.field.datatype]
    wanted = f"made of such values: {wanted}" if column.is_list else wanted
    return BadCell(index, f"{shown(word)} is no {column.field.datatype}; it has to be {wanted}")


def first_failing(read: Callable[[Any], object], cells: Any) -> int:
    """The index of the first cell for which ``read`` raises ArrowInvalid; some cell does."""
    good, bad = 0, len(cells)  # cells before good can be read, those before bad cannot
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            read(cells.slice(good, middle - good))
        except pa.ArrowInvalid:
            bad = middle
        else:
            good = middle
    return good
