from __future__ import annotations

import numpy as np
import pyarrow as pa
from cells import FIELDS, ROWS, batch, expected_items, same, written
from hypothesis import given, settings
from lxml import etree

from vo.metadata.fields import Field
from vo.tables import formats
from vo.tables.votable import Document

DOCUMENT = Document((Field("ra", "double", unit="deg", ucd="pos.eq.ra"),), infos=(("publisher", "P"),))


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_every_datatype_reads_back_null_apart_from_nan_and_empty(rows):
    table = pa.ipc.open_stream(written("arrow", FIELDS, batch(FIELDS, rows))).read_all()
    assert table.column_names == [field.name for field in FIELDS]
    assert table.num_rows == len(rows)
    for field, cells in zip(FIELDS, zip(*rows, strict=True), strict=False):
        for cell, value in zip(cells, table[field.name].to_pylist(), strict=True):
            if cell is None or isinstance(cell, (str, bool)):
                assert value == cell
            else:
                assert same(expected_items(field, cell), np.ravel(value).tolist()), field.name


def test_the_schema_comes_first_and_describes_columns_and_table():
    chunks = formats.find("arrow").write(DOCUMENT, [pa.RecordBatch.from_pydict({"ra": [1.5]})], 10)
    schema = pa.ipc.read_schema(pa.py_buffer(next(chunks)))
    assert schema.field("ra").metadata == {b"datatype": b"double", b"unit": b"deg", b"ucd": b"pos.eq.ra"}
    assert schema.metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    root = etree.fromstring(schema.metadata[b"IVOA.VOTable-Parquet.content"])
    assert root.find(".//{*}FIELD").get("unit") == "deg"
    assert root.find(".//{*}INFO[@name='publisher']").get("value") == "P"


def test_wider_types_of_the_database_become_those_of_the_fields():
    rows = pa.RecordBatch.from_pydict({"b": pa.array([200, None], pa.int16()), "a": [[1, 255], None]})
    fields = (Field("b", "unsignedByte"), Field("a", "unsignedByte", "*"))
    table = pa.ipc.open_stream(b"".join(formats.find("arrow").write(Document(fields), [rows], 10))).read_all()
    assert table.schema.types == [pa.uint8(), pa.list_(pa.uint8())]
    assert table.to_pylist() == [{"b": 200, "a": [1, 255]}, {"b": None, "a": None}]
