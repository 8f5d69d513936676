"""Which reader a table is for: by its type, its first bytes, its name; gzip; names of columns."""

from __future__ import annotations

import gzip
import io

import pyarrow as pa
import pytest
from astropy.io import fits
from incoming import VOTABLE, read, votable
from pyarrow import parquet

from vo.errors import LimitFault, UsageFault
from vo.tables.reading import ReadLimits, open_table

DOCUMENT = votable('<FIELD name="a" datatype="int"/>', "<TR><TD>1</TD></TR>" * 3)


def _fits() -> bytes:
    file = io.BytesIO()
    fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 1, 1])]).writeto(file)
    return file.getvalue()


def _parquet() -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table({"a": pa.array([1, 1, 1], pa.int32())}), file)
    return file.getvalue()


def _arrow() -> bytes:
    table = pa.table({"a": pa.array([1, 1, 1], pa.int32())})
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


TABLES = {
    "VOTable": (DOCUMENT, "application/x-votable+xml;serialization=tabledata", "t.vot"),
    "FITS": (_fits(), "application/fits", "t.fits"),
    "CSV": (b"a\n1\n1\n1\n", "text/csv; header=present", "t.csv"),
    "TSV": (b"a\tb\n1\t\n1\t\n1\t\n", "text/tab-separated-values", "t.tsv"),
    "Parquet": (_parquet(), "application/x-parquet", "t.parquet"),
    "Arrow": (_arrow(), "application/vnd.apache.arrow.stream", "t.arrows"),
}


def firsts(data: bytes, media_type: str | None, filename: str = "") -> list:
    return [row[0] for row in read(data, media_type, filename=filename)[1]]


@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize("packed", [False, True])
def test_by_type_by_bytes_and_by_name(form, packed):
    data, media_type, filename = TABLES[form]
    if packed:
        data, filename = gzip.compress(data), f"{filename}.gz"
    assert firsts(data, media_type) == [1, 1, 1]
    assert firsts(data, media_type.upper(), "t.exe") == [1, 1, 1]
    assert firsts(data, None, filename.upper()) == [1, 1, 1]
    assert firsts(data, "application/octet-stream", filename) == [1, 1, 1]
    if form not in ("CSV", "TSV"):
        assert firsts(data, "text/plain") == [1, 1, 1]


@pytest.mark.parametrize("head", ["\n <?xml version='1.0'?>".strip(), "\ufeff", "<!-- x -->", "\n  "])
def test_a_votable_is_known_by_its_beginning(head):
    assert firsts(head.encode() + DOCUMENT, None) == [1, 1, 1]
    assert firsts(("<?xml version='1.0' encoding='utf-16'?>" + DOCUMENT.decode()).encode("utf-16"), None) == [1, 1, 1]


@pytest.mark.parametrize(
    ("data", "media_type", "filename", "said"),
    [
        (
            b"a\n1\n",
            "image/png",
            "",
            'tables of type "image/png" are not read here. VOTable .application/x-votable.xml',
        ),
        (b"a\n1\n", None, "t.xyz", 'nothing says what "t.xyz" is; send its media type. VOTable'),
        (b"a\n1\n", "text/plain", "", 'nothing says what "" is'),
        (DOCUMENT, "text/csv", "", 'sent as "text/csv" but looks like VOTable'),
        (_fits(), VOTABLE, "", "looks like FITS"),
        (_parquet(), "application/fits", "", "looks like Parquet"),
        (b"", VOTABLE, "", "empty: there is not one byte"),
        (gzip.compress(b""), VOTABLE, "", "empty: there is not one byte"),
        (b"SIMPLE", "application/fits", "", "no binary table"),
        (b"PAR1", "application/x-parquet", "", "Parquet file is damaged or not understood"),
        (b"x", "application/x-parquet", "", "Parquet file is damaged or not understood"),
        (b"x", "application/vnd.apache.arrow.stream", "", "Arrow stream is damaged or not understood"),
    ],
)
def test_what_cannot_be_opened_is_told(data, media_type, filename, said):
    with pytest.raises(UsageFault, match=said):
        open_table(io.BytesIO(data), media_type=media_type, filename=filename, limits=ReadLimits(10, 10, 1000))


def test_damaged_gzip():
    packed = gzip.compress(DOCUMENT)
    for data in (packed[:-9], packed[:10], b"\x1f\x8b" + b"x" * 50, packed[:20] + b"xxxx" + packed[24:]):
        with pytest.raises(UsageFault, match=r"packed with gzip and damaged|XML is damaged"):
            read(data)


@pytest.mark.parametrize("form", TABLES)
def test_bytes_are_counted_unpacked(form):
    data, media_type, _ = TABLES[form]
    limits = ReadLimits(10, 10, 1000, table_bytes=max(len(data), 1000))
    assert len(read(data, media_type, limits=limits)[1]) == 3
    tight = ReadLimits(10, 10, 1000, table_bytes=len(data) - 1)
    for sent in (data, gzip.compress(data)):
        with pytest.raises(LimitFault, match=f"more than {len(data) - 1}"):
            read(sent, media_type, limits=tight)


def test_a_bomb_of_gzip_ends_at_the_limit():
    bomb = gzip.compress(b"<VOTABLE>" + b" " * 100_000_000)
    assert len(bomb) < 200_000
    with pytest.raises(LimitFault, match="more than 10000000 bytes, the limit"):
        read(bomb, limits=ReadLimits(10, 10, 1000, table_bytes=10_000_000))


def test_the_file_is_read_from_its_beginning_and_left_open():
    file = io.BytesIO(DOCUMENT)
    file.seek(50)
    table = open_table(file, media_type=VOTABLE, filename="", limits=ReadLimits(10, 10, 1000))
    assert sum(batch.num_rows for batch in table.batches) == 3
    assert not file.closed
    csv = io.BytesIO(b"a\n1\n")
    assert (
        sum(b.num_rows for b in open_table(csv, media_type="text/csv", filename="", limits=ReadLimits(9, 9, 9)).batches)
        == 1
    )
    assert not csv.closed
