"""Rows of VOTable's BINARY and BINARY2 serialisations (VOTable 1.4 sections 5.3 and 5.4), from Arrow columns.

A row is its values in network byte order; in BINARY2 null flags go before them, one bit a field from the left.
Neighbouring values of fixed width are laid into one numpy record array; those records and the values of varying length
are then joined row by row in Arrow.

What stands where a value is null: NaN, "?" for a boolean, no characters, an empty array, and for items of integer
arrays, and all integers in BINARY, which has no flags, the number that :mod:`vo.tables.writing.nulls` chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.writing import nulls

_LENGTH = np.dtype(">i4")

# The standard has a single bit at the left of its byte; astropy looks for it in the middle.
_BIT = 0x88


def encode_binary2(fields: Sequence[Field], columns: Sequence[Any], numbers: Sequence[int | None]) -> bytes:
    """Encode conformed columns (:func:`vo.tables.columns.blocks`) of one length as rows of BINARY2.

    ``numbers`` stand for null, one a field (:func:`vo.tables.writing.nulls.choose`).
    """
    return _encode(fields, columns, numbers, [_flags(columns, len(columns[0]))])


def encode_binary(fields: Sequence[Field], columns: Sequence[Any], numbers: Sequence[int | None]) -> bytes:
    """Encode conformed columns of one length as rows of BINARY, otherwise like :func:`encode_binary2`."""
    return _encode(fields, columns, numbers, [])


def fixed(field: Field, column: Any, empty: Any = None) -> np.ndarray[Any, Any]:
    """Give the values of a column of numbers whose width is fixed, of shape (rows,) or (rows, items).

    ``empty`` stands for null in place of what the module's text says. Bits are packed into bytes. Raises ValueError
    when an array has another length than its arraysize.
    """
    if empty is None:
        empty = _empty(field)
    if not cols.is_array(field):
        values = _items(field, column, empty)
        return values * np.uint8(_BIT) if field.datatype == "bit" else values
    size = (cols.fixed_length(field) or 0) * cols.parts(field)
    values = _items(field, column.flatten(), empty)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    if (cols.list_lengths(column)[valid] != size).any():
        raise ValueError(f"column {field.name} has arrays of other lengths than its arraysize {field.arraysize}")
    rows: np.ndarray[Any, Any] = np.full((len(column), size), empty, dtype=values.dtype)
    rows[valid] = values.reshape(-1, size)
    return np.packbits(rows, axis=1) if field.datatype == "bit" else rows


def varying(field: Field, column: Any, empty: Any = None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Any]:
    """Give arrays whose length varies: the items of each, the n+1 bounds of each one's bytes, and all their bytes."""
    values = _items(field, column.flatten(), _empty(field) if empty is None else empty)
    lengths = cols.list_lengths(column)
    if field.datatype == "bit":
        bounds, data = _packed_lists(lengths, values)
    else:
        data = values.astype(values.dtype.newbyteorder(">"))
        bounds = np.concatenate(([0], np.cumsum(lengths))) * data.dtype.itemsize
    return lengths // cols.parts(field), bounds, data


def has_fixed_width(field: Field) -> bool:
    """Whether all values of a column of numbers have the same number of bytes."""
    return not cols.is_text(field) and cols.fixed_length(field) is not None


def record_array(pieces: Sequence[np.ndarray[Any, Any]], count: int) -> np.ndarray[Any, Any]:
    """Lay columns of shape (count,) or (count, n) side by side, in network byte order."""
    layout = [(f"f{index}", part.dtype.newbyteorder(">"), part.shape[1:]) for index, part in enumerate(pieces)]
    records = np.empty(count, dtype=layout)
    for index, part in enumerate(pieces):
        records[f"f{index}"] = part
    return records


def utf16(column: Any) -> Any:
    """Encode strings without nulls as big-endian UTF-16, which is what readers take unicodeChar for.

    The standard says UCS-2; the two differ only for characters beyond the basic plane, two units each here.
    """
    data = cols.text_bytes(column)
    encoded = np.frombuffer(data.tobytes().decode().encode("utf-16-be"), dtype=np.uint8)
    # Units that begin at each byte of the UTF-8 text: none at a continuation byte, two at a four-byte character.
    units = ((data & 0xC0) != 0x80).astype(np.int64) + (data >= 0xF0)  # noqa: PLR2004  UTF-8's marks
    before = np.concatenate(([0], np.cumsum(units)))
    lengths = pc.binary_length(column.cast(pa.binary())).to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return cols.from_offsets(before[offsets] * 2, encoded)


def _encode(
    fields: Sequence[Field],
    columns: Sequence[Any],
    numbers: Sequence[int | None],
    first: Sequence[np.ndarray[Any, Any]],
) -> bytes:
    count = len(columns[0])
    side_by_side = list(first)
    pieces: list[Any] = []
    for field, column, number in zip(fields, columns, numbers, strict=True):
        if has_fixed_width(field):
            is_flagged = bool(first) and cols.is_integer(field) and not cols.is_array(field)
            side_by_side.append(fixed(field, column, 0 if is_flagged else number))
            continue
        lengths, values = _text(field, column) if cols.is_text(field) else _arrays(field, column, number)
        if lengths is not None:
            side_by_side.append(lengths.astype(_LENGTH))
        if side_by_side:
            pieces.append(_records(side_by_side, count))
            side_by_side = []
        pieces.append(values)
    if not pieces:
        return record_array(side_by_side, count).tobytes()
    if side_by_side:
        pieces.append(_records(side_by_side, count))
    return cols.joined(pieces)


def _flags(columns: Sequence[Any], count: int) -> np.ndarray[Any, Any]:
    flags = np.zeros((count, (len(columns) + 7) // 8), dtype=np.uint8)
    for index, column in enumerate(columns):
        mask = cols.null_mask(column)
        if mask is not None:
            flags[:, index // 8] |= mask.astype(np.uint8) << (7 - index % 8)
    return flags


def _empty(field: Field) -> Any:
    if field.datatype in cols.FLOATS:
        return np.nan
    return ord("?") if field.datatype == "boolean" else nulls.DEFAULT.get(field.datatype, 0)


def _items(field: Field, column: Any, empty: Any) -> np.ndarray[Any, Any]:
    if field.datatype == "bit":
        return cols.filled(column, False).astype(bool)
    if field.datatype != "boolean":
        return cols.filled(column, empty)
    values = np.where(cols.filled(column, False), np.uint8(ord("T")), np.uint8(ord("F")))
    mask = cols.null_mask(column)
    return values if mask is None else np.where(mask, np.uint8(empty), values)


def _packed_lists(lengths: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> tuple[Any, np.ndarray[Any, Any]]:
    """Pack lists of bits, each from the beginning of a byte."""
    bounds = np.concatenate(([0], np.cumsum((lengths + 7) // 8)))
    before = np.concatenate(([0], np.cumsum(lengths)))[:-1]
    bits = np.zeros(int(bounds[-1]) * 8, dtype=bool)
    bits[np.arange(len(values)) + np.repeat(bounds[:-1] * 8 - before, lengths)] = values
    return bounds, np.packbits(bits)


def _text(field: Field, column: Any) -> tuple[np.ndarray[Any, Any] | None, Any]:
    """Give the number of characters of each text (None where it is the same for all), and their bytes."""
    column = pc.fill_null(column, "")
    if field.datatype == "unicodeChar":
        values = utf16(column)
        return pc.binary_length(values).to_numpy() // 2, values
    size = cols.fixed_length(field)
    if size is not None:
        return None, pc.binary_slice(pc.utf8_rpad(column, width=size, padding="\0").cast(pa.binary()), 0, size)
    values = column.cast(pa.binary())
    return pc.binary_length(values).to_numpy(zero_copy_only=False), values


def _arrays(field: Field, column: Any, number: int | None) -> tuple[np.ndarray[Any, Any], Any]:
    lengths, bounds, data = varying(field, column, number)
    return lengths, cols.from_offsets(bounds, data)


def _records(pieces: Sequence[np.ndarray[Any, Any]], count: int) -> Any:
    records = record_array(pieces, count)
    return cols.from_offsets(np.arange(count + 1) * records.dtype.itemsize, records)
