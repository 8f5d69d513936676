"""Tables as Parquet, described by a VOTable without rows in the footer (IVOA Note "Parquet in the VO" 1.0).

The footer is written last, so that it can say that rows were cut off. A fault amid the rows is raised and the footer is
never written: a file without it cannot be read at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from vo.tables.votable import Document
from vo.tables.writing import arrow
from vo.tables.writing.rows import Rows

#: A group of rows is complete when it has so many rows or bytes: readers skip whole groups, and memory holds one.
GROUP_ROWS = 32_768
GROUP_BYTES = 16_000_000
#: The first group is a part of that, since nothing but the first four bytes can be sent before it is complete.
FIRST_PART = 4

# All readers know snappy; zstd is a third smaller and a fifth slower, but TOPCAT has to be extended for it.
# Dictionaries nearly double the time and make columns that differ in every row larger.
_CODEC = "snappy"


def write(document: Document, rows: Rows) -> Iterator[bytes]:
    """Write a Parquet file."""
    sink = arrow.Sink()
    schema = arrow.schema(document.fields)
    writer = ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression=_CODEC, use_dictionary=False)
    yield sink.take()
    yield b""  # what is there is sent at once
    for group in _groups(schema, rows):
        if not rows.has_room(group.nbytes):  # its size in the file is known too late, and smaller
            break
        writer.write_table(group, row_group_size=len(group))
        yield sink.take()
    writer.add_key_value_metadata(arrow.metadata(document, overflow=rows.overflow))
    writer.close()
    yield sink.take()


def _groups(schema: Any, rows: Rows) -> Iterator[Any]:
    waiting: list[Any] = []
    count = size = 0
    part = FIRST_PART
    for columns in rows.batches():
        batch = pa.RecordBatch.from_arrays(columns, schema=schema)
        waiting.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if count * part >= GROUP_ROWS or size * part >= GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, count, size, part = [], 0, 0, 1
    if waiting:
        yield pa.Table.from_batches(waiting)
