"""A table with a column of every kind that VOTable knows, and how its cells are compared."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables import formats
from vo.tables.votable import Document

# XML carries none of these.
CONTROLS = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), max_size=12)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)

ANY = {"allow_nan": True, "allow_infinity": True}
DOUBLE = st.floats(**ANY)
SCALARS = {
    "boolean": st.booleans(),
    "unsignedByte": st.integers(0, 255),
    "short": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, **ANY),
    "double": DOUBLE,
}
# The fields of a table with one column of each kind, and what may stand in each.
KINDS: list[tuple[Field, st.SearchStrategy]] = [
    *((Field(name, name), values) for name, values in SCALARS.items()),
    (Field("ascii", "char", "*"), ASCII),
    (Field("bounded", "char", "12*"), ASCII),
    (Field("text", "char", "*"), TEXT),
    (Field("unicode", "unicodeChar", "*"), TEXT),
    (Field("point", "double", "2", "point"), st.tuples(DOUBLE, DOUBLE)),
    (Field("circle", "double", "3", "circle"), st.tuples(DOUBLE, DOUBLE, DOUBLE)),
    (Field("polygon", "double", "*", "polygon"), st.lists(DOUBLE, min_size=1, max_size=8)),
    (Field("floats", "float", "*"), st.lists(SCALARS["float"], min_size=1, max_size=4)),
    (Field("ints", "int", "3"), st.tuples(*[SCALARS["int"]] * 3)),
    (Field("bit", "bit"), st.booleans()),
    (Field("bits", "bit", "11"), st.tuples(*[st.booleans()] * 11)),
    (Field("flags", "boolean", "*"), st.lists(st.booleans(), min_size=1, max_size=4)),
    (Field("bytes", "unsignedByte", "5*"), st.lists(SCALARS["unsignedByte"], min_size=1, max_size=5)),
    (Field("matrix", "short", "2x3"), st.tuples(*[SCALARS["short"]] * 6)),
    (Field("complex", "doubleComplex"), st.tuples(DOUBLE, DOUBLE)),
    (Field("complexes", "floatComplex", "2"), st.tuples(*[SCALARS["float"]] * 4)),
]
FIELDS = [field for field, _ in KINDS]
ROWS = st.lists(st.tuples(*(st.none() | values for _, values in KINDS)), max_size=12)


def batch(fields, rows):
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(fields)
    arrays = [
        pa.array([list(cell) if isinstance(cell, tuple) else cell for cell in column], cols.arrow_type(field))
        for field, column in zip(fields, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, [field.name for field in fields])


def written(name, fields, *batches, maxrec=10**6):
    return b"".join(formats.find(name).write(Document(fields), batches, maxrec))


def same(a, b):
    """Equality in which NaN equals NaN and 0.0 is not -0.0."""
    if isinstance(a, (list, tuple, np.ndarray)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        b = float(b)
        return (math.isnan(a) and math.isnan(b)) or (b == a and math.copysign(1, a) == math.copysign(1, b))
    return a == b


def expected_items(field, cell):
    """The numbers of a cell, as precise as its field has them."""
    flat = np.ravel(cell).tolist()
    return [np.float32(part).item() for part in flat] if field.datatype in ("float", "floatComplex") else flat
