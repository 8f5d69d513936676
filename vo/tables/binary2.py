"""Rows of VOTable's BINARY2 serialisation (VOTable 1.4 section 5.4), from Arrow columns.

A row is its null flags, one bit a field from the left, then its values in network byte order. Neighbouring
values of fixed width are laid into one numpy record array; those records and the values of varying length are
then joined row by row in Arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.metadata.fields import Field
from vo.tables import columns as cols

_LENGTH = np.dtype(">i4")


def encode(fields: Sequence[Field], columns: Sequence[Any]) -> bytes:
    """Encode conformed columns (:func:`vo.tables.columns.blocks`) of one length as rows of BINARY2."""
    count = len(columns[0])
    fixed: list[np.ndarray[Any, Any]] = [_flags(columns, count)]
    pieces: list[Any] = []
    for field, column in zip(fields, columns, strict=True):
        if _has_fixed_width(field):
            fixed.append(_fixed(field, column, count))
            continue
        lengths, values = _varying(field, column)
        if lengths is not None:
            fixed.append(lengths)
        if fixed:
            pieces.append(_records(fixed, count))
            fixed = []
        pieces.append(values)
    if not pieces:
        return _record_array(fixed, count).tobytes()
    if fixed:
        pieces.append(_records(fixed, count))
    return cols.joined(pieces)


def _has_fixed_width(field: Field) -> bool:
    return not cols.is_text(field) and cols.fixed_length(field) is not None


def _flags(columns: Sequence[Any], count: int) -> np.ndarray[Any, Any]:
    flags = np.zeros((count, (len(columns) + 7) // 8), dtype=np.uint8)
    for index, column in enumerate(columns):
        mask = cols.null_mask(column)
        if mask is not None:
            flags[:, index // 8] |= mask.astype(np.uint8) << (7 - index % 8)
    return flags


def _fixed(field: Field, column: Any, count: int) -> np.ndarray[Any, Any]:
    if cols.is_array(field):
        return _fixed_arrays(field, column, count)
    return _scalars(field, column)


def _scalars(field: Field, column: Any) -> np.ndarray[Any, Any]:
    if field.datatype != "boolean":
        return cols.filled(column, np.nan if field.datatype in ("float", "double") else 0)
    values = np.where(cols.filled(column, False), np.uint8(ord("T")), np.uint8(ord("F")))
    mask = cols.null_mask(column)
    return values if mask is None else np.where(mask, np.uint8(ord("?")), values)


def _fixed_arrays(field: Field, column: Any, count: int) -> np.ndarray[Any, Any]:
    size = cols.fixed_length(field) or 0
    values = _scalars(field, column.flatten())
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    lengths = pc.fill_null(pc.list_value_length(column), size).to_numpy()
    if (lengths != size).any():
        raise ValueError(f"column {field.name} has arrays of other lengths than its arraysize {size}")
    empty = ord("?") if field.datatype == "boolean" else np.nan if field.datatype in ("float", "double") else 0
    rows: np.ndarray[Any, Any] = np.full((count, size), empty, dtype=values.dtype)
    rows[valid] = values.reshape(-1, size)
    return rows


def _varying(field: Field, column: Any) -> tuple[np.ndarray[Any, Any] | None, Any]:
    """Give the number of items of each value (None where the width is fixed all the same), and their bytes."""
    if not cols.is_text(field):
        return _varying_arrays(field, column)
    column = pc.fill_null(column, "")
    if field.datatype == "unicodeChar":
        values = utf16(column)
        return (pc.binary_length(values).to_numpy() // 2).astype(_LENGTH), values
    size = cols.fixed_length(field)
    if size is not None:
        values = pc.binary_slice(pc.utf8_rpad(column, width=size, padding="\0").cast(pa.binary()), 0, size)
        return None, values
    values = column.cast(pa.binary())
    return pc.binary_length(values).to_numpy(zero_copy_only=False).astype(_LENGTH), values


def _varying_arrays(field: Field, column: Any) -> tuple[np.ndarray[Any, Any], Any]:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    values = _scalars(field, column.flatten())
    values = values.astype(values.dtype.newbyteorder(">"))
    offsets = np.concatenate(([0], np.cumsum(lengths))) * values.dtype.itemsize
    return lengths.astype(_LENGTH), cols.from_offsets(offsets, values)


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


def _record_array(parts: Sequence[np.ndarray[Any, Any]], count: int) -> np.ndarray[Any, Any]:
    """Lay columns of shape (count,) or (count, n) side by side, in network byte order."""
    layout = [(f"f{index}", part.dtype.newbyteorder(">"), part.shape[1:]) for index, part in enumerate(parts)]
    records = np.empty(count, dtype=layout)
    for index, part in enumerate(parts):
        records[f"f{index}"] = part
    return records


def _records(parts: Sequence[np.ndarray[Any, Any]], count: int) -> Any:
    records = _record_array(parts, count)
    return cols.from_offsets(np.arange(count + 1) * records.dtype.itemsize, records)
