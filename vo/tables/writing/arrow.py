"""Tables as a stream of Arrow's inter-process format, and the Arrow schema that describes a table.

The schema carries the VOTable without its rows, under the keys of the VOParquet note, and each field what VOTable says
of its column. Rows that were cut off are told by a last batch without rows, whose metadata have QUERY_STATUS; a fault
amid the rows is raised, so that the stream has no end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables import votable
from vo.tables.votable import Document
from vo.tables.writing.rows import Rows

#: The keys of the IVOA Note "Parquet in the VO" 1.0, section 2.2.
VERSION_KEY = "IVOA.VOTable-Parquet.version"
CONTENT_KEY = "IVOA.VOTable-Parquet.content"


class Sink:
    """A file that gives away what was written to it, piece by piece."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: all is here."""

    def take(self) -> bytes:
        """Give what was written since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def write(document: Document, rows: Rows) -> Iterator[bytes]:
    """Write an Arrow stream."""
    sink = Sink()
    described = schema(document.fields).with_metadata(metadata(document, overflow=None))
    writer = pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), described)
    yield sink.take()
    for columns in rows.batches():
        batch = pa.RecordBatch.from_arrays(columns, schema=described)
        if not rows.has_room(batch.nbytes):
            break
        writer.write_batch(batch)
        yield sink.take()
    if rows.overflow is not None:
        told = {"QUERY_STATUS": "OVERFLOW", "QUERY_STATUS.text": rows.overflow}
        writer.write_batch(_empty(described), told)
    writer.close()
    yield sink.take()


def schema(fields: Sequence[Field]) -> Any:
    """Describe columns for Arrow; their metadata are the words of VOTable's FIELD."""
    return pa.schema([pa.field(field.name, cols.arrow_type(field), metadata=_words(field)) for field in fields])


def metadata(document: Document, *, overflow: str | None) -> dict[str, bytes]:
    """The table's own metadata: the VOTable without its rows; ``overflow`` says why rows are missing."""
    return {VERSION_KEY: b"1.0", CONTENT_KEY: votable.without_rows(document, overflow=overflow)}


def _words(field: Field) -> dict[str, str]:
    words = {
        "datatype": field.datatype,
        "arraysize": field.arraysize,
        "xtype": field.xtype,
        "unit": field.unit,
        "ucd": field.ucd,
        "utype": field.utype,
        "description": field.description,
    }
    return {word: value for word, value in words.items() if value is not None}


def _empty(described: Any) -> Any:
    return pa.RecordBatch.from_arrays([pa.array([], kind) for kind in described.types], schema=described)
