"""A few rows value by value are what the kernels make of them, to the bit."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.writing import binary, few

VALUES = {
    ("boolean", None): st.booleans(),
    ("unsignedByte", None): st.integers(0, 255),
    ("short", None): st.integers(-(2**15), 2**15 - 1),
    ("int", None): st.integers(-(2**31), 2**31 - 1),
    ("long", None): st.integers(-(2**63), 2**63 - 1),
    ("float", None): st.floats(width=32, allow_nan=False),
    ("double", None): st.floats(allow_nan=False),
    ("char", "*"): st.text(st.characters(max_codepoint=127), max_size=8),
    ("char", "9*"): st.text(st.characters(max_codepoint=127), max_size=8),
    ("unicodeChar", "*"): st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
}


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES, key=str)), min_size=1, max_size=20))
    count = draw(st.integers(1, 5))
    fields = [Field(f"c{place}", *kind) for place, kind in enumerate(kinds)]
    columns = [
        pa.array(draw(st.lists(st.none() | VALUES[kind], min_size=count, max_size=count)), cols.arrow_type(field))
        for kind, field in zip(kinds, fields, strict=True)
    ]
    return fields, columns


@given(tables())
def test_the_same_rows_to_the_bit(table):
    fields, columns = table
    assert few.encode(fields, columns) == binary.encode_binary2(fields, columns, [None] * len(fields))


@pytest.mark.parametrize(
    ("field", "column"),
    [
        (Field("c", "double", "2"), pa.array([[1.0, 2.0]])),
        (Field("c", "char", "5"), pa.array(["abc"])),
        (Field("c", "bit"), pa.array([True])),
        (Field("c", "floatComplex"), pa.array([[1.0, 2.0]], pa.list_(pa.float32()))),
        (Field("c", "char", "3x*"), pa.array(["abcdef"])),
        (Field("c", "char", "*"), pa.array(["é"])),
    ],
)
def test_what_it_leaves_to_the_kernels(field, column):
    assert few.encode([field], [column]) is None


def test_nan_stays_nan():
    column = pa.array([float("nan"), None, 1.0])
    field = Field("c", "double")
    assert few.encode([field], [column]) == binary.encode_binary2([field], [column], [None])
