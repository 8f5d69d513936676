"""CSV and tab-separated values: types found by looking, nulls, quotes, and what is wrong, by line."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incoming import fault_of, is_same, read

from vo.errors import LimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables.reading import ReadLimits, open_table

CSV, TSV = "text/csv", "text/tab-separated-values"


def column(*texts: str) -> tuple[Field, list]:
    """A column of these fields (a second column keeps empty lines apart)."""
    fields, rows = read(
        "".join(f"{text},x\n" for text in ("name,other", *texts)[:1] + texts).replace("other,x", "other").encode(), CSV
    )
    return fields[0], [row[0] for row in rows]


@pytest.mark.parametrize(
    ("texts", "datatype", "xtype", "values"),
    [
        (["1", "-2", ""], "int", None, [1, -2, None]),
        (["+1", " 2 "], "int", None, [1, 2]),
        (["0", "-0"], "int", None, [0, 0]),
        (["2147483647", "-2147483648"], "int", None, [2**31 - 1, -(2**31)]),
        (["2147483648"], "long", None, [2**31]),
        (["-2147483649"], "long", None, [-(2**31) - 1]),
        (["9223372036854775807"], "long", None, [2**63 - 1]),
        (["9223372036854775808"], "char", None, ["9223372036854775808"]),
        (["007", "1"], "char", None, ["007", "1"]),
        (["00.5", "1"], "double", None, [0.5, 1.0]),
        (["1", "2.5"], "double", None, [1.0, 2.5]),
        (["1e3", "+.5", "-5."], "double", None, [1000.0, 0.5, -5.0]),
        (["NaN", "Infinity", "-inf"], "double", None, [float("nan"), float("inf"), float("-inf")]),
        (["1", "x"], "char", None, ["1", "x"]),
        (["true", "false"], "char", None, ["true", "false"]),
        (["", ""], "char", None, [None, None]),
        (['""', "", '"1"'], "int", None, [None, None, 1]),
        (['""', "", '"x"'], "char", None, ["", None, "x"]),
        (['"1"', "2"], "int", None, [1, 2]),
        (
            ["2000-01-01", "1899-12-31T23:59:59.5", ""],
            "char",
            "timestamp",
            ["2000-01-01", "1899-12-31T23:59:59.5", None],
        ),
        (["2000-01-01T00:00:00Z"], "char", "timestamp", ["2000-01-01T00:00:00Z"]),
        (["2000-13-01"], "char", None, ["2000-13-01"]),
        (["2001-02-29"], "char", None, ["2001-02-29"]),
        (["2000-01-01 00:00:00"], "char", None, ["2000-01-01 00:00:00"]),
        (["2000-01-01T00:00"], "char", None, ["2000-01-01T00:00"]),
        (["2000-01-01", "x"], "char", None, ["2000-01-01", "x"]),
        (["  "], "char", None, ["  "]),
        (['" a ""b"", c"'], "char", None, [' a "b", c']),
        (["ä€\N{GRINNING FACE}"], "char", None, ["ä€\N{GRINNING FACE}"]),
    ],
)
def test_types_and_values(texts, datatype, xtype, values):
    field, found = column(*texts)
    assert (field.datatype, field.arraysize, field.xtype) == (datatype, "*" if datatype == "char" else None, xtype)
    assert is_same(found, values)


def test_a_type_is_right_for_all_rows_however_late_one_differs():
    texts = ["1"] * 300_000
    assert column(*texts)[0].datatype == "int"
    field, values = column(*texts, "2.5")
    assert (field.datatype, values[-1]) == ("double", 2.5)
    field, values = column(*texts, "x")
    assert (field.datatype, values[0], values[-1]) == ("char", "1", "x")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_and_byte_order_marks(end, mark, last):
    text = f"{mark}a,b{end}1,2{end}{end}3,4{end if last else ''}"
    fields, rows = read(text.encode(), CSV)
    assert [field.name for field in fields] == ["a", "b"]
    assert rows == [(1, 2), (3, 4)]


def test_quoted_names_and_values_may_have_line_ends():
    fields, rows = read(b'"a\nb","c,""d"""\n"1\n2",3\n', CSV)
    assert [field.name for field in fields] == ["a b", 'c,"d"']
    assert rows == [("1\n2", 3)]


def test_names():
    assert [field.name for field in read(b" ra ,,dec\n1,2,3\n", CSV)[0]] == ["ra", "column_2", "dec"]
    with pytest.raises(UsageFault, match='two columns are called "a" and "A"'):
        read(b"a,A\n1,2\n", CSV)
    for data in (b"\n1,2\n", b",\n1,2\n"):
        with pytest.raises(UsageFault, match="names of the columns"):
            read(data, CSV)
    assert read(b"a,b\n", CSV)[1] == []
    assert read(b"a,b", CSV)[1] == []


def test_one_column_has_nulls_in_empty_lines():
    assert read(b"a\n1\n\n3\n", CSV)[1] == [(1,), (None,), (3,)]


def test_tab_separated_values_know_no_quotes():
    fields, rows = read(b'a\t"b"\n"1\t2\n,\t\n', TSV)
    assert [field.name for field in fields] == ["a", '"b"']
    assert rows == [('"1', 2), (",", None)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n1,2\n3\n", 'row 2 has 1 fields for 2 columns: "3"'),
        (b"a,b\n1,2\n3,4,5\n6,7\n", "row 2 has 3 fields for 2 columns"),
        (b"a,b\n" + b"1,2\n" * 500_000 + b"3\n", "row 500001 has 1 fields"),
        (b"a,b\n1,x\n2,\xff\n", 'row 2, column "b": '),
        (b"a\xff,b\n1,2\n", "first line is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "first line is not UTF-8"),
        (b"a,b\n1,x\0y\n", 'row 1, column "b": a text has the character NUL'),
        (b'a,b\n1,"x\n2,y\n', "row 1: a quote is not closed"),
        (b"a" * 2_000_000, "first line, of names, has more than"),
        (b"a,b\n1," + b"x" * 1_100_000 + b"\n", 'row 1, column "b": 1100000 bytes are more than the limit'),
        (b"," * 100 + b"\n", "more than 100 columns"),
    ],
)
def test_what_is_wrong_is_told_before_any_row_is_given(data, said):
    with pytest.raises(UsageFault, match=said):
        open_table(io.BytesIO(data), media_type=CSV, filename="", limits=ReadLimits(10**6, 100, 1 << 20))


def test_a_row_has_a_limit_of_bytes():
    names = ("a" + ",b{}" * 9).format(*range(9)).encode() + b"\n"
    assert len(read(names + b",".join([b"x" * 100_000] * 10) + b"\n", CSV)[1]) == 1
    with pytest.raises(LimitFault, match="a row has more than 1048576 bytes, the limit"):
        read(names + b",".join([b"x" * 600_000] * 10) + b"\n", CSV)


def test_the_limit_of_rows():
    limits = ReadLimits(3, 10, 100)
    assert len(read(b"a,b\n" + b"1,2\n" * 3, CSV, limits=limits)[1]) == 3
    with pytest.raises(LimitFault, match="more than 3 rows"):
        read(b"a,b\n" + b"1,2\n" * 4, CSV, limits=limits)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a", b"1", b",", b"\n", b'"', b"\r", b"\t", b"\xff", b"\0", b"1.5", b"2000-01-01", b" "]),
        max_size=30,
    )
)
def test_whatever_comes_the_answer_is_a_table_or_a_fault(pieces):
    data = b"".join(pieces)
    for media_type in (CSV, TSV):
        fault = fault_of(data, media_type)
        assert fault is None or 0 < len(fault.text) < 1000
