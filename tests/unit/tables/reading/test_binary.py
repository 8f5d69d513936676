"""BINARY and BINARY2 byte for byte: flags, lengths, padding, and what is damaged."""

from __future__ import annotations

import base64
import struct

import pytest
from incoming import LIMITS, is_same, read, votable

from vo.errors import LimitFault, UsageFault


def stream(data: bytes) -> str:
    return f'<STREAM encoding="base64">{base64.b64encode(data).decode()}</STREAM>'


def rows_of(fields: str, data: bytes, kind: str = "BINARY2"):
    return read(votable(fields, stream(data), data=kind))[1]


def field(datatype: str, arraysize: str | None = None, content: str = "") -> str:
    size = "" if arraysize is None else f' arraysize="{arraysize}"'
    return f'<FIELD name="v" datatype="{datatype}"{size}>{content}</FIELD>'


TEXT = field("char", "*")


def test_flags_tell_null_from_empty_text_and_nan_from_null():
    fields = f'{TEXT}<FIELD name="d" datatype="double"/>'
    data = b"\x00" + struct.pack(">id", 0, float("nan")) + b"\xc0" + struct.pack(">id", 0, 1.0)
    assert is_same(rows_of(fields, data), [("", float("nan")), (None, None)])


def test_flags_of_nine_columns_take_two_bytes():
    fields = "".join(f'<FIELD name="b{i}" datatype="unsignedByte"/>' for i in range(9))
    data = b"\x80\x80" + bytes(range(9)) + b"\x01\x00" + bytes(range(9))
    first, second = rows_of(fields, data)
    assert first == (None, *range(1, 8), None)
    assert second == (*range(7), None, 8)


def test_without_flags_empty_is_null():
    assert rows_of(TEXT, struct.pack(">i", 0) + struct.pack(">i2s", 2, b"ab"), "BINARY") == [(None,), ("ab",)]
    assert rows_of(field("double", "*"), struct.pack(">i", 0), "BINARY") == [(None,)]
    assert rows_of(field("char", "3"), b"\0\0\0a\0\0", "BINARY") == [(None,), ("a",)]


def test_null_of_values_is_the_null_of_integers_in_binary():
    with_null = field("short", None, '<VALUES null="-1"/>')
    assert rows_of(with_null, struct.pack(">hh", -1, 1), "BINARY") == [(None,), (1,)]
    pairs = field("short", "2", '<VALUES null="-1"/>')
    assert rows_of(pairs, struct.pack(">hh", -1, 1), "BINARY") == [([None, 1],)]
    texts = field("short", "*", '<VALUES null="-1"/>')
    assert rows_of(texts, struct.pack(">ihh", 2, -1, 1), "BINARY") == [([None, 1],)]


@pytest.mark.parametrize(
    ("letter", "value"), [*((c, True) for c in b"Tt1"), *((c, False) for c in b"Ff0"), *((c, None) for c in b"? \0")]
)
def test_letters_of_booleans(letter, value):
    assert rows_of(field("boolean"), bytes([letter]), "BINARY") == [(value,)]


def test_texts_end_at_nul_and_keep_blanks():
    assert rows_of(field("char", "5"), b"\0ab\0cd\0a  b ", "BINARY2") == [("ab",), ("a  b ",)]
    assert rows_of(TEXT, b"\0" + struct.pack(">i4s", 4, b"a\0bc")) == [("a",)]
    assert rows_of(field("char", "3x2"), b"\0a\0\0bc\0", "BINARY2") == [("a  bc",)]


def test_texts_are_utf8_else_latin_1():
    data = b"".join(b"\0" + struct.pack(">i", len(text)) + text for text in ("ä".encode(), "ä".encode("latin-1"), b"a"))
    assert rows_of(TEXT, data) == [("ä",), ("ä",), ("a",)]


def test_unicode_char_is_utf16_with_pairs_and_halves_of_them():
    units = ["\N{GRINNING FACE}ä€x".encode("utf-16-be"), b"\xd8\x3d\x00x", "日本".encode("utf-16-be"), b""]
    data = b"".join(b"\0" + struct.pack(">i", len(text) // 2) + text for text in units)
    assert rows_of(field("unicodeChar", "*"), data) == [("\N{GRINNING FACE}ä€x",), ("\ufffdx",), ("日本",), ("",)]
    assert rows_of(field("unicodeChar", "*"), data[: len(data) - 5])[0] == ("\N{GRINNING FACE}ä€x",)


def test_complex_numbers_are_counted_whole():
    data = bytes(1) + struct.pack(">i4f", 2, 1, 2, 3, 4) + bytes(1) + struct.pack(">i2f", 1, 5, 6)
    assert rows_of(field("floatComplex", "*"), data) == [([1.0, 2.0, 3.0, 4.0],), ([5.0, 6.0],)]
    assert rows_of(field("doubleComplex"), bytes(1) + struct.pack(">2d", 1, -2)) == [([1.0, -2.0],)]


def test_bits_fill_bytes():
    data = (
        b"\0"
        + struct.pack(">i", 9)
        + b"\x80\x80"
        + b"\0"
        + struct.pack(">i", 0)
        + b"\0"
        + struct.pack(">i", 1)
        + b"\x80"
    )
    assert rows_of(field("bit", "*"), data) == [([True, *[False] * 7, True],), ([],), ([True],)]
    assert rows_of(field("bit"), b"\x80\x00\x08", "BINARY") == [(True,), (False,), (True,)]


def test_varying_cells_between_fixed_ones():
    fields = (
        '<FIELD name="a" datatype="short"/><FIELD name="t" datatype="char" arraysize="*"/>'
        '<FIELD name="b" datatype="int"/><FIELD name="l" datatype="float" arraysize="*"/>'
        '<FIELD name="p" datatype="double" arraysize="2"/>'
    )
    rows = [(i - 5, "x" * (i % 4), i * 1000, [float(j) for j in range(i % 3)], [i / 2, -i]) for i in range(1000)]
    data = b"".join(
        struct.pack(f">Bhi{len(t)}sii{len(c)}fdd", 0, a, len(t), t.encode(), b, len(c), *c, *p)
        for a, t, b, c, p in rows
    )
    assert rows_of(fields, data) == [(a, t, b, c, [float(x) for x in p]) for a, t, b, c, p in rows]


@pytest.mark.parametrize("blanks", ["", "\n", " \r\n\t", "<!-- -->"])
def test_base64_with_blanks_anywhere(blanks):
    text = base64.b64encode(b"".join(b"\0" + struct.pack(">i", i) for i in range(100))).decode()
    body = blanks.join(text)
    rows = read(votable(field("int"), f'<STREAM encoding="base64">{blanks}{body}{blanks}</STREAM>', data="BINARY2"))[1]
    assert rows == [(i,) for i in range(100)]


def test_rows_longer_than_a_block():
    texts = ["a" * 1_000_000, "b", "c" * 999_999]
    data = b"".join(b"\0" + struct.pack(">i", len(text)) + text.encode() for text in texts)
    assert rows_of(TEXT, data) == [(text,) for text in texts]


@pytest.mark.parametrize(
    ("fields", "data", "said"),
    [
        (TEXT, b"\0" + struct.pack(">i", -1), 'row 1, column "v": -1 is no number of items'),
        (
            TEXT,
            b"\0" + struct.pack(">i", 2**31 - 1),
            'row 1, column "v": 2147483647 bytes are more than the limit of 1048576',
        ),
        (
            TEXT,
            b"\0" + struct.pack(">ic", 1, b"a") + b"\0" + struct.pack(">i", -7),
            'row 2, column "v": -7 is no number',
        ),
        (
            TEXT,
            b"\0" + struct.pack(">i2s", 2, b"ab") + b"\0" + struct.pack(">i", 9),
            "ends within row 2, after 5 bytes of it",
        ),
        (field("int"), b"\0" * 5 + b"\0" * 4, "ends within row 2, after 4 bytes of it"),
        (field("double", "9999999999"), b"", 'row 1, column "v": 79999999992 bytes are more than the limit of 1048576'),
        (field("double", "9999999999x9999999999"), b"", "more than any cell can have"),
        (field("boolean"), b"\0T\0x", 'row 2, column "v": byte 120 is no boolean'),
        (
            field("boolean", "*"),
            b"\0" + struct.pack(">i", 0) + b"\0" + struct.pack(">i2s", 2, b"Tx"),
            'row 2, column "v"',
        ),
        (field("short", "2x*"), b"\0" + struct.pack(">ihhh", 3, 1, 2, 3), 'row 1, column "v": 3 items do not fill'),
    ],
)
def test_damaged_rows(fields, data, said):
    with pytest.raises(UsageFault) as fault:
        rows_of(fields, data)
    assert said in fault.value.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<STREAM encoding="base64">AAA</STREAM>', "cut off: its length is no multiple of four"),
        ('<STREAM encoding="base64">AA!A</STREAM>', "is no base64"),
        ('<STREAM encoding="base64">AAä=</STREAM>', "is no base64"),
        ('<STREAM encoding="base64">AA==AAAA</STREAM>', "is no base64"),
        ('<STREAM encoding="gzip">AAAA</STREAM>', 'encoding "gzip"; only base64 is read here'),
        ('<STREAM href="http://127.0.0.1/x"/>', "elsewhere (href), which is not fetched"),
        ("<TR/>", "an element TR where none can be within BINARY2"),
    ],
)
def test_streams_that_are_not_read(body, said):
    with pytest.raises(UsageFault) as fault:
        read(votable(field("short"), body, data="BINARY2"))
    assert said in fault.value.text


def test_a_stream_without_encoding_is_base64_and_no_stream_has_no_rows():
    assert read(votable(field("short"), "<STREAM>AAAB</STREAM>", data="BINARY2"))[1] == [(1,)]
    assert read(votable(field("short"), "", data="BINARY2"))[1] == []


def test_a_row_has_a_limit_of_bytes():
    fields = "".join(f'<FIELD name="c{i}" datatype="char" arraysize="*"/>' for i in range(20))
    data = b"\0\0\0" + (struct.pack(">i", 1_000_000) + b"a" * 1_000_000) * 20
    with pytest.raises(LimitFault, match="row 1 has more than 16777216 bytes"):
        rows_of(fields, data)
    wide = "".join(f'<FIELD name="c{i}" datatype="char" arraysize="{LIMITS.cell_bytes}"/>' for i in range(17))
    with pytest.raises(LimitFault, match="row 1 has more than 16777216 bytes"):
        rows_of(wide, b"")
