"""Every datatype, null and not, as astropy and STILTS write it in every serialisation, read cell by cell (TAP-18)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io.votable import parse
from incoming import VOTABLE, is_same, read, votable
from stilts import run

NAN = float("nan")
# Attributes of a FIELD, its content, and two values as they are written and as they have to be read.
COLUMNS: list[tuple[str, str, tuple[str, str], tuple[object, object]]] = [
    ('name="boolean" datatype="boolean"', "", ("T", "F"), (True, False)),
    ('name="bit" datatype="bit"', "", ("1", "0"), (True, False)),
    ('name="byte" datatype="unsignedByte"', '<VALUES null="255"/>', ("200", "0"), (200, 0)),
    ('name="short" datatype="short"', '<VALUES null="-99"/>', ("-5", "32767"), (-5, 32767)),
    ('name="int" datatype="int"', '<VALUES null="-99"/>', ("70000", "-2147483648"), (70000, -(2**31))),
    ('name="long" datatype="long"', '<VALUES null="-99"/>', ("9007199254740993", str(-(2**63))), (2**53 + 1, -(2**63))),
    ('name="float" datatype="float" unit="deg"', "", ("1.5", "-2.5e-3"), (1.5, float(np.float32(-2.5e-3)))),
    ('name="double" datatype="double" ucd="pos.eq.ra"', "", ("0.1", "-1e300"), (0.1, -1e300)),
    ('name="letter" datatype="char" arraysize="1"', "", ("a", "z"), ("a", "z")),
    ('name="five" datatype="char" arraysize="5"', "", ("abc", "abcde"), ("abc", "abcde")),
    ('name="chars" datatype="char" arraysize="*"', "", ("hello  world", "a&amp;b &lt;c>"), ("hello  world", "a&b <c>")),
    ('name="ufive" datatype="unicodeChar" arraysize="5"', "", ("äöü", "ab"), ("äöü", "ab")),
    ('name="uchars" datatype="unicodeChar" arraysize="*"', "", ("日本 ä", "x"), ("日本 ä", "x")),
    (
        'name="time" datatype="char" arraysize="*" xtype="timestamp"',
        "<DESCRIPTION>When it\n was</DESCRIPTION>",
        ("1923-04-05T06:07:08.123", "1900-01-01"),
        ("1923-04-05T06:07:08.123", "1900-01-01"),
    ),
    ('name="fcomplex" datatype="floatComplex"', "", ("1 2", "0 0"), ([1.0, 2.0], [0.0, 0.0])),
    ('name="dcomplex" datatype="doubleComplex"', "", ("3 -4", "0.1 0"), ([3.0, -4.0], [0.1, 0.0])),
    ('name="booleans" datatype="boolean" arraysize="3"', "", ("T F T", "F F F"), ([True, False, True], [False] * 3)),
    (
        'name="bits" datatype="bit" arraysize="11"',
        "",
        ("0 1 1 0 1 1 0 0 1 1 1", "1 0 0 0 0 0 0 0 0 0 0"),
        ([c == "1" for c in "01101100111"], [True] + [False] * 10),
    ),
    ('name="bytes" datatype="unsignedByte" arraysize="*"', "", ("1 2 255", "0"), ([1, 2, 255], [0])),
    ('name="shorts" datatype="short" arraysize="2"', "", ("-1 2", "0 0"), ([-1, 2], [0, 0])),
    ('name="ints" datatype="int" arraysize="2x2"', "", ("1 2 3 4", "0 0 0 -1"), ([1, 2, 3, 4], [0, 0, 0, -1])),
    ('name="longs" datatype="long" arraysize="*"', "", ("9007199254740993 -1", "0"), ([2**53 + 1, -1], [0])),
    ('name="floats" datatype="float" arraysize="4*"', "", ("1.5 2.5", "-1"), ([1.5, 2.5], [-1.0])),
    (
        'name="point" datatype="double" arraysize="2" xtype="point"',
        "",
        ("10.5 -20.1", "0 90"),
        ([10.5, -20.1], [0, 90.0]),
    ),
    (
        'name="polygon" datatype="double" arraysize="*" xtype="polygon"',
        "",
        ("1 2 3 4 5 6", "1 2"),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 2.0]),
    ),
    (
        'name="fcomplexes" datatype="floatComplex" arraysize="2"',
        "",
        ("1 2 3 4", "0 0 0 1"),
        ([1.0, 2, 3, 4], [0.0, 0, 0, 1]),
    ),
]
COLUMNS = [
    (
        field,
        content,
        texts,
        tuple(
            [float(x) if "oat" in field or "dou" in field else x for x in v] if isinstance(v, list) else v
            for v in values
        ),
    )
    for field, content, texts, values in COLUMNS
]
NAMES = [field.split('"')[1] for field, *_ in COLUMNS]
FIELDS = "".join(f"<FIELD {field}>{content}</FIELD>" for field, content, *_ in COLUMNS)
FIXED_ARRAYS = ("fcomplex", "dcomplex", "booleans", "bits", "shorts", "ints", "point", "fcomplexes")


def document(third: dict[str, str] | None = None) -> bytes:
    """All columns with two rows of values and one of nulls; ``third`` has other cells for the last one."""
    rows = [[texts[i] for *_, texts, _ in COLUMNS] for i in (0, 1)] + [[(third or {}).get(name, "") for name in NAMES]]
    return votable(FIELDS, "".join(f"<TR>{''.join(f'<TD>{cell}</TD>' for cell in row)}</TR>\n" for row in rows))


def check(data: bytes, media_type: str = VOTABLE, *, nulls: dict[str, object] | None = None, but: tuple[str, ...] = ()):
    """Compare all cells but those of some columns; ``nulls`` is what became of nulls that the form cannot hold."""
    fields, rows = read(data, media_type)
    assert [field.name for field in fields] == NAMES
    assert len(rows) == 3
    for index, (name, (*_, values)) in enumerate(zip(NAMES, COLUMNS, strict=True)):
        if name not in but:
            expected = [*values, (nulls or {}).get(name)]
            assert is_same([row[index] for row in rows], expected), (name, [row[index] for row in rows], expected)
    return {field.name: field for field in fields}


def test_tabledata():
    fields = check(document())
    point = fields["point"]
    assert (point.datatype, point.arraysize, point.xtype) == ("double", "2", "point")
    assert (fields["float"].unit, fields["double"].ucd) == ("deg", "pos.eq.ra")
    assert (fields["time"].xtype, fields["time"].description) == ("timestamp", "When it was")
    assert fields["bytes"].arraysize == "*"


def by_astropy(serialisation: str) -> tuple[bytes, dict[str, object]]:
    """The table as astropy writes it, which knows no null in arrays of a fixed size: there the first value stands."""
    first = {name: texts[0] for name, (*_, texts, _) in zip(NAMES, COLUMNS, strict=True) if name in FIXED_ARRAYS}
    tree = parse(io.BytesIO(document(first)))
    table = tree.get_first_table()
    for name, dtype in (("bytes", "u1"), ("floats", "f4")):
        # astropy reads these as wider numbers, which it then writes with too many bytes.
        for row in range(3):
            table.array[name].data[row] = np.ma.array(table.array[name].data[row], dtype=dtype)
    table.format = serialisation
    written = io.BytesIO()
    tree.to_xml(written)
    kept = {name: values[0] for name, (*_, values) in zip(NAMES, COLUMNS, strict=True) if name in FIXED_ARRAYS}
    return written.getvalue(), kept


def test_astropy_tabledata():
    check(*by_astropy("tabledata")[:1], nulls=by_astropy("tabledata")[1])


@pytest.mark.filterwarnings("ignore:.*W39")
def test_astropy_binary():
    written, kept = by_astropy("binary")
    fields = check(written, nulls={**kept, "bit": False, "float": NAN, "double": NAN})
    assert fields["five"].arraysize == "5"


@pytest.mark.filterwarnings("ignore:.*W39")
def test_astropy_binary2():
    written, kept = by_astropy("binary2")
    # astropy flags neither texts nor arrays as null.
    texts = dict.fromkeys(("letter", "five", "chars", "ufive", "uchars", "time"), "")
    arrays: dict[str, object] = {name: [] for name in ("bytes", "longs", "floats", "polygon")}
    check(written, nulls={**kept, **texts, **arrays})


@pytest.fixture(scope="module")
def stilts(tmp_path_factory):
    """Convert the table, or another one, to one of STILTS' forms."""
    folder = tmp_path_factory.mktemp("stilts")

    def convert(form: str, data: bytes | None = None) -> bytes:
        given, made = folder / "in.xml", folder / "out"
        given.write_bytes(data or document())
        run("tcopy", f"in={given}", "ifmt=votable", f"out={made}", f"ofmt={form}")
        return made.read_bytes()

    return convert


NAN_PAIR = [NAN, NAN]
FIXED_NULLS = {
    "float": NAN,
    "double": NAN,
    "fcomplex": NAN_PAIR,
    "dcomplex": NAN_PAIR,
    "booleans": [None] * 3,
    "bits": [None] * 11,
    "shorts": [0, 0],
    "ints": [0] * 4,
    "point": NAN_PAIR,
    "fcomplexes": [NAN] * 4,
}


@pytest.mark.parametrize(
    ("form", "nulls"),
    [
        ("votable-tabledata", {"float": NAN, "double": NAN}),
        ("votable-binary-inline", FIXED_NULLS),
        ("votable-binary2-inline", {"float": NAN, "double": NAN}),
    ],
)
def test_stilts_votable(stilts, form, nulls):
    fields = check(stilts(form), nulls=nulls)
    assert fields["time"].xtype == "timestamp"
    assert fields["float"].unit == "deg"


def test_stilts_fits(stilts):
    # FITS has no characters beyond ASCII, and STILTS no variable arrays in fits-basic.
    others = ("uchars", "ufive", "bytes", "longs", "floats", "polygon")
    fields = check(stilts("fits-basic"), "application/fits", nulls=FIXED_NULLS, but=others)
    assert (fields["float"].unit, fields["double"].ucd) == ("deg", "pos.eq.ra")
    check(stilts("fits-var"), "application/fits", nulls=FIXED_NULLS, but=("uchars", "ufive"))
    check(stilts("fits-plus"), "application/fits", nulls=FIXED_NULLS, but=others)


def test_stilts_csv(stilts):
    fields, rows = read(stilts("csv"), "text/csv")
    kinds = {field.name: field.datatype for field in fields}
    assert kinds["short"] == kinds["byte"] == "int"
    assert kinds["long"] == "long"
    assert kinds["float"] == kinds["double"] == "double"
    assert kinds["uchars"] == "char"
    assert next(field for field in fields if field.name == "time").xtype == "timestamp"
    values = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
    assert values["long"] == (2**53 + 1, -(2**63), None)
    assert values["double"] == (0.1, -1e300, None)
    assert values["chars"] == ("hello  world", "a&b <c>", None)
    assert values["uchars"] == ("日本 ä", "x", None)


def test_stilts_counts_the_numbers_of_a_matrix_whose_last_dimension_varies(stilts):
    data = votable(
        '<FIELD name="a" datatype="short" arraysize="2x*"/>', "<TR><TD>1 2 3 4</TD></TR><TR><TD>5 6</TD></TR>"
    )
    for form in ("votable-binary-inline", "votable-binary2-inline"):
        fields, rows = read(stilts(form, data))
        assert fields[0].arraysize == "2x*"
        assert rows == [([1, 2, 3, 4],), ([5, 6],)]
