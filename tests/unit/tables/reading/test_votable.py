"""VOTable documents around their rows: versions, fields, several tables, and documents that mean harm."""

from __future__ import annotations

import base64
import itertools
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incoming import LIMITS, VOTABLE, fault_of, read, votable

from vo.errors import Fault, LimitFault, UsageFault
from vo.metadata.fields import Field
from vo.tables import formats
from vo.tables.reading import ReadLimits
from vo.tables.votable import Document

INT = '<FIELD name="n" datatype="int"/>'
ROW = "<TR><TD>1</TD></TR>"


@pytest.mark.parametrize(
    "root",
    [
        "VOTABLE",
        'VOTABLE version="1.0"',
        'VOTABLE version="1.1" xmlns="http://www.ivoa.net/xml/VOTable/v1.1"',
        'VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"',
        'VOTABLE version="1.5" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"',
    ],
)
def test_every_version_and_namespace(root):
    document = votable(INT, ROW).replace(b'VOTABLE version="1.4"', root.encode(), 1)
    assert read(document)[1] == [(1,)]


def test_the_doctype_of_version_1_0_is_passed_over():
    head = '<?xml version="1.0"?><!DOCTYPE VOTABLE SYSTEM "http://us-vo.org/xml/VOTable.dtd">'
    assert read(votable(INT, ROW, head=head))[1] == [(1,)]


def test_fields_are_described():
    fields = (
        '<FIELD name="a" ID="i" datatype=" double " unit="deg" ucd="pos.eq.ra" utype="x:y" xtype="foo:bar"'
        ' arraysize=" 2 " ref="sys" width="3" precision="2">'
        '<DESCRIPTION>What\n it  is</DESCRIPTION><VALUES><MIN value="1"/></VALUES>'
        '<LINK href="x"/></FIELD><FIELD ID="b" datatype="int" arraysize="1"/><FIELD name="" datatype="char"/>'
        '<PARAM name="p" datatype="int" value="1"><DESCRIPTION>No column</DESCRIPTION></PARAM>'
        '<GROUP><FIELDref ref="i"/><DESCRIPTION>Nor this</DESCRIPTION></GROUP>'
    )
    found, rows = read(votable(fields, "<TR><TD>1 2</TD><TD>3</TD><TD>x</TD></TR>"))
    assert found == (
        Field("a", "double", "2", "foo:bar", "deg", "pos.eq.ra", "x:y", "What it is"),
        Field("b", "int"),
        Field("column_3", "char", "*"),
    )
    assert rows == [([1.0, 2.0], 3, "x")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("", "no columns"),
        ('<FIELD name="a"/>', 'column "a" has no datatype'),
        ('<FIELD name="a" datatype="text"/>', 'column "a" has datatype "text"; VOTable knows boolean'),
        ('<FIELD name="a" datatype="int" arraysize="two"/>', 'column "a" has arraysize "two"'),
        ('<FIELD name="a" datatype="int" arraysize="*x2"/>', 'arraysize "*x2"'),
        ('<FIELD name="a" datatype="int" arraysize="-1"/>', 'arraysize "-1"'),
        ('<FIELD name="Ra" datatype="int"/><FIELD name="rA" datatype="int"/>', 'two columns are called "Ra" and "rA"'),
    ],
)
def test_fields_that_are_none(fields, said):
    for data in ("TABLEDATA", "BINARY2"):
        with pytest.raises(UsageFault) as fault:
            read(votable(fields, "", data=data))
        assert said in fault.value.text


def test_odd_names_are_kept():
    names = ["a b", 'say "x"', "日本", "select", "1st", "x" * 300, "a.b", "&"]
    fields = "".join(f"<FIELD name='{name.replace('&', '&amp;')}' datatype='int'/>" for name in names)
    assert [field.name for field in read(votable(fields, ""))[0]] == names


def document(*tables: str, between: str = "") -> bytes:
    return f"<VOTABLE>{between}<RESOURCE>{between.join(tables)}</RESOURCE></VOTABLE>".encode()


def table(name: str, rows: str | None, attributes: str = "") -> str:
    data = "" if rows is None else f"<DATA><TABLEDATA>{rows}</TABLEDATA></DATA>"
    fields = f'<FIELD name="{name}" datatype="int"/>' if name else ""
    return f"<TABLE {attributes}>{fields}{data}</TABLE>"


def test_the_first_table_with_data_is_read():
    fields, rows = read(document(table("a", None), table("b", ROW), table("c", ROW * 2)))
    assert ([field.name for field in fields], rows) == (["b"], [(1,)])
    fields, rows = read(document(table("a", None), table("b", None)))
    assert ([field.name for field in fields], rows) == (["a"], [])
    fields, rows = read(document(table("a", ""), table("b", ROW)))
    assert ([field.name for field in fields], rows) == (["a"], [])


def test_a_table_may_have_the_fields_of_another():
    fields, rows = read(document(table("a", None, 'ID="t"'), table("", ROW, 'ref="t"')))
    assert ([field.name for field in fields], rows) == (["a"], [(1,)])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<VOTABLE/>", "has no TABLE"),
        (b"<html><body/></html>", "no VOTABLE: its first element is html".replace("VOTABLE", "VOTable")),
        (b"<VOTABLE><RESOURCE>", "it ends too early"),
        (votable(INT, ROW)[:-5], "damaged at line 1"),
        (votable(INT, ROW)[:-100], "damaged at line 1"),
        (votable(INT, "", data="FITS"), "data is FITS, not VOTable; send that file itself"),
        (votable(INT, "", data="PARQUET"), "data is PARQUET"),
        (b"<VOTABLE>&nbsp;</VOTABLE>", "undefined entity"),
        (b'<?xml version="1.0" encoding="klingon"?><VOTABLE/>', "encoding"),
        (b"\xff\xfe<\0?\0", "damaged"),
    ],
)
def test_documents_without_a_table(data, said):
    with pytest.raises(UsageFault) as fault:
        read(data)
    assert said in fault.value.text


ERROR = '<INFO name="QUERY_STATUS" value="ERROR">no such\n table</INFO>'


def test_a_document_that_tells_of_an_error_is_no_table():
    whole = table("a", ROW)
    for data in (document(ERROR), document(ERROR, whole), document(whole, ERROR), document(table("a", None), ERROR)):
        with pytest.raises(UsageFault, match="tells of an error, so that its table is not whole: no such table"):
            read(data)
    overflow = '<INFO name="QUERY_STATUS" value="OVERFLOW"/>'
    assert read(document(overflow.replace("OVERFLOW", "OK"), whole, overflow))[1] == [(1,)]


BOMB = (
    "<!DOCTYPE VOTABLE [<!ENTITY a 'aaaaaaaaaa'>"
    + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in itertools.pairwise("abcdefghij"))
    + "]>"
)


@pytest.mark.parametrize(
    ("head", "cell"),
    [
        (BOMB, "&j;"),
        ('<!DOCTYPE VOTABLE [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"),
        ('<!DOCTYPE VOTABLE [<!ENTITY % p SYSTEM "http://127.0.0.1:1/">%p;]>', "1"),
        ("<!DOCTYPE VOTABLE [<!ELEMENT VOTABLE ANY>]>", "1"),
        ('<!DOCTYPE VOTABLE SYSTEM "http://127.0.0.1:1/x.dtd">', "&x;"),
        ('<!DOCTYPE VOTABLE SYSTEM "file:///etc/passwd">', "&x;"),
    ],
)
def test_entities_and_declarations_are_refused(head, cell):
    with pytest.raises(UsageFault, match=r"DTD|entit"):
        read(votable(INT, f"<TR><TD>{cell}</TD></TR>", head=head))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<VOTABLE>" + b"<RESOURCE>" * 10**6, "nested deeper than 64"),
        (
            votable("".join(f'<FIELD name="c{i}" datatype="int"/>' for i in range(10**5)), ""),
            "more than 100 columns, the limit",
        ),
        (
            b"<VOTABLE><RESOURCE ID='" + b"x" * 5_000_000 + b"'/></VOTABLE>",
            "a tag or comment of the document has more than",
        ),
        (b"<VOTABLE><!--" + b"x" * 5_000_000 + b"--></VOTABLE>", "a tag or comment of the document has more than"),
        (
            votable(f"<FIELD name='a' datatype='int'><DESCRIPTION>{'x' * 5_000_000}</DESCRIPTION></FIELD>", ""),
            "description has more than 4194304 characters",
        ),
        (votable(INT, ROW * 1001), "more than 1000 rows, the limit"),
        (votable(INT, f"<!-- -->{ROW * 1001}"), "more than 1000 rows, the limit"),
        (votable(INT, " " * 20_000_000), "more than 16777216 bytes"),
        (votable(INT, ROW + "x" * 20_000_000), "text outside|more than 16777216 bytes"),
    ],
)
def test_limits(data, said):
    limits = ReadLimits(rows=1000, columns=100, cell_bytes=1 << 20)
    with pytest.raises(Fault, match=said):
        read(data, limits=limits)


def test_the_limit_of_rows_is_the_last_number_that_goes():
    assert len(read(votable(INT, ROW * 10), limits=ReadLimits(10, 100, 1000))[1]) == 10
    with pytest.raises(LimitFault, match="more than 9 rows"):
        read(votable(INT, ROW * 10), limits=ReadLimits(9, 100, 1000))


@pytest.mark.parametrize("name", ["votable/b2", "votable/td"])
def test_memory_does_not_grow_with_the_table(name, tmp_path):
    import pyarrow as pa

    from vo.tables.reading import open_table

    path = tmp_path / "t.xml"
    numbers = pa.array(range(10_000), pa.int64())
    batch = pa.RecordBatch.from_pydict({"n": numbers, "t": numbers.cast(pa.string())})
    fields = [Field("n", "long"), Field("t", "char", "*")]
    with path.open("wb") as file:
        file.writelines(formats.find(name).write(Document(fields), [batch] * 30, 10**9))
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    count = peak = 0
    with path.open("rb") as file:
        for part in open_table(file, media_type=VOTABLE, filename="", limits=LIMITS).batches:
            count += part.num_rows
            peak = max(peak, pa.total_allocated_bytes() - before)
    python_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 300_000
    assert peak < 30_000_000
    assert python_peak < 40_000_000


BINARY_ROW = struct.pack(">iicid", 1, 1, b"a", 1, 1.5) + b"T" + "äöü".encode("utf-16-be")
WHOLE = {
    data: votable(
        INT + '<FIELD name="t" datatype="char" arraysize="*"/><FIELD name="d" datatype="double" arraysize="2*"/>'
        '<FIELD name="b" datatype="boolean"/><FIELD name="u" datatype="unicodeChar" arraysize="3"/>',
        rows,
        data=data,
    )
    for data, rows in {
        "TABLEDATA": "<TR><TD>1</TD><TD>a&amp;</TD><TD>1.5 2</TD><TD>T</TD><TD>ä</TD></TR>\n" * 3,
        "BINARY2": f'<STREAM encoding="base64">{base64.b64encode((bytes(1) + BINARY_ROW) * 3).decode()}</STREAM>',
        "BINARY": f'<STREAM encoding="base64">{base64.b64encode(BINARY_ROW * 3).decode()}</STREAM>',
    }.items()
}
PIECES = st.sampled_from(
    [
        b"",
        b"<",
        b">",
        b"&",
        b"\0",
        b"\xff",
        b"*",
        b"9999999999",
        b"-1",
        b"<TR>",
        b"</TD>",
        b"<!--",
        b"]]>",
        b"<![CDATA[",
        b"=",
    ]
) | st.binary(max_size=6)


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 8), PIECES), min_size=1, max_size=4),
)
def test_whatever_is_changed_the_answer_is_a_table_or_a_fault(data, changes):
    changed = WHOLE[data]
    for place, cut, piece in changes:
        at = place % len(changed)
        changed = changed[:at] + piece + changed[at + cut :]
    fault = fault_of(changed)
    assert fault is None or 0 < len(fault.text) < 1000


@pytest.mark.parametrize("data", sorted(WHOLE))
def test_the_documents_that_are_changed_are_tables(data):
    assert read(WHOLE[data])[1][0][0] == 1
