"""Parquet, by blocks of rows, with what VOParquet says of the columns.

A file may hold a VOTable without rows (VOParquet 1.0, key ``IVOA.VOTable-Parquet.content``); unit, UCD, utype, xtype,
description and, where the values can be such, datatype and arraysize are taken from its FIELDs of the same names.
Without it columns are what :mod:`vo.tables.reading.arrow` makes of their types. Other metadata is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from vo.errors import LimitFault
from vo.metadata.fields import Field
from vo.tables.columns import arrow_type
from vo.tables.reading import arrow, votable
from vo.tables.reading.source import Source
from vo.tables.reading.table import IncomingTable, ReadLimits
from vo.tables.writing.arrow import CONTENT_KEY

_BUFFER_BYTES = 1 << 20
_BATCH_ROWS = 8192
# How texts are encoded must not be asked: pyarrow ends the process where a column's metadata is damaged. So all are
# taken for dictionaries, with which a text is in memory once, however many rows have it; and as many rows are read at a
# time as fit here if each text were as long as a cell may be, since those that are written as their difference from the
# one before may be much longer than the file.
_TEXTS_BYTES = 256 << 20


def open_parquet(source: Source, limits: ReadLimits) -> IncomingTable:
    """Read the file's metadata. A UsageFault when it is damaged or has columns that are not read here."""
    file = source.seekable()
    try:
        plain = _open(file, [])
        fields = arrow.read_fields(plain.schema_arrow, limits)
        rows = plain.metadata.num_rows
    except arrow.DAMAGE as error:
        raise arrow.damaged("Parquet file", error) from error
    if rows > limits.rows:
        raise LimitFault(f"the table has {rows} rows, the limit is {limits.rows} (upload_rows); send it in parts")
    content = (plain.schema_arrow.metadata or {}).get(CONTENT_KEY.encode())
    if content is not None:
        fields = _described(fields, content, limits)
    few = max(_TEXTS_BYTES // limits.cell_bytes, 1)
    texts = [column.name for column in plain.schema_arrow if pa.types.is_string(column.type)]
    batches = _read(file, texts, min(few, _BATCH_ROWS) if texts else _BATCH_ROWS)
    return IncomingTable(fields, arrow.conform(fields, batches, limits, "Parquet file"))


def _open(file: BinaryIO, texts: list[str]) -> Any:
    return parquet.ParquetFile(file, read_dictionary=texts, buffer_size=_BUFFER_BYTES, pre_buffer=False)


def _read(file: BinaryIO, texts: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    yield from _open(file, texts).iter_batches(batch_size=rows, use_threads=False)


def _described(fields: tuple[Field, ...], content: bytes, limits: ReadLimits) -> tuple[Field, ...]:
    said = {column.field.name: column.field for column in votable.read_fields(content, limits)}
    return tuple(_merged(field, said.get(field.name)) for field in fields)


def _merged(field: Field, said: Field | None) -> Field:
    if said is None:
        return field
    if arrow_type(said) == arrow_type(field):
        # A list's size is checked when its values come; a text's is not, and so it is not promised.
        is_text = said.datatype in ("char", "unicodeChar")
        field = replace(field, datatype=said.datatype, arraysize=field.arraysize if is_text else said.arraysize)
    return replace(
        field,
        xtype=said.xtype or field.xtype,
        unit=said.unit,
        ucd=said.ucd,
        utype=said.utype,
        description=said.description,
    )
