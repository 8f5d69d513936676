from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import parse
from cells import FIELDS, ROWS, batch, expected_items, same, written
from hypothesis import given, settings
from lxml import etree

from vo.metadata.fields import Field
from vo.tables import formats
from vo.tables.descriptor import datalink_descriptor
from vo.tables.votable import Document
from vo.tables.writing import parquet

RICH = Document(
    (
        Field("did", "char", "*", ucd="meta.ref.ivoid"),
        Field("ra", "double", unit="deg", ucd="pos.eq.ra", description="Größe"),
        Field("when", "char", "*", "timestamp", ucd="time.start;obs.exposure"),
        Field("n", "long"),
    ),
    infos=(("publisher", "P & Q"),),
    descriptors=(datalink_descriptor("http://x/vo", "did"),),
)
RICH_ROWS = [("Plåt", 1.5, "1888-02-07", 2**60), (None, None, None, None)]


def rich():
    return b"".join(formats.find("parquet").write(RICH, [batch(RICH.fields, RICH_ROWS)], 10))


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_datatype_reads_back_null_apart_from_nan_and_empty(rows):
    table = pq.read_table(io.BytesIO(written("parquet", FIELDS, batch(FIELDS, rows))))
    assert table.column_names == [field.name for field in FIELDS]
    assert table.num_rows == len(rows)
    for field, cells in zip(FIELDS, zip(*rows, strict=True), strict=False):
        for cell, value in zip(cells, table[field.name].to_pylist(), strict=True):
            if cell is None or isinstance(cell, (str, bool)):
                assert value == cell
            else:
                assert same(expected_items(field, cell), np.ravel(value).tolist()), field.name


def test_the_footer_has_a_votable_without_rows():
    metadata = pq.read_metadata(io.BytesIO(rich())).metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    text = metadata[b"IVOA.VOTable-Parquet.content"]
    root = etree.fromstring(text)
    assert root.find(".//{*}DATA") is None
    table = parse(io.BytesIO(text)).get_first_table()
    assert [(field.name, field.unit, field.ucd, field.xtype) for field in table.fields] == [
        ("did", None, "meta.ref.ivoid", None),
        ("ra", "deg", "pos.eq.ra", None),
        ("when", None, "time.start;obs.exposure", "timestamp"),
        ("n", None, None, None),
    ]
    assert {info.get("name"): info.get("value") for info in root.iter("{*}INFO")} == {
        "QUERY_STATUS": "OK",
        "publisher": "P & Q",
    }
    assert [e.get("utype") for e in root.iter("{*}RESOURCE")] == [None, "adhoc:service"]
    assert [e.get("ID") for e in root.iter("{*}TIMESYS", "{*}COOSYS")] == ["icrs", "utc_iso"]


def test_columns_have_their_words_in_arrows_schema_too():
    schema = pq.read_schema(io.BytesIO(rich()))
    assert schema.field("ra").metadata == {
        b"datatype": b"double",
        b"unit": b"deg",
        b"ucd": b"pos.eq.ra",
        b"description": "Größe".encode(),
    }


def test_rows_come_in_groups_and_the_first_is_smaller(monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 100)
    batches = [pa.RecordBatch.from_pydict({"n": pa.array(range(40), pa.int32())})] * 8
    document = b"".join(formats.find("parquet").write(Document((Field("n", "int"),)), batches, 290))
    metadata = pq.read_metadata(io.BytesIO(document))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [40, 120, 120, 10]
    assert {group.column(0).compression for group in groups} == {"SNAPPY"}


def test_wide_rows_make_smaller_groups(monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_BYTES", 10_000)
    batches = [pa.RecordBatch.from_pydict({"s": ["x" * 1000] * 6})] * 5
    document = b"".join(formats.find("parquet").write(Document((Field("s", "char", "*"),)), batches, 100))
    metadata = pq.read_metadata(io.BytesIO(document))
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [6, 12, 12]


def test_the_first_bytes_do_not_wait_for_a_whole_group():
    seen = []

    def batches():
        for number in range(100):
            seen.append(number)
            yield pa.RecordBatch.from_pydict({"n": pa.array(range(5000), pa.int32())})

    chunks = formats.find("parquet").write(Document((Field("n", "int"),)), batches(), 10**6)
    assert next(chunks) == b"PAR1"
    assert len(seen) < 10


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_nothing_is_written_after_a_fault(name):
    """A writer that is thrown away must not make the file look complete."""

    def failing():
        yield pa.RecordBatch.from_pydict({"n": pa.array(range(5), pa.int32())})
        raise RuntimeError("gone")

    chunks = formats.find(name).write(Document((Field("n", "int"),)), failing(), 10)
    sent = []
    with pytest.raises(RuntimeError, match="gone"):
        sent.extend(chunks)
    assert list(chunks) == []
    assert not b"".join(sent)[4:].endswith(b"PAR1")
