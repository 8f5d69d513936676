"""TABLEDATA: what XML and people can make of it, cut out of the bytes or parsed tag by tag, is the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incoming import LIMITS, is_same, read, votable

from vo.errors import Fault, UsageFault
from vo.tables.reading import tabledata

FIELDS = '<FIELD name="n" datatype="int"/><FIELD name="s" datatype="char" arraysize="*"/>'


def rows_of(rows, fields=FIELDS, **how):
    return read(votable(fields, rows, **how))[1]


PLAIN = "<TR><TD>1</TD><TD>a</TD></TR>\n  <TR>\r\n<TD> 2 </TD>\t<TD> b </TD></TR>"
EXPECTED = [(1, "a"), (2, " b ")]


@pytest.mark.parametrize(
    "rows",
    [
        PLAIN,
        PLAIN.replace("a", "&#97;").replace("b", "&#x62;"),
        PLAIN.replace("<TD>a", "<!-- <TR> --><TD>a"),
        PLAIN.replace("a", "<![CDATA[a]]>"),
        PLAIN.replace("<TD>1", '<TD id="x">1'),
        PLAIN.replace("<TR>", "<TR >").replace("</TD>", "</TD >"),
        f"<!-- </TABLEDATA> -->{PLAIN}",
        f"{PLAIN}<?what?>",
        PLAIN.replace("<TD>1", "<TD\n>1"),
    ],
)
def test_the_same_rows_however_written(rows):
    assert rows_of(rows) == EXPECTED


@pytest.mark.parametrize("prefix", ["", "vot:", "v-1.x:"])
def test_prefixes_do_not_matter(prefix):
    rows = PLAIN.replace("<T", f"<{prefix}T").replace("</T", f"</{prefix}T")
    fields = FIELDS.replace("<F", f"<{prefix}F")
    assert rows_of(rows, fields, prefix=prefix) == EXPECTED
    assert rows_of(rows.replace("a", "<!---->a"), fields, prefix=prefix) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "iso-8859-1", "utf-16", "us-ascii"])
def test_declared_encodings_are_kept_to(encoding):
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n'
    letter = "a" if encoding == "us-ascii" else "ä"
    document = votable(FIELDS, f"<TR><TD>1</TD><TD>{letter}</TD></TR>", head=head).decode().encode(encoding)
    assert read(document)[1] == [(1, letter)]


CELLS = st.sampled_from(
    ["", " ", "1", "-7", "x y", "&amp;", "&lt;b&gt;", "ä", "a&#13;b", "&#x20AC;", "]]&gt;", "\r\n", "\t"]
)
BETWEEN = st.sampled_from(["", "\n", "  ", "\r\n\t"])
# Also what is wrong: both ways have to refuse it.
ODD = st.sampled_from(
    ["", "", "", "", "", "&", "&nbsp;", "<", "]]>", "&#0;", "\x01", "\ufffe", "<TD>", "</TR>", "x", "<TD/>"]
)


@st.composite
def documents(draw):
    """Rows of two text columns with blanks anywhere, rarely damaged."""
    rows = []
    for _ in range(draw(st.integers(0, 4))):
        cells = draw(st.lists(CELLS, min_size=2, max_size=2))
        gaps = draw(st.lists(BETWEEN, min_size=4, max_size=4))
        tags = [f"<TD>{cell}</TD>" if cell or draw(st.booleans()) else "<TD/>" for cell in cells]
        rows.append(f"{gaps[0]}<TR>{gaps[1]}{tags[0]}{gaps[2]}{tags[1]}{gaps[3]}</TR>")
    text = "".join(rows)
    place = draw(st.integers(0, len(text)))
    return text[:place] + draw(ODD) + text[place:]


@settings(max_examples=400, deadline=None)
@given(documents())
def test_cutting_gives_what_parsing_gives(rows):
    fields = '<FIELD name="t" datatype="char" arraysize="*"/><FIELD name="s" datatype="unicodeChar" arraysize="*"/>'
    plain = votable(fields, rows)
    # A comment before the rows is left to the parser, and all that follows with it.
    parsed = votable(fields, f"<!-- -->{rows}")
    try:
        expected = read(parsed)[1]
    except Fault:
        with pytest.raises(Fault):
            read(plain)
    else:
        assert read(plain)[1] == expected


def test_plain_rows_are_cut_not_parsed(monkeypatch):
    def never(*_):
        raise AssertionError("a plain row was parsed")

    monkeypatch.setattr(tabledata.Collector, "start", never)
    assert rows_of(PLAIN) == EXPECTED


CASES = [
    ("int", None, "0x1F", 31),
    ("int", None, " +5 ", 5),
    ("short", None, "0xFFFF", -1),
    ("unsignedByte", None, "0xff", 255),
    ("long", None, "", None),
    ("double", None, "+Inf", float("inf")),
    ("double", None, "-Infinity", float("-inf")),
    ("double", None, " NaN ", float("nan")),
    ("float", None, "1E3", 1000.0),
    ("float", "1", "7", 7.0),
    ("boolean", None, "TRUE", True),
    ("boolean", None, "t", True),
    ("boolean", None, " 0 ", False),
    ("boolean", None, "?", None),
    ("boolean", None, " ", None),
    ("bit", None, "1", True),
    ("bit", "3", "011", [False, True, True]),
    ("bit", "*", "0 1", [False, True]),
    ("boolean", "*", "T ? 0", [True, None, False]),
    ("double", "2x*", " 1  2\n3 4 ", [1.0, 2.0, 3.0, 4.0]),
    ("int", "*", " ", None),
    ("int", "3*", "1 2", [1, 2]),
    ("floatComplex", None, "1 -2", [1.0, -2.0]),
    ("doubleComplex", "*", "1 2 3 4", [1.0, 2.0, 3.0, 4.0]),
    ("char", None, "more than one", "more than one"),
    ("char", "2", "longer", "longer"),
    ("char", "3x2", "abcdef", "abcdef"),
    ("char", "*", " blanks ", " blanks "),
    ("char", "*", "", None),
    ("unicodeChar", "*", "\N{GRINNING FACE}", "\N{GRINNING FACE}"),
]


@pytest.mark.parametrize(("datatype", "arraysize", "text", "value"), CASES)
def test_values(datatype, arraysize, text, value):
    size = "" if arraysize is None else f' arraysize="{arraysize}"'
    rows = rows_of(f"<TR><TD>{text}</TD></TR>", f'<FIELD name="v" datatype="{datatype}"{size}/>')
    assert is_same(rows, [(value,)])


@pytest.mark.parametrize(
    ("datatype", "null", "text", "value"),
    [
        ("int", "-99", " -99 ", None),
        ("int", "0x10", "16", None),
        ("unsignedByte", "-1", "-1", None),
        ("double", "-1", "-1.0", None),
        ("double", "NaN", "nan", None),
        ("int", "none", "7", 7),
        ("int", "99999999999999999999", "7", 7),
    ],
)
def test_null_of_values(datatype, null, text, value):
    field = f'<FIELD name="v" datatype="{datatype}"><VALUES null="{null}"/></FIELD>'
    assert rows_of(f"<TR><TD>{text}</TD></TR>", field) == [(value,)]


@pytest.mark.parametrize(
    ("datatype", "arraysize", "text", "said"),
    [
        ("int", None, "abc", '"abc" is no int'),
        ("int", None, "5.0", '"5.0" is no int'),
        ("int", None, "2147483648", "from -2147483648 to 2147483647"),
        ("short", None, "-32769", "no short"),
        ("unsignedByte", None, "256", "from 0 to 255"),
        ("long", None, "9223372036854775808", "no long"),
        ("double", None, "1,5", '"1,5" is no double'),
        ("boolean", None, "yes", "no boolean"),
        ("bit", None, "2", "no bit"),
        ("bit", None, "01", "no bit"),
        ("double", "2", "1", '1 numbers do not make arraysize "2"'),
        ("double", "2x*", "1 2 3", '3 numbers do not make arraysize "2x*"'),
        ("floatComplex", None, "1", "1 numbers do not make a complex number"),
        ("int", "*", "1 x", '"1 x" is no int'),
    ],
)
def test_what_is_no_value_is_told_with_its_row_and_column(datatype, arraysize, text, said):
    size = "" if arraysize is None else f' arraysize="{arraysize}"'
    good = "1 2" if arraysize or "Complex" in datatype else "1"
    rows = f"<TR><TD>{good}</TD></TR>" * 41 + f"<TR><TD>{text}</TD></TR>" + f"<TR><TD>{good}</TD></TR>" * 5
    for before in ("", "<!-- -->"):
        with pytest.raises(UsageFault) as fault:
            rows_of(before + rows, f'<FIELD name="v" datatype="{datatype}"{size}/>')
        assert fault.value.text.startswith('row 42, column "v": ')
        assert said in fault.value.text


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("<TR><TD>1</TD></TR>", "row 2 has 1 cells for 2 columns"),
        ("<TR/>", "row 2 has 0 cells for 2 columns"),
        ("<TR><TD>1</TD><TD>2</TD><TD>3</TD></TR>", "row 2 has more cells than the table has columns (2)"),
        ("<TD>1</TD>", "row 2: an element TD where none can be"),
        ("<TR><TD>1</TD>x<TD>1</TD></TR>", "row 2: there is text outside of the cells"),
        ("<TR><TD>1</TD><TD><b>1</b></TD></TR>", "row 2: an element b where none can be"),
        ('<TR><TD encoding="base64">MQ==</TD><TD/></TR>', "row 2: cells with an encoding"),
        ("<TR><TD>1</TD><TD>1</TR>", "damaged at line 1: mismatched tag"),
    ],
)
def test_rows_that_are_none(rows, said):
    with pytest.raises(UsageFault) as fault:
        rows_of(f"<TR><TD>1</TD><TD>a</TD></TR>{rows}")
    assert said in fault.value.text


def test_lines_are_counted_also_over_rows_that_were_cut():
    rows = "<TR><TD>1</TD><TD>a</TD></TR>\n" * 100
    with pytest.raises(UsageFault, match="at line 101: mismatched tag"):
        read(votable(FIELDS, rows).replace(b"</RESOURCE>", b"</OTHER>"))


def test_a_cell_may_be_longer_than_a_block_but_not_than_its_limit():
    text = "x" * (LIMITS.cell_bytes - 1)
    for before in ("", "<!-- -->"):
        assert rows_of(f"{before}<TR><TD>1</TD><TD>{text}</TD></TR>" * 3) == [(1, text)] * 3
        with pytest.raises(UsageFault, match=r'row 2, column "s": .* more than the limit of 1048576 for one cell'):
            rows_of(f"<TR><TD>1</TD><TD>{text}</TD></TR>{before}<TR><TD>1</TD><TD>{text}xxx</TD></TR>")
