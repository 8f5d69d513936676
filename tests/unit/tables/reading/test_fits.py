"""FITS binary tables, as astropy writes them and byte for byte."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from incoming import LIMITS, fault_of, is_same, read

from vo.errors import LimitFault, UsageFault
from vo.tables.reading import ReadLimits

FITS = "application/fits"


def written(*hdus: fits.hdu.base.ExtensionHDU) -> bytes:
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(file)
    return file.getvalue()


def table(*columns: fits.Column) -> fits.BinTableHDU:
    return fits.BinTableHDU.from_columns(columns)


def value_of(**column) -> tuple:
    """A column's field, and its values."""
    found, rows = read(written(table(fits.Column(name="v", **column))), FITS)
    return found[0], [row[0] for row in rows]


@pytest.mark.parametrize(
    ("form", "array", "datatype", "values"),
    [
        ("L", [True, False], "boolean", [True, False]),
        ("B", [0, 255], "unsignedByte", [0, 255]),
        ("I", [-5, 32767], "short", [-5, 32767]),
        ("J", [-(2**31), 7], "int", [-(2**31), 7]),
        ("K", [-(2**63), 2**53 + 1], "long", [-(2**63), 2**53 + 1]),
        ("E", [1.5, np.nan], "float", [1.5, float("nan")]),
        ("D", [0.1, -np.inf], "double", [0.1, float("-inf")]),
        ("C", [1 + 2j, 0], "floatComplex", [[1.0, 2.0], [0.0, 0.0]]),
        ("M", [1 + 2j, 0.1j], "doubleComplex", [[1.0, 2.0], [0.0, 0.1]]),
        ("6A", ["ab  ", "abcdef"], "char", ["ab", "abcdef"]),
        ("6A", ["", "  a"], "char", [None, "  a"]),
    ],
)
def test_every_type(form, array, datatype, values):
    field, found = value_of(format=form, array=array)
    assert field.datatype == datatype
    assert field.arraysize == ("6*" if datatype == "char" else None)
    assert is_same(found, values)


@pytest.mark.parametrize(
    ("column", "arraysize", "values"),
    [
        ({"format": "3J", "array": [[1, 2, 3], [4, 5, 6]]}, "3", [[1, 2, 3], [4, 5, 6]]),
        ({"format": "4E", "dim": "(2,2)", "array": [[[1, 2], [3, 4]]]}, "2x2", [[1.0, 2.0, 3.0, 4.0]]),
        ({"format": "2L", "array": [[True, False]]}, "2", [[True, False]]),
        ({"format": "11X", "array": [[True, *[False] * 9, True]]}, "11", [[True, *[False] * 9, True]]),
        ({"format": "6A", "dim": "(3,2)", "array": [["abc", "d"]]}, "3x2", ["abcd"]),
        ({"format": "2C", "array": [[1, 2j]]}, "2", [[1.0, 0.0, 0.0, 2.0]]),
    ],
)
def test_arrays(column, arraysize, values):
    field, found = value_of(**column)
    assert (field.arraysize, found) == (arraysize, values)


@pytest.mark.parametrize("descriptor", ["P", "Q"])
def test_variable_arrays(descriptor):
    lists = [[1.0, 2.0], [], [3.0] * 500, [4.0]]
    data = np.array([np.array(one) for one in lists], dtype=object)
    bits = np.array(
        [np.array([7, 8, 9], "i2"), np.array([], "i2"), np.array([1], "i2"), np.array([2], "i2")], dtype=object
    )
    complexes = np.array([np.array(one, "c8") for one in ([1j], [], [1, 2], [3])], dtype=object)
    texts = np.array(["a", "", "long text", "ä"[:0] + "b"], dtype=object)
    data = written(
        table(
            fits.Column("n", "J", array=range(4)),
            fits.Column("d", f"{descriptor}D()", array=data),
            fits.Column("i", f"{descriptor}I()", array=bits),
            fits.Column("t", f"{descriptor}A()", array=texts),
            fits.Column("c", f"{descriptor}C()", array=complexes),
        )
    )
    fields, rows = read(data, FITS)
    assert [row[4] for row in rows] == [[0.0, 1.0], None, [1.0, 0.0, 2.0, 0.0], [3.0, 0.0]]
    assert [(field.datatype, field.arraysize) for field in fields[1:]] == [
        ("double", "*"),
        ("short", "*"),
        ("char", "*"),
        ("floatComplex", "*"),
    ]
    assert [row[1] for row in rows] == [one or None for one in lists]
    assert [row[2] for row in rows] == [[7, 8, 9], None, [1], [2]]
    assert [row[3] for row in rows] == ["a", None, "long text", "b"]


@pytest.mark.parametrize(
    ("dtype", "datatype", "values"),
    [
        ("u2", "int", [0, 40000, 65535]),
        ("u4", "long", [0, 2**32 - 1]),
        ("u8", "long", [0, 2**63 - 1]),
        ("i1", "short", [-128, 127]),
    ],
)
def test_integers_of_the_other_sign(dtype, datatype, values):
    form = {"u2": "I", "u4": "J", "u8": "K", "i1": "B"}[dtype]
    zero = {"u2": 2**15, "u4": 2**31, "u8": 2**63, "i1": -128}[dtype]
    field, found = value_of(format=form, bzero=zero, array=np.array(values, dtype))
    assert (field.datatype, found) == (datatype, values)
    pairs = np.array([values[:2], values[-2:]], dtype)
    field, found = value_of(format=f"2{form}", bzero=zero, array=pairs)
    assert (field.datatype, field.arraysize, found) == (datatype, "2", pairs.tolist())


def test_unsigned_integers_beyond_long():
    with pytest.raises(UsageFault, match='row 2, column "v": an unsigned integer of 64 bits is beyond'):
        value_of(format="K", bzero=2**63, array=np.array([1, 2**63], "u8"))
    with pytest.raises(UsageFault, match='row 2, column "v"'):
        value_of(format="2K", bzero=2**63, array=np.array([[1, 2], [1, 2**63]], "u8"))


def test_scaled_and_null_integers():
    data = bytearray(written(table(fits.Column("v", "I", null=-1, array=[1, -1, 3]))))
    assert read(bytes(data), FITS)[1] == [(1,), (None,), (3,)]
    scaled = data.replace(
        b"TNULL1  =                   -1",
        b"TNULL1  =                   -1" + b" " * 50 + b"TSCAL1  =                  0.5",
    )
    # One card more takes the place of one of the blanks that fill the header's block.
    end = scaled.rindex(b"END" + b" " * 77)
    scaled = scaled[: end + 80] + scaled[end + 160 :]
    fields, rows = read(bytes(scaled), FITS)
    assert (fields[0].datatype, rows) == ("double", [(0.5,), (None,), (1.5,)])


def test_descriptions_and_long_texts():
    hdu = table(fits.Column("ra", "D", unit="deg", array=[1.0]), fits.Column("t", "10A", array=["1950-01-01"]))
    hdu.header["TUCD1"] = "pos.eq.ra"
    hdu.header["TUTYP1"] = "x:y"
    hdu.header["TXTYP2"] = "timestamp"
    hdu.header["TCOMM1"] = "It's " + "long " * 30 + "and ends"
    fields, rows = read(written(hdu), FITS)
    assert (fields[0].unit, fields[0].ucd, fields[0].utype) == ("deg", "pos.eq.ra", "x:y")
    assert fields[0].description == "It's " + "long " * 30 + "and ends"
    assert fields[1].xtype == "timestamp"
    assert rows == [(1.0, "1950-01-01")]


def test_the_first_binary_table_is_read_wherever_it_stands():
    image = fits.ImageHDU(np.zeros((100, 7), "f4"))
    other = fits.TableHDU.from_columns([fits.Column("a", "I5", array=[1])])
    packed = fits.CompImageHDU(np.zeros((50, 50), "i2"))
    data = written(
        image, packed, other, table(fits.Column("b", "J", array=[5])), table(fits.Column("c", "J", array=[6]))
    )
    fields, rows = read(data, FITS)
    assert (fields[0].name, rows) == ("b", [(5,)])
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(np.zeros((30, 30))), table(fits.Column("b", "J", array=[5]))]).writeto(file)
    assert read(file.getvalue(), FITS)[1] == [(5,)]


@pytest.mark.parametrize(
    ("hdus", "said"),
    [
        ([], "no binary table .BINTABLE extension., only primary array"),
        ([fits.ImageHDU(np.zeros((3, 3)))], "only primary array, IMAGE"),
        ([fits.CompImageHDU(np.zeros((9, 9), "i2"))], "only primary array, compressed image"),
        (
            [fits.TableHDU.from_columns([fits.Column("a", "I5", array=[1])])],
            "and TABLE, which is not read here; write it as",
        ),
    ],
)
def test_files_without_a_table(hdus, said):
    with pytest.raises(UsageFault, match=said):
        read(written(*hdus), FITS)


def test_a_large_table_of_astropy():
    count = 100_000
    made = Table({"n": np.arange(count), "x": np.linspace(0, 1, count), "s": np.array(["ab", "c"] * (count // 2))})
    file = io.BytesIO()
    made.write(file, format="fits")
    _, rows = read(file.getvalue(), FITS)
    assert rows == list(zip(made["n"].tolist(), made["x"].tolist(), made["s"].tolist(), strict=True))


def test_no_rows_and_no_columns():
    assert read(written(table(fits.Column("a", "J", array=np.array([], "i4")))), FITS)[1] == []
    with pytest.raises(UsageFault, match="no columns"):
        read(written(table()), FITS)


def test_damage_is_told():
    data = written(table(fits.Column("a", "J", array=np.arange(5000, dtype="i4"))))
    with pytest.raises(UsageFault, match="ends within row 4321 of 5000"):
        read(data[: 2880 * 2 + 4 * 4320 + 3], FITS)
    with pytest.raises(UsageFault, match='column "a" has TFORM "7", which FITS does not know'):
        read(data.replace(b"'J       '", b"'7       '"), FITS)
    with pytest.raises(UsageFault, match=r"rows have 4 bytes .NAXIS1., but its columns need 36"):
        read(data.replace(b"'J       '", b"'9J      '"), FITS)
    with pytest.raises(UsageFault, match="within a header"):
        read(data[:4000], FITS)
    with pytest.raises(LimitFault, match="more than the limit of 100 for one cell"):
        read(data.replace(b"'J       '", b"'99J     '"), FITS, limits=ReadLimits(9, 9, 100))
    with pytest.raises(LimitFault, match="more than 4999 rows"):
        read(data, FITS, limits=ReadLimits(4999, 9, 100))


def test_cells_of_the_heap_cannot_be_read_out_of_it_or_again_and_again():
    cells = np.array([np.zeros(1000)] * 2, dtype=object)
    data = written(table(fits.Column("a", "PD()", array=cells)))
    place = data.index(b"\0\0\x03\xe8\0\0\0\0")
    for pair in ((1000, 999_999), (-1, 0), (1000, -8), (2**31 - 1, 0)):
        changed = data[:place] + np.array(pair, ">i4").tobytes() + data[place + 8 :]
        with pytest.raises(UsageFault, match='row 1, column "a"'):
            read(changed, FITS)
    # Rows that share a cell are allowed, as often as the table's bytes last.
    first = np.array([np.zeros(1000), *[np.zeros(0)] * 99], dtype=object)
    data = written(table(fits.Column("a", "PD()", array=first)))
    place = data.index(b"\0\0\x03\xe8\0\0\0\0")
    shared = data[:place] + data[place : place + 8] * 100 + data[place + 800 :]
    assert [len(row[0]) for row in read(shared, FITS)[1]] == [1000] * 100
    with pytest.raises(LimitFault, match="cells have more than 799999 bytes"):
        read(shared, FITS, limits=_bytes(799_999))


def _bytes(count: int) -> ReadLimits:
    return ReadLimits(LIMITS.rows, LIMITS.columns, LIMITS.cell_bytes, LIMITS.row_bytes, count)


WHOLE = written(
    table(
        fits.Column("a", "J", null=-1, array=[1, -1, 3]),
        fits.Column("b", "PE()", array=np.array([np.array([1, 2], "f4")] * 3, dtype=object)),
        fits.Column("c", "4A", array=["a", "b", "c"]),
        fits.Column("d", "K", bzero=2**63, array=np.array([1, 2, 3], "u8")),
    )
)
CARDS = [at for at in range(0, len(WHOLE), 80) if WHOLE[at : at + 1].isupper()]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.integers(0, len(WHOLE) - 1),
        st.builds(lambda card, at: card + at, st.sampled_from(CARDS), st.integers(0, 32)),
    ),
    st.sampled_from([b"9", b"-", b" ", b"T", b"'", b"99999999", b"\0", b"\xff" * 4, b"Q", b"E99"]),
    st.integers(0, 20000),
)
def test_whatever_is_changed_the_answer_is_a_table_or_a_fault(place, piece, end):
    changed = WHOLE[:place] + piece + WHOLE[place + len(piece) :]
    for data in (changed, changed[:end]):
        fault = fault_of(data, FITS)
        assert fault is None or 0 < len(fault.text) < 1000
