"""Values in VOTable's binary form (VOTable 1.4 section 6), which FITS shares, to Arrow columns.

No value is touched one by one in Python, but those that are damaged. Texts end at their first NUL. They are UTF-8;
where they are not, each such text is read as Latin 1, as STILTS writes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.tables.columns import text_bounds
from vo.tables.reading.columns import Column
from vo.tables.reading.table import BadCell

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, Any]

# What a boolean's byte means: 0 false, 1 true, 2 null, 3 nothing.
_BOOLEANS = np.full(256, 3, dtype=np.uint8)
_BOOLEANS[[ord(letter) for letter in "Tt1"]] = 1
_BOOLEANS[[ord(letter) for letter in "Ff0"]] = 0
_BOOLEANS[[0, ord(" "), ord("?")]] = 2


def fixed(column: Column, records: Bytes, offset: int, nulls: Mask | None) -> Any:
    """Read a column of cells of one width: ``records`` has a row each, the cell begins at ``offset`` of it.

    ``nulls`` says which cells are null, whatever their bytes.
    """
    items = column.items or 0
    width = column.byte_count(items)
    if column.is_text:
        cells = np.ascontiguousarray(records[:, offset : offset + width])
        edges = np.arange(len(records), dtype=np.int64) * width
        return text(column, cells.reshape(-1), edges, edges + width, nulls)
    if column.item_bits == 1:
        cells = np.ascontiguousarray(records[:, offset : offset + width])
        # A bit alone is the first of its byte; astropy writes another one, and the rest is zero anyhow.
        numbers = np.unpackbits(cells, axis=1)[:, :items].reshape(-1) if column.is_list else cells.reshape(-1) != 0
    else:
        numbers = _strided(records, offset, column.dtype, items).reshape(-1)
    lengths = np.full(len(records), items, dtype=np.int64)
    return assemble(column, numbers, lengths, nulls)


def varying(column: Column, data: Bytes, starts: Numbers, counts: Numbers, nulls: Mask | None) -> Any:
    """Read a column of cells of any number of items, which begin at ``starts`` (ascending) of ``data``.

    A cell without items is null unless ``nulls`` says of each whether it is: without flags nobody can tell the
    two apart, and null is what most writers mean.
    """
    ends = starts + ((counts * column.item_bits + 7) >> 3)
    if column.is_text:
        return text(column, data, starts, ends, nulls)
    if nulls is None:
        nulls = counts == 0
    packed = gather(data, starts, ends)
    numbers = _varying_bits(packed, counts) if column.item_bits == 1 else packed.view(column.dtype)
    return assemble(column, numbers, counts, nulls)


def assemble(column: Column, numbers: Numbers, lengths: Numbers, nulls: Mask | None) -> Any:
    """Make a column of all its numbers: scalars, or lists of ``lengths``.

    Integers in other than the machine's byte order, bits as 0 and 1, booleans as their letters are understood.
    """
    items, invalid = _native(column, numbers, lengths)
    if not column.is_list:
        if nulls is not None:
            invalid = nulls if invalid is None else invalid | nulls
        return pa.array(items, column.item_type, mask=invalid)
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    mask = None if nulls is None or not nulls.any() else pa.array(nulls)
    return pa.ListArray.from_arrays(offsets, pa.array(items, column.item_type, mask=invalid), mask=mask)


def text(column: Column, data: Bytes, starts: Numbers, ends: Numbers, nulls: Mask | None) -> Any:
    """Read a column of texts between ``starts`` and ``ends`` of ``data``; an empty one is null without ``nulls``."""
    cells = slices(data, starts, ends)
    if column.field.datatype == "unicodeChar":
        cells = _from_utf16(cells)
    strings = as_strings(_without_padding(cells, is_matrix=column.is_matrix_of_text))
    if nulls is None:
        nulls = pc.equal(pc.binary_length(strings), 0).to_numpy(zero_copy_only=False)
    return pc.if_else(pa.array(~nulls), strings, pa.scalar(None, pa.string())) if nulls.any() else strings


def slices(data: Bytes, starts: Numbers, ends: Numbers) -> Any:
    """Copy out what stands between each start and its end, which come in ascending order, as a binary array."""
    count = len(starts)
    if count == 0:
        return pa.array([], pa.binary())
    edges = np.empty(2 * count, dtype=np.int32)
    edges[0::2] = starts
    edges[1::2] = ends
    pieces = pa.Array.from_buffers(pa.binary(), 2 * count - 1, [None, pa.py_buffer(edges), pa.py_buffer(data)])
    return pieces.take(pa.array(np.arange(0, 2 * count, 2)))


def gather(data: Bytes, starts: Numbers, ends: Numbers) -> Bytes:
    """All bytes between each start and its end, one after the other."""
    content = slices(data, starts, ends).buffers()[2]
    size = int((ends - starts).sum())
    return np.frombuffer(content, np.uint8, size) if size else np.empty(0, np.uint8)


def as_strings(cells: Any) -> Any:
    """Decode a binary array without nulls as UTF-8, each text that is not as Latin 1."""
    try:
        return cells.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_decoded(cell.as_py()) for cell in cells], pa.string())


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _without_padding(cells: Any, *, is_matrix: bool) -> Any:
    """Cut texts at the first NUL; the NULs between the texts of a matrix become blanks."""
    content = cells.buffers()[2]
    if content is None or not pc.any(pc.match_substring(cells, b"\0")).as_py():
        return cells
    if is_matrix:
        cells = pc.replace_substring(cells, b"\0", b" ")
        return pa.array([cell.as_py().rstrip(b" ") for cell in cells], pa.binary())
    ends = pc.find_substring(cells, b"\0").to_numpy()
    bounds = text_bounds(cells).astype(np.int64)
    lengths = np.where(ends < 0, np.diff(bounds), ends)
    return slices(np.frombuffer(content, np.uint8), bounds[:-1], bounds[:-1] + lengths)


def _from_utf16(cells: Any) -> Any:
    """Turn big-endian UTF-16 into UTF-8, both as binary arrays. Halves of surrogate pairs become U+FFFD."""
    bounds = text_bounds(cells) // 2
    content = cells.buffers()[2]
    if content is None or bounds[-1] == 0:
        return cells
    units = np.frombuffer(content, ">u2", int(bounds[-1]))
    try:
        encoded = units.tobytes().decode("utf-16-be").encode()
    except UnicodeDecodeError:
        return pa.array([cell.as_py().decode("utf-16-be", "replace").encode() for cell in cells], pa.binary())
    # Bytes of UTF-8 that each unit stands for: a pair of surrogates makes four, counted two and two.
    sizes = 1 + (units >= 0x80).astype(np.int64) + ((units >= 0x800) & ((units < 0xD800) | (units > 0xDFFF)))  # noqa: PLR2004  UTF-8's and UTF-16's marks
    before = np.concatenate(([0], np.cumsum(sizes)))
    offsets = pa.py_buffer(before[bounds].astype(np.int32))
    return pa.Array.from_buffers(pa.binary(), len(cells), [None, offsets, pa.py_buffer(encoded)])


def _strided(records: Bytes, offset: int, dtype: np.dtype[Any], items: int) -> Numbers:
    """A view of ``items`` numbers in each of the records, which lie side by side."""
    if records.size == 0 or items == 0:
        return np.empty((len(records), items), dtype)
    return np.ndarray((len(records), items), dtype, records, offset, (records.shape[1], dtype.itemsize))


def _varying_bits(packed: Bytes, counts: Numbers) -> Numbers:
    """The bits of cells that each begin at a byte of their own."""
    if packed.size == 0:
        return packed
    space = ((counts + 7) >> 3) << 3
    within = np.arange(int(space.sum())) - np.repeat(np.cumsum(space) - space, space)
    bits: Numbers = np.unpackbits(packed)[within < np.repeat(counts, space)]
    return bits


def _native(column: Column, numbers: Numbers, lengths: Numbers) -> tuple[Numbers, Mask | None]:
    """Give numbers in the machine's order, and which of them are null."""
    if column.field.datatype == "bit":
        return numbers.astype(np.bool_), None
    if column.field.datatype == "boolean":
        codes = _BOOLEANS[numbers]
        if (codes == 3).any():  # noqa: PLR2004  see _BOOLEANS
            place = int(np.argmax(codes == 3))  # noqa: PLR2004  the same
            cell = int(np.searchsorted(np.cumsum(lengths), place, side="right"))
            raise BadCell(cell, f"byte {int(numbers[place])} is no boolean; T, F and ? are")
        unknown = codes == 2  # noqa: PLR2004  the same
        return codes == 1, unknown if unknown.any() else None
    native = numbers.astype(numbers.dtype.newbyteorder("="))
    null = null_number(column)
    if null is None:
        return native, None
    return native, np.isnan(native) if np.isnan(null) else native == null


def null_number(column: Column) -> float | int | None:
    """VALUES' null as a number, None when there is none or it is no number of this type."""
    if column.null is None or column.is_text or column.item_type == pa.bool_():
        return None
    word = column.null.strip()
    try:
        if pa.types.is_floating(column.item_type):
            return float(np.float32(word)) if column.item_type == pa.float32() else float(word)
        return int(word, 16) if "x" in word.lower() else int(word)
    except ValueError:
        return None
