"""Parquet and Arrow streams: every type, VOParquet's metadata, and files that are small but mean much."""

from __future__ import annotations

import datetime as dt
import decimal
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incoming import fault_of, is_same, read
from pyarrow import parquet

from vo.errors import LimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables.reading import ReadLimits

PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"


def as_parquet(table: pa.Table, **options) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    return file.getvalue()


def as_stream(table: pa.Table, make=pa.ipc.new_stream) -> bytes:
    file = io.BytesIO()
    with make(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


UTC = dt.UTC
TYPES = [
    (pa.bool_(), [True, None], "boolean", None, [True, None]),
    (pa.int8(), [-128, None], "short", None, [-128, None]),
    (pa.uint8(), [255, None], "unsignedByte", None, [255, None]),
    (pa.int16(), [-5, None], "short", None, [-5, None]),
    (pa.uint16(), [65535, None], "int", None, [65535, None]),
    (pa.int32(), [-5, None], "int", None, [-5, None]),
    (pa.uint32(), [2**32 - 1, None], "long", None, [2**32 - 1, None]),
    (pa.int64(), [-(2**63), None], "long", None, [-(2**63), None]),
    (pa.uint64(), [2**63 - 1, None], "long", None, [2**63 - 1, None]),
    (pa.float32(), [1.5, None], "float", None, [1.5, None]),
    (pa.float64(), [float("nan"), None], "double", None, [float("nan"), None]),
    (pa.string(), ["ä", ""], "char", "*", ["ä", ""]),
    (pa.large_string(), ["ä", None], "char", "*", ["ä", None]),
    (pa.dictionary(pa.int32(), pa.string()), ["a", None], "char", "*", ["a", None]),
    (pa.decimal128(10, 2), [decimal.Decimal("1.25"), None], "double", None, [1.25, None]),
    (pa.date32(), [dt.date(1900, 1, 2), None], "char", "*", ["1900-01-02", None]),
    (pa.timestamp("s"), [dt.datetime(1900, 1, 2, 3, 4, 5, tzinfo=UTC), None], "char", "*", None),
    (
        pa.timestamp("us"),
        [dt.datetime(1900, 1, 2, 3, 4, 5, 6, tzinfo=UTC), None],
        "char",
        "*",
        ["1900-01-02T03:04:05.000006", None],
    ),
    (
        pa.timestamp("ms", "Europe/Berlin"),
        [dt.datetime(2000, 1, 2, 3, tzinfo=UTC), None],
        "char",
        "*",
        ["2000-01-02T03:00:00.000Z", None],
    ),
    (pa.list_(pa.float64()), [[1.0, None], None], "double", "*", [[1.0, None], None]),
    (pa.list_(pa.float64(), 2), [[1.0, 2.0], None], "double", "2", [[1.0, 2.0], None]),
    (pa.list_(pa.int32(), 1), [[1], None], "int", None, [1, None]),
    (pa.large_list(pa.uint8()), [[1, 2], []], "unsignedByte", "*", [[1, 2], []]),
    (pa.list_(pa.bool_()), [[True, False], None], "boolean", "*", [[True, False], None]),
    (pa.null(), [None, None], "char", "*", [None, None]),
]


@pytest.mark.parametrize(("kind", "given_values", "datatype", "arraysize", "values"), TYPES)
@pytest.mark.parametrize("form", [PARQUET, ARROW, "file"])
def test_every_type(form, kind, given_values, datatype, arraysize, values):
    table = pa.table({"v": pa.array(given_values, kind)})
    if form == PARQUET:
        data = as_parquet(table)
    else:
        data = as_stream(table, pa.ipc.new_file if form == "file" else pa.ipc.new_stream)
    fields, rows = read(data, form if form != "file" else "application/vnd.apache.arrow.file")
    assert (fields[0].datatype, fields[0].arraysize) == (datatype, arraysize)
    assert fields[0].xtype == ("timestamp" if pa.types.is_temporal(kind) else None)
    if values is None:  # Parquet has no seconds: milliseconds come back
        assert rows[0][0] in ("1900-01-02T03:04:05", "1900-01-02T03:04:05.000")
    else:
        assert is_same([row[0] for row in rows], values)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.binary(), b"x"),
        (pa.duration("s"), 1),
        (pa.time32("s"), 1),
        (pa.struct([("a", pa.int32())]), {"a": 1}),
        (pa.list_(pa.string()), ["a"]),
        (pa.list_(pa.list_(pa.int32())), [[1]]),
        (pa.map_(pa.string(), pa.int32()), [("a", 1)]),
    ],
)
def test_types_that_are_not_read_are_named(kind, value):
    table = pa.table({"fine": [1], "odd one": pa.array([value], kind)})
    for data, media_type in ((as_parquet(table), PARQUET), (as_stream(table), ARROW)):
        with pytest.raises(UsageFault, match=r'column "odd one" has type .*, which is not read here'):
            read(data, media_type)


def test_values_that_do_not_fit_are_told():
    table = pa.table({"v": pa.array([1, 2**63], pa.uint64())})
    with pytest.raises(UsageFault, match='row 2, column "v": 9223372036854775808 is beyond'):
        read(as_parquet(table), PARQUET)
    lists = pa.table({"v": pa.array([[1], None, [1, 2**63]], pa.list_(pa.uint64()))})
    with pytest.raises(UsageFault, match='row 3, column "v"'):
        read(as_parquet(lists), PARQUET)
    with pytest.raises(UsageFault, match='row 2, column "v": a text has the character NUL'):
        read(as_parquet(pa.table({"v": ["a", "a\0"]})), PARQUET)


METADATA = """<VOTABLE version="1.4"><RESOURCE><TABLE>
<FIELD name="id" datatype="long" ucd="meta.id;meta.main"><DESCRIPTION>Which</DESCRIPTION></FIELD>
<FIELD name="p" datatype="double" arraysize="2" xtype="point" unit="deg"/>
<FIELD name="s" datatype="unicodeChar" arraysize="*" utype="x:y"/>
<FIELD name="c" datatype="floatComplex"/>
<FIELD name="short" datatype="int" unit="m"/>
<FIELD name="absent" datatype="int"/></TABLE></RESOURCE></VOTABLE>"""


def with_metadata(points: list, text: str = METADATA) -> bytes:
    table = pa.table(
        {
            "id": pa.array([1], pa.int64()),
            "p": pa.array(points, pa.list_(pa.float64())),
            "s": ["x"],
            "c": pa.array([[1, 2]], pa.list_(pa.float32())),
            "short": pa.array([1], pa.int16()),
            "more": ["y"],
        }
    )
    return as_parquet(table.replace_schema_metadata({"IVOA.VOTable-Parquet.content": text}))


def test_metadata_of_voparquet():
    fields, rows = read(with_metadata([[1.0, 2.0]]), PARQUET)
    assert fields == (
        Field("id", "long", ucd="meta.id;meta.main", description="Which"),
        Field("p", "double", "2", "point", "deg"),
        Field("s", "unicodeChar", "*", utype="x:y"),
        Field("c", "floatComplex"),
        Field("short", "short", unit="m"),
        Field("more", "char", "*"),
    )
    assert rows == [(1, [1.0, 2.0], "x", [1.0, 2.0], 1, "y")]


def test_metadata_cannot_promise_what_is_not_so():
    with pytest.raises(UsageFault, match='row 1, column "p": 3 numbers do not make arraysize "2"'):
        read(with_metadata([[1.0, 2.0, 3.0]]), PARQUET)
    with pytest.raises(UsageFault, match="declares"):
        read(with_metadata([[1.0, 2.0]], "<!DOCTYPE VOTABLE [<!ENTITY a 'b'>]>" + METADATA), PARQUET)


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zstd"}, {"use_dictionary": False}, {"version": "1.0"}, {"row_group_size": 1000}]
)
def test_tables_of_many_batches(options):
    count = 50_000
    table = pa.table(
        {"n": range(count), "s": [f"name {i % 100}" for i in range(count)], "l": [[i, 1] for i in range(count)]}
    )
    fields, rows = read(as_parquet(table, **options), PARQUET)
    assert [field.datatype for field in fields] == ["long", "char", "long"]
    assert rows == list(zip(*(table[name].to_pylist() for name in ("n", "s", "l")), strict=True))
    assert read(as_stream(table), ARROW)[1] == rows


@pytest.mark.parametrize("form", [PARQUET, ARROW])
def test_small_files_of_large_texts_are_read_in_parts_and_counted(form):
    text = "x" * 1_000_000
    indices = pa.array([0] * 5000, pa.int32())
    table = pa.table({"s": pa.DictionaryArray.from_arrays(indices, pa.array([text]))})
    data = as_parquet(table) if form == PARQUET else as_stream(table)
    assert len(data) < 2_000_000
    before = pa.total_allocated_bytes()
    from vo.tables.reading import open_table

    limits = ReadLimits(10_000, 10, 1 << 20, table_bytes=200_000_000)
    batches = open_table(io.BytesIO(data), media_type=form, filename="", limits=limits).batches
    rows = 0
    while rows < 190:
        rows += next(batches).num_rows
        assert pa.total_allocated_bytes() - before < 60_000_000
    with pytest.raises(LimitFault, match="values have more than 200000000 bytes"):
        list(batches)


def test_limits():
    table = pa.table({"n": range(1000), "s": ["x" * 100] * 1000, "l": [[1] * 50] * 1000})
    for data, form in ((as_parquet(table), PARQUET), (as_stream(table), ARROW)):
        with pytest.raises(LimitFault, match=r"limit is 999|999 rows, the limit"):
            read(data, form, limits=ReadLimits(999, 10, 1000))
        with pytest.raises(LimitFault, match="more than 2 columns"):
            read(data, form, limits=ReadLimits(1000, 2, 1000))
        with pytest.raises(LimitFault, match='row 1, column "s": 100 bytes are more than the limit of 99'):
            read(data, form, limits=ReadLimits(1000, 10, 99))
        with pytest.raises(LimitFault, match='row 1, column "l": 400 bytes are more than the limit of 100'):
            read(data, form, limits=ReadLimits(1000, 10, 100))


WHOLE = {
    form: make(
        pa.table(
            {
                "n": [1, 2, None],
                "s": ["a", None, "ccc"],
                "l": [[1.0], [], None],
                "d": pa.array(["x", "y", "x"]).dictionary_encode(),
            }
        )
    )
    for form, make in ((PARQUET, as_parquet), (ARROW, as_stream))
}


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=3),
    st.integers(0, 5000),
)
def test_whatever_is_changed_the_answer_is_a_table_or_a_fault(form, changes, end):
    changed = WHOLE[form]
    for place, piece in changes:
        at = 8 + place % (len(changed) - 8)
        changed = changed[:at] + piece + changed[at + len(piece) :]
    for data in (changed, changed[: max(end, 10)]):
        fault = fault_of(data, form)
        assert fault is None or 0 < len(fault.text) < 1000


def test_numbers_keep_their_bits():
    values = np.random.default_rng(1).uniform(-1e300, 1e300, 1000)
    assert [row[0] for row in read(as_parquet(pa.table({"d": values})), PARQUET)[1]] == values.tolist()
