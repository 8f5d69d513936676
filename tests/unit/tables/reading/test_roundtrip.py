"""What the project writes, its readers read back, whatever the values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incoming import VOTABLE, is_same, read

from vo.errors import UsageFault
from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables import formats
from vo.tables.votable import Document

# XML carries none of these; a carriage return within a text is not what tab-separated values are for.
CONTROLS = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), max_size=12)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
DOUBLE = st.floats()
FLOAT = st.floats(width=32)
KINDS: list[tuple[Field, st.SearchStrategy]] = [
    (Field("boolean", "boolean"), st.booleans()),
    (Field("unsignedByte", "unsignedByte"), st.integers(0, 255)),
    (Field("short", "short"), st.integers(-(2**15), 2**15 - 1)),
    (Field("int", "int"), st.integers(-(2**31), 2**31 - 1)),
    (Field("long", "long"), st.integers(-(2**63), 2**63 - 1)),
    (Field("float", "float", unit="mag"), FLOAT),
    (Field("double", "double", ucd="pos.eq.ra;meta.main", utype="x:y.z"), DOUBLE),
    (Field("ascii", "char", "*", description="What it is"), ASCII),
    (Field("bounded", "char", "12*"), ASCII),
    (Field("text", "unicodeChar", "*"), TEXT),
    (Field("point", "double", "2", "point"), st.tuples(DOUBLE, DOUBLE)),
    (Field("polygon", "double", "*", "polygon"), st.lists(DOUBLE, min_size=1, max_size=8)),
    (Field("floats", "float", "*"), st.lists(FLOAT, min_size=1, max_size=4)),
    (Field("ints", "int", "3"), st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 3)),
]
FIELDS = [field for field, _ in KINDS]
ROWS = st.lists(st.tuples(*(st.none() | values for _, values in KINDS)), max_size=12)


def written(name, fields, rows):
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(fields)
    arrays = [pa.array(list(column), cols.arrow_type(field)) for field, column in zip(fields, columns, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, [field.name for field in fields])
    return b"".join(formats.find(name).write(Document(fields), [batch], 10**6))


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_binary2(rows):
    fields, read_rows = read(written("votable/b2", FIELDS, rows))
    assert fields == tuple(FIELDS)
    assert is_same(read_rows, rows)


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_tabledata(rows):
    fields, read_rows = read(written("votable/td", FIELDS, rows))
    assert fields == tuple(FIELDS)
    for row, came in zip(rows, read_rows, strict=True):
        for field, cell, value in zip(FIELDS, row, came, strict=True):
            if cell is None and field.name == "point":
                assert is_same(value, [float("nan")] * 2)  # as readers want a null of a fixed size
            elif cell in (None, ""):
                assert value is None
            else:
                assert is_same(value, cell), (field.name, cell, value)


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_csv(rows):
    kept = [FIELDS.index(field) for field in FIELDS if not cols.is_array(field) and field.name != "boolean"]
    fields = [FIELDS[index] for index in kept]
    rows = [tuple(row[index] for index in kept) for row in rows]
    _, read_rows = read(written("csv", fields, rows), "text/csv")
    assert len(read_rows) == len(rows)
    for column, field in enumerate(fields):
        texts = [row[column] for row in rows]
        came = [row[column] for row in read_rows]
        if not cols.is_text(field):
            # A float is read as double, and whole numbers may have been all there were.
            expected = [None if cell is None else float(cell) for cell in texts]
            got = [None if cell is None else float(cell) for cell in came]
            if field.datatype == "float":
                expected, got = ([c if c is None else float(np.float32(c)) for c in side] for side in (expected, got))
            assert is_same(got, expected), field.name
        elif all(isinstance(cell, (str, type(None))) for cell in came):
            assert came == texts


@pytest.mark.parametrize("name", ["votable/b2", "votable/td"])
def test_an_empty_table(name):
    fields, rows = read(written(name, FIELDS, []))
    assert fields == tuple(FIELDS)
    assert rows == []


def test_rows_of_many_batches_come_in_order():
    fields = [Field("n", "int"), Field("t", "char", "*")]
    rows = [(number, "x" * (number % 50)) for number in range(70_000)]
    for name in ("votable/b2", "votable/td"):
        _, came = read(written(name, fields, rows))
        assert [row[0] for row in came] == list(range(70_000))
        assert all((text or "") == row[1] for (_, text), row in zip(came, rows, strict=True))
    _, came = read(written("csv", fields, rows), "text/csv")
    assert came == rows


def test_an_error_behind_the_rows_is_told():
    def batches():
        yield pa.RecordBatch.from_pydict({"n": pa.array([1], pa.int32())})
        raise RuntimeError

    document = b"".join(formats.find("votable/td").write(Document([Field("n", "int")]), batches(), 10))
    with pytest.raises(UsageFault, match="tells of an error, so that its table is not whole: FatalFault"):
        read(document, VOTABLE)
