from __future__ import annotations

import csv
import errno
import io
import math
import tempfile

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import Table
from cells import FIELDS, KINDS, batch, expected_items, same, written
from hypothesis import given, settings
from hypothesis import strategies as st
from stilts import run

from vo.errors import TransientFault, UsageFault
from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables import formats
from vo.tables.descriptor import datalink_descriptor
from vo.tables.votable import Document
from vo.tables.writing import fits_layout

# A text in FITS ends at its last character that is neither NUL nor blank, for readers and by the standard.
PLAIN = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
FITS_KINDS = [(field, PLAIN if cols.is_text(field) else values) for field, values in KINDS]
ROWS = st.lists(st.tuples(*(st.none() | values for _, values in FITS_KINDS)), max_size=12)


def opened(document):
    file = fits.open(io.BytesIO(document), logical_as_bytes=True)
    file.verify("exception")
    return file


def is_null(column, field, value):
    """Whether a value as astropy reads it says null."""
    if field.datatype == "boolean" and not cols.is_array(field):
        return value == b""  # numpy drops the zero byte
    if cols.is_text(field) or np.size(value) == 0:
        return np.size(value) == 0 or value == ""
    if field.datatype in cols.FLOATS:
        return bool(np.isnan(value).all())
    return field.datatype == "bit" or bool(np.all(np.asarray(value) == column.null))


def values_of(field, value):
    read = np.ravel(value)
    if field.datatype == "boolean":
        return [word == b"T" for word in read.tolist()]
    return np.column_stack([read.real, read.imag]).ravel() if cols.is_complex(field) else read


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_datatype_reads_back(rows):
    with opened(written("fits", FIELDS, batch(FIELDS, rows))) as file:
        table, columns = file[1].data, file[1].columns
        assert columns.names == [field.name for field in FIELDS]
        assert len(table) == len(rows)
        for field, cells in zip(FIELDS, zip(*rows, strict=True), strict=False):
            for cell, value in zip(cells, table[field.name], strict=True):
                if cell is None:
                    assert is_null(columns[field.name], field, value), (field.name, value)
                elif cols.is_text(field):
                    assert value == cell
                else:
                    assert same(expected_items(field, cell), values_of(field, value)), (field.name, cell, value)


RICH = Document(
    (
        Field("ra", "double", unit="deg", ucd="pos.eq.ra", utype="obscore:x.y", description="Centre; " + "long " * 30),
        Field("where", "double", "2", "point"),
        Field("did", "char", "*", ucd="meta.ref.ivoid"),
        Field("n", "int"),
        Field("grid", "float", "2x3"),
        Field("words", "char", "4x*"),
        Field("size", "double", unit="au"),
    ),
    infos=(("query", "SELECT 'ü'\nFROM x"), ("publisher", "P & Q"), ("citation", "2012IAUS..285...29G")),
    descriptors=(datalink_descriptor("http://x/vo", "did"),),
)
RICH_ROWS = [
    (1.5, (1, 2), "ivo://a?b", 7, (1, 2, 3, 4, 5, 6), "ab  cde ", 1.0),
    (None, None, None, None, None, "x", None),
]


def rich(maxrec=10):
    return b"".join(formats.find("fits").write(RICH, [batch(RICH.fields, RICH_ROWS)], maxrec))


def test_the_header_says_what_the_columns_are():
    with opened(rich()) as file:
        header = file[1].header
        assert len(file) == 2
    assert [header[f"TFORM{number}"] for number in range(1, 8)] == ["1D", "2D", "9A", "1J", "6E", "8A", "1D"]
    assert (header["TUNIT1"], header["TUCD1"], header["TUTYP1"]) == ("deg", "pos.eq.ra", "obscore:x.y")
    assert header["TCOMM1"] == ("Centre; " + "long " * 30).strip()
    assert (header["TXTYP2"], header["TNULL4"], header["TUNIT7"]) == ("point", -(2**31), "AU")
    assert (header["TDIM5"], header["TDIM6"]) == ("(2,3)", "(4,2)")
    assert "TNULL1" not in header
    assert header["QUERY_ST"] == "OK"
    assert list(header["COMMENT"]) == [
        "query: SELECT '?' FROM x",
        "publisher: P & Q",
        "citation: 2012IAUS..285...29G",
    ]


def test_astropy_makes_a_table_of_it():
    table = Table.read(io.BytesIO(rich()), hdu=1)
    assert table["ra"].unit == "deg"
    assert table["n"].mask.tolist() == [False, True]
    assert table["grid"][0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert table["words"][0].tolist() == [b"ab", b"cde"]


def stilts(document, tmp_path, *arguments):
    path = tmp_path / "table.fits"
    path.write_bytes(document)
    done = run("tpipe", f"in={path}", *arguments, "ofmt=csv")
    assert done.stderr == b""
    return list(csv.reader(io.StringIO(done.stdout.decode())))


def test_stilts_reads_the_rows(tmp_path):
    assert stilts(rich(), tmp_path, "ifmt=fits")[1:] == [
        ["1.5", "(1.0, 2.0)", "ivo://a?b", "7", "((1.0, 2.0), (3.0, 4.0), (5.0, 6.0))", "(ab, cde)", "1.0"],
        ["", "(NaN, NaN)", "", "", "((NaN, NaN), (NaN, NaN), (NaN, NaN))", "(x, null)", ""],
    ]


@pytest.mark.parametrize("form", ["(auto)", "fits-plus"])
def test_stilts_and_topcat_read_the_votable_in_it(form, tmp_path):
    what = "cmd=meta name units ucd utype xtype"
    assert stilts(rich(), tmp_path, f"ifmt={form}", what)[1:4] == [
        ["ra", "deg", "pos.eq.ra", "obscore:x.y", ""],
        ["where", "", "", "", "point"],
        ["did", "", "meta.ref.ivoid", "", ""],
    ]


def test_the_votable_has_infos_descriptors_and_overflow():
    with opened(rich(1)) as file:
        text = file[0].data.tobytes().decode()
        assert file[1].header["QUERY_ST"] == "OVERFLOW"
        assert file[1].header["COMMENT"][0].startswith("OVERFLOW: There are more rows")
    for part in ("P &amp; Q", "http://x/vo/datalink/links", 'value="OVERFLOW"', 'ref="did"'):
        assert part in text


def one(field, *cells):
    return written("fits", [field], batch([field], [(cell,) for cell in cells]))


@pytest.mark.parametrize(
    ("field", "cells", "null"),
    [
        (Field("x", "int"), [1, None], -(2**31)),
        (Field("x", "int"), [-(2**31), None], 2**31 - 1),
        (Field("x", "long"), [-(2**63), None], 2**63 - 1),
        (Field("x", "unsignedByte"), [255, 254, None], 253),
        (Field("x", "short", "2"), [[-(2**15), None], None], 2**15 - 1),
        (Field("x", "int"), [1, -(2**31)], None),
        (Field("x", "short", "*"), [[1], None], None),
    ],
)
def test_a_number_that_no_value_has_stands_for_null(field, cells, null):
    with opened(one(field, *cells)) as file:
        assert file[1].header.get("TNULL1") == null
        assert "COMMENT" not in file[1].header


@pytest.mark.parametrize(
    ("field", "cells", "warning"),
    [
        (Field("x", "unsignedByte"), [*range(256), None], "warning: 255 in x may be a value or null"),
        (Field("x", "bit"), [True, None], "warning: 1 nulls of x are shown as 0"),
        (
            Field("x", "unicodeChar", "*"),
            ["Plåt ü"],
            "warning: 2 characters beyond ASCII are shown as '?', since FITS has none",
        ),
    ],
)
def test_what_fits_cannot_carry_is_told(field, cells, warning):
    with opened(one(field, *cells)) as file:
        assert list(file[1].header["COMMENT"]) == [warning]


def test_texts_of_very_different_lengths_are_in_the_heap():
    """Padding every text to the longest one would make 300 kB of 1.3 kB."""
    cells = ["x" * 300, None, *["short"] * 1000]
    with opened(one(Field("x", "char", "*"), *cells)) as file:
        assert (file[1].header["TFORM1"], file[1].header["PCOUNT"]) == ("1PA(300)", 5300)
        read = file[1].data["x"]
        assert ["".join(read[row]) for row in (0, 1, 2, 1001)] == ["x" * 300, "", "short", "short"]
    with opened(one(Field("x", "char", "*"), "x" * 300, "y" * 280)) as file:
        assert file[1].header["TFORM1"] == "300A"


def test_a_large_heap_has_long_addresses(monkeypatch):
    monkeypatch.setattr(fits_layout, "_LARGEST_32", 100)
    field = Field("x", "double", "*")
    cells = [[float(row)] * (row % 4) for row in range(20)]
    with opened(one(field, *cells)) as file:
        assert file[1].header["TFORM1"] == "1QD(3)"
        assert [value.tolist() for value in file[1].data["x"]] == cells


def test_the_heap_follows_the_rows_over_many_blocks():
    count = 2 * cols.BLOCK_ROWS + 77
    fields = [Field("n", "int"), Field("a", "short", "*"), Field("b", "double", "*")]
    rows = [(n, [n % 1000] * (n % 4), [n / 3] * (n % 3) if n % 5 else None) for n in range(count)]
    whole = batch(fields, rows)
    with opened(written("fits", fields, whole.slice(0, 1), whole.slice(1, 9000), whole.slice(9001))) as file:
        table = file[1].data
        for index in (*range(10), 8191, 8192, 8193, 9001, *range(count - 10, count)):
            n, a, b = rows[index]
            assert (table["n"][index], table["a"][index].tolist(), table["b"][index].tolist()) == (n, a, b or [])


def test_more_columns_than_fits_has_are_refused():
    fields = [Field(f"c{number}", "int") for number in range(1000)]
    with pytest.raises(UsageFault, match="1000 columns are more than the 999 of FITS"):
        written("fits", fields)


def test_a_full_disk_is_told_before_the_first_byte(monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, f"No space left on device for {len(data)} bytes")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(TransientFault, match="no room to put a FITS table together"):
        one(Field("x", "int"), 1)


def test_the_temporary_file_goes_when_the_reader_does(monkeypatch):
    made = []
    real = tempfile.TemporaryFile

    def watched(*arguments):
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", watched)
    rows = pa.RecordBatch.from_pydict({"x": pa.array(range(500_000), pa.int32())})
    chunks = formats.find("fits").write(Document((Field("x", "int"),)), [rows], 10**6)
    next(chunks)
    assert not made[0].closed
    chunks.close()
    assert made[0].closed


def test_nan_is_kept_apart_from_no_value_only_by_other_forms():
    """FITS has one NaN: null and NaN are the same there (section 7.3.3)."""
    with opened(one(Field("x", "double"), 1.5, None, math.nan)) as file:
        assert np.isnan(file[1].data["x"]).tolist() == [False, True, True]
