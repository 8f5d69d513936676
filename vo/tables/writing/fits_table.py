"""Tables as FITS (FITS 4.0, section 7.3): a binary table, with its VOTable without rows in the primary HDU.

The header tells the number of rows and the widths of columns, which are known at the end only. So the rows wait in a
temporary file until the last one has come; memory is that of one batch, and a fault amid the rows is raised before the
first byte. That the primary HDU holds a VOTable is the convention of STILTS and TOPCAT ("fits-plus"): they read all of
it, other readers the keywords of the table: TUCDn, TUTYPn, TXTYPn and TCOMMn beside the standard ones, QUERY_ST (OK, or
OVERFLOW when rows were cut off), and COMMENTs with the data's origin.

Null: TNULLn for integers, a zero byte for a boolean, NaN, an empty string, an empty array; null bits are 0.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.errors import TransientFault, UsageFault
from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.votable import Document
from vo.tables.writing import arrow, binary, fits_header
from vo.tables.writing.fits_cards import BLOCK
from vo.tables.writing.fits_layout import Column, Extent, lay_out, measure
from vo.tables.writing.rows import Rows

_MOST_COLUMNS = 999


def write(document: Document, rows: Rows) -> Iterator[bytes]:
    """Write a FITS file with one table.

    Faults: UsageFault for more than 999 columns, TransientFault when there is no room for the temporary file.
    """
    if len(document.fields) > _MOST_COLUMNS:
        raise UsageFault(
            f"{len(document.fields)} columns are more than the {_MOST_COLUMNS} of FITS; ask for another form"
        )
    try:
        with tempfile.TemporaryFile() as spool:
            yield from _pieces(document, rows, spool)
    except OSError as error:  # also from closing a file whose last bytes could not be written
        raise TransientFault(
            "this service has no room to put a FITS table together; ask for RESPONSEFORMAT=votable or csv"
        ) from error


def _pieces(document: Document, rows: Rows, spool: IO[bytes]) -> Iterator[bytes]:
    extents, count = _spool(document.fields, rows, spool)
    columns = lay_out(document.fields, extents)
    yield fits_header.primary(document, rows.overflow)
    yield fits_header.table(document, columns, count, rows.overflow)
    size = 0
    for part in (_rows(columns, spool), _heap(columns, spool)):
        for piece in part:
            size += len(piece)
            yield piece
    yield bytes(-size % BLOCK)


def _spool(fields: Sequence[Field], rows: Rows, spool: IO[bytes]) -> tuple[list[Extent], int]:
    """Write the rows to a temporary file; give what all columns need, and the number of rows."""
    schema = arrow.schema(fields)
    extents = [Extent()] * len(fields)
    count = size = 0
    with pa.ipc.new_stream(pa.PythonFile(spool, mode="w"), schema) as writer:
        for columns in rows.batches():
            batch = pa.RecordBatch.from_arrays(columns, schema=schema)
            wider = [extent | measure(*pair) for extent, *pair in zip(extents, fields, columns, strict=True)]
            larger = sum(column.size(count + batch.num_rows) for column in lay_out(fields, wider))
            if not rows.has_room(max(larger - size, batch.nbytes)):
                break
            writer.write_batch(batch)
            extents, count, size = wider, count + batch.num_rows, larger
    spool.flush()  # what finds no room does so before the first byte is sent
    return extents, count


def _blocks(spool: IO[bytes]) -> Iterator[list[Any]]:
    spool.seek(0)
    for batch in pa.ipc.open_stream(pa.PythonFile(spool, mode="r")):
        yield from cols.blocks(batch.columns)


def _rows(columns: Sequence[Column], spool: IO[bytes]) -> Iterator[bytes]:
    """The table itself: values of fixed width, and for the others how many there are and where in the heap."""
    place = 0
    for block in _blocks(spool):
        pieces: list[np.ndarray[Any, Any]] = []
        for column, values in zip(columns, block, strict=True):
            if not column.is_varying:
                pieces.append(_fixed(column, values))
                continue
            lengths, bounds, _ = _varying(column, values)
            pieces.append(np.stack([lengths, place + bounds[:-1]], axis=1).astype(column.descriptor))
            place += int(bounds[-1])
        yield binary.record_array(pieces, len(block[0])).tobytes()


def _heap(columns: Sequence[Column], spool: IO[bytes]) -> Iterator[bytes]:
    """What varies in length, in the order of :func:`_rows`."""
    if not any(column.is_varying for column in columns):
        return
    for block in _blocks(spool):
        for column, values in zip(columns, block, strict=True):
            if column.is_varying:
                yield _varying(column, values)[2].tobytes()


def _fixed(column: Column, values: Any) -> np.ndarray[Any, Any]:
    field = column.field
    if cols.is_text(field):
        padded = pc.utf8_rpad(_ascii(values), width=column.items, padding="\0")
        exact = pc.binary_slice(padded.cast(pa.binary()), 0, column.items)
        return cols.text_bytes(exact).reshape(len(values), column.items)
    if field.datatype == "bit" and not cols.is_array(field):
        return np.packbits(cols.filled(values, False).astype(bool)[:, np.newaxis], axis=1)
    return binary.fixed(field, values, column.null)


def _varying(column: Column, values: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The number of items of each value, the n+1 bounds of each one's bytes, and the bytes."""
    if not cols.is_text(column.field):
        field = replace(column.field, datatype="boolean") if column.field.datatype == "bit" else column.field
        return binary.varying(field, values, 0 if field.datatype == "boolean" else column.null)
    text = _ascii(values)
    bounds = cols.text_bounds(text).astype(np.int64)
    return np.diff(bounds), bounds - bounds[0], cols.text_bytes(text)


def _ascii(values: Any) -> Any:
    text = pc.fill_null(values, "")
    return text if cols.is_ascii(text) else pc.replace_substring_regex(text, cols.BEYOND_ASCII, "?")
